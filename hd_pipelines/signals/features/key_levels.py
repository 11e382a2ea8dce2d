"""Key levels of a session and how far the price is from the nearest.

Belongs here: levels made from other levels (pivots, the edge of a gap) and distances. Pivots are the classic floor
pivots of the prior day. A gap's edge is the prior close until the session has traded through it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hd_pipelines.signals.features.session_grid import Grid, Running
from hd_pipelines.signals.frame import Floats

NEAR = 0.003
"""Share of the price within which a key level is near: 0.3 %."""
OPENING_RANGE_MINUTES = 15
_BLOCK = 8_192
"""Rows at a time: twenty-one levels of a year do not fit into a processor's cache, these do."""


def pivots(high: Floats, low: Floats, close: Floats) -> dict[str, Floats]:
    """Floor pivots of a prior day: P = (H + L + C)/3, R1 = 2P - L, S1 = 2P - H, R2 = P + H - L, S2 = P - H + L."""
    pivot = (high + low + close) / 3.0
    levels = {
        "pivot": pivot,
        "pivot_r1": 2.0 * pivot - low,
        "pivot_s1": 2.0 * pivot - high,
        "pivot_r2": pivot + (high - low),
        "pivot_s2": pivot - (high - low),
    }
    return {name: np.where(values > 0, values, np.nan) for name, values in levels.items()}


def gap_edge(prior_close: Floats, day_open: Floats, day_high: Floats, day_low: Floats) -> Floats:
    """The prior close while the session has only traded on one side of it; NaN once the gap is filled."""
    is_open = ((day_open > prior_close) & (day_low > prior_close)) | (
        (day_open < prior_close) & (day_high < prior_close)
    )
    return np.where(is_open, prior_close, np.nan)


def opening_range(running: Running, rows: Grid) -> tuple[Floats, Floats]:
    """High and low of the session's first 15 minutes at every row after them; NaN before, and without a trade."""
    over = np.minimum(rows.first + OPENING_RANGE_MINUTES, rows.first + rows.lasted) - 1
    is_over = rows.minute >= OPENING_RANGE_MINUTES
    high, low = (np.where(is_over, rows.spread(values[over]), np.nan) for values in (running.day_high, running.day_low))
    return high, low


def nearest(price: Floats, levels: Iterable[Floats]) -> dict[str, Floats]:
    """Distance to the nearest level at or above the price and at or below it, % of the price; whether one is near.

    NaN where there is none on that side; `is_near_key_level` where there is none at all.
    """
    held = list(levels)
    above, below = np.empty(price.size), np.empty(price.size)
    for begin in range(0, price.size, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        above[block], below[block] = _nearest(price[block], [level[block] for level in held])
    closest = np.minimum(above, below)
    near = (closest <= NEAR).astype(np.float64)
    near[np.isinf(closest) | np.isnan(price)] = np.nan
    return {
        "distance_to_resistance_pct": np.where(np.isinf(above), np.nan, 100.0 * above),
        "distance_to_support_pct": np.where(np.isinf(below), np.nan, 100.0 * below),
        "is_near_key_level": near,
    }


def _nearest(price: Floats, levels: list[Floats]) -> tuple[Floats, Floats]:
    above, below = np.full(price.size, np.inf), np.full(price.size, np.inf)
    for level in levels:
        distance = level - price
        np.fmin(above, np.where(distance < 0, np.inf, distance), out=above)
        np.negative(distance, out=distance)
        np.fmin(below, np.where(distance < 0, np.inf, distance), out=below)
    above /= price
    below /= price
    return above, below
