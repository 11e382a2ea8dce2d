"""Exchange sessions and their regular hours.

Belongs here: which days trade, when they open and close, which week they belong to, how much trading time lies between
two instants. The authority is the XNYS calendar
of `exchange_calendars` (holidays, early closes, ad-hoc closures), of which `xnys_closures` is a tested snapshot; times
are UTC. A naive clock never enters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.xnys_closures import CLOSED_WEEKDAYS, EARLY_CLOSES_13_00, FIRST_SESSION, LAST_SESSION

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")
NANOSECONDS_PER_MINUTE = 60_000_000_000
_OPEN, _CLOSE, _EARLY_CLOSE = time(9, 30), time(16), time(13)


@dataclass(frozen=True, slots=True)
class Hours:
    """Regular hours of one session: `opens_at` inclusive, `closes_at` exclusive, both UTC."""

    session: date
    opens_at: datetime
    closes_at: datetime

    @property
    def minutes(self) -> int:
        """390 on a full day, 210 on a 13:00 close."""
        return int((self.closes_at - self.opens_at).total_seconds()) // 60

    @property
    def opens_at_ns(self) -> int:
        """`opens_at` as integer nanoseconds since the epoch, exact."""
        return int(self.opens_at.timestamp()) * 1_000_000_000

    @property
    def closes_at_ns(self) -> int:
        """`closes_at` as integer nanoseconds since the epoch, exact."""
        return int(self.closes_at.timestamp()) * 1_000_000_000


@cache
def _all_sessions() -> tuple[date, ...]:
    first, last = date.fromisoformat(FIRST_SESSION), date.fromisoformat(LAST_SESSION)
    closed = {date.fromisoformat(day) for day in CLOSED_WEEKDAYS.split()}
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return tuple(day for day in days if day.weekday() < 5 and day not in closed)


@cache
def _session_set() -> frozenset[date]:
    return frozenset(_all_sessions())


@cache
def _early_closes() -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in EARLY_CLOSES_13_00.split())


def is_session(day: date) -> bool:
    """Whether the exchange opens on `day`."""
    return day in _session_set()


@cache
def regular_hours(session: date) -> Hours:
    """Open and close of `session`. Raises `ValueError` for a day without one."""
    if not is_session(session):
        known = f"between {FIRST_SESSION} and {LAST_SESSION}"
        raise ValueError(f"{session} is not an exchange session {known}; for later days update the calendar snapshot")
    close = _EARLY_CLOSE if session in _early_closes() else _CLOSE
    opens_at, closes_at = (
        datetime.combine(session, clock, tzinfo=NEW_YORK).astimezone(UTC) for clock in (_OPEN, close)
    )
    return Hours(session, opens_at, closes_at)


def sessions_between(first: date, last: date) -> list[date]:
    """All sessions from `first` to `last`, both included, ascending."""
    known = _all_sessions()
    return list(known[bisect_left(known, first) : bisect_right(known, last)])


def closed_weekdays_between(first: date, last: date) -> list[date]:
    """Mondays to Fridays without a session: holidays and ad-hoc closures."""
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5 and not is_session(day)]


def last_known_session() -> date:
    """Last session that the calendar can answer for; about a year ahead of the snapshot."""
    return _all_sessions()[-1]


def last_completed_session(now: datetime) -> date:
    """The newest session whose regular hours are over at `now` (timezone-aware)."""
    if now.tzinfo is None:
        raise ValueError("now must carry a timezone")
    known = _all_sessions()
    position = bisect_right(known, now.astimezone(NEW_YORK).date()) - 1
    if regular_hours(known[position]).closes_at > now:
        position -= 1
    return known[position]


def sessions_back(last: date, count: int) -> list[date]:
    """The `count` sessions that end with `last` (or the one before it if `last` is closed), ascending."""
    known = _all_sessions()
    end = bisect_right(known, last)
    return list(known[max(0, end - count) : end])


@cache
def week_of(session: date) -> tuple[date, ...]:
    """All sessions of the Monday-to-Sunday week that holds `session`, ascending."""
    monday = session - timedelta(days=session.weekday())
    return tuple(sessions_between(monday, monday + timedelta(days=6)))


def midnight_ns(session: date, zone: ZoneInfo = NEW_YORK) -> int:
    """Midnight of `session` in `zone` as integer nanoseconds since the epoch: the vendor's day-bar stamp."""
    midnight = datetime(session.year, session.month, session.day, tzinfo=zone).astimezone(UTC)
    return int(midnight.timestamp()) * 1_000_000_000


def trading_minutes_between(earlier_ns: int, later_ns: int) -> float:
    """Minutes of regular hours from one instant (ns UTC) to another: a night or a weekend is 0; negative if turned round.

    Raises `ValueError` outside the calendar, where age could only be guessed.
    """
    return (_trading_time_at(later_ns) - _trading_time_at(earlier_ns)) / NANOSECONDS_PER_MINUTE


def trading_time_ns(instants_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Regular hours since the calendar's first open, ns, for each instant (ns UTC); shape kept. It stands still at night.

    Raises `ValueError` outside the calendar.
    """
    if instants_ns.size == 0:
        return np.zeros(instants_ns.shape, np.int64)
    clock = _trading_clock()
    _refuse_unknown(clock, int(instants_ns.min()))
    _refuse_unknown(clock, int(instants_ns.max()))
    session = np.searchsorted(clock.opens_array, instants_ns, side="right") - 1
    elapsed: NDArray[np.int64] = (
        clock.before_array[session] + np.minimum(instants_ns, clock.closes_array[session]) - clock.opens_array[session]
    )
    return elapsed


def instant_trading_minutes_ago(instant_ns: int, minutes: float) -> int:
    """The last instant (ns UTC) from which `minutes` of regular hours lead to `instant_ns`. Never before the first open."""
    clock = _trading_clock()
    elapsed = max(_trading_time_at(instant_ns) - round(minutes * NANOSECONDS_PER_MINUTE), 0)
    session = bisect_right(clock.before, elapsed) - 1
    return clock.opens[session] + elapsed - clock.before[session]


class _TradingClock(NamedTuple):
    """Opens and closes of all sessions, and the regular hours before each, ns; as lists for one instant, and arrays."""

    opens: list[int]
    closes: list[int]
    before: list[int]
    opens_array: NDArray[np.int64]
    closes_array: NDArray[np.int64]
    before_array: NDArray[np.int64]


@cache
def _trading_clock() -> _TradingClock:
    hours = [regular_hours(session) for session in _all_sessions()]
    opens = np.array([each.opens_at_ns for each in hours], np.int64)
    closes = np.array([each.closes_at_ns for each in hours], np.int64)
    before = np.concatenate(([0], np.cumsum(closes - opens)[:-1]))
    return _TradingClock(opens.tolist(), closes.tolist(), before.tolist(), opens, closes, before)


def _trading_time_at(instant_ns: int) -> int:
    clock = _trading_clock()
    _refuse_unknown(clock, instant_ns)
    session = bisect_right(clock.opens, instant_ns) - 1
    return clock.before[session] + min(instant_ns, clock.closes[session]) - clock.opens[session]


def _refuse_unknown(clock: _TradingClock, instant_ns: int) -> None:
    if not clock.opens[0] <= instant_ns <= clock.closes[-1]:
        known = f"between the open of {FIRST_SESSION} and the close of {LAST_SESSION}"
        raise ValueError(f"{instant_ns} ns is not {known}; for later instants update the calendar snapshot")
