"""Records loaded and refused files of one dataset in a thread, while the loader works on the next one.

A transaction a file costs half as long as writing the file to the lake, most of it waiting for the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime

from hd_pipelines.lake import IngestReport
from hd_pipelines.market.findings import Finding
from hd_pipelines.providers.massive.flat_files.landing import LandedFile
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset
from hd_pipelines.providers.massive.flat_files.publication import PUBLICATION_RULES
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.files import IngestedFile, find_session_by_sha256, record_load
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
from hd_pipelines.warehouse.roles import Role

FILE_RULES = frozenset(Rule) - PUBLICATION_RULES
"""Rules that are checked again whenever a file is read."""


class LoadRecorder:
    """Writes manifest rows and findings in order, one transaction a file.

    An error is raised when the next file is recorded, or at the end of the block. Errors of the block itself come first, and
    then name that one in a note.
    """

    def __init__(self, database: Database, dataset: FlatFileDataset, run_id: str | None) -> None:
        self._database, self._dataset, self._run_id = database, dataset, run_id
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="record-load")
        self._writing: Future[None] | None = None
        self._recorded: set[str] = set()

    def __enter__(self) -> LoadRecorder:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, *__: object) -> None:
        self._writer.shutdown()
        if error is None:
            self._wait()
        elif self._writing is not None and (own := self._writing.exception()) is not None and own is not error:
            error.add_note(f"Recording the file before failed too: {own!r}")

    def look_up(self, sha256: str) -> date | None:
        """Find the session that holds these bytes; asked when a file's turn is near, since other runs load files too."""
        with self._database.connect() as connection:
            return find_session_by_sha256(connection, self._dataset.name, sha256)

    def make_session_lookup(self, session: date, looked_up: Future[date | None]) -> Callable[[str], date | None]:
        """Return a look-up for a file of `session` that knows what this block recorded since `looked_up` was asked."""

        def find_session(sha256: str) -> date | None:
            if looked_up.result() in {None, session} and sha256 not in self._recorded:
                return looked_up.result()
            self._wait()
            return self.look_up(sha256)

        return find_session

    def record(self, file: LandedFile, report: IngestReport) -> None:
        """Make `file` the current one of its session, with its findings."""
        self._recorded.add(file.sha256)
        loaded = IngestedFile(
            dataset=file.dataset.name,
            session=file.session,
            etag=file.etag,
            size=file.size,
            sha256=file.sha256,
            rows=report.rows,
            rows_set_aside=report.rows_set_aside,
            object_key=file.key,
            landed_at=datetime.fromtimestamp(file.path.stat().st_mtime, UTC),
        )
        self._submit(file.session, report.findings, loaded)

    def settle(self, session: date, findings: Sequence[Finding]) -> None:
        """Record what is wrong with a refused file; the last good one stays current."""
        self._submit(session, findings, None)

    def _submit(self, session: date, findings: Sequence[Finding], loaded: IngestedFile | None) -> None:
        self._wait()
        self._writing = self._writer.submit(self._write, session, findings, loaded)

    def _write(self, session: date, findings: Sequence[Finding], loaded: IngestedFile | None) -> None:
        with self._database.begin(Role.SERVICE) as connection:
            if loaded is not None:
                record_load(connection, loaded)
            checked = CheckedScope(self._dataset.name, frozenset({session}), FILE_RULES)
            settle_findings(connection, findings, [checked], run_id=self._run_id)

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
