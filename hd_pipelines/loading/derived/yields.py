"""Loads Treasury yields from the vendor or an archive into the lake and publishes `treasury_yields`.

The yields are parsed in `providers.massive.rest.treasury_yields`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import digest, find_outdated_pairs
from hd_pipelines.loading.derived.refresh import Computed, DerivedTable, publish_small_rows, refresh
from hd_pipelines.market.findings import Finding
from hd_pipelines.pricing.discounting import OLDEST_CURVE_DAYS
from hd_pipelines.providers.errors import VendorError
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.providers.massive.rest.treasury_yields import (
    DATASET,
    FetchedYields,
    fetch_yields,
    read_archived_yields,
)
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.derivations import MARKET, read_fingerprints
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings

TABLE = "treasury_yields"


@dataclass(frozen=True, slots=True)
class YieldsReport:
    """Result of a refresh: curve points in the window, changed rows, days with a curve, findings."""

    points: int
    written: int
    days: int
    findings: tuple[Finding, ...] = ()


def refresh_yields(
    database: Database,
    lake: Lake,
    api: VendorApi | None,
    archive: Path | None,
    *,
    sessions: Sequence[date],
    run_id: str | None = None,
) -> YieldsReport:
    """Load the curve of `sessions` (ascending) and the two weeks before into lake and warehouse, as far as it exists.

    The archive is read first; for days that the API has too, the API's curve is kept. A source that is None is skipped.
    A source that refuses the request or fails validation leaves a finding, and the stored curve stays in use: European
    chains take their rates from parity. Raises transient `VendorError`s: a retry may succeed.
    """
    first, last = sessions[0] - timedelta(days=OLDEST_CURVE_DAYS), sessions[-1]
    findings: list[Finding] = []
    sources: list[Callable[[], FetchedYields | None]] = []
    if archive is not None:
        sources.append(partial(read_archived_yields, archive))
    if api is not None:
        sources.append(partial(fetch_yields, api, first, last))
    for fetch in sources:
        try:
            found = fetch()
        except VendorError as error:
            if error.is_transient:
                raise
            findings += error.findings
            continue
        if found is not None:
            with database.hold_lock(DATASET):  # a merge reads the whole history and writes it back
                lake.treasury_yields.merge(found.curve.filter(pl.col("date").is_between(first, last)))
    with database.begin() as connection:
        seen = frozenset(sessions) | {finding.session for finding in findings if finding.session is not None}
        settle_findings(connection, findings, [CheckedScope(DATASET, seen)], run_id=run_id)
    report = _publish(database, lake, sessions, run_id)
    return replace(report, findings=tuple(findings))


def _publish(database: Database, lake: Lake, sessions: Sequence[date], run_id: str | None) -> YieldsReport:
    curve = lake.treasury_yields.read().filter(pl.col("date").is_between(sessions[0], sessions[-1]))
    days = curve["date"].unique(maintain_order=True).to_list()
    if not days:
        return YieldsReport(0, 0, 0)
    marks = {
        (MARKET, day): digest(*points.select("years", "rate").iter_rows())
        for (day,), points in curve.group_by("date", maintain_order=True)
    }
    with database.connect() as connection:
        stored = read_fingerprints(connection, TABLE, [MARKET], days[0], days[-1])
    table = DerivedTable(
        TABLE,
        compute=lambda due: Computed(curve.filter(pl.col("date").is_in(due["session"].to_list()))),
        publish=publish_small_rows(database, TABLE, run_id=run_id),
        session="date",
        rules=frozenset(),  # the fetch has recorded its findings already
        is_about_market=True,
    )
    report = refresh(table, find_outdated_pairs(marks, stored), stored)
    return YieldsReport(curve.height, report.rows, len(days))
