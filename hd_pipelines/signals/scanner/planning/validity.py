"""How long a signal stands, and which styles still have the time.

Belongs here: the end of each style's validity. Minutes and sessions are the policy's. (The predecessor let every signal
lapse after five minutes, while its targets were ATRs away that take hours.)

- A scalp stands for 30 minutes, or until the close.
- A day trade stands until 15 minutes before its session's close; half days close earlier.
- A swing stands until the close of the third session after.

A style that would stand for less than `least_minutes` is not offered. A look at the close of a session that has no minutes
can only be held overnight: it has no scalp, and its day trade is the next session's, until that one's close, since bars of
days do not tell a quarter of an hour. What is held overnight needs an option that outlives it: a detector whose contracts
expire within three days has no swings.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from hd_pipelines.market.sessions import get_regular_hours, list_sessions_between
from hd_pipelines.signals.detectors.detector import ContractLimits
from hd_pipelines.signals.scanner.policy.scan_policy import Validity
from hd_pipelines.tables.vocabulary import Resolution, TradingStyle

_LONGEST_PAUSE = timedelta(days=7)
"""Between two sessions, with room to spare; September 2001 lasted six days."""


def find_valid_until(
    style: TradingStyle,
    *,
    as_of: datetime,
    session: date,
    resolution: Resolution,
    contract: ContractLimits,
    rules: Validity,
) -> datetime | None:
    """When a signal of that style lapses, UTC; None if the style is not offered now."""
    longest = contract.days_to_expiry[1]
    if style is TradingStyle.SWING:
        return _find_close_after(session, rules.swing_sessions) if longest > rules.swing_sessions else None
    if resolution is Resolution.DAY:
        return _find_close_after(session, 1) if style is TradingStyle.DAY_TRADE and longest >= 1 else None
    closes_at = regular_hours(session).closes_at
    if style is TradingStyle.SCALP:
        until = min(as_of + timedelta(minutes=rules.scalp_minutes), closes_at)
    else:
        until = closes_at - timedelta(minutes=rules.day_trade_minutes_before_close)
    return until if until - as_of >= timedelta(minutes=rules.least_minutes.of(style)) else None


@lru_cache(maxsize=4096)
def _find_close_after(session: date, count: int) -> datetime | None:
    """Close of the `count`-th session after; None beyond the calendar's end."""
    later = list_sessions_between(session + timedelta(days=1), session + count * _LONGEST_PAUSE)
    return get_regular_hours(later[count - 1]).closes_at if len(later) >= count else None
