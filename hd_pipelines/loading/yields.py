"""Treasury yields: from the vendor or an archive to the lake and `treasury_yields`.

Belongs here: which source is asked, and publishing. What a yield means is in `vendor.treasury`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derivation import digest
from hd_pipelines.pricing.discounting import OLDEST_CURVE_DAYS
from hd_pipelines.vendor.rest import VendorApi
from hd_pipelines.vendor.treasury import archived_yields, fetch_yields
from hd_pipelines.warehouse.derivations import MARKET, fingerprints_of
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.option_rows import publish_rows

TABLE = "treasury_yields"


@dataclass(frozen=True, slots=True)
class YieldsReport:
    """What a refresh brought: points of the curve in the window, rows that changed, days with a curve."""

    points: int
    written: int
    days: int


def refresh_yields(
    database: Database,
    lake: Lake,
    api: VendorApi | None,
    archive: Path | None,
    *,
    sessions: Sequence[date],
    run_id: str | None = None,
) -> YieldsReport:
    """Have the curve of `sessions` (ascending) in lake and warehouse, and of the two weeks before, as far as it exists.

    The archive's curve is read first; days that the service tells as well are the service's. `None` is not asked.
    Raises `ApiError`s and `FileRefusedError`; lake and warehouse are then as before.
    """
    first, last = sessions[0] - timedelta(days=OLDEST_CURVE_DAYS), sessions[-1]
    archived = archived_yields(archive) if archive is not None else None
    if archived is not None:
        lake.treasury_yields.merge(archived.curve.filter(pl.col("date").is_between(first, last)))
    if api is not None:
        lake.treasury_yields.merge(fetch_yields(api, first, last).curve)
    curve = lake.treasury_yields.read().filter(pl.col("date").is_between(sessions[0], last))
    days = curve["date"].unique(maintain_order=True).to_list()
    if not days:
        return YieldsReport(0, 0, 0)
    marks = {
        (MARKET, day): digest(*points.select("years", "rate").iter_rows())
        for (day,), points in curve.group_by("date", maintain_order=True)
    }
    with database.connect() as connection:
        stored = fingerprints_of(connection, TABLE, [MARKET], days[0], days[-1])
    due = {pair: mark for pair, mark in marks.items() if stored.get(pair) != mark}
    if not due:
        return YieldsReport(curve.height, 0, len(days))
    changed = [day for _, day in due]
    report = publish_rows(
        database,
        TABLE,
        curve.filter(pl.col("date").is_in(changed)),
        scope=pl.DataFrame({"session": changed}, schema={"session": pl.Date}),
        fingerprints=due,
        run_id=run_id,
    )
    return YieldsReport(curve.height, report.written, len(days))
