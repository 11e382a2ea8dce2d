"""Refresh `market_regime_history` from the lake's day bars.

A row depends on a year of sessions before it. Its fingerprint covers the files of all of them, so a republished file of
last spring makes every later row outdated; unchanged rows are not written. Measures are computed in
`analytics.regime.inputs`, regimes in `analytics.regime.classification`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from hd_pipelines.analytics.regime.classification import classify_regimes, list_sessions_without_vix
from hd_pipelines.analytics.regime.inputs import WARM_UP_SESSIONS, measure_inputs
from hd_pipelines.analytics.regime.put_call import VOLUMES, sum_option_volumes
from hd_pipelines.analytics.regime.volatility_index import VIX
from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import digest, find_outdated_pairs, to_pair_frame
from hd_pipelines.loading.derived.refresh import (
    Computed,
    DerivedReport,
    DerivedTable,
    Validator,
    publish_small_rows,
    refresh,
)
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import list_last_sessions, list_sessions_between
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, OPTION_DAY, STOCK_DAY
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.options import read_regime_history
from hd_pipelines.warehouse.records.derivations import MARKET, read_fingerprints
from hd_pipelines.warehouse.records.files import read_current_loads

TABLE = "market_regime_history"
DECISION = 1
"""Raise it when the same files give another regime."""
MEMORY_SESSIONS = 30
"""Published rows read before the first new decision; a regime depends on fewer earlier ones."""
SOURCES = (STOCK_DAY, INDEX_DAY, OPTION_DAY)


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
        loads = read_current_loads(connection, [dataset.name for dataset in SOURCES], warm_up, last)
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

    def compute(_: pl.DataFrame) -> Computed:
        inputs = measure_inputs(
            lake.read(STOCK_DAY, warm_up, last),
            lake.read(INDEX_DAY, warm_up, last),
            _read_volumes(lake, sessions[0], last),
        ).filter(pl.col("date").is_in([day for _, day in wanted]))
        rows = classify_regimes(inputs, before.filter(pl.col("date") < sessions[0]))
        return Computed(rows, _find_sessions_without_vix(list_sessions_without_vix(inputs)), to_pair_frame(wanted))

    table = DerivedTable(
        TABLE,
        compute=compute,
        publish=publish_small_rows(database, TABLE, run_id=run_id),
        session="date",
        is_about_market=True,
    )
    report = refresh(table, find_outdated_pairs(wanted, stored), stored, validate=validate, began=began)
    # If one session is outdated, all wanted ones are decided again, so one that was up to date can be withheld.
    return replace(report, up_to_date=len(wanted) - report.published - report.withheld)


def _read_volumes(lake: Lake, first: date, last: date) -> pl.DataFrame:
    """Sum option volumes session by session: a year of a full market's options does not fit into memory."""
    held = [day for day in lake.list_sessions(OPTION_DAY) if first <= day <= last]
    volumes = [sum_option_volumes(lake.scan(OPTION_DAY, day, day)) for day in held]
    return pl.concat(volumes) if volumes else pl.DataFrame(schema=VOLUMES)


def _find_sessions_without_vix(sessions: Sequence[date]) -> list[Finding]:
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
