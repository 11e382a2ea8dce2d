"""Loads an archive of option chains into the lake: find new files, validate, publish and record them in batches.

A refused chain leaves the last good one in place and an open finding; the others are loaded. Current chains are loaded by
`loading.inputs.chain_snapshots`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

from hd_pipelines.lake import ChainSource, Lake
from hd_pipelines.loading.inputs.chain_records import (
    CHAIN_RULES,
    LoadedChain,
    publish_chains,
    read_usual_contracts,
    record_loaded_chains,
)
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.symbols import to_symbol
from hd_pipelines.providers.archive.chains import READ_VERSION, read_chains
from hd_pipelines.providers.archive.files import (
    ARCHIVE_RULES,
    DATASET,
    STRAY_RULES,
    ChainFile,
    find_archive_gaps,
    find_stray_files,
    list_archived_days,
    list_chain_files,
    to_folder_name,
)
from hd_pipelines.providers.errors import FlatFileError
from hd_pipelines.tables.vocabulary import PriceSource
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.chains import read_recorded_chains
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings

WORKERS = 2
"""Batches prepared in parallel while earlier ones are recorded; more threads only compete for the cores."""
BATCH_BYTES = 1 << 20
"""File size of one batch: a hundred small chains or a few full ones. Larger batches only need more memory."""


@dataclass(frozen=True, slots=True)
class ChainsReport:
    """Result of a load. `contracts` counts rows of the loaded chains, `rows_set_aside` invalid and duplicate rows."""

    loaded: int
    contracts: int
    rows_set_aside: int
    already_known: int
    refused: int
    findings: tuple[Finding, ...]


def refresh_chain_archive(
    database: Database,
    lake: Lake,
    archive: Path,
    *,
    underlyings: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> ChainsReport:
    """Load every file of the archive into the lake that is not there in its current version.

    `underlyings`: symbols or tickers; `sessions`: the window, ascending. Files of closed days are skipped, and gaps
    between an underlying's first and last file are findings. Records and findings of one underlying are written in one
    transaction after its chains are in the lake; after a crash in between, the next run reads these files again.
    """
    files = list_chain_files(archive, underlyings, sessions)
    known = _read_known_fingerprints(database, lake, files, sessions)
    fresh = [file for file in files if not _is_known(file, known.get((file.underlying, file.session)))]
    usual = (
        read_usual_contracts(database, {file.underlying for file in fresh}, sessions[0], sessions[-1]) if fresh else {}
    )
    loaded: list[LoadedChain] = []
    findings: list[Finding] = []
    done = 0
    with closing(_load_by_underlying(lake, fresh)) as loads:
        for underlying, outcomes in loads:
            chains = [outcome for outcome in outcomes.values() if isinstance(outcome, LoadedChain)]
            refusals = [
                finding
                for outcome in outcomes.values()
                if isinstance(outcome, FlatFileError)
                for finding in outcome.findings
            ]
            subjects = frozenset({to_symbol(underlying), *(file.key for file in outcomes)})
            checked = CheckedScope(DATASET, frozenset(file.session for file in outcomes), CHAIN_RULES, subjects)
            findings += record_loaded_chains(database, chains, usual, refusals, [checked], run_id=run_id)
            loaded += chains
            done += len(outcomes)
            on_progress(done, len(fresh))
    findings += _settle_archive(database, archive, underlyings, sessions, run_id)
    return ChainsReport(
        loaded=len(loaded),
        contracts=sum(chain.record.contracts for chain in loaded),
        rows_set_aside=sum(chain.rows_set_aside for chain in loaded),
        already_known=len(files) - len(fresh),
        refused=len(fresh) - len(loaded),
        findings=tuple(findings),
    )


def fingerprint_file(file: Path) -> str:
    """Compute a fingerprint of an archived chain's bytes and the version of the code that reads them."""
    return f"{hashlib.sha256(file.read_bytes()).hexdigest()}-{READ_VERSION}"


Outcomes = dict[ChainFile, LoadedChain | FlatFileError]


def _load_by_underlying(lake: Lake, files: Sequence[ChainFile]) -> Generator[tuple[str, Outcomes]]:
    """Load `files`. Yields each underlying when all of its files are in the lake or refused."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        batches = pool.map(lambda batch: _load(lake, batch), _split_into_batches(files))
        for underlying, group in groupby(batches, key=lambda outcomes: next(iter(outcomes)).underlying):
            yield underlying, {file: outcome for outcomes in group for file, outcome in outcomes.items()}
    finally:
        pool.shutdown(cancel_futures=True)


def _split_into_batches(files: Sequence[ChainFile]) -> list[list[ChainFile]]:
    """Split `files` in their order, where the underlying changes and where a batch has reached its size."""
    batches: list[list[ChainFile]] = []
    room = 0
    for file in files:
        size = file.path.stat().st_size
        if not batches or file.underlying != batches[-1][0].underlying or size > room:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(file)
        room -= size
    return batches


def _load(lake: Lake, files: Sequence[ChainFile]) -> Outcomes:
    outcomes: Outcomes = {}
    chains = []
    for file, read in zip(files, read_chains(files), strict=True):
        if isinstance(read, FlatFileError):
            outcomes[file] = read
        else:
            source = ChainSource(file.key, read.sha256, READ_VERSION)
            chains.append((file, (read.validated, source, f"{read.sha256}-{READ_VERSION}")))
    published = publish_chains(lake, [chain for _, chain in chains])
    return outcomes | {file: chain for (file, _), chain in zip(chains, published, strict=True)}


def _is_known(file: ChainFile, fingerprint: str | None) -> bool:
    return fingerprint is not None and fingerprint == fingerprint_file(file.path)


def _read_known_fingerprints(
    database: Database, lake: Lake, files: Sequence[ChainFile], sessions: Sequence[date]
) -> dict[tuple[str, date], str]:
    """Read the fingerprints of recorded archive chains that are still in the lake."""
    if not files:
        return {}
    tickers = {file.underlying for file in files}
    in_lake = {(s.underlying, s.snapshot_at) for s in lake.chains.list_snapshots(sessions[0], sessions[-1], tickers)}
    with database.connect() as connection:
        records = read_recorded_chains(connection, sessions[0], sessions[-1], tickers)
    return {
        (held.underlying, held.session): held.fingerprint
        for held in records
        if held.source is PriceSource.CHAIN_ARCHIVE and (held.underlying, held.snapshot_at) in in_lake
    }


def _settle_archive(
    database: Database, archive: Path, underlyings: Sequence[str], sessions: Sequence[date], run_id: str | None
) -> list[Finding]:
    """Settle the findings about files of closed days, stray files and gaps in the window, for the wanted underlyings."""
    folders = {to_folder_name(name) for name in underlyings}
    days = {folder: have for folder, have in list_archived_days(archive).items() if folder in folders}
    findings = [
        finding
        for finding in find_archive_gaps(days)
        if finding.session is not None and sessions[0] <= finding.session <= sessions[-1]
    ]
    covered = frozenset(finding.session for finding in findings if finding.session is not None) | frozenset(sessions)
    findings += find_stray_files(archive, folders)
    dated = CheckedScope(DATASET, covered, ARCHIVE_RULES, frozenset(days))
    stray = CheckedScope(DATASET, frozenset(), STRAY_RULES, frozenset(folders), includes_undated=True)
    with database.begin() as connection:
        settle_findings(connection, findings, [dated, stray], run_id=run_id)
    return findings
