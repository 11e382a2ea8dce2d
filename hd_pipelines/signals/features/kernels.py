"""The loops of the feature frame that walk through bars one by one, compiled by numba.

Belongs here: loops over arrays, nothing that knows a tape or a feature. They are one pass each, in time order, so what
they say of a row cannot depend on a later one. What the numbers mean is said by the modules that call them; these import
this one at their first call, because importing numba takes a third of a second. numba's cache on disk lies beside the
sources, or where NUMBA_CACHE_DIR says; the first process compiles for a few seconds.

Arrays called rows of a grid: `first`, `over` and `positions` are by session (k), see `session_grid.Grid`. No `fastmath`:
sums are in the order of the bars.
"""
# ruff: noqa: PLR0917 - compiled functions take plain arrays

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import types

from hd_pipelines.signals.frame import Floats, Integers

_Function = TypeVar("_Function", bound=Callable[..., Any])

_REAL = types.Array(types.float64, 1, "A", readonly=True)
_WHOLE = types.Array(types.int64, 1, "A", readonly=True)
_PRICES = types.Array(types.float64, 2, "A", readonly=True)
_OUT = types.Array(types.float64, 2, "A")
_INT = types.int64
MINUTE_NS = 60_000_000_000
SLOTS = 78
SLOT_MINUTES = 5
OPENING_RANGE_MINUTES = 15


def _compiled(*arguments: types.Type) -> Callable[[_Function], _Function]:
    """Compile a kernel for these types now, or load it from the cache on disk."""
    return cast(
        "Callable[[_Function], _Function]", numba.njit([arguments], cache=True, nogil=True, error_model="numpy")
    )


@_compiled(_WHOLE, _WHOLE, _REAL, _REAL, _REAL, _REAL, _REAL, _WHOLE, _WHOLE, _WHOLE, _WHOLE, _WHOLE)
def place(
    starts_ns: Integers,
    ends_ns: Integers,
    opened: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    begin: Integers,
    end: Integers,
    positions: Integers,
    opens_ns: Integers,
    lengths: Integers,
) -> tuple[Integers, Integers, Floats, int]:
    """Believable bars of sessions whose bars are [begin, end): session, minute, (open, high, low, close, volume), count.

    Arrays are as long as all bars; only the first `count` are filled.
    """
    bars = 0
    for number in range(positions.size):
        bars += end[number] - begin[number]
    session, minute, values = np.empty(bars, np.int64), np.empty(bars, np.int64), np.empty((5, bars))
    count = 0
    for number in range(positions.size):
        opening = opens_ns[number]
        for i in range(begin[number], end[number]):
            over = (ends_ns[i] - opening + (MINUTE_NS - 1)) // MINUTE_NS
            if not (opening <= starts_ns[i] < ends_ns[i] and over <= lengths[number]):
                continue
            if not (0.0 < low[i] <= opened[i] <= high[i] and low[i] <= close[i] <= high[i] < np.inf):
                continue
            session[count], minute[count] = positions[number], over
            values[0, count], values[1, count], values[2, count] = opened[i], high[i], low[i]
            values[3, count], values[4, count] = close[i], volume[i] if volume[i] >= 0.0 else np.nan
            count += 1
    return session, minute, values, count


@_compiled(_WHOLE, _WHOLE, _PRICES, _INT, _WHOLE, _WHOLE, _WHOLE)
def cut(
    session: Integers,
    minute: Integers,
    prices: Floats,
    length: int,
    lengths: Integers,
    positions: Integers,
    over: Integers,
) -> tuple[Integers, Integers, Floats]:
    """Bars of `length` minutes from shorter ones: session, minute of the end, prices (high, low, close).

    `lengths`: of all exchange sessions. With `positions`, only bars that had ended when `over` minutes of theirs were.
    """
    cut_session, cut_minute = np.empty(session.size, np.int64), np.empty(session.size, np.int64)
    cut_prices = np.empty((3, session.size))
    count, number, i = 0, 0, 0
    while i < session.size:
        whose = session[i]
        ends = min((minute[i] + length - 1) // length * length, lengths[whose])
        high, low = prices[0, i], prices[1, i]
        i += 1
        while i < session.size and session[i] == whose and minute[i] <= ends:
            high, low = max(high, prices[0, i]), min(low, prices[1, i])
            i += 1
        while number < positions.size and positions[number] < whose:
            number += 1
        if number < positions.size and ends > over[number]:
            continue
        cut_session[count], cut_minute[count] = whose, ends
        cut_prices[0, count], cut_prices[1, count], cut_prices[2, count] = high, low, prices[2, i - 1]
        count += 1
    return cut_session[:count], cut_minute[:count], cut_prices[:, :count]


@_compiled(_WHOLE, _WHOLE, _WHOLE, _WHOLE, _INT)
def states_at_rows(
    session: Integers, minute: Integers, row_session: Integers, row_minute: Integers, minutes_ago: int
) -> Integers:
    """Which state of bars each row has: one of "none yet" per session, then one after each of its bars.

    The bars are those of the rows' sessions. A bar counts if it had ended `minutes_ago` before the row.
    """
    states = np.empty(row_session.size, np.int64)
    i, sessions = 0, -1
    for row in range(row_session.size):
        if row == 0 or row_session[row] != row_session[row - 1]:
            sessions += 1
            while i < session.size and session[i] < row_session[row]:
                i += 1
        while i < session.size and session[i] == row_session[row] and minute[i] <= row_minute[row] - minutes_ago:
            i += 1
        states[row] = i + sessions
    return states


@_compiled(_WHOLE, _WHOLE, _PRICES, _WHOLE, _WHOLE, _INT)
def running_prices(
    session: Integers, minute: Integers, values: Floats, positions: Integers, over: Integers, rows: int
) -> Floats:
    """Per row: last close, its age, the day's open, high, low, the opening range's high and low. Shape (7, rows).

    `values`: open, high, low, close. NaN before the first bar; the opening range also until it is over.
    """
    running = np.full((7, rows), np.nan)
    row, i = 0, 0
    for number in range(positions.size):
        price = age = opened = high = low = range_high = range_low = np.nan
        while i < session.size and session[i] < positions[number]:
            i += 1
        for now in range(1, over[number] + 1):
            age += 1.0
            while i < session.size and session[i] == positions[number] and minute[i] <= now:
                if np.isnan(price):
                    opened, high, low = values[0, i], values[1, i], values[2, i]
                high, low = max(high, values[1, i]), min(low, values[2, i])
                price, age = values[3, i], 0.0
                i += 1
            if now == OPENING_RANGE_MINUTES:
                range_high, range_low = high, low
            running[0, row], running[1, row], running[2, row] = price, age, opened
            running[3, row], running[4, row] = high, low
            running[5, row], running[6, row] = range_high, range_low
            row += 1
    return running


@_compiled(_WHOLE, _WHOLE, _PRICES, _WHOLE, _WHOLE, _REAL, _WHOLE, _WHOLE, _INT)
def running_volume(
    session: Integers,
    minute: Integers,
    values: Floats,
    volume_session: Integers,
    volume_minute: Integers,
    volume: Floats,
    positions: Integers,
    over: Integers,
    rows: int,
) -> Floats:
    """Per row: volume so far, and the mean of typical prices weighted with it. Shape (2, rows).

    Prices and volume may be of different symbols: a minute counts for the mean where both have a bar. NaN before any
    volume is known, the mean also while it is 0.
    """
    running = np.full((2, rows), np.nan)
    row, i, j = 0, 0, 0
    for number in range(positions.size):
        whose = positions[number]
        total = np.nan
        weight = worth = 0.0
        for now in range(1, over[number] + 1):
            typical = traded = np.nan
            while i < session.size and (session[i] < whose or (session[i] == whose and minute[i] <= now)):
                if session[i] == whose:
                    typical = (values[1, i] + values[2, i] + values[3, i]) / 3.0
                i += 1
            while j < volume_session.size and (
                volume_session[j] < whose or (volume_session[j] == whose and volume_minute[j] <= now)
            ):
                if volume_session[j] == whose:
                    traded = volume[j]
                j += 1
            if not np.isnan(traded):
                total = traded if np.isnan(total) else total + traded
                if not np.isnan(typical):
                    weight += traded
                    worth += typical * traded
            running[0, row] = total
            if weight > 0.0:
                running[1, row] = worth / weight
            row += 1
    return running


@_compiled(_REAL, _WHOLE, _WHOLE, _REAL, _WHOLE, _WHOLE, _WHOLE, _INT, _INT)
def relative_volume(
    traded: Floats,
    session: Integers,
    minute: Integers,
    volume: Floats,
    positions: Integers,
    over: Integers,
    lengths: Integers,
    window: int,
    fewest: int,
) -> tuple[Floats, Integers]:
    """Per row: volume after the last complete five minutes against what is usual, and how many sessions that is a mean of.

    Shape (2, rows), NaN in a session's first four minutes. And per session: how many of the `window` before have volume.
    `traded`: volume so far by row. The bars are of five minutes. A session counts where it was open, if every volume of
    its is known; there is no usual volume of fewer than `fewest`, and none of 0.
    """
    answers, usual_sessions = np.full((2, traded.size), np.nan), np.zeros(positions.size, np.int64)
    of_session, first_row = np.zeros(SLOTS), 0
    for number in range(positions.size):
        total, counted = np.zeros(SLOTS), np.zeros(SLOTS)
        i = np.searchsorted(session, positions[number] - window)
        while i < session.size and session[i] < positions[number]:
            whose = session[i]
            of_session[:] = 0.0
            while i < session.size and session[i] == whose:
                of_session[(minute[i] - 1) // SLOT_MINUTES] += volume[i]
                i += 1
            if np.isnan(of_session.sum()):
                continue
            usual_sessions[number] += 1
            so_far = 0.0
            for slot in range(lengths[whose] // SLOT_MINUTES):
                so_far += of_session[slot]
                total[slot] += so_far
                counted[slot] += 1.0
        for row in range(SLOT_MINUTES - 1, over[number]):
            slot = (row + 1) // SLOT_MINUTES - 1
            answers[1, first_row + row] = counted[slot]
            if counted[slot] >= fewest and total[slot] > 0.0:
                so_far = traded[first_row + SLOT_MINUTES * (slot + 1) - 1]
                answers[0, first_row + row] = so_far / (total[slot] / counted[slot])
        first_row += over[number]
    return answers, usual_sessions


@_compiled(_WHOLE, _REAL, _WHOLE, _INT)
def windows_made_from(session: Integers, close: Floats, positions: Integers, window: int) -> tuple[Integers, Floats]:
    """Per session: how many of the `window` sessions before have bars, and the last close of the one before or NaN."""
    sessions, close_before = np.zeros(positions.size, np.int64), np.full(positions.size, np.nan)
    for number in range(positions.size):
        first = np.searchsorted(session, positions[number] - window)
        end = np.searchsorted(session, positions[number])
        for i in range(first, end):
            sessions[number] += i == first or session[i] != session[i - 1]
        if end > 0 and session[end - 1] == positions[number] - 1:
            close_before[number] = close[end - 1]
    return sessions, close_before


@_compiled(_REAL, _REAL, _WHOLE, _INT)
def crossings(price: Floats, level: Floats, row_session: Integers, window: int) -> Floats:
    """1 where the price last rose through the level known then within `window` rows, -1 where it fell, else 0.

    A price on the level is above it. Rows of another session are another day. NaN without a level or a price.
    """
    crossed = np.full(price.size, np.nan)
    last, way = -window, 0.0
    for row in range(price.size):
        if row == 0 or row_session[row] != row_session[row - 1]:
            last = row - window
        elif price[row - 1] < level[row] <= price[row]:
            last, way = row, 1.0
        elif price[row - 1] >= level[row] > price[row]:
            last, way = row, -1.0
        if not (np.isnan(level[row]) or np.isnan(price[row])):
            crossed[row] = way if row - last < window else 0.0
    return crossed


@_compiled(_PRICES, _REAL, _REAL, _INT, types.float64, _INT, _INT, _OUT)
def swings(
    prices: Floats,
    strength: Floats,
    atr: Floats,
    own: int,
    clear_points: float,
    fresh_bars: int,
    comparable_bars: int,
    states: Floats,
) -> None:
    """Fill `states`, shape (6, own + 1) of NaN, as `swings.swing_features` says; prices are rows high, low, close."""
    bars = prices.shape[1]
    before_own = bars - own - 1
    for side in range(2):
        # A low is the high of prices turned upside down, and RSI with them.
        sign = 1.0 - 2.0 * side
        turns, last, before = 0, 0, 0
        for newest in range(4, bars):
            turn = newest - 2
            height = sign * prices[side, turn]
            if (
                height > sign * prices[side, turn - 1]
                and height >= sign * prices[side, turn + 1]
                and height > sign * prices[side, turn - 2]
                and height >= sign * prices[side, turn + 2]
            ):
                turns, before, last = turns + 1, last, turn
            column = newest - before_own
            if column < 0 or turns == 0:
                continue
            states[side, column] = prices[side, last]
            if turns == 1:
                continue
            rise = sign * (prices[side, last] - prices[side, before])
            weakening = sign * (strength[before] - strength[last])
            states[2 + side, column] = 1.0 if rise < 0.0 else 0.0
            reach = rise / atr[newest]
            if np.isnan(weakening) or np.isnan(reach):
                continue
            is_one = rise > 0.0 and weakening > 0.0
            is_one &= newest - last <= fresh_bars and last - before <= comparable_bars
            clear = 50.0 * min(1.0, weakening / clear_points) + 50.0 * min(1.0, reach)
            states[4 + side, column] = clear if is_one else 0.0


@_compiled(_PRICES, types.float64, types.float64)
def at_strikes(by_strike: Floats, zero_gamma: float, max_pain: float) -> tuple[float, float, float, float]:
    """Gamma at the strike nearest to `zero_gamma`, 0-100 of all; open interest at `max_pain`, its share, gamma there.

    `by_strike`: strike, gamma, open interest; shape (m, 3). NaN without the level, or a strike there.
    """
    all_gamma = all_interest = 0.0
    flip = interest = share = gamma = distance = np.nan
    for i in range(by_strike.shape[0]):
        size = abs(by_strike[i, 1])
        if not np.isnan(size):
            all_gamma += size
        if not np.isnan(by_strike[i, 2]):
            all_interest += by_strike[i, 2]
        away = abs(by_strike[i, 0] - zero_gamma)
        if away < distance or (np.isnan(distance) and not np.isnan(away)):
            distance, flip = away, size
        if by_strike[i, 0] == max_pain:
            gamma, interest = by_strike[i, 1], by_strike[i, 2]
    if all_interest > 0.0:
        share = interest / all_interest
    return 100.0 * flip / all_gamma if all_gamma > 0.0 else np.nan, interest, share, gamma


@_compiled(_REAL, _PRICES)
def nearest_levels(price: Floats, levels: Floats) -> Floats:
    """Distance from each price to the nearest level at or above it, and at or below it; NaN without. Shape (2, rows).

    `levels`: shape (m, rows), NaN where there is none.
    """
    nearest = np.full((2, price.size), np.nan)
    for level in range(levels.shape[0]):
        for row in range(price.size):
            distance = levels[level, row] - price[row]
            if distance >= 0.0 and not distance >= nearest[0, row]:
                nearest[0, row] = distance
            if distance <= 0.0 and not -distance >= nearest[1, row]:
                nearest[1, row] = -distance
    return nearest


@_compiled(_REAL, _PRICES, _PRICES, _PRICES, _REAL, _REAL)
def trends(price: Floats, atr: Floats, ema: Floats, slope: Floats, day_ranges: Floats, limits: Floats) -> Floats:
    """Trend and strength of each timeframe and row, shape (2, timeframes, rows); see `trends`. NaN as ATR, EMA or slope.

    `day_ranges`: factor from ATR share of the price to a day's, per timeframe. `limits`: of distance, strong distance,
    strong slope.
    """
    answers = np.full((2, *atr.shape), np.nan)
    for timeframe in range(atr.shape[0]):
        for row in range(price.size):
            distance = (price[row] - ema[timeframe, row]) / atr[timeframe, row]
            steepness = slope[timeframe, row]
            if np.isnan(distance) or np.isnan(steepness):
                continue
            direction = 1.0 if steepness > 0.0 else -1.0
            along, steepness = distance * direction, abs(steepness)
            trend = 0.0
            if steepness > 0.0 and along > limits[0]:
                trend = direction
                if along > limits[1] and steepness > limits[2]:
                    trend *= 2.0
            answers[0, timeframe, row] = trend
            of_range = atr[timeframe, row] / price[row] * day_ranges[timeframe]
            answers[1, timeframe, row] = (
                0.4 * min(abs(distance) * 33.0, 100.0)
                + 0.4 * min(steepness * 400.0, 100.0)
                + 0.2 * min(of_range, 100.0)
            )
    return answers


@_compiled(_WHOLE, _PRICES, _WHOLE, _WHOLE, _WHOLE)
def complete_weeks(
    day: Integers, prices: Floats, calendar_week: Integers, week_sessions: Integers, week_begins: Integers
) -> tuple[Integers, Integers, Floats]:
    """Weeks of which every session has a bar: number, day of the first session, prices (high, low, close).

    `day`: day numbers of exchange sessions, ascending. The others are of all exchange sessions.
    """
    week, begins, cut = np.empty(day.size, np.int64), np.empty(day.size, np.int64), np.empty((3, day.size))
    count, i = 0, 0
    while i < day.size:
        number, first = (day[i] + 3) // 7, i
        high, low = prices[0, i], prices[1, i]
        while i < day.size and (day[i] + 3) // 7 == number:
            high, low = max(high, prices[0, i]), min(low, prices[1, i])
            i += 1
        at = np.searchsorted(calendar_week, number)
        if i - first == week_sessions[at]:
            week[count], begins[count] = number, week_begins[at]
            cut[0, count], cut[1, count], cut[2, count] = high, low, prices[2, i - 1]
            count += 1
    return week[:count], begins[:count], cut[:, :count]
