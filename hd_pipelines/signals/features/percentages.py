"""Distances and ratios, with NaN where the denominator is missing or zero."""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.frame import Floats


def percent(price: Floats, level: Floats) -> Floats:
    """Price relative to a level, %: positive above it. NaN where either is NaN. Levels are positive."""
    distance = price - level
    distance /= level
    distance *= 100.0
    return distance


def ratio(size: Floats, usual: Floats) -> Floats:
    """Size divided by the usual size; NaN where the latter is not positive."""
    return size / np.where(usual > 0, usual, np.nan)


def position(price: Floats, low: Floats, high: Floats) -> Floats:
    """Position of the price between low (0) and high (100), unbounded. NaN where low equals high."""
    return 100.0 * ratio(price - low, high - low)
