"""Loads landed vendor files into the lake: finds new versions, ingests them, records manifest rows and findings.

A refused file leaves the last good version in place and an open finding; the others are loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain

from hd_pipelines.lake import IngestReport, Lake, ingest
from hd_pipelines.lake.ingest import HISTORY_SESSIONS, INGEST_VERSION
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.providers.errors import FlatFileError
from hd_pipelines.providers.massive.flat_files.landing import LandedFile
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset
from hd_pipelines.providers.massive.flat_files.publication import PUBLICATION_RULES
from hd_pipelines.providers.massive.flat_files.reading import FlatFileBars, read_flat_file
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.files import (
    CurrentLoad,
    IngestedFile,
    find_session_by_sha256,
    read_current_loads,
    record_load,
)
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
from hd_pipelines.warehouse.roles import Role

FILE_RULES = frozenset(Rule) - PUBLICATION_RULES
"""Rules that are checked again whenever a file is read."""


@dataclass(frozen=True, slots=True)
class LakeReport:
    """Result of a refresh, and what the lake contains of the window afterwards."""

    ingested: int
    ingested_rows: int
    rows_set_aside: int
    already_known: int
    refused: int
    findings: tuple[Finding, ...]
    rows_by_session: tuple[tuple[date, int], ...]
    source_sha256: str | None

    @property
    def rows_in_window(self) -> int:
        """Number of rows of all sessions of the window."""
        return sum(rows for _, rows in self.rows_by_session)


def refresh_lake(
    database: Database,
    lake: Lake,
    dataset: FlatFileDataset,
    landed: Sequence[LandedFile],
    *,
    sessions: Sequence[date],
    run_id: str | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> LakeReport:
    """Ingest every landed file that the lake does not have in its current version. `sessions`: the window, ascending.

    Each file's manifest row and findings are written in one transaction after its rows are in the lake. After a crash in
    between, the next run reads the file again, since its findings are stored nowhere else. The next file is read meanwhile,
    so two are in memory.
    """
    reports: list[IngestReport] = []
    refused: list[Sequence[Finding]] = []
    history = _read_row_counts(database, dataset, sessions)
    known = _read_known_versions(database, lake, dataset, sessions)
    fresh = [file for file in landed if known.get(file.session) != (file.etag, file.sha256)]
    find_session = _make_session_lookup(database, dataset)
    with closing(_read_ahead(sorted(fresh, key=lambda f: f.session))) as files:
        for done, (file, read) in enumerate(files, start=1):
            try:
                report = ingest(
                    file, lake, history_rows=history, session_of_sha256=find_session, read_again=True, read=read.result
                )
            except FlatFileError as refusal:
                refused.append(refusal.findings)  # not the error itself, whose traceback holds the rows
                _settle(database, dataset, file.session, refusal.findings, run_id)
            else:
                reports.append(report)
                history[file.session] = report.rows
                _record(database, file, report, run_id)
            on_progress(done, len(fresh))
    current = _read_current_loads(database, dataset, sessions)
    return LakeReport(
        ingested=len(reports),
        ingested_rows=sum(report.rows for report in reports),
        rows_set_aside=sum(report.rows_set_aside for report in reports),
        already_known=len(landed) - len(fresh),
        refused=len(refused),
        findings=(*chain.from_iterable(refused), *(f for r in reports for f in r.findings)),
        rows_by_session=tuple((load.session, load.rows) for load in current),
        source_sha256=current[-1].sha256 if current else None,
    )


def _read_ahead(files: Sequence[LandedFile]) -> Generator[tuple[LandedFile, Future[FlatFileBars]]]:
    """Yield each file with its contents; the next file is read while the caller publishes this one. Close it."""
    under_way: deque[tuple[LandedFile, Future[FlatFileBars]]] = deque()
    reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    try:
        for file in files:
            under_way.append((file, reader.submit(read_flat_file, file.path, file.dataset, file.session)))
            if len(under_way) > 1:
                yield under_way.popleft()
        while under_way:
            yield under_way.popleft()
    finally:
        reader.shutdown(cancel_futures=True)


def _record(database: Database, file: LandedFile, report: IngestReport, run_id: str | None) -> None:
    with database.begin(Role.SERVICE) as connection:
        record_load(
            connection,
            IngestedFile(
                dataset=file.dataset.name,
                session=file.session,
                etag=file.etag,
                size=file.size,
                sha256=file.sha256,
                rows=report.rows,
                rows_set_aside=report.rows_set_aside,
                object_key=file.key,
                landed_at=datetime.fromtimestamp(file.path.stat().st_mtime, UTC),
            ),
        )
        checked = CheckedScope(file.dataset.name, frozenset({file.session}), FILE_RULES)
        settle_findings(connection, report.findings, [checked], run_id=run_id)


def _settle(
    database: Database, dataset: FlatFileDataset, session: date, findings: Sequence[Finding], run_id: str | None
) -> None:
    with database.begin(Role.SERVICE) as connection:
        settle_findings(
            connection, findings, [CheckedScope(dataset.name, frozenset({session}), FILE_RULES)], run_id=run_id
        )


def _read_current_loads(database: Database, dataset: FlatFileDataset, sessions: Sequence[date]) -> list[CurrentLoad]:
    with database.connect() as connection:
        return read_current_loads(connection, [dataset.name], sessions[0], sessions[-1])


def _read_known_versions(
    database: Database, lake: Lake, dataset: FlatFileDataset, sessions: Sequence[date]
) -> dict[date, tuple[str, str]]:
    """Read the versions that are in the manifest and still in the lake as this code version made them."""
    in_lake = set(lake.list_sessions(dataset))
    loads = [load for load in _read_current_loads(database, dataset, sessions) if load.session in in_lake]
    if loads and (part := lake.find_part(dataset, loads[-1].session)) and part.source.ingest_version != INGEST_VERSION:
        return {}
    return {load.session: (load.etag, load.sha256) for load in loads}


def _read_row_counts(database: Database, dataset: FlatFileDataset, sessions: Sequence[date]) -> dict[date, int]:
    first = list_last_sessions(sessions[0], HISTORY_SESSIONS + 1)[0]
    with database.connect() as connection:
        loads = read_current_loads(connection, [dataset.name], first, sessions[-1])
    return {load.session: load.rows for load in loads}


def _make_session_lookup(database: Database, dataset: FlatFileDataset) -> Callable[[str], date | None]:
    def look_up(sha256: str) -> date | None:
        # Asked file by file: another run may have loaded these bytes since this one began.
        with database.connect() as connection:
            return find_session_by_sha256(connection, dataset.name, sha256)

    return look_up
