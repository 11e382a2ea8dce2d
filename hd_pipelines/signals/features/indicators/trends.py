"""Trend and strength of a timeframe: where the price stands against a moving average, and which way that runs.

Belongs here: the verdict, alike for weeks, days, hours and 15-minute bars. Distance and slope are measured in the
timeframe's own ATR, so one set of cut-offs serves all; the predecessor's percent of price called every week strong and no
quarter of an hour (product facts §13.1, fault 8). In a steady trend of v ATR per bar a 20-bar EMA runs 9.5 v behind the
price: 2.5 ATR of distance and 0.25 ATR per bar are the same trend.

    strength = 0.4 × min(100, 33 × |distance|) + 0.4 × min(100, 400 × |slope|) + 0.2 × min(100, 20 × day range %)

Day range % is the ATR in percent of the price, scaled by the square root of bars per day to what a day of it would be: an
ATR of weeks is larger than one of quarters of an hour only because it lasts longer.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.frame import Floats

TIMEFRAMES = ("week", "day", "1h", "15m")
DAY_RANGES = 100.0 * 20.0 * np.sqrt(np.array([1 / 5, 1.0, 6.5, 26.0]))
"""From an ATR's share of the price to the strength it is worth, by timeframe: the root is of its bars per day."""
DISTANCE, STRONG_DISTANCE = 0.8, 2.5
"""ATR."""
STRONG_SLOPE = 0.1
"""ATR per bar."""
_LIMITS = np.array([DISTANCE, STRONG_DISTANCE, STRONG_SLOPE])


def compute_trend_and_strength(price: Floats, atr: Floats, ema: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """Trend, -2 to 2, and strength, 0 to 100; NaN where EMA, ATR or slope is.

    A trend has the direction of its slope, and the price on that side of the EMA. `price`: shape (n,). The others and
    what is returned: shape (4, n), one row per timeframe of `TIMEFRAMES`.
    """
    from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

    trend, strength = kernels_shapes.compute_trends(price, atr, ema, slope, DAY_RANGES, _LIMITS)
    return trend, strength
