"""When the running session's bars are asked for, and how far behind they may be.

Belongs here: the plan of ticks by exchange calendar. Pure: the clock is an argument.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hd_pipelines.market.sessions import NEW_YORK, Hours, is_session, regular_hours

PLAN_DELAY = timedelta(minutes=15)
"""How far behind the vendor's delayed plans are."""
PATIENCE = timedelta(minutes=20)
"""Older than this the newest minute of a symbol is told as stale: a delayed plan's 15, and five."""
_MINUTE = timedelta(minutes=1)
LAST_TICKS = (_MINUTE, PLAN_DELAY + _MINUTE)
"""After the close: once for the last minute, and once for a delayed plan's last quarter of an hour."""


def live_hours(now: datetime) -> Hours | None:
    """Regular hours of the day that `now` (timezone-aware) is in; None on a closed day."""
    day = now.astimezone(NEW_YORK).date()
    return regular_hours(day) if is_session(day) else None


def has_opened(now: datetime) -> bool:
    """Whether there is, or was, a session on the day that `now` (timezone-aware) is in, in New York."""
    hours = live_hours(now)
    return hours is not None and now >= hours.opens_at


def bars_may_come(now: datetime) -> bool:
    """Whether a session is running at `now` (timezone-aware), or so lately over that a delayed plan may still bring bars."""
    hours = live_hours(now)
    return hours is not None and hours.opens_at <= now <= hours.closes_at + PATIENCE


def is_live_tick(now: datetime) -> bool:
    """Whether bars are asked for at `now`, a whole minute: every minute from a minute after the open to the close.

    And at `LAST_TICKS` after it. 392 times on a full day, 212 times on one that closes at 13:00.
    """
    hours = live_hours(now)
    if hours is None:
        return False
    in_session = hours.opens_at + _MINUTE <= now <= hours.closes_at
    return in_session or now - hours.closes_at in LAST_TICKS
