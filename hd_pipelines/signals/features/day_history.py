"""What the days and weeks before a session say: prior levels, day ATR, trends, usual volume.

Belongs here: features that stand still for a whole session, from day bars. Only days before the session count, at most
260 exchange sessions back, and only weeks whose every session has a bar: the forming day and week never enter. A prior
day is the exchange session before; where it has no bar there is none, however near an older one is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.features.exchange_days import ExchangeDays, exchange_days, week_of_day
from hd_pipelines.signals.features.indicators import SLOPE_BARS, average_true_range, trend_line
from hd_pipelines.signals.features.relative_volume import FEWEST_SESSIONS, SESSIONS
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Bars

WINDOW_SESSIONS = 260
FEWEST_BARS = {"week": 15, "day": 15}
"""For a trend: half of 30 days; half of 20 weeks would be 10, but an ATR of 14 weeks needs 15."""
PRIOR_LEVELS = (
    "prior_day_high",
    "prior_day_low",
    "prior_day_close",
    "prior_week_high",
    "prior_week_low",
    "prior_week_close",
)


@dataclass(frozen=True)
class DayHistory:
    """Values of k sessions; each shape (k,), NaN where the days before do not say.

    levels: `PRIOR_LEVELS`. atr: Wilder's of 14 days, price. average_volume: mean of the last 20 sessions that have
    volume, `volume_sessions` of them, at least 5. ema, atr_of, slope: by "week" and "day", as `trends` takes them.
    """

    levels: dict[str, Floats]
    atr: Floats
    average_volume: Floats
    volume_sessions: Floats
    ema: dict[str, Floats]
    atr_of: dict[str, Floats]
    slope: dict[str, Floats]

    def without(self, unusable: np.ndarray) -> DayHistory:
        """The same with nothing known for the sessions marked (shape (k,), boolean)."""
        if not unusable.any():
            return self

        def known(values: Floats) -> Floats:
            return np.where(unusable, np.nan, values)

        def each(values: dict[str, Floats]) -> dict[str, Floats]:
            return {name: known(value) for name, value in values.items()}

        return DayHistory(
            each(self.levels),
            known(self.atr),
            known(self.average_volume),
            known(self.volume_sessions),
            each(self.ema),
            each(self.atr_of),
            each(self.slope),
        )


@dataclass(frozen=True)
class Weeks:
    """Complete weeks, ascending; shape (n,). `prices`: rows high, low and close. begins: day of the first session."""

    week: Integers
    begins: Integers
    prices: Floats


def day_history(days: Bars, volumes: Bars | None, positions: Integers) -> DayHistory:
    """From day bars before each session at `positions`; `volumes` are those whose volume counts, None if none does."""
    calendar = exchange_days()
    prices = np.stack((days.high, days.low, days.close))
    opens = calendar.day[np.maximum(positions - WINDOW_SESSIONS, 0)]
    first = np.searchsorted(days.session, opens).tolist()
    end = np.searchsorted(days.session, calendar.day[positions]).tolist()
    weeks = complete_weeks(days, prices, calendar)
    first_week = np.searchsorted(weeks.begins, opens).tolist()
    end_week = np.searchsorted(weeks.week, calendar.week[positions]).tolist()
    of_days, of_weeks = np.full((3, positions.size), np.nan), np.full((3, positions.size), np.nan)
    for row in range(positions.size):
        of_days[:, row] = _newest(prices[:, first[row] : end[row]], FEWEST_BARS["day"])
        of_weeks[:, row] = _newest(weeks.prices[:, first_week[row] : end_week[row]], FEWEST_BARS["week"])
    average_volume, volume_sessions = _usual_day(volumes, positions, calendar)
    return DayHistory(
        prior_levels(days, weeks, positions, calendar),
        of_days[0],
        average_volume,
        volume_sessions,
        {"day": of_days[1], "week": of_weeks[1]},
        {"day": of_days[0], "week": of_weeks[0]},
        {"day": of_days[2], "week": of_weeks[2]},
    )


def believable_days(days: Bars) -> Bars:
    """Day bars of exchange sessions whose prices are positive and within their own high and low."""
    calendar = exchange_days().day
    known = np.minimum(np.searchsorted(calendar, days.session), calendar.size - 1)
    believed = (calendar[known] == days.session) & (days.low > 0) & (days.high < np.inf)
    believed &= (np.minimum(days.open, days.close) >= days.low) & (np.maximum(days.open, days.close) <= days.high)
    if believed.all():
        return days
    return days.part(np.flatnonzero(believed))  # type: ignore[arg-type]  # numpy takes it wherever it takes a slice


def complete_weeks(days: Bars, prices: Floats, calendar: ExchangeDays) -> Weeks:
    """Weeks of which every exchange session has a day bar. The one that is forming is not: its sessions are to come."""
    week = week_of_day(days.session)
    first = np.flatnonzero(np.diff(week, prepend=-1)) if week.size else np.empty(0, np.intp)
    count = np.diff(np.append(first, week.size))
    known = np.minimum(np.searchsorted(calendar.week, week[first]), calendar.week.size - 1)
    whole = count == np.where(calendar.week[known] == week[first], calendar.week_sessions[known], -1)
    if first.size == 0:
        return Weeks(week, week, prices[:, :0])
    cut = np.stack(
        (
            np.maximum.reduceat(prices[0], first),
            np.minimum.reduceat(prices[1], first),
            prices[2][np.append(first[1:], week.size) - 1],
        )
    )
    return Weeks(week[first][whole], calendar.week_begins[known][whole], np.ascontiguousarray(cut[:, whole]))


def prior_levels(days: Bars, weeks: Weeks, positions: Integers, calendar: ExchangeDays) -> dict[str, Floats]:
    """High, low and close of the session before and of the week before; NaN where that very one has no bar."""
    names = iter(PRIOR_LEVELS)
    day_prices = (days.high, days.low, days.close)
    before = calendar.day[np.maximum(positions - 1, 0)]
    week_before = calendar.week[np.searchsorted(calendar.week, calendar.week[positions]) - 1]
    levels = {next(names): _at(days.session, values, before) for values in day_prices}
    return levels | {next(names): _at(weeks.week, values, week_before) for values in weeks.prices}


def _at(keys: Integers, values: Floats, wanted: Integers) -> Floats:
    if keys.size == 0:
        return np.full(wanted.size, np.nan)
    found = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[found] == wanted, values[found], np.nan)


def _newest(prices: Floats, fewest: int) -> tuple[float, float, float]:
    """ATR, trend EMA and its slope after the last bar."""
    if prices.shape[1] < max(fewest, SLOPE_BARS):
        return np.nan, np.nan, np.nan
    atr = average_true_range(prices)
    ema, slope = trend_line(prices[2], atr, fewest)
    return atr[-1], ema[-1], slope[-1]


def _usual_day(volumes: Bars | None, positions: Integers, calendar: ExchangeDays) -> tuple[Floats, Floats]:
    mean, count = np.full(positions.size, np.nan), np.full(positions.size, np.nan)
    if volumes is None:
        return mean, count
    first = np.searchsorted(volumes.session, calendar.day[np.maximum(positions - SESSIONS, 0)]).tolist()
    end = np.searchsorted(volumes.session, calendar.day[positions]).tolist()
    for row in range(positions.size):
        window = volumes.volume[first[row] : end[row]]
        known = window[window >= 0]
        count[row] = known.size
        if known.size >= FEWEST_SESSIONS:
            mean[row] = known.mean()
    return mean, count
