"""When option chains are to be taken, and which snapshots are missing.

Belongs here: the plan of snapshots by exchange calendar and its comparison with what there is. Nobody sells a chain of a
moment that has passed, so a missed snapshot is told, never filled in. Pure: the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hd_pipelines.market.chain_coverage import DATASET
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import is_session, regular_hours
from hd_pipelines.market.symbols import symbol_of, ticker_of
from hd_pipelines.tables.vocabulary import Rule, Severity, SnapshotKind

EVERY = timedelta(minutes=15)
FIRST_AFTER_OPEN = timedelta(minutes=15)
SETTLE = timedelta(minutes=16)
"""After the close: a delayed plan shows the close 15 minutes later, and index options quote until 16:15."""
CLOSE_WITHIN = timedelta(hours=4)
"""How long after the close a snapshot still shows it: options do not quote overnight."""


@dataclass(frozen=True, slots=True)
class ExpectedSnapshot:
    """A snapshot of every underlying that is to be taken from `at` on and before `until`."""

    kind: SnapshotKind
    at: datetime
    until: datetime


def expected_snapshots(session: date) -> list[ExpectedSnapshot]:
    """Every 15 minutes from 09:45 until before the close, and one at the close plus `SETTLE`; UTC, ascending.

    25 + 1 on a full day, 13 + 1 on one that closes at 13:00. Raises `ValueError` for a closed day.
    """
    hours = regular_hours(session)
    planned = []
    at = hours.opens_at + FIRST_AFTER_OPEN
    while at < hours.closes_at:
        planned.append(ExpectedSnapshot(SnapshotKind.INTRADAY, at, at + EVERY))
        at += EVERY
    close = ExpectedSnapshot(SnapshotKind.CLOSE, hours.closes_at + SETTLE, hours.closes_at + CLOSE_WITHIN)
    return [*planned, close]


def missed_snapshot_findings(
    have: Iterable[tuple[str, SnapshotKind, datetime]],
    sessions: Sequence[date],
    now: datetime,
    *,
    underlyings: Collection[str],
    kinds: Collection[SnapshotKind] = tuple(SnapshotKind),
) -> list[Finding]:
    """One finding per underlying and session that lacks snapshots whose time was over at `now`.

    `have`: (underlying, kind, snapshot_at) of what is in the lake; a close is one, whatever its stamp in the session, so an
    archive's close counts. `sessions`: closed days are passed over. `kinds`: what this desk takes at all. Missing closes
    are errors, snapshots in session warnings; a day without any close names both in one finding.
    """
    taken: dict[str, list[tuple[SnapshotKind, datetime]]] = {}
    for underlying, kind, snapshot_at in have:
        taken.setdefault(ticker_of(underlying), []).append((kind, snapshot_at))
    findings = []
    for session in (day for day in sessions if is_session(day)):
        opens_at = regular_hours(session).opens_at
        due = [plan for plan in expected_snapshots(session) if plan.kind in kinds and plan.until <= now]
        for underlying in sorted({ticker_of(name) for name in underlyings}):
            mine = taken.get(underlying, [])
            missed = [plan for plan in due if not _is_taken(plan, mine, opens_at)]
            if missed:
                findings.append(_missed(underlying, session, missed, due))
    return findings


def _is_taken(plan: ExpectedSnapshot, taken: Sequence[tuple[SnapshotKind, datetime]], opens_at: datetime) -> bool:
    begins = opens_at if plan.kind is SnapshotKind.CLOSE else plan.at
    return any(kind is plan.kind and begins <= at < plan.until for kind, at in taken)


def _missed(
    underlying: str, session: date, missed: Sequence[ExpectedSnapshot], due: Sequence[ExpectedSnapshot]
) -> Finding:
    in_session = [plan for plan in missed if plan.kind is SnapshotKind.INTRADAY]
    lacks_close = len(in_session) < len(missed)
    of = sum(plan.kind is SnapshotKind.INTRADAY for plan in due)
    parts = ["the close"] if lacks_close else []
    if in_session:
        parts.append(f"{len(in_session)} of {of} snapshots in session, first that of {in_session[0].at:%H:%M} UTC")
    return Finding(
        rule=Rule.SNAPSHOT_MISSED,
        severity=Severity.ERROR if lacks_close else Severity.WARNING,
        dataset=DATASET,
        session=session,
        subject=symbol_of(underlying),
        detail=f"Not taken: {' and '.join(parts)}.",
        cure="Nothing can bring it back. Look why the daemon or the vendor was away at that time.",
        rows=len(missed),
    )
