"""Refresh `historical_bars` from the lake: find outdated sessions, derive their bars, validate and publish them.

A symbol's session is outdated if its input files or the derivation rules differ from those of its published bars. So a
second run publishes nothing, a republished file reloads only its own session, and a new symbol on the watchlist is
backfilled from the lake without a download. Bars of the running session (`live_bars`) have fingerprints that no file
has: they are outdated as soon as a file of their session arrives.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import Pair, find_outdated_pairs, split_into_batches, to_pair_frame
from hd_pipelines.loading.derived.refresh import Computed, DerivedTable, Publication, refresh
from hd_pipelines.market import bar_audit
from hd_pipelines.market.bars import (
    DERIVATION,
    MINUTES,
    SCHEMA,
    build_hours_frame,
    derive_day_bars,
    derive_intraday_bars,
    derive_week_bars,
)
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import list_last_sessions, list_sessions_between, list_week_sessions
from hd_pipelines.market.symbols import is_index, to_ticker
from hd_pipelines.providers.massive.flat_files.layout import (
    INDEX_DAY,
    INDEX_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    FlatFileDataset,
)
from hd_pipelines.tables.vocabulary import Timeframe
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.bar_rows import Scope
from hd_pipelines.warehouse.publish.bars import publish_bars
from hd_pipelines.warehouse.read.bars import read_bar_fingerprints, read_bars, read_minute_shares, read_published_pairs
from hd_pipelines.warehouse.records.files import read_current_loads
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
from hd_pipelines.warehouse.records.watchlist import read_active_symbols
from hd_pipelines.warehouse.roles import Role

MAX_PAIRS_PER_BATCH = 3_000
"""Symbol-sessions derived and published in one transaction: about 1.6 M bars, half a gigabyte at the peak."""

Validator = Callable[[pl.DataFrame, pl.DataFrame], Sequence[Finding]]
"""Checks derived bars: (bars, coverage) → findings. An `ERROR` withholds the bars of its symbol and session."""


@dataclass(frozen=True, slots=True)
class BarsReport:
    """Result of a refresh. Pairs counted as `withheld` keep their earlier published bars."""

    rows: int = 0
    published: int = 0
    up_to_date: int = 0
    withheld: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    rows_by_timeframe: Mapping[str, int] = field(default_factory=dict)


def refresh_bars(
    database: Database,
    lake: Lake,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    validate: Validator | None = None,
) -> BarsReport:
    """Bring the bars of `symbols` in `sessions` up to date. Raises what the lake and the warehouse raise.

    A week bar belongs to the last session of its week, so that session is refreshed too when an earlier day changed.
    """
    began = time.perf_counter()
    wanted = sorted({*sessions, *(list_week_sessions(session)[-1] for session in sessions)})
    current, without_minutes = _compute_fingerprints(database, symbols, wanted)
    with database.connect() as connection:
        stored = read_bar_fingerprints(connection, symbols, wanted[0], wanted[-1])
    due = find_outdated_pairs(current, stored)
    waiting = without_minutes & due.fingerprints.keys() & stored.keys()
    rows_by_timeframe: dict[str, int] = {}

    def compute(batch: pl.DataFrame) -> Computed:
        return _compute_batch(database, lake, batch, waiting=waiting, validate=validate)

    def publish(publication: Publication) -> int:
        scope = frozenset(publication.scope.iter_rows())
        publish_bars(
            database,
            publication.rows,
            scope=Scope(scope),
            fingerprints=publication.fingerprints,
            findings=publication.findings,
            checked=publication.checked,
            run_id=run_id,
        )
        for timeframe, rows in publication.rows.group_by("timeframe").len().iter_rows():
            rows_by_timeframe[timeframe] = rows_by_timeframe.get(timeframe, 0) + rows
        return publication.rows.height

    table = DerivedTable(
        bar_audit.DATASET,
        compute=compute,
        publish=publish,
        batches=lambda scope: split_into_batches(scope, dict.fromkeys(due.fingerprints, 1), MAX_PAIRS_PER_BATCH),
        rules=bar_audit.AUDIT_RULES,
    )
    report = refresh(table, due, stored, began=began)
    missing = _settle_missing(database, symbols, sessions, run_id)
    return BarsReport(
        rows=report.rows,
        published=report.published,
        up_to_date=report.up_to_date,
        withheld=report.withheld,
        findings=(*report.findings, *missing),
        seconds=time.perf_counter() - began,
        rows_by_timeframe=rows_by_timeframe,
    )


def _settle_missing(
    database: Database, symbols: Sequence[str], sessions: Sequence[date], run_id: str | None
) -> list[Finding]:
    with database.begin(Role.SERVICE) as connection:
        # Check the whole watchlist even if one symbol is refreshed: a finding about "all symbols" needs all of them.
        expected = {*read_active_symbols(connection), *symbols}
        have = read_published_pairs(connection, expected, sessions[0], sessions[-1])
        missing = bar_audit.find_missing_sessions(have, expected, sessions)
        checked = CheckedScope(bar_audit.DATASET, frozenset(sessions), bar_audit.MISSING_RULES)
        settle_findings(connection, missing, [checked], run_id=run_id)
    return missing


def _compute_batch(
    database: Database, lake: Lake, batch: pl.DataFrame, *, waiting: AbstractSet[Pair], validate: Validator | None
) -> Computed:
    sessions, symbols = sorted(set(batch["session"])), sorted(set(batch["symbol"]))
    bars = derive_bars(lake, symbols, sessions).join(batch, on=["symbol", "session"], how="semi")
    bars = _add_live_bars(database, bars, waiting & set(batch.iter_rows()))
    hours = build_hours_frame(sessions)
    # The history includes sessions published between outdated ones, so a withheld session alone stays outdated.
    first = list_last_sessions(sessions[0], bar_audit.USUAL_SESSIONS + 1)[0]
    with database.connect() as connection:
        earlier = read_minute_shares(connection, symbols, list_sessions_between(first, sessions[-1]))
    findings = list(bar_audit.audit(bars, hours, earlier).findings)
    if validate is not None and not bars.is_empty():
        findings += validate(bars, bar_audit.measure_coverage(bars, hours, earlier))
    return Computed(bars, findings)


def _add_live_bars(database: Database, bars: pl.DataFrame, waiting: AbstractSet[Pair]) -> pl.DataFrame:
    """Add the published intraday bars of pairs whose minute file has not arrived yet.

    Otherwise a day file that arrives first would delete the minutes that were loaded live.
    """
    if not waiting:
        return bars
    sessions = sorted({session for _, session in waiting})
    held = read_bars(database, sorted({symbol for symbol, _ in waiting}), None, sessions[0], sessions[-1])
    live = held.join(to_pair_frame(waiting), on=["symbol", "session"], how="semi").filter(
        pl.col("timeframe").is_in([Timeframe.M1.value, *(timeframe.value for timeframe in MINUTES)])
    )
    return pl.concat([bars, live.cast(dict(SCHEMA))])  # type: ignore[arg-type]


def derive_bars(lake: Lake, symbols: Sequence[str], sessions: Sequence[date]) -> pl.DataFrame:
    """Derive bars of all timeframes from the lake for `symbols` in `sessions` (ascending). Returns `bars.SCHEMA`.

    If a session ends its week, the other days of that week are read too: a week's VWAP covers all of its minutes,
    whichever of its sessions are requested.
    """
    read = sorted(
        {*sessions, *(day for session in sessions if _ends_week(session) for day in list_week_sessions(session))}
    )
    hours = build_hours_frame(read)
    parts = []
    for minute, day, symbol_of in _list_sources(symbols):
        if not symbol_of:
            continue
        intraday = derive_intraday_bars(_read(lake, minute, read, symbol_of), hours)
        days = derive_day_bars(_read(lake, day, read, symbol_of), intraday, hours)
        parts += [
            bars.filter(pl.col("session").is_in(list(sessions))) for bars in (intraday, days, derive_week_bars(days))
        ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)


def _ends_week(session: date) -> bool:
    return session == list_week_sessions(session)[-1]


def _list_sources(symbols: Sequence[str]) -> list[tuple[FlatFileDataset, FlatFileDataset, dict[str, str]]]:
    symbol_of = {to_ticker(symbol): symbol for symbol in symbols}
    return [
        (STOCK_MINUTE, STOCK_DAY, {ticker: name for ticker, name in symbol_of.items() if not is_index(ticker)}),
        (INDEX_MINUTE, INDEX_DAY, {ticker: name for ticker, name in symbol_of.items() if is_index(ticker)}),
    ]


def _read(lake: Lake, dataset: FlatFileDataset, sessions: Sequence[date], symbol_of: Mapping[str, str]) -> pl.DataFrame:
    rows = lake.read(dataset, sessions[0], sessions[-1], tickers=symbol_of)
    return (
        rows.filter(pl.col("session").is_in(list(sessions)))
        .with_columns(symbol=pl.col("ticker").replace_strict(symbol_of, return_dtype=pl.String))
        .drop("ticker")
    )


def _compute_fingerprints(
    database: Database, symbols: Sequence[str], sessions: Sequence[date]
) -> tuple[dict[Pair, str], set[Pair]]:
    """Return the current fingerprint of each symbol and session, and the pairs that have no minute file.

    A pair without any input file is left out.
    """
    first, last = list_week_sessions(sessions[0])[0], sessions[-1]
    names = [dataset.name for dataset in (STOCK_DAY, STOCK_MINUTE, INDEX_DAY, INDEX_MINUTE)]
    with database.connect() as connection:
        loads = read_current_loads(connection, names, first, last)
    sources = {(load.dataset, load.session): load.sha256 for load in loads}
    marks: dict[Pair, str] = {}
    without_minutes: set[Pair] = set()
    for symbol in symbols:
        index = is_index(to_ticker(symbol))
        minute, day = (INDEX_MINUTE, INDEX_DAY) if index else (STOCK_MINUTE, STOCK_DAY)
        for session in sessions:
            inputs = [sources.get((minute.name, session)), sources.get((day.name, session))]
            if not any(inputs):
                continue
            if inputs[0] is None:
                without_minutes.add((symbol, session))
            if _ends_week(session):
                week = list_week_sessions(session)[:-1]
                inputs += [sources.get((dataset.name, earlier)) for earlier in week for dataset in (minute, day)]
            text = "|".join([str(DERIVATION), *(mark or "" for mark in inputs)])
            marks[symbol, session] = hashlib.sha256(text.encode()).hexdigest()[:32]
    return marks, without_minutes


def list_lake_sessions(lake: Lake) -> list[date]:
    """List the sessions for which the lake has any input of bars, ascending."""
    found = {s for dataset in (STOCK_DAY, STOCK_MINUTE, INDEX_DAY, INDEX_MINUTE) for s in lake.list_sessions(dataset)}
    return [session for session in list_sessions_between(min(found), max(found)) if session in found] if found else []
