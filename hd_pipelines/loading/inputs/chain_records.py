"""Publishes chains to the lake and records them with their completeness and findings, in one transaction.

Used by both sources of chains: the archive and the snapshots.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from hd_pipelines.lake import ChainSnapshot, ChainSource, Lake
from hd_pipelines.market.chain_coverage import (
    DATASET,
    ChainCoverage,
    compute_completeness,
    find_coverage_problems,
    measure_chains,
)
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.market.symbols import to_symbol
from hd_pipelines.providers.archive.files import ARCHIVE_RULES
from hd_pipelines.providers.chain_rules import ValidatedChain
from hd_pipelines.tables.vocabulary import PriceSource, Rule, SnapshotKind
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.chains import ChainRecord, read_recorded_chains, record_chains
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings

CHAIN_RULES = frozenset(Rule) - ARCHIVE_RULES - {Rule.SNAPSHOT_MISSED}
"""Rules that are checked again whenever a chain is read."""
HISTORY_SESSIONS = 60
"""How far back records are read to find the usual number of contracts; snapshots may have gaps."""

Usual = dict[tuple[str, SnapshotKind], dict[date, int]]
"""Contracts of the last snapshot of each session, by ticker and kind."""


@dataclass(frozen=True, slots=True)
class LoadedChain:
    """One chain that is in the lake now. `record.completeness` is null until it is recorded."""

    record: ChainRecord
    coverage: ChainCoverage
    rows_set_aside: int
    findings: tuple[Finding, ...]


def publish_chain(lake: Lake, validated: ValidatedChain, source: ChainSource, fingerprint: str) -> LoadedChain:
    """Put one chain into the lake and measure it."""
    return publish_chains(lake, [(validated, source, fingerprint)])[0]


def publish_chains(lake: Lake, chains: Sequence[tuple[ValidatedChain, ChainSource, str]]) -> list[LoadedChain]:
    """Put many chains into the lake and measure them. They are durable when this returns, so they may be recorded."""
    if not chains:
        return []
    snapshots = lake.chains.publish_all([(validated.chain, source) for validated, source, _ in chains])
    coverages = measure_chains([validated.chain for validated, _, _ in chains])
    return [
        LoadedChain(
            _to_record(snapshot, coverage, validated, source, fingerprint),
            coverage,
            validated.rows_set_aside,
            validated.findings,
        )
        for (validated, source, fingerprint), snapshot, coverage in zip(chains, snapshots, coverages, strict=True)
    ]


def _to_record(
    snapshot: ChainSnapshot, coverage: ChainCoverage, validated: ValidatedChain, source: ChainSource, fingerprint: str
) -> ChainRecord:
    return ChainRecord(
        underlying=snapshot.underlying,
        snapshot_at=snapshot.snapshot_at,
        session=snapshot.session,
        kind=snapshot.kind,
        source=PriceSource(validated.chain["source"][0]),
        contracts=coverage.contracts,
        with_quote=coverage.with_quote,
        with_open_interest=coverage.with_open_interest,
        with_vendor_iv=coverage.with_vendor_iv,
        completeness=None,
        fingerprint=fingerprint,
        landed_url=source.url,
    )


def read_usual_contracts(database: Database, tickers: Collection[str], first: date, last: date) -> Usual:
    """Read the recorded numbers of contracts from 60 sessions before `first` to `last`."""
    usual: Usual = {}
    with database.connect() as connection:
        for held in read_recorded_chains(connection, list_last_sessions(first, HISTORY_SESSIONS)[0], last, tickers):
            usual.setdefault((held.underlying, held.kind), {})[held.session] = held.contracts
    return usual


def record_loaded_chains(
    database: Database,
    chains: Sequence[LoadedChain],
    usual: Usual,
    findings: Sequence[Finding],
    checked: Sequence[CheckedScope],
    *,
    run_id: str | None,
) -> list[Finding]:
    """Record `chains` with their completeness and settle `findings` and those of the chains. Returns all findings.

    `usual` is updated, so each chain of a long load is compared with those before it. Adjusted contracts exist for years:
    only the newest chain of an underlying reports them, and earlier findings about them are closed.
    """
    newest = {chain.record.underlying: chain.record.session for chain in sorted(chains, key=_get_snapshot_at)}
    reported = [
        *findings,
        *(
            finding
            for chain in chains
            for finding in chain.findings
            if finding.rule is not Rule.CONTRACT_ADJUSTED or chain.record.session == newest[chain.record.underlying]
        ),
    ]
    records = []
    for chain in sorted(chains, key=_get_snapshot_at):
        held = chain.record
        history = usual.setdefault((held.underlying, held.kind), {})
        share = compute_completeness(held.contracts, [history[day] for day in sorted(history) if day < held.session])
        history[held.session] = held.contracts
        records.append(replace(held, completeness=share))
        reported += find_coverage_problems(to_symbol(held.underlying), held.session, chain.coverage, share)
    superseded = [
        CheckedScope(
            DATASET,
            frozenset(list_last_sessions(session, HISTORY_SESSIONS)),
            frozenset({Rule.CONTRACT_ADJUSTED}),
            frozenset({to_symbol(underlying)}),
        )
        for underlying, session in newest.items()
    ]
    with database.begin() as connection:
        record_chains(connection, records)
        settle_findings(connection, reported, [*checked, *superseded], run_id=run_id)
    return reported


def _get_snapshot_at(chain: LoadedChain) -> datetime:
    return chain.record.snapshot_at
