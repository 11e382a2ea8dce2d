"""Features that are constant through a session, from earlier daily bars: prior levels, day ATR, trends, average volume.

Only days before the session count, at most 260 exchange sessions back, and only weeks in which every session has a bar: a
forming day or week never enters. The prior day is the previous exchange session; if it has no bar there is no prior day,
however recent an older bar is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.features.exchange_days import load_exchange_days
from hd_pipelines.signals.features.indicators.relative_volume import FEWEST_SESSIONS, SESSIONS
from hd_pipelines.signals.features.indicators.technical import average_true_range, trend_line
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Bars

WINDOW_SESSIONS = 260
FEWEST_BARS = 15
"""Minimum bars for a trend of days or weeks; an ATR of 14 bars needs 15."""


@dataclass(frozen=True)
class DayHistory:
    """Values of k sessions, NaN where unknown.

    prior_day, prior_week: high, low and close, shape (3, k). of_days, of_weeks: Wilder's ATR of 14, trend EMA and its
    slope, shape (3, k). volume: mean volume of those of the last 20 sessions that have any (at least 5), and their number;
    shape (2, k).
    """

    prior_day: Floats
    prior_week: Floats
    of_days: Floats
    of_weeks: Floats
    volume: Floats

    def without(self, unusable: NDArray[np.bool_]) -> DayHistory:
        """Return a copy with NaN for the sessions marked, shape (k,)."""
        if not unusable.any():
            return self
        return DayHistory(*(np.where(unusable, np.nan, getattr(self, name)) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Weeks:
    """Complete weeks, ascending; shape (n,). `prices`: rows high, low and close. begins: day of the first session."""

    week: Integers
    begins: Integers
    prices: Floats


def compute_day_history(days: Bars, volumes: Bars | None, positions: Integers) -> DayHistory:
    """Compute the history of each session at `positions`; `volumes` are the bars whose volume counts, if any."""
    from hd_pipelines.signals.features.kernels import bars as kernels_bars

    calendar = load_exchange_days()
    own, since = calendar.day.take(positions), calendar.day.take(np.maximum(positions - WINDOW_SESSIONS, 0))
    kept, prices = select_valid_days(days, int(since[0]), int(own[-1]))
    known = days.session.take(kept)
    weeks = Weeks(
        *kernels_bars.cut_complete_weeks(known, prices, calendar.week, calendar.week_sessions, calendar.week_begins)
    )
    week_begins = calendar.week_begins.take(positions)
    # The session before a week's first one belongs to the week before.
    week_before = calendar.week.take(np.maximum(calendar.day.searchsorted(week_begins) - 1, 0))
    volume = np.full((2, positions.size), np.nan)
    if volumes is not None:
        usual_since = calendar.day.take(np.maximum(positions - SESSIONS, 0))
        volume = kernels_bars.average_volume(volumes.session, volumes.volume, usual_since, own, FEWEST_SESSIONS)
    return DayHistory(
        kernels_bars.find_bars_at(known, prices, calendar.day.take(np.maximum(positions - 1, 0))),
        kernels_bars.find_bars_at(weeks.week, weeks.prices, week_before),
        _newest(prices, known.searchsorted(since), known.searchsorted(own)),
        _newest(weeks.prices, weeks.begins.searchsorted(since), weeks.begins.searchsorted(week_begins)),
        volume,
    )


def select_valid_days(days: Bars, first: int, end: int) -> tuple[Integers, Floats]:
    """Select the daily bars of the exchange sessions [first, end) (day numbers) whose prices are consistent.

    Returns their positions in `days`, and high, low and close, shape (3, n).
    """
    from hd_pipelines.signals.features.kernels import bars as kernels_bars

    since, until = days.session.searchsorted([first, end]).tolist()
    kept, prices = kernels_bars.select_valid_days(
        days.session, days.open, days.high, days.low, days.close, since, until, load_exchange_days().day
    )
    return kept, prices


def _newest(prices: Floats, first: Integers, end: Integers) -> Floats:
    """Return ATR, trend EMA and its slope after the last bar of each window [first, end), shape (3, k)."""
    answers = np.full((3, first.size), np.nan)
    for number, (begin, stop) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
        if stop - begin >= FEWEST_BARS:
            window = prices[:, begin:stop]
            atr = average_true_range(window)
            ema, slope = trend_line(window[2], atr, FEWEST_BARS)
            answers[:, number] = atr[-1], ema[-1], slope[-1]
    return answers
