"""Key levels derived from other levels (floor pivots, gap edge) and the distance of the price to the nearest level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hd_pipelines.signals.catalogue import MAJOR_LEVELS
from hd_pipelines.signals.frame import Floats

PIVOTS = ("pivot", "pivot_r1", "pivot_s1", "pivot_r2", "pivot_s2")
BLOCK = 2_048
"""Rows per block: 21 levels of this many rows fit into the CPU cache, those of a year do not."""
NEAR = 0.05
"""Fraction of a day's ATR within which a key level is near."""


def compute_pivots(prior_day: Floats) -> Floats:
    """Compute the floor pivots `PIVOTS`, shape (5, k), from a prior day's high, low and close, shape (3, k).

    P = (H + L + C)/3, R1 = 2P - L, S1 = 2P - H, R2 = P + H - L, S2 = P - H + L. NaN where one would not be positive.
    """
    high, low, close = prior_day
    pivot = (high + low + close) / 3.0
    levels = np.stack((pivot, 2.0 * pivot - low, 2.0 * pivot - high, pivot + (high - low), pivot - (high - low)))
    levels[levels <= 0] = np.nan
    return levels


def find_gap_edge(prior_close: Floats, day_open: Floats, day_high: Floats, day_low: Floats) -> Floats:
    """Return the prior close while the session has traded on only one side of it; NaN once the gap is filled."""
    is_open = ((day_open > prior_close) & (day_low > prior_close)) | (
        (day_open < prior_close) & (day_high < prior_close)
    )
    return np.where(is_open, prior_close, np.nan)


def measure_nearest_levels(price: Floats, levels: Mapping[str, Floats], atr_day_pct: Floats) -> dict[str, Floats]:
    """Measure the distance to the nearest level on each side, % of the price, and whether a major level is near.

    Near means within `NEAR` of a day's ATR: among twenty levels one almost always lies within a third of a percent, so a
    fixed distance would not discriminate. NaN without a level on that side; `is_near_key_level` also without an ATR.
    """
    above, below = _measure_distances(price, list(levels.values()))
    closest = np.fmin(*_measure_distances(price, [levels[name] for name in MAJOR_LEVELS]))
    unknown = np.isnan(closest) | np.isnan(atr_day_pct)
    return {
        "distance_to_resistance_pct": 100.0 * above,
        "distance_to_support_pct": 100.0 * below,
        "is_near_key_level": np.where(unknown, np.nan, 100.0 * closest <= NEAR * atr_day_pct),
    }


def _measure_distances(price: Floats, levels: list[Floats]) -> Floats:
    """Measure distances to the nearest level at or above and at or below each price, relative to it; shape (2, n)."""
    from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

    blocks = []
    for begin in range(0, price.size, BLOCK):
        block = slice(begin, begin + BLOCK)
        blocks.append(kernels_shapes.measure_nearest_levels(price[block], np.array([level[block] for level in levels])))
    distances: Floats = (blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)) / price
    return distances
