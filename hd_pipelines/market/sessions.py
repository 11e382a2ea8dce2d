"""Answers which days are exchange sessions, their regular hours and weeks, and the trading time between two instants.

The authority is the XNYS calendar of `exchange_calendars` (holidays, early closes, ad-hoc closures), of which
`xnys_closures` is a tested snapshot. Times are UTC; datetimes without a timezone are not accepted.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from dateutil.easter import easter
from numpy.typing import NDArray

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.xnys_closures import CLOSED_WEEKDAYS, EARLY_CLOSES_13_00, FIRST_SESSION, LAST_SESSION

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")
NANOSECONDS_PER_MINUTE = 60_000_000_000
_NANOSECONDS_PER_DAY = 1440 * NANOSECONDS_PER_MINUTE
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
        return to_ns(self.opens_at)

    @property
    def closes_at_ns(self) -> int:
        """`closes_at` as integer nanoseconds since the epoch, exact."""
        return to_ns(self.closes_at)


@dataclass(frozen=True, eq=False, slots=True)
class _Calendar:
    """Sessions from the snapshot's first one up to `end`, which is the end of a week."""

    sessions: tuple[date, ...]
    session_set: frozenset[date]
    early_closes: frozenset[date]
    end: date


_SNAPSHOT_END = date.fromisoformat(LAST_SESSION)
_LATEST_DAY = date(2099, 12, 31)
_widening = threading.Lock()
_widest: list[_Calendar] = []  # what was computed so far; answers do not depend on it, only how soon they come


def _calendar(through: date) -> _Calendar:
    """A calendar that covers `through`: the snapshot, extended by `exchange_calendars` if a later day is asked for."""
    with _widening:
        if not _widest:
            _widest.append(_snapshot())
        if _widest[-1].end < min(through, _LATEST_DAY):
            _widest.append(_extended(min(through, _LATEST_DAY)))
        return _widest[-1]


def _snapshot() -> _Calendar:
    first = date.fromisoformat(FIRST_SESSION)
    closed = {date.fromisoformat(day) for day in CLOSED_WEEKDAYS.split()}
    days = (first + timedelta(days=offset) for offset in range((_SNAPSHOT_END - first).days + 1))
    sessions = tuple(day for day in days if day.weekday() < 5 and day not in closed)
    early = frozenset(date.fromisoformat(day) for day in EARLY_CLOSES_13_00.split())
    return _Calendar(sessions, frozenset(sessions), early, _SNAPSHOT_END)


def _extended(through: date) -> _Calendar:
    from hd_pipelines.market.later_sessions import compute_later_sessions

    end = date(through.year, 12, 31)
    end += timedelta(days=6 - end.weekday())  # a whole week, so that the number of its sessions is right
    snapshot = _snapshot()
    later, early = compute_later_sessions(_SNAPSHOT_END + timedelta(days=1), end)
    sessions = snapshot.sessions + later
    return _Calendar(sessions, frozenset(sessions), snapshot.early_closes | early, end)


def _is_third_friday_without_holiday(day: date) -> bool:
    """Whether `day` is a third Friday on which no exchange holiday or early close falls by rule.

    Holidays on Fridays from the 15th to the 21st are Good Friday and Juneteenth, which is kept on Friday the 18th if the
    19th is a Saturday. Far option expirations are third Fridays: valuing them must not import `exchange_calendars`.
    """
    is_good_friday = day == easter(day.year) - timedelta(days=2)
    is_juneteenth = day.month == 6 and day.day in {18, 19}
    return day.weekday() == 4 and 15 <= day.day <= 21 and not is_good_friday and not is_juneteenth


def is_session(day: date) -> bool:
    """Whether the exchange opens on `day`. Days from 2100 on have no sessions."""
    if day > _SNAPSHOT_END and (day.weekday() >= 5 or day > _LATEST_DAY):
        return False
    if day > _SNAPSHOT_END and _is_third_friday_without_holiday(day):
        return True
    return day in _calendar(day).session_set


@cache
def get_regular_hours(session: date) -> Hours:
    """Get the open and close of `session`. Raises `ValueError` for a day without a session."""
    if not is_session(session):
        raise ValueError(f"{session} is not an exchange session between {FIRST_SESSION} and {_LATEST_DAY}")
    is_full = session > _SNAPSHOT_END and _is_third_friday_without_holiday(session)
    close = _EARLY_CLOSE if not is_full and session in _calendar(session).early_closes else _CLOSE
    opens_at, closes_at = (
        datetime.combine(session, clock, tzinfo=NEW_YORK).astimezone(UTC) for clock in (_OPEN, close)
    )
    return Hours(session, opens_at, closes_at)


def list_known_sessions(through: date | None = None) -> tuple[date, ...]:
    """All sessions from the first one on, ascending, at least up to `through`; a session's position never changes."""
    return _calendar(through or _SNAPSHOT_END).sessions


def list_sessions_between(first: date, last: date) -> list[date]:
    """List all sessions from `first` to `last`, both included, ascending."""
    known = list_known_sessions(last)
    return list(known[bisect_left(known, first) : bisect_right(known, last)])


def list_closed_weekdays(first: date, last: date) -> list[date]:
    """List the weekdays without a session (holidays and ad-hoc closures) from `first` to `last`, both included."""
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5 and not is_session(day)]


def get_last_snapshot_session() -> date:
    """Last session of the calendar snapshot. Later ones are computed by `exchange_calendars` when they are asked for."""
    return _SNAPSHOT_END


def find_last_completed_session(now: datetime) -> date:
    """Find the newest session whose regular hours are over at `now` (timezone-aware)."""
    if now.tzinfo is None:
        raise ValueError("now must carry a timezone")
    today = now.astimezone(NEW_YORK).date()
    known = list_known_sessions(today)
    position = bisect_right(known, today) - 1
    if get_regular_hours(known[position]).closes_at > now:
        position -= 1
    return known[position]


def list_last_sessions(last: date, count: int) -> list[date]:
    """List the `count` sessions that end with `last` (or the session before it if `last` is closed), ascending."""
    known = list_known_sessions(last)
    end = bisect_right(known, last)
    return list(known[max(0, end - count) : end])


@cache
def list_week_sessions(session: date) -> tuple[date, ...]:
    """List all sessions of the Monday-to-Sunday week that contains `session`, ascending."""
    monday = session - timedelta(days=session.weekday())
    return tuple(list_sessions_between(monday, monday + timedelta(days=6)))


def compute_midnight_ns(session: date, zone: ZoneInfo = NEW_YORK) -> int:
    """Compute midnight of `session` in `zone` in integer nanoseconds since the epoch: the vendor's day-bar timestamp."""
    return to_ns(datetime(session.year, session.month, session.day, tzinfo=zone))


def count_trading_minutes(earlier_ns: int, later_ns: int) -> float:
    """Count the minutes of regular hours from one instant (ns UTC) to another; negative if `later_ns` is the earlier one.

    Nights and weekends count 0. Raises `ValueError` outside the calendar, where the age could only be guessed.
    """
    return (_measure_trading_time(later_ns) - _measure_trading_time(earlier_ns)) / NANOSECONDS_PER_MINUTE


def measure_trading_time_ns(instants_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Measure the regular hours, ns, from the calendar's first open to each instant (ns UTC). Keeps the shape.

    The result does not grow outside regular hours. Raises `ValueError` outside the calendar.
    """
    if instants_ns.size == 0:
        return np.zeros(instants_ns.shape, np.int64)
    _build_trading_clock(int(instants_ns.min()))
    clock = _build_trading_clock(int(instants_ns.max()))
    session = np.searchsorted(clock.opens_array, instants_ns, side="right") - 1
    elapsed: NDArray[np.int64] = (
        clock.before_array[session] + np.minimum(instants_ns, clock.closes_array[session]) - clock.opens_array[session]
    )
    return elapsed


def subtract_trading_minutes(instant_ns: int, minutes: float) -> int:
    """Find the last instant (ns UTC) that lies `minutes` of regular hours before `instant_ns`.

    Never before the calendar's first open.
    """
    clock = _build_trading_clock(instant_ns)
    elapsed = max(_measure_trading_time(instant_ns) - round(minutes * NANOSECONDS_PER_MINUTE), 0)
    session = bisect_right(clock.before, elapsed) - 1
    return clock.opens[session] + elapsed - clock.before[session]


class _TradingClock(NamedTuple):
    """Opens and closes of all sessions, the regular hours before each, and where the calendar ends, ns; lists and arrays."""

    opens: list[int]
    closes: list[int]
    before: list[int]
    until: int
    opens_array: NDArray[np.int64]
    closes_array: NDArray[np.int64]
    before_array: NDArray[np.int64]


def _build_trading_clock(instant_ns: int) -> _TradingClock:
    """The clock of a calendar that covers `instant_ns`. Raises `ValueError` if none does."""
    clock = _clock_of(_calendar(_SNAPSHOT_END))
    if instant_ns > clock.until:
        day = date(1970, 1, 1) + timedelta(days=min(instant_ns // _NANOSECONDS_PER_DAY, 100_000))
        clock = _clock_of(_calendar(day))
    if not clock.opens[0] <= instant_ns <= clock.until:
        known = f"between the open of {FIRST_SESSION} and the close of {_LATEST_DAY}"
        raise ValueError(f"{instant_ns} ns is not {known}; no trading time can be given for it")
    return clock


@cache
def _clock_of(calendar: _Calendar) -> _TradingClock:
    hours = [get_regular_hours(session) for session in calendar.sessions]
    opens = np.array([each.opens_at_ns for each in hours], np.int64)
    closes = np.array([each.closes_at_ns for each in hours], np.int64)
    before = np.concatenate(([0], np.cumsum(closes - opens)[:-1]))
    until = compute_midnight_ns(calendar.end + timedelta(days=1))
    return _TradingClock(opens.tolist(), closes.tolist(), before.tolist(), until, opens, closes, before)


def _measure_trading_time(instant_ns: int) -> int:
    clock = _build_trading_clock(instant_ns)
    session = bisect_right(clock.opens, instant_ns) - 1
    return clock.before[session] + min(instant_ns, clock.closes[session]) - clock.opens[session]
