"""Decides by the exchange calendar when the running session's bars are requested, and how far behind they may be.

The clock is an argument of every function.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hd_pipelines.market.sessions import NEW_YORK, Hours, get_regular_hours, is_session

PLAN_DELAY = timedelta(minutes=15)
"""How far the vendor's delayed plans are behind."""
PATIENCE = timedelta(minutes=20)
"""If a symbol's newest minute is older than this, it is reported as stale: 15 minutes of a delayed plan plus five."""
_MINUTE = timedelta(minutes=1)
LAST_TICKS = (_MINUTE, PLAN_DELAY + _MINUTE)
"""Requests after the close: one for the last minute, and one for the last 15 minutes of a delayed plan."""


def find_live_hours(now: datetime) -> Hours | None:
    """Find the regular hours of the New York day of `now` (timezone-aware); None on a closed day."""
    day = now.astimezone(NEW_YORK).date()
    return get_regular_hours(day) if is_session(day) else None


def has_opened(now: datetime) -> bool:
    """Whether a session has opened by `now` (timezone-aware) on its New York day; true after the close as well."""
    hours = find_live_hours(now)
    return hours is not None and now >= hours.opens_at


def can_bars_arrive(now: datetime) -> bool:
    """Whether bars may still arrive at `now` (timezone-aware): in a session, or within `PATIENCE` of its close."""
    hours = find_live_hours(now)
    return hours is not None and hours.opens_at <= now <= hours.closes_at + PATIENCE


def is_live_tick(now: datetime) -> bool:
    """Whether bars are requested at `now`, a whole minute.

    That is every minute from one minute after the open to the close, and at `LAST_TICKS` after the close: 392 times on a
    full day, 212 times on a day that closes at 13:00.
    """
    hours = find_live_hours(now)
    if hours is None:
        return False
    in_session = hours.opens_at + _MINUTE <= now <= hours.closes_at
    return in_session or now - hours.closes_at in LAST_TICKS
