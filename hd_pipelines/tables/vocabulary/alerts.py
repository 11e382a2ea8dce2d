"""Enums of alerts: severity, state, kind of message, and delivery status."""

from enum import StrEnum


class AlertSeverity(StrEnum):
    """Severity: `INFO` and `WARNING` wait for the digest, `ERROR` and `CRITICAL` are sent at once."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def is_told_at_once(self) -> bool:
        """Whether an alert of this severity gets messages of its own; the others are gathered in a digest."""
        return self in {AlertSeverity.ERROR, AlertSeverity.CRITICAL}


class AlertState(StrEnum):
    """Whether the condition is present, as far as is known."""

    OPEN = "open"
    RESOLVED = "resolved"


class MessageKind(StrEnum):
    """Why a message was written."""

    OPEN = "open"
    REPEAT = "repeat"
    ESCALATE = "escalate"
    RESOLVE = "resolve"
    DIGEST = "digest"
    SIGNAL = "signal"
    TEST = "test"


class DeliveryStatus(StrEnum):
    """State of a message on one channel. `DEAD`: given up; the row holds the reason."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
