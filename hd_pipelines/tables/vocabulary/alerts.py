"""Enums of alerts: severity, state, kind of message, and delivery status."""

from enum import StrEnum


class AlertSeverity(StrEnum):
    """How loud: `INFO` is news, `WARNING` waits for the digest, `ERROR` and `CRITICAL` are told at once."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def is_told_at_once(self) -> bool:
        """Whether an alert of this severity gets messages of its own; the others are gathered in a digest."""
        return self in {AlertSeverity.ERROR, AlertSeverity.CRITICAL}


class AlertState(StrEnum):
    """Whether the condition is present, as far as anybody knows."""

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
    """What became of a message on one channel. `DEAD`: given up, and the row says why."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
