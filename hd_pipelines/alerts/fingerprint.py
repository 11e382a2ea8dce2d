"""Identifiers of alerts, events and messages, computed from what they are about.

A second process, or the same one after a crash, computes the same identifiers, and the database's keys reject the
duplicates.
"""

from __future__ import annotations

import hashlib

_SEPARATOR = "\x1f"
"""Occurs in no rule, subject or channel, so that joined parts stay apart."""


def alert_id(rule: str, subject: str) -> str:
    """32 hex digits. `subject`: what broke the rule, such as a dataset and session, a job and partition, an order."""
    return _digest(rule, subject)


def event_key(alert: str, episode: int, kind: str, number: int) -> str:
    """Names one event in the life of an alert: `alert:<id>:<episode>:<kind>:<number>`."""
    return f"alert:{alert}:{episode}:{kind}:{number}"


def message_id(event: str, channel: str) -> str:
    """32 hex digits for one event on one channel; receivers get it as the idempotency key."""
    return _digest(event, channel)


def _digest(*parts: str) -> str:
    return hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32]
