"""One thing against another: how every distance and ratio of a frame is taken.

Belongs here: division, with NaN where there is nothing to divide by.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.frame import Floats


def percent(price: Floats, level: Floats) -> Floats:
    """The price against a level, %: above it positive. NaN where either is. Levels are positive."""
    distance = price - level
    distance /= level
    distance *= 100.0
    return distance


def ratio(size: Floats, usual: Floats) -> Floats:
    """Size in units of what is usual; NaN where that is not positive."""
    return size / np.where(usual > 0, usual, np.nan)


def position(price: Floats, low: Floats, high: Floats) -> Floats:
    """Where the price lies between low (0) and high (100); beyond them it is beyond. NaN where they are one."""
    return 100.0 * ratio(price - low, high - low)
