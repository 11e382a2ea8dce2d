"""Turns a landed vendor file into a part of the lake: read, audit, publish.

Defines the order of those steps and the checks of a file as a whole. Nothing reaches the lake unless all of them pass; a
refused file leaves the last good part in place. Text is read in `providers.massive.flat_files.reading`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from statistics import median

from hd_pipelines.lake.parts import Lake, PartSource
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import get_regular_hours, is_session
from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.providers.massive.flat_files.landing import LandedFile
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset, Interval
from hd_pipelines.providers.massive.flat_files.reading import FlatFileBars, read_flat_file
from hd_pipelines.tables.vocabulary import Rule

INGEST_VERSION = 1
"""Raised when the same file would give a different part; parts of an older version are rebuilt."""
HISTORY_SESSIONS = 20
FEWEST_SESSIONS_TO_JUDGE = 5
USUAL_SHARE_OF_MEDIAN = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Result of ingesting one landed file. `rows` are in the lake, `rows_set_aside` were bad; times in seconds.

    `is_unchanged`: the lake already had exactly this version, so nothing was read or written.
    """

    dataset: FlatFileDataset
    session: date
    key: str
    etag: str
    sha256: str
    size: int
    rows: int
    rows_set_aside: int
    findings: tuple[Finding, ...]
    seconds: float
    is_unchanged: bool = False


def ingest(
    landed: LandedFile,
    lake: Lake,
    *,
    history_rows: Mapping[date, int] | None = None,
    session_of_sha256: Callable[[str], date | None] = lambda _: None,
    read_again: bool = False,
    read: Callable[[], FlatFileBars] | None = None,
) -> IngestReport:
    """Publish `landed` as the part of its session.

    `history_rows`: rows per session of the same dataset already in the lake; the last 20 before this one define a usual
    file. `session_of_sha256`: the session that was loaded from the same bytes, if any. `read_again`: read and publish a
    version again that the lake already has, for its findings. `read`: returns what `read_flat_file` returns for this file,
    where somebody has begun to read it; the report's time is then without it. Raises `FileRefusedError` with all findings;
    the lake is then unchanged.
    """
    started = time.perf_counter()
    place = ObjectPlace(landed.dataset.name, landed.session, landed.key)
    if not read_again and is_published(landed, lake):
        part = lake.find_part(landed.dataset, landed.session)
        rows, aside = (part.source.rows, part.source.rows_set_aside) if part else (0, 0)
        return _build_report(landed, rows, aside, (), started, is_unchanged=True)
    _refuse_closed_day(landed, place)
    _refuse_bytes_of_another_date(landed, place, session_of_sha256)
    found = read() if read is not None else read_flat_file(landed.path, landed.dataset, landed.session)
    if found.sha256 != landed.sha256:
        raise FileRefusedError(
            place.error(
                Rule.GZIP_CORRUPT,
                "the landed file is no longer what was downloaded (SHA-256 differs).",
                "Delete it and download it again; check the disk.",
            )
        )
    unusual = check_row_count(landed.dataset, landed.session, found.bars.height, history_rows or {})
    if unusual:
        raise FileRefusedError(unusual, *found.findings)
    source = PartSource(
        landed.key, landed.etag, landed.sha256, landed.size, found.bars.height, found.rows_set_aside, INGEST_VERSION
    )
    lake.publish(landed.dataset, landed.session, found.bars, source)
    return _build_report(landed, found.bars.height, found.rows_set_aside, found.findings, started)


def is_published(landed: LandedFile, lake: Lake) -> bool:
    """Whether the lake's part of this session was made from exactly this version by this code. Reads a footer."""
    part = lake.find_part(landed.dataset, landed.session)
    return part is not None and (part.source.etag, part.source.sha256, part.source.ingest_version) == (
        landed.etag,
        landed.sha256,
        INGEST_VERSION,
    )


def check_row_count(
    dataset: FlatFileDataset, session: date, rows: int, history_rows: Mapping[date, int]
) -> Finding | None:
    """Give a finding if `rows` is outside 0.5 to 2 times the median of the last 20 sessions before `session`, else None.

    Minute datasets are compared per regular minute, so a half day is not unusual. With fewer than five earlier sessions
    there is no finding.
    """
    earlier = sorted(day for day in history_rows if day < session and is_session(day))[-HISTORY_SESSIONS:]
    if len(earlier) < FEWEST_SESSIONS_TO_JUDGE:
        return None

    def weight(day: date) -> int:
        return get_regular_hours(day).minutes if dataset.interval is Interval.MINUTE else 1

    usual = median(history_rows[day] / weight(day) for day in earlier) * weight(session)
    least, most = USUAL_SHARE_OF_MEDIAN
    if least * usual <= rows <= most * usual:
        return None
    return ObjectPlace(dataset.name, session, dataset.key(session)).error(
        Rule.ROW_COUNT_UNUSUAL,
        f"{rows:,} rows, against {usual:,.0f} expected from the median of {len(earlier)} sessions since {earlier[0]}.",
        "Look at the file; if it is right, ingest it without the row-count history. Otherwise wait for a new version.",
        rows=rows,
    )


def _refuse_closed_day(landed: LandedFile, place: ObjectPlace) -> None:
    if not is_session(landed.session):
        raise FileRefusedError(
            place.error(
                Rule.OBJECT_ON_CLOSED_DAY,
                f"{landed.rows:,} rows for {landed.session:%A} {landed.session}, on which the exchange was closed.",
                "Nothing to do: a day without a session has no partition. If it did trade, update exchange_calendars.",
                rows=landed.rows,
            )
        )


def _refuse_bytes_of_another_date(
    landed: LandedFile, place: ObjectPlace, session_of_sha256: Callable[[str], date | None]
) -> None:
    other = session_of_sha256(landed.sha256)
    if other is not None and other != landed.session:
        raise FileRefusedError(
            place.error(
                Rule.OBJECT_UNDER_TWO_DATES,
                f"the same bytes (SHA-256 {landed.sha256[:12]}…) were published for {other}.",
                "Report to the vendor: one of the two dates is wrong; wait for a new version of this object.",
            )
        )


def _build_report(
    landed: LandedFile,
    rows: int,
    rows_set_aside: int,
    findings: tuple[Finding, ...],
    started: float,
    *,
    is_unchanged: bool = False,
) -> IngestReport:
    return IngestReport(
        landed.dataset,
        landed.session,
        landed.key,
        landed.etag,
        landed.sha256,
        landed.size,
        rows,
        rows_set_aside,
        findings,
        time.perf_counter() - started,
        is_unchanged,
    )
