"""Loops over bars, for `placed_bars`, `bar_states` and `day_history`: validate, cut longer bars, look up states, weeks."""
# ruff: noqa: PLR0917 - compiled functions take plain arrays

import numpy as np

from hd_pipelines.signals.features.kernels.types import INT, PRICES, REAL, WHOLE, compile_kernel
from hd_pipelines.signals.frame import Floats, Integers

MINUTE_NS = 60_000_000_000


@compile_kernel(WHOLE, WHOLE, REAL, REAL, REAL, REAL, REAL, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE)
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
    """Place valid bars of sessions whose bars are [begin, end): session, minute, (open, high, low, close, volume), count.

    Arrays are as long as all bars; only the first `count` entries are filled.
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
            values[3, count], values[4, count] = close[i], volume[i] if 0.0 <= volume[i] < np.inf else np.nan
            count += 1
    return session, minute, values, count


@compile_kernel(WHOLE, WHOLE, PRICES, INT, WHOLE, WHOLE, WHOLE)
def cut(
    session: Integers,
    minute: Integers,
    prices: Floats,
    length: int,
    lengths: Integers,
    positions: Integers,
    over: Integers,
) -> tuple[Integers, Integers, Floats]:
    """Cut bars of `length` minutes from shorter ones: session, minute of the end, prices (high, low, close).

    `lengths`: minutes of every exchange session. With `positions`, only bars that had ended `over` minutes into theirs.
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


@compile_kernel(WHOLE, WHOLE, WHOLE, WHOLE, INT)
def find_states_at_rows(
    session: Integers, minute: Integers, row_session: Integers, row_minute: Integers, minutes_ago: int
) -> Integers:
    """Find each row's state column: one for "no bar yet" per session, then one after each of its bars.

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


@compile_kernel(WHOLE, REAL, WHOLE, INT)
def count_window_sessions(
    session: Integers, close: Floats, positions: Integers, window: int
) -> tuple[Integers, Floats]:
    """Count, per session, the `window` previous sessions with bars; and return the previous session's close or NaN."""
    sessions, close_before = np.zeros(positions.size, np.int64), np.full(positions.size, np.nan)
    for number in range(positions.size):
        first = np.searchsorted(session, positions[number] - window)
        end = np.searchsorted(session, positions[number])
        for i in range(first, end):
            sessions[number] += i == first or session[i] != session[i - 1]
        if end > 0 and session[end - 1] == positions[number] - 1:
            close_before[number] = close[end - 1]
    return sessions, close_before


@compile_kernel(WHOLE, PRICES, WHOLE, WHOLE, WHOLE)
def cut_complete_weeks(
    day: Integers, prices: Floats, calendar_week: Integers, week_sessions: Integers, week_begins: Integers
) -> tuple[Integers, Integers, Floats]:
    """Cut weeks in which every session has a bar: number, day of the first session, prices (high, low, close).

    `day`: day numbers of the bars, ascending. The calendar arrays cover all exchange sessions.
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


@compile_kernel(WHOLE, REAL, REAL, REAL, REAL, INT, INT, WHOLE)
def select_valid_days(
    day: Integers,
    opened: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    first: int,
    end: int,
    calendar_day: Integers,
) -> tuple[Integers, Floats]:
    """Select those of the bars [first, end) that are of exchange sessions and have consistent prices.

    Returns their positions in the arrays, and prices (high, low, close).
    """
    kept, prices = np.empty(max(end - first, 0), np.int64), np.empty((3, max(end - first, 0)))
    count, session = 0, 0
    if end > first:
        session = np.searchsorted(calendar_day, day[first])
    for i in range(first, end):
        while session < calendar_day.size and calendar_day[session] < day[i]:
            session += 1
        if session == calendar_day.size or calendar_day[session] != day[i]:
            continue
        if 0.0 < low[i] <= opened[i] <= high[i] and low[i] <= close[i] <= high[i] < np.inf:
            kept[count] = i
            prices[0, count], prices[1, count], prices[2, count] = high[i], low[i], close[i]
            count += 1
    return kept[:count], prices[:, :count]


@compile_kernel(WHOLE, PRICES, WHOLE)
def find_bars_at(keys: Integers, prices: Floats, wanted: Integers) -> Floats:
    """Find the prices of the bars with the wanted keys, shape (3, wanted); NaN where there is none. Keys ascend."""
    found = np.full((3, wanted.size), np.nan)
    for i in range(wanted.size):
        at = np.searchsorted(keys, wanted[i])
        if at < keys.size and keys[at] == wanted[i]:
            found[0, i], found[1, i], found[2, i] = prices[0, at], prices[1, at], prices[2, at]
    return found


@compile_kernel(WHOLE, REAL, WHOLE, WHOLE, INT)
def average_volume(day: Integers, volume: Floats, since: Integers, until: Integers, fewest: int) -> Floats:
    """Average the volume of days in [since, until), NaN for fewer than `fewest`; and count them. Shape (2, k)."""
    usual = np.full((2, since.size), np.nan)
    for number in range(since.size):
        total, count = 0.0, 0
        for i in range(np.searchsorted(day, since[number]), np.searchsorted(day, until[number])):
            if 0.0 <= volume[i] < np.inf:
                total, count = total + volume[i], count + 1
        usual[1, number] = count
        if count >= fewest:
            usual[0, number] = total / count
    return usual
