"""From option chains in the lake to `historical_greeks`: what is out of date, value it, rank it, publish it.

Belongs here: the order of those steps and what a snapshot's rows are made from. Valuation is `pricing.valuation`.

A snapshot is out of date when its chain, the Treasury curve of its session, or the version of this code is not what its
rows were made with. Chains are valued in portions, oldest first, each published in one transaction: so a load that dies
is continued by the next one, and the ranks come out the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derivation import (
    DerivedReport,
    Judge,
    Marks,
    Pair,
    Totals,
    digest,
    judged,
    outdated,
    portions,
    span,
    split_withheld,
)
from hd_pipelines.loading.iv_past import IvPast
from hd_pipelines.market.symbols import symbol_of, ticker_of
from hd_pipelines.pricing.discounting import rates_of_sessions
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.warehouse.chain_manifest import ChainRecord, recorded_chains
from hd_pipelines.warehouse.derivations import fingerprints_of
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.greeks import publish_greeks

TABLE = "historical_greeks"
VALUATION = 1
"""Raised when the same chain and curve would give other rows; what was valued by an older version is valued again."""
MOST_CONTRACTS_AT_ONCE = 300_000
"""Valued and published in one transaction: about half a gigabyte at the peak."""


def refresh_greeks(
    database: Database,
    lake: Lake,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    judge: Judge | None = None,
) -> DerivedReport:
    """Bring the valued contracts of `symbols` in `sessions` (ascending) up to date with the chains of the lake."""
    began = time.perf_counter()
    first, last = sessions[0], sessions[-1]
    tickers = {ticker_of(symbol) for symbol in symbols}
    curve = lake.treasury_yields.read()
    with database.connect() as connection:
        chains = recorded_chains(connection, first, last, tickers)
        stored = fingerprints_of(connection, TABLE, [symbol_of(ticker) for ticker in tickers], first, last)
    in_lake = {(held.underlying, held.snapshot_at) for held in lake.chains.snapshots(first, last, tickers)}
    chains = [chain for chain in chains if (chain.underlying, chain.snapshot_at) in in_lake]
    due = outdated(_marks(chains, curve), stored)
    totals = Totals(up_to_date=due.up_to_date)
    past = IvPast(database)
    for portion in portions(due.scope, _contracts(chains), MOST_CONTRACTS_AT_ONCE):
        rows = past.ranked(value_chain(_read(lake, portion), curve))
        findings = list(judge(rows)) if judge is not None and not rows.is_empty() else []
        accepted, scope, withheld = split_withheld(rows, portion, findings)
        pairs = set(scope.select("symbol", "session").iter_rows())
        publish_greeks(
            database,
            accepted,
            scope=scope,
            fingerprints={pair: due.fingerprints[pair] for pair in pairs},
            findings=findings,
            judged=judged(TABLE, portion),
            run_id=run_id,
        )
        totals.rows += accepted.height
        totals.published += len(pairs)
        totals.withheld += withheld
        totals.findings += findings
    return totals.report(time.perf_counter() - began)


def _marks(chains: Sequence[ChainRecord], curve: pl.DataFrame) -> dict[Pair, Marks]:
    sessions = sorted({chain.session for chain in chains})
    rates = {
        day: digest(*(c.tobytes().hex() for c in points)) for day, points in rates_of_sessions(curve, sessions).items()
    }
    marks: dict[Pair, Marks] = {}
    for chain in chains:
        mark = digest(VALUATION, chain.fingerprint, rates.get(chain.session, "no curve"))
        marks.setdefault((symbol_of(chain.underlying), chain.session), {})[chain.snapshot_at] = mark
    return marks


def _contracts(chains: Sequence[ChainRecord]) -> Mapping[Pair, int]:
    contracts: dict[Pair, int] = {}
    for chain in chains:
        pair = symbol_of(chain.underlying), chain.session
        contracts[pair] = contracts.get(pair, 0) + chain.contracts
    return contracts


def _read(lake: Lake, scope: pl.DataFrame) -> pl.DataFrame:
    """The chains of exactly the snapshots of `scope`."""
    tickers = {symbol: ticker_of(symbol) for symbol in scope["symbol"].unique()}
    first, last = span(scope["session"])
    snapshots = scope.select(pl.col("symbol").replace_strict(tickers).alias("underlying"), snapshot_at="timestamp")
    return lake.chains.read(tickers.values(), first, last).join(snapshots, on=["underlying", "snapshot_at"], how="semi")
