"""Takes snapshots of current option chains: fetch, validate, publish, record. Reports snapshots that were missed.

`market.snapshot_times` decides when they are due. Past chains are loaded by `loading.inputs.chain_archive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import structlog

from hd_pipelines.lake import ChainSource, Lake
from hd_pipelines.loading.inputs.chain_records import (
    CHAIN_RULES,
    LoadedChain,
    Usual,
    publish_chain,
    read_usual_contracts,
    record_loaded_chains,
)
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, is_session
from hd_pipelines.market.snapshot_times import find_missed_snapshots
from hd_pipelines.market.symbols import to_symbol, to_ticker
from hd_pipelines.providers.errors import ApiKeyRefusedError, ApiResponseError, ObjectPlace, VendorError
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
_log = structlog.get_logger()


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


@dataclass(frozen=True, slots=True)
class _Round:
    """Publishes and records the chains of one round, one by one. `usual` is updated."""

    database: Database
    lake: Lake
    session: date
    usual: Usual
    run_id: str | None

    def keep(self, ticker: str, outcome: ChainFetch | VendorError) -> tuple[list[Finding], LoadedChain | None]:
        """Publish and record one chain, or record why there is none. Returns its findings."""
        chain = _publish(self.lake, outcome) if isinstance(outcome, ChainFetch) else None
        subjects = frozenset({to_symbol(ticker), build_chain_path(ticker)})
        found = record_loaded_chains(
            self.database,
            [chain] if chain is not None else [],
            self.usual,
            outcome.findings if isinstance(outcome, VendorError) else (),
            [CheckedScope(DATASET, frozenset({self.session}), CHAIN_RULES, subjects)],
            run_id=self.run_id,
        )
        return found, chain


class _Taken(NamedTuple):
    """What the report says of one chain; its rows are not kept."""

    contracts: int
    pages: int
    skew_seconds: float
    is_delayed: bool


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

    Each chain is published and recorded as soon as it is complete: nobody sells it again, so none waits for another. A
    chain that cannot be fetched leaves a finding, whatever the reason, and the others are taken. A refused key raises
    `ApiKeyRefusedError`, and what lake or warehouse raise for one chain is raised, both after the others. Raises
    `ValueError` for a closing snapshot before the close, and outside sessions.
    """
    session = _find_session(now, kind)
    tickers = sorted({to_ticker(name) for name in underlyings})
    kept = _Round(database, lake, session, read_usual_contracts(database, tickers, session, session), run_id)
    taken: dict[str, _Taken] = {}
    refused: dict[str, VendorError] = {}
    findings: dict[str, list[Finding]] = {}
    failed: list[Exception] = []
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="take-snapshot") as pool:
        asked = {pool.submit(_fetch, client, ticker, now, kind): ticker for ticker in tickers}
        for done in as_completed(asked):
            ticker, outcome = asked.pop(done), done.result()
            try:
                findings[ticker], chain = kept.keep(ticker, outcome)
            except Exception as error:  # noqa: BLE001 - raised below, after the other chains
                failed.append(error)
                continue
            if isinstance(outcome, VendorError):
                refused[ticker] = outcome
            elif chain is not None:
                taken[ticker] = _Taken(chain.record.contracts, outcome.pages, outcome.skew_seconds, outcome.is_delayed)
    if failed:
        raise failed[0]
    for refusal in refused.values():
        if isinstance(refusal, ApiKeyRefusedError):
            raise refusal
    return SnapshotReport(
        snapshot_at=now.replace(microsecond=0),
        kind=kind,
        taken=tuple(sorted(taken)),
        refused=tuple(sorted(refused)),
        contracts=sum(chain.contracts for chain in taken.values()),
        pages=sum(chain.pages for chain in taken.values()),
        skew_seconds=max((chain.skew_seconds for chain in taken.values()), default=0.0),
        is_delayed=any(chain.is_delayed for chain in taken.values()),
        findings=tuple(finding for ticker in tickers for finding in findings[ticker]),
        errors=tuple(refused[ticker] for ticker in sorted(refused)),
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
    except Exception as error:  # noqa: BLE001 - whatever was sent, the other chains are taken
        _log.exception("a chain cannot be read", underlying=ticker)
        place = ObjectPlace(DATASET, now.astimezone(NEW_YORK).date(), build_chain_path(ticker))
        return ApiResponseError(
            place.error(
                Rule.RESPONSE_MALFORMED,
                f"the answer cannot be read ({type(error).__name__}); the log has the details.",
                "Report it as a defect. Nothing of this underlying was taken.",
            )
        )


def _publish(lake: Lake, fetch: ChainFetch) -> LoadedChain:
    source = ChainSource(fetch.url, fetch.sha256, SNAPSHOT_VERSION)
    return publish_chain(lake, fetch.validated, source, f"{fetch.sha256}-{SNAPSHOT_VERSION}")
