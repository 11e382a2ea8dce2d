"""Loads landed vendor files into the lake: finds new versions, ingests them, records manifest rows and findings.

A refused file leaves the last good version in place and an open finding; the others are loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import chain

from hd_pipelines.lake import IngestReport, Lake, ingest
from hd_pipelines.lake.ingest import HISTORY_SESSIONS, INGEST_VERSION
from hd_pipelines.loading.inputs.load_recorder import LoadRecorder
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.providers.errors import FlatFileError
from hd_pipelines.providers.massive.flat_files.landing import LandedFile
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset
from hd_pipelines.providers.massive.flat_files.reading import FlatFileBars, read_flat_file
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.files import CurrentLoad, read_current_loads


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
    between, the next run reads the file again, since its findings are stored nowhere else. While a file is written to the
    lake, the next one is read and the one before is recorded, so two are in memory.
    """
    reports: list[IngestReport] = []
    refused: list[Sequence[Finding]] = []
    history = _read_row_counts(database, dataset, sessions)
    known = _read_known_versions(database, lake, dataset, sessions)
    fresh = sorted((f for f in landed if known.get(f.session) != (f.etag, f.sha256)), key=lambda f: f.session)
    with (
        LoadRecorder(database, dataset, run_id) as recorder,
        closing(_read_ahead(fresh, recorder.look_up)) as files,
    ):
        for done, (file, looked_up, read) in enumerate(files, start=1):
            find_session = recorder.make_session_lookup(file.session, looked_up)
            try:
                report = ingest(
                    file, lake, history_rows=history, session_of_sha256=find_session, read_again=True, read=read.result
                )
            except FlatFileError as refusal:
                refused.append(refusal.findings)  # not the error itself, whose traceback holds the rows
                recorder.settle(file.session, refusal.findings)
            else:
                reports.append(report)
                history[file.session] = report.rows
                recorder.record(file, report)
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


def _read_ahead(
    files: Sequence[LandedFile], look_up: Callable[[str], date | None]
) -> Generator[tuple[LandedFile, Future[date | None], Future[FlatFileBars]]]:
    """Yield each file with `look_up` of its bytes and its contents, both begun while the one before is used. Close it."""
    under_way: deque[tuple[LandedFile, Future[date | None], Future[FlatFileBars]]] = deque()
    reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    try:
        for file in files:
            looked_up = reader.submit(look_up, file.sha256)
            under_way.append((file, looked_up, reader.submit(read_flat_file, file.path, file.dataset, file.session)))
            if len(under_way) > 1:
                yield under_way.popleft()
        while under_way:
            yield under_way.popleft()
    finally:
        reader.shutdown(cancel_futures=True)


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
