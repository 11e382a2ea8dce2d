"""Plans when option chain snapshots are taken, by the exchange calendar, and finds the ones that were missed.

No vendor sells a chain of a past moment, so a missed snapshot is reported and never filled in. The clock is an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hd_pipelines.market.chain_coverage import DATASET
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import get_regular_hours, is_session
from hd_pipelines.market.symbols import to_symbol, to_ticker
from hd_pipelines.tables.vocabulary import Rule, Severity, SnapshotKind

EVERY = timedelta(minutes=15)
FIRST_AFTER_OPEN = timedelta(minutes=15)
SETTLE = timedelta(minutes=16)
"""Wait after the close: a delayed plan shows the close 15 minutes later, and index options quote until 16:15."""
CLOSE_WITHIN = timedelta(hours=4)
"""How long after the close a snapshot still shows the close, since options do not quote overnight."""


@dataclass(frozen=True, slots=True)
class ExpectedSnapshot:
    """A planned snapshot of every underlying, to be taken from `at` on and before `until`."""

    kind: SnapshotKind
    at: datetime
    until: datetime


def plan_snapshots(session: date) -> list[ExpectedSnapshot]:
    """Plan a snapshot every 15 minutes from 09:45 to before the close, and one at the close plus `SETTLE`; UTC, ascending.

    25 + 1 on a full day, 13 + 1 on one that closes at 13:00. Raises `ValueError` for a closed day.
    """
    hours = get_regular_hours(session)
    planned = []
    at = hours.opens_at + FIRST_AFTER_OPEN
    while at < hours.closes_at:
        planned.append(ExpectedSnapshot(SnapshotKind.INTRADAY, at, at + EVERY))
        at += EVERY
    close = ExpectedSnapshot(SnapshotKind.CLOSE, hours.closes_at + SETTLE, hours.closes_at + CLOSE_WITHIN)
    return [*planned, close]


def find_missed_snapshots(
    have: Iterable[tuple[str, SnapshotKind, datetime]],
    sessions: Sequence[date],
    now: datetime,
    *,
    underlyings: Collection[str],
    kinds: Collection[SnapshotKind] = tuple(SnapshotKind),
) -> list[Finding]:
    """Find the missed snapshots: one finding per underlying and session that lacks any whose time was over at `now`.

    `have`: (underlying, kind, snapshot_at) of the snapshots in the lake. A close counts at any time of its session, so that
    an archive's close counts. `sessions`: closed days are skipped. `kinds`: the kinds that this installation takes. A
    missing close is an error, a missing snapshot in session a warning; if both are missing, one finding names both.
    """
    taken: dict[str, list[tuple[SnapshotKind, datetime]]] = {}
    for underlying, kind, snapshot_at in have:
        taken.setdefault(to_ticker(underlying), []).append((kind, snapshot_at))
    findings = []
    for session in (day for day in sessions if is_session(day)):
        opens_at = get_regular_hours(session).opens_at
        due = [plan for plan in plan_snapshots(session) if plan.kind in kinds and plan.until <= now]
        for underlying in sorted({to_ticker(name) for name in underlyings}):
            mine = taken.get(underlying, [])
            missed = [plan for plan in due if not _is_taken(plan, mine, opens_at)]
            if missed:
                findings.append(_describe_missed(underlying, session, missed, due))
    return findings


def _is_taken(plan: ExpectedSnapshot, taken: Sequence[tuple[SnapshotKind, datetime]], opens_at: datetime) -> bool:
    begins = opens_at if plan.kind is SnapshotKind.CLOSE else plan.at
    return any(kind is plan.kind and begins <= at < plan.until for kind, at in taken)


def _describe_missed(
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
        subject=to_symbol(underlying),
        detail=f"Not taken: {' and '.join(parts)}.",
        cure="Nothing can bring it back. Look why the daemon or the vendor was away at that time.",
        rows=len(missed),
    )
