"""Converts instants to integer nanoseconds since the epoch, the unit in which bars and quotes are compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_ns(instant: datetime) -> int:
    """Convert to integer nanoseconds since the epoch, exact to the microsecond: no float is involved.

    ValueError if `instant` has no timezone.
    """
    if instant.utcoffset() is None:
        raise ValueError(f"{instant.isoformat()} has no timezone: pass a timezone-aware datetime")
    return (instant - _EPOCH) // _MICROSECOND * 1_000
