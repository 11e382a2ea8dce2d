"""From the lake's day bars to `market_regime_history`: what is out of date, measure it, decide it, publish it.

Belongs here: the order of those steps and what a session's row is made from. Measures: `analytics.regime.inputs`; rules
and memory: `analytics.regime.classification`.

A row depends on a year of sessions before it. Its fingerprint names the files of all of them, so a file of last spring
that is published anew brings every later row up for decision; rows that come out the same are not written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date

import polars as pl

from hd_pipelines.analytics.regime.classification import classify_regimes, list_sessions_without_vix
from hd_pipelines.analytics.regime.inputs import WARM_UP_SESSIONS, measure_inputs
from hd_pipelines.analytics.regime.put_call import VOLUMES, sum_option_volumes
from hd_pipelines.analytics.regime.volatility_index import VIX
from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import DerivedReport, digest
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import list_last_sessions, list_sessions_between
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, OPTION_DAY, STOCK_DAY
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.derived_rows import publish_rows
from hd_pipelines.warehouse.read import queries
from hd_pipelines.warehouse.read.options import read_regime_history
from hd_pipelines.warehouse.records.derivations import MARKET, read_fingerprints
from hd_pipelines.warehouse.records.findings import CheckedScope

TABLE = "market_regime_history"
DECISION = 1
"""Raised when the same files would give another regime."""
MEMORY_SESSIONS = 30
"""Published rows before the first that is decided anew; a regime's memory is shorter."""
SOURCES = (STOCK_DAY, INDEX_DAY, OPTION_DAY)
Validator = Callable[[pl.DataFrame], Sequence[Finding]]


def refresh_regime(
    database: Database,
    lake: Lake,
    *,
    sessions: Sequence[date],
    run_id: str | None = None,
    validate: Validator | None = None,
) -> DerivedReport:
    """Bring the market regime of `sessions` (ascending), and of published later ones, up to date with the lake.

    Sessions whose VIX is not in the lake get a finding and no row. Raises what lake and warehouse raise.
    """
    began = time.perf_counter()
    warm_up = list_last_sessions(sessions[0], WARM_UP_SESSIONS + 1)[0]
    with database.connect() as connection:
        stored = read_fingerprints(connection, TABLE, [MARKET], sessions[0], date.max)
        last = max([sessions[-1], *(session for _, session in stored)])
        loads = queries.read_current_loads(connection, [dataset.name for dataset in SOURCES], warm_up, last)
        before = read_regime_history(connection, list_last_sessions(sessions[0], MEMORY_SESSIONS + 1)[0], sessions[0])
    files = {(load.dataset, load.session): load.sha256 for load in loads}
    axis = list_sessions_between(warm_up, last)
    own = {day: digest(*(files.get((dataset.name, day), "") for dataset in SOURCES)) for day in axis}
    known = {day for dataset, day in files if dataset in {STOCK_DAY.name, INDEX_DAY.name}}
    wanted = {
        (MARKET, day): digest(DECISION, *(own[earlier] for earlier in axis[position - WARM_UP_SESSIONS : position + 1]))
        for position, day in enumerate(axis)
        if position >= WARM_UP_SESSIONS and day in known
    }
    if all(stored.get(pair) == mark for pair, mark in wanted.items()):
        return DerivedReport(up_to_date=len(wanted), seconds=time.perf_counter() - began)
    inputs = measure_inputs(
        lake.read(STOCK_DAY, warm_up, last),
        lake.read(INDEX_DAY, warm_up, last),
        _volumes(lake, sessions[0], last),
    ).filter(pl.col("date").is_in([day for _, day in wanted]))
    rows = classify_regimes(inputs, before.filter(pl.col("date") < sessions[0]))
    findings = [*_without_vix(list_sessions_without_vix(inputs)), *(validate(rows) if validate is not None else ())]
    bad = {finding.session for finding in findings if finding.severity is Severity.ERROR}
    accepted = rows.filter(~pl.col("date").is_in(list(bad)))
    scope = {pair: mark for pair, mark in wanted.items() if pair[1] not in bad}
    report = publish_rows(
        database,
        TABLE,
        accepted,
        scope=pl.DataFrame({"session": [day for _, day in scope]}, schema={"session": pl.Date}),
        fingerprints=scope,
        findings=findings,
        checked=[CheckedScope(TABLE, frozenset(day for _, day in wanted))],
        run_id=run_id,
    )
    published = sum(stored.get(pair) != mark for pair, mark in scope.items())
    return DerivedReport(
        rows=report.written,
        published=published,
        up_to_date=len(scope) - published,
        withheld=len(wanted) - len(scope),
        findings=tuple(findings),
        seconds=time.perf_counter() - began,
    )


def _volumes(lake: Lake, first: date, last: date) -> pl.DataFrame:
    """Session by session: a full market's options are too many to hold a year of them."""
    held = [day for day in lake.sessions(OPTION_DAY) if first <= day <= last]
    volumes = [sum_option_volumes(lake.scan(OPTION_DAY, day, day)) for day in held]
    return pl.concat(volumes) if volumes else pl.DataFrame(schema=VOLUMES)


def _without_vix(sessions: Sequence[date]) -> list[Finding]:
    return [
        Finding(
            rule=Rule.SYMBOL_MISSING,
            severity=Severity.WARNING,
            dataset=TABLE,
            session=session,
            subject=VIX,
            detail="No VIX close in the lake, so this session has no regime.",
            cure="Load the day bars of the indices for it; the vendor's index plan is needed.",
        )
        for session in sessions
    ]
