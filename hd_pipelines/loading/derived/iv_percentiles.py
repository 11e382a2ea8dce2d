"""Refresh `iv_percentile_cache` from valued chains: observe the sessions that changed, rank them and all later ones.

A session's observation is outdated if its valued chains or the code version differ from those it was made from. Its row
also depends on the 252 sessions before. So all published rows from a symbol's first new observation on are ranked again,
from the observations in the table itself; unchanged rows are not written. Observations are computed in
`analytics.volatility`, rank and percentile in `analytics.iv_percentile`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import partial

import polars as pl

from hd_pipelines.analytics.iv_percentile import (
    OBSERVATIONS,
    WINDOW,
    compute_percentile_rows,
    select_session_observations,
)
from hd_pipelines.analytics.volatility.constant_maturity import observe
from hd_pipelines.analytics.volatility.model_free import compute_model_free_volatility
from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import (
    Pair,
    digest,
    find_outdated_pairs,
    find_span,
    keep_chain_valued,
    split_into_batches,
    to_pair_frame,
)
from hd_pipelines.loading.derived.iv_past import OBSERVED_FROM
from hd_pipelines.loading.derived.refresh import (
    Computed,
    DerivedReport,
    DerivedTable,
    Validator,
    publish_small_rows,
    refresh,
)
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.market.symbols import to_ticker
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.prefetch import prefetch
from hd_pipelines.warehouse.read.options import read_iv_percentiles, read_valued_in_parallel
from hd_pipelines.warehouse.records.derivations import read_fingerprints, read_row_counts

TABLE, SOURCE = "iv_percentile_cache", "historical_greeks"
OBSERVATION = 1
"""Raise it when the same valued chains give another observation; sessions are then observed again."""
MAX_CONTRACTS_PER_BATCH = 250_000
"""Observed while the next batch is read."""


def refresh_iv_percentiles(
    database: Database,
    lake: Lake,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    validate: Validator | None = None,
) -> DerivedReport:
    """Bring the volatility percentiles of `symbols` in `sessions` (ascending) up to date with `historical_greeks`."""
    began = time.perf_counter()
    with database.connect() as connection:
        sources = keep_chain_valued(read_fingerprints(connection, SOURCE, symbols, sessions[0], sessions[-1]))
        stored = read_fingerprints(connection, TABLE, symbols, sessions[0], date.max)
        contracts = read_row_counts(connection, SOURCE, symbols, sessions[0], sessions[-1])
    wanted = {pair: digest(OBSERVATION, mark) for pair, mark in sources.items()}
    due = find_outdated_pairs(wanted, stored)
    table = DerivedTable(
        TABLE,
        compute=lambda _: _rank(database, _observe(database, lake, due.fingerprints, contracts), due.fingerprints),
        publish=publish_small_rows(database, TABLE, run_id=run_id),
        session="date",
    )
    return refresh(table, due, stored, validate=validate, began=began)


def _observe(database: Database, lake: Lake, due: Mapping[Pair, str], contracts: Mapping[Pair, int]) -> pl.DataFrame:
    """Compute the observations (`OBSERVATIONS`) of the due pairs."""
    curve = lake.treasury_yields.read()
    batches = list(split_into_batches(to_pair_frame(due), contracts, MAX_CONTRACTS_PER_BATCH))
    observed = []
    with closing(prefetch(partial(_read, database, lake), batches)) as read:
        for batch, (valued, chains) in zip(batches, read, strict=True):
            found = select_session_observations(observe(valued), compute_model_free_volatility(chains, curve))
            observed.append(found.join(batch, left_on=["symbol", "date"], right_on=["symbol", "session"], how="semi"))
    return pl.concat(observed)


def _read(database: Database, lake: Lake, batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the valued contracts and the chains of the symbols and sessions of `batch`."""
    names = sorted(batch["symbol"].unique())
    first, last = find_span(batch["session"])
    valued = read_valued_in_parallel(database, names, first, last, columns=OBSERVED_FROM)
    return valued, lake.chains.read([to_ticker(name) for name in names], first, last)


def _rank(database: Database, observed: pl.DataFrame, due: Mapping[Pair, str]) -> Computed:
    """Rank the due pairs, and all later published sessions, whose windows contain them."""
    first = dict(observed.group_by("symbol").agg(pl.col("date").min()).iter_rows())
    for symbol, session in due:
        first[symbol] = min(first.get(symbol, session), session)
    with database.connect() as connection:
        held = read_iv_percentiles(
            connection, sorted(first), list_last_sessions(min(first.values()), WINDOW + 1)[0], date.max
        )
    again = pl.DataFrame(list(due), schema={"symbol": pl.String, "date": pl.Date}, orient="row")
    kept = held.select(list(OBSERVATIONS)).join(again, on=["symbol", "date"], how="anti")
    rows = compute_percentile_rows(pl.concat([kept, observed]))
    since = pl.DataFrame(list(first.items()), schema={"symbol": pl.String, "since": pl.Date}, orient="row")
    rows = rows.join(since, on="symbol").filter(pl.col("date") >= pl.col("since")).drop("since")
    scope = pl.concat([rows.select("symbol", session="date"), again.select("symbol", session="date")]).unique()
    return Computed(rows, scope=scope)
