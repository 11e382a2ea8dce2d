"""The life of an alert: opened, seen again, escalated, resolved, and which of it is told.

Belongs here: pure steps (state, event) → (state, notices). Nothing is told twice: every notice has a number that is a
function of the state. The schedule:

- An `ERROR` or `CRITICAL` alert is told when it opens, again after 15 and 60 minutes if it is still open, and when it is
  resolved. Seen again while open, it is told again after `QUIET_PERIOD` at the earliest.
- One that returns within `RETURN_PERIOD` of its last message opens silently: if it stays, the 15 minutes tell it.
- `WARNING` and `INFO` wait for the digest, when they open and when they are resolved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hd_pipelines.alerts.fingerprint import alert_id, event_key
from hd_pipelines.tables.vocabulary import AlertSeverity, AlertState, MessageKind

ESCALATED_AFTER = (timedelta(minutes=15), timedelta(minutes=60))
QUIET_PERIOD = timedelta(hours=4)
RETURN_PERIOD = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What somebody noticed. Equal `rule` and `subject` are the same alert; texts and severity may change."""

    rule: str
    subject: str
    severity: AlertSeverity
    title: str
    detail: str
    cure: str
    run_id: str | None = None

    @property
    def alert_id(self) -> str:
        """Which alert this belongs to."""
        return alert_id(self.rule, self.subject)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands. Times are UTC.

    episode: how often it has opened. occurrences: how often it was seen in this episode. notified_at: when the last
    message of its own was written, in whichever episode; told_episode: that one. awaits_digest: the next digest has
    something to say about it.
    """

    alert_id: str
    rule: str
    subject: str
    severity: AlertSeverity
    state: AlertState
    title: str
    detail: str
    cure: str
    episode: int
    occurrences: int
    escalations: int
    repeats: int
    told_episode: int | None
    awaits_digest: bool
    first_seen_at: datetime
    opened_at: datetime
    last_seen_at: datetime
    notified_at: datetime | None
    resolved_at: datetime | None
    run_id: str | None

    @property
    def is_open(self) -> bool:
        """Whether the condition is present as far as anybody knows."""
        return self.state is AlertState.OPEN

    @property
    def is_told(self) -> bool:
        """Whether this episode had a message of its own."""
        return self.told_episode == self.episode


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to be written about an alert. At most one exists for each (alert, episode, kind, number)."""

    alert_id: str
    episode: int
    kind: MessageKind
    number: int

    @property
    def event_key(self) -> str:
        """Its name in the outbox."""
        return event_key(self.alert_id, self.episode, self.kind, self.number)


@dataclass(frozen=True, slots=True)
class Step:
    """An alert after an event, and what is to be told about it."""

    alert: Alert
    notices: tuple[Notice, ...] = ()


def seen(alert: Alert | None, sighting: Sighting, *, at: datetime, now: datetime) -> Step:
    """The condition was present at `at`; it is `now`.

    A sighting that is not newer than the last event of the alert is one that was counted before: whoever reports may
    report again after a crash, and changes nothing.
    """
    if alert is None or (alert.resolved_at is not None and at > alert.resolved_at):
        return _told_if_due(_opened(alert, sighting, at), now)
    if not alert.is_open or at <= alert.last_seen_at:
        return Step(alert)
    again = replace(
        alert,
        severity=_worse(alert.severity, sighting.severity),
        title=sighting.title,
        detail=sighting.detail,
        cure=sighting.cure,
        run_id=sighting.run_id,
        occurrences=alert.occurrences + 1,
        last_seen_at=at,
    )
    return _told_if_due(again, now)


def resolved(alert: Alert, *, at: datetime, now: datetime) -> Step:
    """The condition was found gone at `at`. An alert that was seen later than that stays open."""
    if not alert.is_open or at < alert.last_seen_at:
        return Step(alert)
    gone = replace(alert, state=AlertState.RESOLVED, resolved_at=at)
    if alert.is_told:
        return Step(replace(gone, notified_at=now), (_notice(gone, MessageKind.RESOLVE, 1),))
    return Step(gone if alert.severity.is_told_at_once else replace(gone, awaits_digest=True))


def time_passed(alert: Alert, *, now: datetime) -> Step:
    """Escalate an alert that has been open for 15 or 60 minutes; one message, however late this is asked."""
    if not alert.is_open or not alert.severity.is_told_at_once:
        return Step(alert)
    level = sum(now - alert.opened_at >= after for after in ESCALATED_AFTER)
    just_told = alert.is_told and alert.notified_at is not None and now - alert.notified_at < ESCALATED_AFTER[0]
    if level <= alert.escalations or just_told:
        return Step(alert)
    return _told(replace(alert, escalations=level), MessageKind.ESCALATE, level, now)


def digested(alert: Alert) -> Alert:
    """The alert after a digest that names it."""
    return replace(alert, awaits_digest=False)


def _opened(before: Alert | None, sighting: Sighting, at: datetime) -> Alert:
    return Alert(
        alert_id=sighting.alert_id,
        rule=sighting.rule,
        subject=sighting.subject,
        severity=sighting.severity,
        state=AlertState.OPEN,
        title=sighting.title,
        detail=sighting.detail,
        cure=sighting.cure,
        episode=before.episode + 1 if before else 1,
        occurrences=1,
        escalations=0,
        repeats=0,
        told_episode=before.told_episode if before else None,
        awaits_digest=not sighting.severity.is_told_at_once,
        first_seen_at=before.first_seen_at if before else at,
        opened_at=at,
        last_seen_at=at,
        notified_at=before.notified_at if before else None,
        resolved_at=None,
        run_id=sighting.run_id,
    )


def _told_if_due(alert: Alert, now: datetime) -> Step:
    if not alert.severity.is_told_at_once:
        return Step(alert)
    silence = now - alert.notified_at if alert.notified_at is not None else None
    if alert.is_told:
        if silence is not None and silence >= QUIET_PERIOD:
            return _told(replace(alert, repeats=alert.repeats + 1), MessageKind.REPEAT, alert.repeats + 1, now)
    elif silence is None or silence >= RETURN_PERIOD:
        return _told(alert, MessageKind.OPEN, 1, now)
    return Step(alert)


def _told(alert: Alert, kind: MessageKind, number: int, now: datetime) -> Step:
    # A warning that became an error is no longer the digest's.
    told = replace(alert, told_episode=alert.episode, notified_at=now, awaits_digest=False)
    return Step(told, (_notice(told, kind, number),))


def _notice(alert: Alert, kind: MessageKind, number: int) -> Notice:
    return Notice(alert.alert_id, alert.episode, kind, number)


def _worse(one: AlertSeverity, other: AlertSeverity) -> AlertSeverity:
    order = list(AlertSeverity)
    return max(one, other, key=order.index)
