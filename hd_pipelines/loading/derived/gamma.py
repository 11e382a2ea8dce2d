"""Refresh `gamma_exposure_snapshots`, with its rows by strike and by expiration, from the chains of `historical_greeks`.

Positioning is classified against the symbol's own earlier snapshots, which the table keeps for 90 days. So batches are
computed oldest first. The sums, levels and classes are computed in `analytics`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta

import polars as pl

from hd_pipelines.analytics.gamma_exposure import compute_gamma_exposure
from hd_pipelines.loading.derived.fingerprints import (
    decode_marks,
    digest,
    find_outdated,
    find_span,
    keep_chain_valued,
    split_into_batches,
)
from hd_pipelines.loading.derived.refresh import (
    Computed,
    DerivedReport,
    DerivedTable,
    Validator,
    publish_small_rows,
    refresh,
)
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.prefetch import prefetch
from hd_pipelines.warehouse.read.options import read_gamma_history, read_valued_in_parallel
from hd_pipelines.warehouse.records.derivations import read_fingerprints, read_row_counts

TABLE, SOURCE = "gamma_exposure_snapshots", "historical_greeks"
STRIKES, EXPIRATIONS = "gamma_by_strike", "gamma_by_expiration"
SUMMATION = 1
"""Raise it when the same valued chains give other rows."""
MAX_CONTRACTS_PER_BATCH = 300_000
"""Summed while the next batch is read and the one before is published."""
SUMMED_FROM = (
    *("symbol", "contract_ticker", "timestamp", "session", "kind", "expiration", "strike", "option_type"),
    *("shares_per_contract", "settles_at", "years", "underlying_price", "forward", "discount", "volume"),
    *("open_interest", "open_interest_as_of", "implied_volatility", "iv_reason", "gamma", "root", "exercise_style"),
)
"""Columns of `VALUED` that a gamma snapshot is computed from."""


def refresh_gamma(
    database: Database,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    validate: Validator | None = None,
) -> DerivedReport:
    """Bring the gamma exposure of `symbols` in `sessions` (ascending) up to date with `historical_greeks`."""
    began = time.perf_counter()
    first, last = sessions[0], sessions[-1]
    with database.connect() as connection:
        sources = keep_chain_valued(read_fingerprints(connection, SOURCE, symbols, first, last))
        stored = read_fingerprints(connection, TABLE, symbols, first, last)
        contracts = read_row_counts(connection, SOURCE, symbols, first, last)
    wanted = {
        pair: {stamp: digest(SUMMATION, mark) for stamp, mark in decode_marks(text).items()}
        for pair, text in sources.items()
    }
    due = find_outdated(wanted, stored)
    batches = list(split_into_batches(due.scope, contracts, MAX_CONTRACTS_PER_BATCH))
    past = _Past(database, due.scope)
    with closing(prefetch(lambda batch: _read(database, batch), batches)) as valued:
        table = DerivedTable(
            TABLE,
            compute=lambda _: past.compute(next(valued)),
            publish=publish_small_rows(database, TABLE, run_id=run_id),
            batches=lambda _: batches,
            computes_ahead=True,
        )
        return refresh(table, due, stored, validate=validate, began=began)


def _read(database: Database, scope: pl.DataFrame) -> pl.DataFrame:
    """Read the valued contracts of exactly the snapshots of `scope`."""
    names = sorted(scope["symbol"].unique())
    valued = read_valued_in_parallel(database, names, *find_span(scope["session"]), columns=SUMMED_FROM)
    return valued.join(scope, on=["symbol", "session", "timestamp"], how="semi")


class _Past:
    """Earlier snapshots, against which new ones are classified: published ones that stay, and those computed here.

    So a batch depends neither on how the load is split nor on when the one before is published.
    """

    def __init__(self, database: Database, scope: pl.DataFrame) -> None:
        """`scope`: all snapshots that will be computed, or removed."""
        self._snapshots = pl.DataFrame()
        if scope.height:
            names = sorted(scope["symbol"].unique())
            with database.connect() as connection:
                published = read_gamma_history(connection, names, find_span(scope["session"])[1] + timedelta(days=1))
            self._snapshots = published.join(scope, on=["symbol", "timestamp"], how="anti")

    def compute(self, valued: pl.DataFrame) -> Computed:
        """Compute the snapshots of one batch, and remember them for the next one. Batches come in time order."""
        found = compute_gamma_exposure(valued, self._snapshots)
        own = found.snapshots.select(pl.col(name).cast(dtype) for name, dtype in self._snapshots.schema.items())
        self._snapshots = pl.concat([self._snapshots, own])
        return Computed(found.snapshots, parts={STRIKES: found.strikes, EXPIRATIONS: found.expirations})
