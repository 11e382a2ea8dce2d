"""How long a signal is valid, and which styles still have enough time.

- A scalp is valid for 30 minutes, or until the close.
- A day trade is valid until 15 minutes before its session's close; half days close earlier.
- A swing is valid until the close of the third session after.

A style that would be valid for less than `least_minutes` is not offered. A daily row at the close can only be held
overnight: it offers no scalp, and its day trade runs until the close of the next session, because daily bars cannot show
15 minutes before it. A position held overnight needs an option that outlives it, so a detector whose contracts expire
within three days offers no swing.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from hd_pipelines.market.sessions import get_regular_hours, list_sessions_between
from hd_pipelines.signals.detectors.detector import ContractLimits
from hd_pipelines.signals.scanner.policy.scan_policy import Validity
from hd_pipelines.tables.vocabulary import Resolution, TradingStyle

_LONGEST_PAUSE = timedelta(days=7)
"""Longest closure between two sessions, with a margin; in September 2001 it was six days."""


def find_valid_until(
    style: TradingStyle,
    *,
    as_of: datetime,
    session: date,
    resolution: Resolution,
    contract: ContractLimits,
    rules: Validity,
) -> datetime | None:
    """Return when a signal of that style expires, UTC; None if the style is not offered."""
    longest = contract.days_to_expiry[1]
    if style is TradingStyle.SWING:
        return _find_close_after(session, rules.swing_sessions) if longest > rules.swing_sessions else None
    if resolution is Resolution.DAY:
        return _find_close_after(session, 1) if style is TradingStyle.DAY_TRADE and longest >= 1 else None
    closes_at = get_regular_hours(session).closes_at
    if style is TradingStyle.SCALP:
        until = min(as_of + timedelta(minutes=rules.scalp_minutes), closes_at)
    else:
        until = closes_at - timedelta(minutes=rules.day_trade_minutes_before_close)
    return until if until - as_of >= timedelta(minutes=rules.least_minutes.of(style)) else None


@lru_cache(maxsize=4096)
def _find_close_after(session: date, count: int) -> datetime | None:
    """Return the close of the `count`-th session after `session`; None beyond the calendar's end."""
    later = list_sessions_between(session + timedelta(days=1), session + count * _LONGEST_PAUSE)
    return get_regular_hours(later[count - 1]).closes_at if len(later) >= count else None
