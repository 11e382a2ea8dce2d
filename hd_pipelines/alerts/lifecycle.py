"""The life cycle of an alert: opened, observed again, escalated, resolved, and which of these send a message.

Pure steps (state, event) → (state, notices). Every notice has a number that is a function of the state, so none is sent
twice. The schedule:

- An `ERROR` or `CRITICAL` alert sends a message when it opens, again after 15 and 60 minutes if it is still open, and when
  it is resolved. Observed again while open, it sends another after `QUIET_PERIOD` at the earliest.
- One that returns within `RETURN_PERIOD` of its last message opens silently; if it stays, the escalation after 15 minutes
  sends it.
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
    """One observation of a condition. Equal `rule` and `subject` are the same alert; texts and severity may change."""

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
    """The present state of an alert. Times are UTC.

    episode: how often it has opened. occurrences: how often it was observed in this episode. notified_at: when its last
    own message was written, in whichever episode; told_episode: that episode. awaits_digest: the next digest names it.
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
        """Whether the condition was present at the last observation."""
        return self.state is AlertState.OPEN

    @property
    def is_sent(self) -> bool:
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
        """Its key in the outbox."""
        return event_key(self.alert_id, self.episode, self.kind, self.number)


@dataclass(frozen=True, slots=True)
class Step:
    """An alert after an event, and the notices to send."""

    alert: Alert
    notices: tuple[Notice, ...] = ()


def observe(alert: Alert | None, sighting: Sighting, *, at: datetime, now: datetime) -> Step:
    """Apply an observation of the condition at `at`.

    A sighting that is not newer than the last event of the alert was counted before and changes nothing, so a reporter
    may report again after a crash.
    """
    if alert is None or (alert.resolved_at is not None and at > alert.resolved_at):
        return _notify_if_due(_open(alert, sighting, at), now)
    if not alert.is_open or at <= alert.last_seen_at:
        return Step(alert)
    again = replace(
        alert,
        severity=_choose_worse(alert.severity, sighting.severity),
        title=sighting.title,
        detail=sighting.detail,
        cure=sighting.cure,
        run_id=sighting.run_id,
        occurrences=alert.occurrences + 1,
        last_seen_at=at,
    )
    return _notify_if_due(again, now)


def resolve(alert: Alert, *, at: datetime, now: datetime) -> Step:
    """Resolve the alert: the condition was gone at `at`. An alert that was observed later than that stays open."""
    if not alert.is_open or at < alert.last_seen_at:
        return Step(alert)
    gone = replace(alert, state=AlertState.RESOLVED, resolved_at=at)
    if alert.is_sent:
        return Step(replace(gone, notified_at=now), (_make_notice(gone, MessageKind.RESOLVE, 1),))
    return Step(gone if alert.severity.is_told_at_once else replace(gone, awaits_digest=True))


def escalate(alert: Alert, *, now: datetime) -> Step:
    """Escalate an alert that has been open for 15 or 60 minutes; one message, however late this is called."""
    if not alert.is_open or not alert.severity.is_told_at_once:
        return Step(alert)
    level = sum(now - alert.opened_at >= after for after in ESCALATED_AFTER)
    was_just_sent = alert.is_sent and alert.notified_at is not None and now - alert.notified_at < ESCALATED_AFTER[0]
    if level <= alert.escalations or was_just_sent:
        return Step(alert)
    return _notify(replace(alert, escalations=level), MessageKind.ESCALATE, level, now)


def clear_digest(alert: Alert) -> Alert:
    """Clear `awaits_digest`, after a digest that names the alert."""
    return replace(alert, awaits_digest=False)


def _open(before: Alert | None, sighting: Sighting, at: datetime) -> Alert:
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


def _notify_if_due(alert: Alert, now: datetime) -> Step:
    if not alert.severity.is_told_at_once:
        return Step(alert)
    silence = now - alert.notified_at if alert.notified_at is not None else None
    if alert.is_sent:
        if silence is not None and silence >= QUIET_PERIOD:
            return _notify(replace(alert, repeats=alert.repeats + 1), MessageKind.REPEAT, alert.repeats + 1, now)
    elif silence is None or silence >= RETURN_PERIOD:
        return _notify(alert, MessageKind.OPEN, 1, now)
    return Step(alert)


def _notify(alert: Alert, kind: MessageKind, number: int, now: datetime) -> Step:
    # A warning that became an error is no longer left to the digest.
    notified = replace(alert, told_episode=alert.episode, notified_at=now, awaits_digest=False)
    return Step(notified, (_make_notice(notified, kind, number),))


def _make_notice(alert: Alert, kind: MessageKind, number: int) -> Notice:
    return Notice(alert.alert_id, alert.episode, kind, number)


def _choose_worse(one: AlertSeverity, other: AlertSeverity) -> AlertSeverity:
    order = list(AlertSeverity)
    return max(one, other, key=order.index)
