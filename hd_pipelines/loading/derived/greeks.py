"""Refresh `historical_greeks` from the option chains of the lake: value the chains, rank the contracts, publish.

A snapshot is outdated if its chain, the Treasury curve of its session, or the code version differs from that of its
rows. Chains are valued in batches, oldest first, each published in one transaction. So the next load continues one that
died, and computes the same ranks. Chains are valued by `pricing.valuation`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import Marks, Pair, digest, find_outdated, find_span, split_into_batches
from hd_pipelines.loading.derived.iv_past import IvPast
from hd_pipelines.loading.derived.refresh import Computed, DerivedReport, DerivedTable, Publication, Validator, refresh
from hd_pipelines.market.symbols import is_index, to_symbol, to_ticker
from hd_pipelines.pricing.discounting import select_curves
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.greeks import Scope, publish_greeks
from hd_pipelines.warehouse.records.chains import ChainRecord, read_recorded_chains
from hd_pipelines.warehouse.records.derivations import read_fingerprints

TABLE = "historical_greeks"
VALUATION = 1
"""Raise it when the same chain and curve give other rows; rows of an older version are then computed again."""
MAX_CONTRACTS_PER_BATCH = 300_000
"""Valued and published in one transaction; together with the previous batch, less than a gigabyte at the peak."""


def refresh_greeks(
    database: Database,
    lake: Lake,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    validate: Validator | None = None,
) -> DerivedReport:
    """Bring the valued contracts of `symbols` in `sessions` (ascending) up to date with the chains of the lake."""
    began = time.perf_counter()
    first, last = sessions[0], sessions[-1]
    tickers = {to_ticker(symbol) for symbol in symbols}
    curve = lake.treasury_yields.read()
    with database.connect() as connection:
        recorded = read_recorded_chains(connection, first, last)
        stored = read_fingerprints(connection, TABLE, [to_symbol(ticker) for ticker in tickers], first, last)
    in_lake = {(held.underlying, held.snapshot_at) for held in lake.chains.list_snapshots(first, last)}
    recorded = [chain for chain in recorded if (chain.underlying, chain.snapshot_at) in in_lake]
    rates = _find_rates(recorded, curve)
    chains = [chain for chain in recorded if chain.underlying in tickers]
    due = find_outdated(_compute_marks(chains, rates.marks), stored)
    past = IvPast(database)

    def publish(publication: Publication) -> int:
        for part in _split_scope(publication.scope, due.whole):
            covered = part.frame if isinstance(part, Scope) else part
            publish_greeks(
                database,
                publication.rows.join(covered, on=covered.columns, how="semi"),
                scope=part,
                fingerprints=publication.fingerprints,
                findings=publication.findings,
                checked=publication.checked,
                run_id=run_id,
            )
        return publication.rows.height

    table = DerivedTable(
        TABLE,
        compute=lambda batch: Computed(past.rank(_value(lake, batch, curve, rates))),
        publish=publish,
        batches=lambda scope: split_into_batches(scope, _count_contracts(chains), MAX_CONTRACTS_PER_BATCH),
        computes_ahead=True,
    )
    return refresh(table, due, stored, validate=validate, began=began)


def _split_scope(scope: pl.DataFrame, whole: frozenset[Pair]) -> list[Scope | pl.DataFrame]:
    """Split into parts of one transaction each: whole sessions, then single snapshots; usually there is only one part.

    A session of which no snapshot stays is replaced as a whole: the times of rows that `traded_greeks` valued earlier
    are in no fingerprint.
    """
    pairs = frozenset(scope.select("symbol", "session").iter_rows())
    if pairs <= whole:
        return [Scope(pairs)]
    replaced = Scope(pairs & whole)
    single = scope.join(replaced.frame, on=["symbol", "session"], how="anti")
    return [replaced, single] if replaced.pairs else [single]


class _Rates(NamedTuple):
    """Sources of discount rates: a mark for each instant, and the index chains whose rates replace a missing curve."""

    marks: Mapping[datetime, str]
    lenders: Mapping[datetime, Sequence[str]]


def _find_rates(recorded: Sequence[ChainRecord], curve: pl.DataFrame) -> _Rates:
    curves = select_curves(curve, sorted({chain.session for chain in recorded}))
    curve_marks = {day: digest(*(numbers.tobytes().hex() for numbers in points)) for day, points in curves.items()}
    lenders: dict[datetime, list[ChainRecord]] = {}
    for chain in recorded:
        if chain.session not in curve_marks and is_index(chain.underlying):
            lenders.setdefault(chain.snapshot_at, []).append(chain)
    marks = {chain.snapshot_at: curve_marks.get(chain.session, "no curve") for chain in recorded}
    marks |= {at: digest("lent", *(chain.fingerprint for chain in lent)) for at, lent in lenders.items()}
    return _Rates(marks, {at: [chain.underlying for chain in lent] for at, lent in lenders.items()})


def _compute_marks(chains: Sequence[ChainRecord], rates: Mapping[datetime, str]) -> dict[Pair, Marks]:
    marks: dict[Pair, Marks] = {}
    for chain in chains:
        mark = digest(VALUATION, chain.fingerprint, rates[chain.snapshot_at])
        marks.setdefault((to_symbol(chain.underlying), chain.session), {})[chain.snapshot_at] = mark
    return marks


def _count_contracts(chains: Sequence[ChainRecord]) -> Mapping[Pair, int]:
    contracts: dict[Pair, int] = {}
    for chain in chains:
        pair = to_symbol(chain.underlying), chain.session
        contracts[pair] = contracts.get(pair, 0) + chain.contracts
    return contracts


def _value(lake: Lake, scope: pl.DataFrame, curve: pl.DataFrame, rates: _Rates) -> pl.DataFrame:
    """Value exactly the snapshots of `scope` (`VALUED`), together with the index chains whose rates they need."""
    wanted = scope.select(
        pl.col("symbol").map_elements(to_ticker, pl.String).alias("underlying"), snapshot_at="timestamp"
    )
    lent = [(name, at) for at in wanted["snapshot_at"].unique() for name in rates.lenders.get(at, ())]
    needed = pl.concat([wanted, pl.DataFrame(lent, schema=wanted.schema, orient="row")]).unique()
    first, last = find_span(scope["session"])
    chains = lake.chains.read(needed["underlying"].unique(), first, last)
    valued = value_chain(chains.join(needed, on=["underlying", "snapshot_at"], how="semi"), curve)
    return valued.join(scope, on=["symbol", "timestamp"], how="semi")
