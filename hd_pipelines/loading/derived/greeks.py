"""From option chains in the lake to `historical_greeks`: what is out of date, value it, rank it, publish it.

Belongs here: the order of those steps and what a snapshot's rows are made from. Valuation is `pricing.valuation`.

A snapshot is out of date when its chain, the Treasury curve of its session, or the version of this code is not what its
rows were made with. Chains are valued in batches, oldest first, each published in one transaction: so a load that dies
is continued by the next one, and the ranks come out the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import (
    DerivedReport,
    Marks,
    Pair,
    Totals,
    Validator,
    digest,
    drop_withheld,
    find_outdated,
    find_span,
    split_into_batches,
    to_checked_scopes,
)
from hd_pipelines.loading.derived.iv_past import IvPast
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.symbols import is_index, to_symbol, to_ticker
from hd_pipelines.pricing.discounting import select_curves
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.greeks import Scope, publish_greeks
from hd_pipelines.warehouse.records.chains import ChainRecord, read_recorded_chains
from hd_pipelines.warehouse.records.derivations import read_fingerprints

TABLE = "historical_greeks"
VALUATION = 1
"""Raised when the same chain and curve would give other rows; what was valued by an older version is valued again."""
MAX_CONTRACTS_PER_BATCH = 300_000
"""Valued and published in one transaction; with the batch before, less than a gigabyte at the peak."""


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
    in_lake = {(held.underlying, held.snapshot_at) for held in lake.chains.snapshots(first, last)}
    recorded = [chain for chain in recorded if (chain.underlying, chain.snapshot_at) in in_lake]
    rates = _rates(recorded, curve)
    chains = [chain for chain in recorded if chain.underlying in tickers]
    due = find_outdated(_marks(chains, rates.marks), stored)
    totals = Totals(up_to_date=due.up_to_date)
    past = IvPast(database)

    def publish(batch: pl.DataFrame, rows: pl.DataFrame, findings: Sequence[Finding]) -> None:
        accepted, scope, withheld = drop_withheld(rows, batch, findings)
        for part in _parts(scope, due.whole):
            covered = part.frame if isinstance(part, Scope) else part
            publish_greeks(
                database,
                accepted.join(covered, on=covered.columns, how="semi"),
                scope=part,
                fingerprints=due.fingerprints,
                findings=findings,
                checked=to_checked_scopes(TABLE, batch),
                run_id=run_id,
            )
        totals.rows += accepted.height
        totals.published += scope.select("symbol", "session").n_unique()
        totals.withheld += withheld
        totals.findings += findings

    # One batch is published while the next is valued; in order, one at a time.
    with ThreadPoolExecutor(1) as publisher:
        before: Future[None] | None = None
        for batch in split_into_batches(due.scope, _contracts(chains), MAX_CONTRACTS_PER_BATCH):
            rows = past.ranked(_valued(lake, batch, curve, rates))
            findings = list(validate(rows)) if validate is not None and not rows.is_empty() else []
            if before is not None:
                before.result()
            before = publisher.submit(publish, batch, rows, findings)
        if before is not None:
            before.result()
    return totals.report(time.perf_counter() - began)


def _parts(scope: pl.DataFrame, whole: frozenset[Pair]) -> list[Scope | pl.DataFrame]:
    """What is published at once: sessions of which nothing stays, then single snapshots; one of the two as a rule.

    The former are replaced as such: what `traded_greeks` had valued of them lies at instants that no fingerprint names.
    """
    pairs = frozenset(scope.select("symbol", "session").iter_rows())
    if pairs <= whole:
        return [Scope(pairs)]
    replaced = Scope(pairs & whole)
    single = scope.join(replaced.frame, on=["symbol", "session"], how="anti")
    return [replaced, single] if replaced.pairs else [single]


class _Rates(NamedTuple):
    """Where discounts come from: a mark for each instant, and the index chains that lend theirs where there is no curve."""

    marks: Mapping[datetime, str]
    lenders: Mapping[datetime, Sequence[str]]


def _rates(recorded: Sequence[ChainRecord], curve: pl.DataFrame) -> _Rates:
    curves = select_curves(curve, sorted({chain.session for chain in recorded}))
    told = {day: digest(*(numbers.tobytes().hex() for numbers in points)) for day, points in curves.items()}
    lenders: dict[datetime, list[ChainRecord]] = {}
    for chain in recorded:
        if chain.session not in told and is_index(chain.underlying):
            lenders.setdefault(chain.snapshot_at, []).append(chain)
    marks = {chain.snapshot_at: told.get(chain.session, "no curve") for chain in recorded}
    marks |= {at: digest("lent", *(chain.fingerprint for chain in lent)) for at, lent in lenders.items()}
    return _Rates(marks, {at: [chain.underlying for chain in lent] for at, lent in lenders.items()})


def _marks(chains: Sequence[ChainRecord], rates: Mapping[datetime, str]) -> dict[Pair, Marks]:
    marks: dict[Pair, Marks] = {}
    for chain in chains:
        mark = digest(VALUATION, chain.fingerprint, rates[chain.snapshot_at])
        marks.setdefault((to_symbol(chain.underlying), chain.session), {})[chain.snapshot_at] = mark
    return marks


def _contracts(chains: Sequence[ChainRecord]) -> Mapping[Pair, int]:
    contracts: dict[Pair, int] = {}
    for chain in chains:
        pair = to_symbol(chain.underlying), chain.session
        contracts[pair] = contracts.get(pair, 0) + chain.contracts
    return contracts


def _valued(lake: Lake, scope: pl.DataFrame, curve: pl.DataFrame, rates: _Rates) -> pl.DataFrame:
    """`VALUED` of exactly the snapshots of `scope`; the index chains that lend them their rates are valued beside them."""
    wanted = scope.select(
        pl.col("symbol").map_elements(to_ticker, pl.String).alias("underlying"), snapshot_at="timestamp"
    )
    lent = [(name, at) for at in wanted["snapshot_at"].unique() for name in rates.lenders.get(at, ())]
    needed = pl.concat([wanted, pl.DataFrame(lent, schema=wanted.schema, orient="row")]).unique()
    first, last = find_span(scope["session"])
    chains = lake.chains.read(needed["underlying"].unique(), first, last)
    valued = value_chain(chains.join(needed, on=["underlying", "snapshot_at"], how="semi"), curve)
    return valued.join(scope, on=["symbol", "timestamp"], how="semi")
