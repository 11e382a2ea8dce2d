"""Loops over a session's rows: running prices, volume, relative volume and crossings. Values restart with each session."""
# ruff: noqa: PLR0917 - compiled functions take plain arrays

import numpy as np

from hd_pipelines.signals.features.kernels.types import INT, PRICES, REAL, WHOLE, compile_kernel
from hd_pipelines.signals.frame import Floats, Integers

SLOTS = 78
SLOT_MINUTES = 5
OPENING_RANGE_MINUTES = 15


@compile_kernel(WHOLE, WHOLE, PRICES, WHOLE, WHOLE, INT)
def compute_running_prices(
    session: Integers, minute: Integers, values: Floats, positions: Integers, over: Integers, rows: int
) -> Floats:
    """Compute last close, its age, the day's open, high, low, and the opening range's high and low. Shape (7, rows).

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


@compile_kernel(WHOLE, WHOLE, PRICES, WHOLE, WHOLE, REAL, WHOLE, WHOLE, INT)
def compute_running_volume(
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
    """Compute volume so far, and the mean of typical prices weighted with it. Shape (2, rows).

    Prices and volume may belong to different symbols: a minute counts towards the mean if both have a bar. NaN before any
    volume is known, the mean also while volume is 0.
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


@compile_kernel(REAL, WHOLE, WHOLE, REAL, WHOLE, WHOLE, WHOLE, INT, INT)
def compute_relative_volume(
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
    """Compute volume after the last complete five minutes relative to the usual, and the number of sessions in the mean.

    Shape (2, rows), NaN in a session's first four minutes. Also returns, per session, how many of the `window` before have
    volume. `traded`: volume so far by row. The bars are 5-minute bars. A session counts while it was open, if all of its
    volumes are known; the usual volume is undefined with fewer than `fewest` sessions, or if it is 0.
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


@compile_kernel(REAL, REAL, WHOLE, INT)
def find_crossings(price: Floats, level: Floats, row_session: Integers, window: int) -> Floats:
    """Return 1 where the price last rose through the level known then within `window` rows, -1 where it fell, else 0.

    A price on the level counts as above it. Each session starts anew. NaN without a level or a price.
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
