"""Takes snapshots of current option chains: fetch, validate, publish, record. Reports snapshots that were missed.

`market.snapshot_times` decides when they are due. Past chains are loaded by `loading.inputs.chain_archive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

from hd_pipelines.lake import ChainSource, Lake
from hd_pipelines.loading.inputs.chain_records import (
    CHAIN_RULES,
    LoadedChain,
    publish_chain,
    read_usual_contracts,
    record_loaded_chains,
)
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, is_session
from hd_pipelines.market.snapshot_times import find_missed_snapshots
from hd_pipelines.market.symbols import to_symbol, to_ticker
from hd_pipelines.providers.errors import ApiKeyRefusedError, VendorError
from hd_pipelines.providers.massive.rest.chain_snapshot import (
    DATASET,
    SNAPSHOT_VERSION,
    ChainFetch,
    build_chain_path,
    fetch_chain,
)
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.tables.vocabulary import Rule, SnapshotKind
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.chains import read_recorded_chains
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings

WORKERS = 4
"""Number of underlyings fetched in parallel; the pages of one chain are fetched in sequence."""


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """Result of one round of snapshots.

    `taken` and `refused` are tickers. `skew_seconds` is the longest time between the first and last page of one chain.
    `errors` are the reasons of the refused ones; a retry may help against transient ones.
    """

    snapshot_at: datetime
    kind: SnapshotKind
    taken: tuple[str, ...]
    refused: tuple[str, ...]
    contracts: int
    pages: int
    skew_seconds: float
    is_delayed: bool
    findings: tuple[Finding, ...]
    errors: tuple[VendorError, ...]


def take_snapshot(
    database: Database,
    lake: Lake,
    client: VendorApi,
    *,
    underlyings: Sequence[str],
    now: datetime,
    kind: SnapshotKind,
    run_id: str | None = None,
) -> SnapshotReport:
    """Fetch the chains of `underlyings` (symbols or tickers), all stamped `now`, to the second.

    A chain that fails leaves a finding, the others are taken. A refused key raises `ApiKeyRefusedError`. Raises
    `ValueError` for a closing snapshot before the close, and outside sessions.
    """
    session = _find_session(now, kind)
    tickers = sorted({to_ticker(name) for name in underlyings})
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda ticker: _fetch(client, ticker, now, kind), tickers))
    errors = [outcome for outcome in outcomes if isinstance(outcome, VendorError)]
    fetched = [outcome for outcome in outcomes if isinstance(outcome, ChainFetch)]
    chains = [_publish(lake, fetch) for fetch in fetched]
    subjects = frozenset({name for ticker in tickers for name in (to_symbol(ticker), build_chain_path(ticker))})
    usual = read_usual_contracts(database, tickers, session, session)
    findings = record_loaded_chains(
        database,
        chains,
        usual,
        [finding for error in errors for finding in error.findings],
        [CheckedScope(DATASET, frozenset({session}), CHAIN_RULES, subjects)],
        run_id=run_id,
    )
    for error in errors:
        if isinstance(error, ApiKeyRefusedError):
            raise error
    return SnapshotReport(
        snapshot_at=now.replace(microsecond=0),
        kind=kind,
        taken=tuple(chain.record.underlying for chain in chains),
        refused=tuple(t for t, outcome in zip(tickers, outcomes, strict=True) if isinstance(outcome, VendorError)),
        contracts=sum(chain.record.contracts for chain in chains),
        pages=sum(fetch.pages for fetch in fetched),
        skew_seconds=max((fetch.skew_seconds for fetch in fetched), default=0.0),
        is_delayed=any(fetch.is_delayed for fetch in fetched),
        findings=tuple(findings),
        errors=tuple(errors),
    )


def settle_missed_snapshots(
    database: Database,
    *,
    underlyings: Sequence[str],
    sessions: Sequence[date],
    now: datetime,
    kinds: Sequence[SnapshotKind] = tuple(SnapshotKind),
    run_id: str | None = None,
) -> list[Finding]:
    """Compare the recorded snapshots of `sessions` (ascending) with the plan. Stores and returns the findings.

    `kinds`: the kinds that this installation takes. A chain from an archive counts as the close of its session.
    """
    tickers = {to_ticker(name) for name in underlyings}
    with database.connect() as connection:
        held = read_recorded_chains(connection, sessions[0], sessions[-1], tickers)
    have = [(chain.underlying, chain.kind, chain.snapshot_at) for chain in held]
    findings = find_missed_snapshots(have, sessions, now, underlyings=tickers, kinds=kinds)
    checked = CheckedScope(
        DATASET, frozenset(sessions), frozenset({Rule.SNAPSHOT_MISSED}), frozenset(map(to_symbol, tickers))
    )
    with database.begin() as connection:
        settle_findings(connection, findings, [checked], run_id=run_id)
    return findings


def _find_session(now: datetime, kind: SnapshotKind) -> date:
    session = now.astimezone(NEW_YORK).date()
    if not is_session(session):
        raise ValueError(f"{session} is no exchange session: no chain can be taken")
    hours = get_regular_hours(session)
    if now < hours.opens_at or (kind is SnapshotKind.CLOSE) != (now >= hours.closes_at):
        raise ValueError(
            f"{now:%Y-%m-%d %H:%M} UTC is no moment for a snapshot of kind {kind}: regular hours of {session} are "
            f"{hours.opens_at:%H:%M} to {hours.closes_at:%H:%M} UTC"
        )
    return session


def _fetch(client: VendorApi, ticker: str, now: datetime, kind: SnapshotKind) -> ChainFetch | VendorError:
    try:
        return fetch_chain(client, ticker, now=now, kind=kind)
    except VendorError as error:
        return error


def _publish(lake: Lake, fetch: ChainFetch) -> LoadedChain:
    source = ChainSource(fetch.url, fetch.sha256, SNAPSHOT_VERSION)
    return publish_chain(lake, fetch.validated, source, f"{fetch.sha256}-{SNAPSHOT_VERSION}")
