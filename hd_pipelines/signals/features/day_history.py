"""What the days and weeks before a session say: prior levels, day ATR, trends, usual volume.

Belongs here: features that stand still for a whole session, from day bars. Only days before the session count, at most
260 exchange sessions back, and only weeks whose every session has a bar: the forming day and week never enter. A prior
day is the exchange session before; where it has no bar there is none, however near an older one is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.features.exchange_days import ExchangeDays, exchange_days
from hd_pipelines.signals.features.indicators import average_true_range, trend_line
from hd_pipelines.signals.features.relative_volume import FEWEST_SESSIONS, SESSIONS
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Bars

WINDOW_SESSIONS = 260
FEWEST_BARS = 15
"""For a trend of days or weeks: half of 30 days; half of 20 weeks would be 10, but an ATR of 14 weeks needs 15."""


@dataclass(frozen=True)
class DayHistory:
    """Values of k sessions, NaN where the days before do not say.

    prior_day, prior_week: high, low and close, shape (3, k). of_days, of_weeks: Wilder's ATR of 14, trend EMA and its
    slope, shape (3, k). volume: mean of those of the last 20 sessions that have volume, at least 5, and how many they are;
    shape (2, k).
    """

    prior_day: Floats
    prior_week: Floats
    of_days: Floats
    of_weeks: Floats
    volume: Floats

    def without(self, unusable: NDArray[np.bool_]) -> DayHistory:
        """The same with nothing known for the sessions marked, shape (k,)."""
        if not unusable.any():
            return self
        return DayHistory(*(np.where(unusable, np.nan, getattr(self, name)) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Weeks:
    """Complete weeks, ascending; shape (n,). `prices`: rows high, low and close. begins: day of the first session."""

    week: Integers
    begins: Integers
    prices: Floats


def day_history(all_days: Bars, volumes: Bars | None, positions: Integers) -> DayHistory:
    """From day bars before each session at `positions`; `volumes` are those whose volume counts, None if none does."""
    calendar = exchange_days()
    opens = calendar.day[np.maximum(positions - WINDOW_SESSIONS, 0)]
    days = believable_days(all_days, int(opens[0]), int(calendar.day[positions[-1]]))
    prices = np.stack((days.high, days.low, days.close))
    weeks = complete_weeks(days.session, prices, calendar)
    of_days, of_weeks = (
        _newest(values, keys.searchsorted(since), keys.searchsorted(until))
        for values, keys, since, until in (
            (prices, days.session, opens, calendar.day[positions]),
            (weeks.prices, weeks.begins, opens, calendar.week_begins[positions]),
        )
    )
    week_before = calendar.week[np.maximum(calendar.week.searchsorted(calendar.week[positions]) - 1, 0)]
    return DayHistory(
        _at(days.session, prices, calendar.day[np.maximum(positions - 1, 0)]),
        _at(weeks.week, weeks.prices, week_before),
        of_days,
        of_weeks,
        np.full((2, positions.size), np.nan) if volumes is None else _usual_day(volumes, positions, calendar),
    )


def believable_days(days: Bars, first: int, end: int) -> Bars:
    """Day bars of the exchange sessions [first, end), day numbers, whose prices lie within their own high and low."""
    since, until = days.session.searchsorted([first, end]).tolist()
    days = days.part(slice(since, until))
    calendar = exchange_days().day
    known = np.minimum(calendar.searchsorted(days.session), calendar.size - 1)
    believed = (calendar[known] == days.session) & (days.low > 0) & (days.high < np.inf)
    believed &= (np.minimum(days.open, days.close) >= days.low) & (np.maximum(days.open, days.close) <= days.high)
    if believed.all():
        return days
    return days.part(np.flatnonzero(believed))  # type: ignore[arg-type]  # numpy takes it wherever it takes a slice


def complete_weeks(session: Integers, prices: Floats, calendar: ExchangeDays) -> Weeks:
    """Weeks of which every exchange session has a day bar. The one that is forming is not: its sessions are to come."""
    from hd_pipelines.signals.features import kernels_bars

    return Weeks(
        *kernels_bars.complete_weeks(session, prices, calendar.week, calendar.week_sessions, calendar.week_begins)
    )


def _at(keys: Integers, values: Floats, wanted: Integers) -> Floats:
    """The columns of `values` whose key is wanted; NaN where there is none."""
    if keys.size == 0:
        return np.full((values.shape[0], wanted.size), np.nan)
    found = np.minimum(keys.searchsorted(wanted), keys.size - 1)
    return np.where(keys[found] == wanted, values[:, found], np.nan)


def _newest(prices: Floats, first: Integers, end: Integers) -> Floats:
    """ATR, trend EMA and its slope after the last bar of each window [first, end), shape (3, k)."""
    answers = np.full((3, first.size), np.nan)
    for number, (begin, stop) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
        if stop - begin >= FEWEST_BARS:
            window = prices[:, begin:stop]
            atr = average_true_range(window)
            ema, slope = trend_line(window[2], atr, FEWEST_BARS)
            answers[:, number] = atr[-1], ema[-1], slope[-1]
    return answers


def _usual_day(volumes: Bars, positions: Integers, calendar: ExchangeDays) -> Floats:
    usual = np.full((2, positions.size), np.nan)
    first = volumes.session.searchsorted(calendar.day[np.maximum(positions - SESSIONS, 0)]).tolist()
    end = volumes.session.searchsorted(calendar.day[positions]).tolist()
    for number in range(positions.size):
        window = volumes.volume[first[number] : end[number]]
        known = window[(window >= 0) & (window < np.inf)]
        usual[1, number] = known.size
        if known.size >= FEWEST_SESSIONS:
            usual[0, number] = known.mean()
    return usual
