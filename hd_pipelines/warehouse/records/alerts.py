"""Stores alerts: each event moves an alert one step and writes the messages of that step, in one transaction.

The steps are defined in `alerts.lifecycle`; messages are sent by way of `alert_outbox`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.alerts import lifecycle
from hd_pipelines.alerts.fingerprint import alert_id
from hd_pipelines.alerts.lifecycle import Alert, Notice, Sighting, Step
from hd_pipelines.alerts.messages import write_alert_message, write_digest_message
from hd_pipelines.alerts.redaction import BODY, FIELD_VALUE, TITLE, Redactor
from hd_pipelines.tables.vocabulary import AlertSeverity, AlertState
from hd_pipelines.warehouse.records.alert_outbox import enqueue
from hd_pipelines.warehouse.schema.tables import alert_outbox, alerts

KEPT = timedelta(days=365)
"""How long resolved alerts are kept."""
_COLUMNS = tuple(field.name for field in fields(Alert))


class AlertBook:
    """Alerts of one transaction, and the channels that are notified. Not for use after the transaction."""

    def __init__(self, connection: Connection, channels: Collection[str], redactor: Redactor, *, now: datetime) -> None:
        self._connection = connection
        self._channels = tuple(channels)
        self._redactor = redactor
        self._now = now

    def observe(self, sighting: Sighting, *, at: datetime) -> tuple[Notice, ...]:
        """Record that the condition was present at `at`; return the notices written."""
        clean = _redact(sighting, self._redactor)
        known = self._lock_and_read(clean.alert_id)
        return self._apply(known, lifecycle.observe(known, clean, at=at, now=self._now))

    def resolve(self, rule: str, subject: str, *, at: datetime) -> tuple[Notice, ...]:
        """Record that the condition was gone at `at`; do nothing if no such alert is open."""
        return self.resolve_id(alert_id(*_redact_names(rule, subject, self._redactor)), at=at)

    def resolve_id(self, known_id: str, *, at: datetime) -> tuple[Notice, ...]:
        """Resolve an alert by its `alert_id`."""
        known = self._lock_and_read(known_id)
        return self._apply(known, lifecycle.resolve(known, at=at, now=self._now)) if known else ()

    def escalate_overdue(self) -> tuple[Notice, ...]:
        """Escalate the alerts that have been open for too long."""
        urgent = [severity.value for severity in AlertSeverity if severity.is_told_at_once]
        waiting = (
            select(alerts.c.alert_id)
            .where(
                alerts.c.state == AlertState.OPEN.value,
                alerts.c.severity.in_(urgent),
                alerts.c.escalations < len(lifecycle.ESCALATED_AFTER),
                alerts.c.opened_at <= self._now - lifecycle.ESCALATED_AFTER[0],
            )
            .order_by(alerts.c.opened_at, alerts.c.alert_id)
        )
        notices: list[Notice] = []
        self._lock()
        ids: Sequence[str] = self._connection.execute(waiting).scalars().all()
        for waiting_id in ids:
            known = self._lock_and_read(waiting_id)
            if known is not None:
                notices += self._apply(known, lifecycle.escalate(known, now=self._now))
        return tuple(notices)

    def write_digest(self, slot: datetime) -> int:
        """Write one message about every warning opened before `slot`; return how many it lists.

        The slot identifies the message: a second digest of the same slot is not written.
        """
        self._lock()
        waits = _select_alerts().where(alerts.c.awaits_digest, alerts.c.opened_at <= slot).order_by(alerts.c.alert_id)
        waiting = _read(self._connection.execute(waits))
        if not waiting:
            return 0
        message = write_digest_message(waiting, at=slot)
        key = f"digest:{slot.isoformat()}"
        if not enqueue(self._connection, key, message, self._channels, self._redactor, now=self._now):
            return 0
        for alert in waiting:
            self._store(lifecycle.clear_digest(alert))
        return len(waiting)

    def _apply(self, before: Alert | None, step: Step) -> tuple[Notice, ...]:
        if step.alert == before:
            return ()
        self._store(step.alert)
        for notice in step.notices:
            enqueue(
                self._connection,
                notice.event_key,
                write_alert_message(step.alert, notice, now=self._now),
                self._channels,
                self._redactor,
                now=self._now,
                alert_id=notice.alert_id,
            )
        return step.notices

    def _lock_and_read(self, known_id: str) -> Alert | None:
        self._lock()
        found = _read(self._connection.execute(_select_alerts().where(alerts.c.alert_id == known_id)))
        return found[0] if found else None

    def _lock(self) -> None:
        # One writer of alerts at a time: an alert that does not exist yet has no row to lock, and two reporters that
        # lock theirs in different orders would wait for each other.
        self._connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("hd_pipelines:alerts", 0))))

    def _store(self, alert: Alert) -> None:
        row = {name: getattr(value, "value", value) for name, value in asdict(alert).items()}
        statement = insert(alerts).values(row)
        changed = {name: statement.excluded[name] for name in _COLUMNS if name != "alert_id"}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["alert_id"], set_=changed))


def read_open_alerts(connection: Connection, rules: Collection[str] | None = None) -> list[Alert]:
    """Read the open alerts, longest open first; of `rules` only, if given."""
    statement = _select_alerts().where(alerts.c.state == AlertState.OPEN.value).order_by(alerts.c.opened_at)
    if rules is not None:
        statement = statement.where(alerts.c.rule.in_(sorted(rules)))
    return _read(connection.execute(statement))


def drop_old_alerts(connection: Connection, *, now: datetime) -> int:
    """Delete alerts that were resolved `KEPT` ago and have no message left; return how many."""
    has_messages = exists().where(alert_outbox.c.alert_id == alerts.c.alert_id)
    return connection.execute(
        delete(alerts).where(
            alerts.c.state == AlertState.RESOLVED.value, alerts.c.resolved_at < now - KEPT, ~has_messages
        )
    ).rowcount


def _select_alerts() -> Any:  # noqa: ANN401  (a select of many columns)
    return select(*(alerts.c[name] for name in _COLUMNS))


def _read(rows: Any) -> list[Alert]:  # noqa: ANN401  (a result of such a select)
    return [
        Alert(**{**row, "severity": AlertSeverity(row["severity"]), "state": AlertState(row["state"])})
        for row in rows.mappings()
    ]


def _redact(sighting: Sighting, redactor: Redactor) -> Sighting:
    rule, subject = _redact_names(sighting.rule, sighting.subject, redactor)
    return Sighting(
        rule=rule,
        subject=subject,
        severity=sighting.severity,
        title=redactor.clean(sighting.title, TITLE),
        detail=redactor.clean(sighting.detail, BODY),
        cure=redactor.clean(sighting.cure, FIELD_VALUE),
        run_id=sighting.run_id,
    )


def _redact_names(rule: str, subject: str, redactor: Redactor) -> tuple[str, str]:
    return redactor.clean(rule, TITLE), redactor.clean(subject, TITLE)
