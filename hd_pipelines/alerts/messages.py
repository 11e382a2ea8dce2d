"""The neutral message that every channel can show, and the texts of messages about alerts.

Channels do the layout (`notifier`); the text about signals is `signal_message`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hd_pipelines.alerts.lifecycle import Alert, Notice
from hd_pipelines.tables.vocabulary import AlertSeverity, MessageKind

DIGEST_LINES = 20
"""Alerts that a digest names; the count is always exact."""
_LEADS = {
    MessageKind.OPEN: "",
    MessageKind.REPEAT: "Seen again: ",
    MessageKind.ESCALATE: "Still open: ",
    MessageKind.RESOLVE: "Resolved: ",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A named value. `is_short`: it may stand beside others on one line."""

    name: str
    value: str
    is_short: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """A text without markup. `at`: the moment it is about, UTC. `footer`: small print."""

    kind: MessageKind
    severity: AlertSeverity
    title: str
    body: str
    fields: tuple[Field, ...]
    at: datetime
    footer: str = ""

    def document(self) -> dict[str, Any]:
        """The form stored in the outbox; `from_document` reads it back."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "title": self.title,
            "body": self.body,
            "fields": [[field.name, field.value, field.is_short] for field in self.fields],
            "at": self.at.isoformat(),
            "footer": self.footer,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Message:
        """The message that `document` was made of. Raises `KeyError` or `ValueError` for any other document."""
        return cls(
            kind=MessageKind(document["kind"]),
            severity=AlertSeverity(document["severity"]),
            title=document["title"],
            body=document["body"],
            fields=tuple(Field(name, value, is_short) for name, value, is_short in document["fields"]),
            at=datetime.fromisoformat(document["at"]),
            footer=document["footer"],
        )

    def plain_text(self) -> str:
        """Body, fields and footer as lines, for channels without layout."""
        parts = [self.body, "\n".join(f"{field.name}: {field.value}" for field in self.fields), self.footer]
        return "\n\n".join(part for part in parts if part)


def write_alert_message(alert: Alert, notice: Notice, *, now: datetime) -> Message:
    """Write the message about `alert` for `notice`."""
    is_over = notice.kind is MessageKind.RESOLVE
    until = alert.resolved_at if alert.resolved_at is not None else now
    fields = [
        Field("Rule", alert.rule),
        Field("Concerns", alert.subject),
        Field("Was open for" if is_over else "Open for", _format_duration(until - alert.opened_at)),
    ]
    if alert.occurrences > 1:
        fields.append(Field("Seen", f"{alert.occurrences} times"))
    if alert.cure and not is_over:
        fields.append(Field("What to do", alert.cure, is_short=False))
    if alert.run_id:
        fields.append(Field("Run", alert.run_id))
    return Message(
        kind=notice.kind,
        severity=AlertSeverity.INFO if is_over else alert.severity,
        title=f"{_LEADS[notice.kind]}{alert.title}",
        body=alert.detail,
        fields=tuple(fields),
        at=until if is_over else alert.last_seen_at,
        footer=f"alert {alert.alert_id[:8]}",
    )


def write_digest_message(alerts: Sequence[Alert], *, at: datetime) -> Message:
    """Write one message about all waiting warnings, the open ones first. `alerts` is not empty."""
    ordered = sorted(alerts, key=lambda alert: (not alert.is_open, alert.opened_at, alert.alert_id))
    still = sum(alert.is_open for alert in ordered)
    lines = [
        f"{'open' if alert.is_open else 'over'}: {alert.title} ({alert.subject}) {alert.detail}"
        for alert in ordered[:DIGEST_LINES]
    ]
    if len(ordered) > DIGEST_LINES:
        lines.append(f"and {len(ordered) - DIGEST_LINES} more; `hd alerts` lists those that are open")
    return Message(
        kind=MessageKind.DIGEST,
        severity=AlertSeverity.WARNING if still else AlertSeverity.INFO,
        title=f"{len(ordered)} warning{'s' if len(ordered) != 1 else ''}, {still} open",
        body="\n".join(lines),
        fields=(),
        at=at,
    )


def write_trial_message(*, now: datetime) -> Message:
    """Write the message that `hd alerts --test` sends."""
    return Message(
        kind=MessageKind.TEST,
        severity=AlertSeverity.INFO,
        title="Test of the alert channels",
        body="This installation can reach you here. Nothing has happened.",
        fields=(Field("Sent", f"{now:%Y-%m-%d %H:%M:%S} UTC"),),
        at=now,
    )


def _format_duration(span: timedelta) -> str:
    minutes = int(max(span.total_seconds(), 0.0) // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"
