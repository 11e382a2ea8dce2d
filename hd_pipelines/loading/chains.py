"""From an archive of option chains to the lake: which files are new, judge, publish, record.

Belongs here: the order of those steps, many files at a time. A chain that is refused leaves the last good one in place
and an open finding behind; the others go on. Snapshots of the moment are taken in `loading.snapshots`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

from hd_pipelines.lake import ChainSource, Lake
from hd_pipelines.loading.chain_records import CHAIN_RULES, LoadedChain, publish, record, usual_contracts
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.symbols import symbol_of
from hd_pipelines.market.vocabulary import PriceSource
from hd_pipelines.vendor.chain_archive import (
    ARCHIVE_RULES,
    DATASET,
    READ_VERSION,
    ChainFile,
    archive_findings,
    archived_days,
    chain_files,
    folder_of,
    read_chain,
)
from hd_pipelines.vendor.errors import FlatFileError
from hd_pipelines.warehouse.chain_manifest import recorded_chains
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.findings import Judged, settle

WORKERS = 2
"""Reading and writing hundreds of small files waits more than it computes; more threads only share the cores."""


@dataclass(frozen=True, slots=True)
class ChainsReport:
    """What a load did. `contracts` counts rows of the loaded chains, `rows_set_aside` bad and repeated ones."""

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
    """Bring every file of the archive into the lake that is not there in this version.

    `underlyings`: symbols or tickers; `sessions`: the window, ascending. Files on closed days stay out, and gaps between
    an underlying's first and last file are findings. Records and findings of one underlying are one transaction, written
    after its chains are in place; a crash in between makes the next run read these files again.
    """
    files = chain_files(archive, underlyings, sessions)
    known = _known(database, lake, files, sessions)
    fresh = [file for file in files if known.get((file.underlying, file.session)) != fingerprint_of(file.path)]
    usual = usual_contracts(database, {file.underlying for file in fresh}, sessions[0], sessions[-1]) if fresh else {}
    loaded: list[LoadedChain] = []
    findings: list[Finding] = []
    done = 0
    for underlying, group in groupby(fresh, key=lambda file: file.underlying):
        todo = list(group)
        with ThreadPoolExecutor(WORKERS) as pool:
            outcomes = list(pool.map(lambda file: _load(lake, file), todo))
        chains = [outcome for outcome in outcomes if isinstance(outcome, LoadedChain)]
        refusals = [
            finding for outcome in outcomes if isinstance(outcome, FlatFileError) for finding in outcome.findings
        ]
        subjects = frozenset({symbol_of(underlying), *(file.key for file in todo)})
        judged = Judged(DATASET, frozenset(file.session for file in todo), CHAIN_RULES, subjects)
        findings += record(database, chains, usual, refusals, [judged], run_id=run_id)
        loaded += chains
        done += len(todo)
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


def fingerprint_of(file: Path) -> str:
    """Names the bytes of an archived chain and the version of the code that reads them."""
    return f"{hashlib.sha256(file.read_bytes()).hexdigest()}-{READ_VERSION}"


def _load(lake: Lake, file: ChainFile) -> LoadedChain | FlatFileError:
    try:
        read = read_chain(file)
    except FlatFileError as refusal:
        return refusal
    source = ChainSource(file.key, read.sha256, READ_VERSION)
    return publish(lake, read.judged, source, f"{read.sha256}-{READ_VERSION}")


def _known(
    database: Database, lake: Lake, files: Sequence[ChainFile], sessions: Sequence[date]
) -> dict[tuple[str, date], str]:
    """Fingerprints of recorded archive chains that are still in the lake."""
    if not files:
        return {}
    tickers = {file.underlying for file in files}
    in_lake = {(s.underlying, s.snapshot_at) for s in lake.chains.snapshots(sessions[0], sessions[-1], tickers)}
    with database.connect() as connection:
        records = recorded_chains(connection, sessions[0], sessions[-1], tickers)
    return {
        (held.underlying, held.session): held.fingerprint
        for held in records
        if held.source is PriceSource.CHAIN_ARCHIVE and (held.underlying, held.snapshot_at) in in_lake
    }


def _settle_archive(
    database: Database, archive: Path, underlyings: Sequence[str], sessions: Sequence[date], run_id: str | None
) -> list[Finding]:
    """Holiday files and gaps of the window, for the wanted underlyings."""
    folders = {folder_of(name) for name in underlyings}
    days = {folder: have for folder, have in archived_days(archive).items() if folder in folders}
    findings = [
        finding
        for finding in archive_findings(days)
        if finding.session is not None and sessions[0] <= finding.session <= sessions[-1]
    ]
    told = frozenset(finding.session for finding in findings if finding.session is not None) | frozenset(sessions)
    with database.begin() as connection:
        settle(connection, findings, [Judged(DATASET, told, ARCHIVE_RULES, frozenset(days))], run_id=run_id)
    return findings
