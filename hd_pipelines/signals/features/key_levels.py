"""Key levels of a session and how far the price is from the nearest.

Belongs here: levels made from other levels (pivots, the edge of a gap) and distances. Pivots are the classic floor
pivots of the prior day. A gap's edge is the prior close until the session has traded through it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hd_pipelines.signals.frame import Floats

PIVOTS = ("pivot", "pivot_r1", "pivot_s1", "pivot_r2", "pivot_s2")
BLOCK = 2_048
"""Rows at a time: twenty-one levels of a year do not fit into a processor's cache, these do."""
NEAR = 0.003
"""Share of the price within which a key level is near: 0.3 %."""


def pivots(prior_day: Floats) -> Floats:
    """Floor pivots of a prior day's high, low and close, shape (3, k): `PIVOTS`, shape (5, k).

    P = (H + L + C)/3, R1 = 2P - L, S1 = 2P - H, R2 = P + H - L, S2 = P - H + L. NaN where one would not be positive.
    """
    high, low, close = prior_day
    pivot = (high + low + close) / 3.0
    levels = np.stack((pivot, 2.0 * pivot - low, 2.0 * pivot - high, pivot + (high - low), pivot - (high - low)))
    levels[levels <= 0] = np.nan
    return levels


def gap_edge(prior_close: Floats, day_open: Floats, day_high: Floats, day_low: Floats) -> Floats:
    """The prior close while the session has only traded on one side of it; NaN once the gap is filled."""
    is_open = ((day_open > prior_close) & (day_low > prior_close)) | (
        (day_open < prior_close) & (day_high < prior_close)
    )
    return np.where(is_open, prior_close, np.nan)


def nearest(price: Floats, levels: Collection[Floats]) -> dict[str, Floats]:
    """Distance to the nearest level at or above the price and at or below it, % of the price; whether one is near.

    NaN where there is none on that side; `is_near_key_level` where there is none at all.
    """
    from hd_pipelines.signals.features import kernels_shapes

    blocks = []
    for begin in range(0, price.size, BLOCK):
        block = slice(begin, begin + BLOCK)
        blocks.append(kernels_shapes.nearest_levels(price[block], np.array([level[block] for level in levels])))
    above, below = (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)) / price
    closest = np.fmin(above, below)
    return {
        "distance_to_resistance_pct": 100.0 * above,
        "distance_to_support_pct": 100.0 * below,
        "is_near_key_level": np.where(np.isnan(closest), np.nan, closest <= NEAR),
    }
