"""Trend and strength of a timeframe, from the distance of the price to a moving average and the average's slope.

The same for weekly, daily, hourly and 15-minute bars. Distance and slope are measured in the timeframe's own ATR, so one set
of cut-offs serves all; in percent of the price, nearly every week would be a strong trend and no quarter of an hour. In a
steady trend of v ATR per bar a 20-bar EMA lags the price by 9.5 v, so 2.5 ATR of distance and 0.25 ATR per bar describe the
same trend.

    strength = 0.4 × min(100, 33 × |distance|) + 0.4 × min(100, 400 × |slope|) + 0.2 × min(100, 20 × day range %)

Day range % is the ATR in percent of the price, scaled by the square root of bars per day, since a weekly ATR is larger than
a 15-minute one only because it covers more time.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.frame import Floats

TIMEFRAMES = ("week", "day", "1h", "15m")
DAY_RANGES = 100.0 * 20.0 * np.sqrt(np.array([1 / 5, 1.0, 6.5, 26.0]))
"""Factor from ATR relative to the price to strength, by timeframe: 20 × percent × square root of bars per day."""
DISTANCE, STRONG_DISTANCE = 0.8, 2.5
"""Distance from the EMA, in ATR, of a trend and of a strong trend."""
STRONG_SLOPE = 0.1
"""Slope of a strong trend, in ATR per bar."""
_LIMITS = np.array([DISTANCE, STRONG_DISTANCE, STRONG_SLOPE])


def compute_trend_and_strength(price: Floats, atr: Floats, ema: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """Compute trend, -2 to 2, and strength, 0 to 100; NaN where EMA, ATR or slope is NaN.

    A trend needs the price on the side of the EMA that its slope points to. `price`: shape (n,). All others and both
    results: shape (4, n), one row per timeframe of `TIMEFRAMES`.
    """
    from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

    trend, strength = kernels_shapes.compute_trends(price, atr, ema, slope, DAY_RANGES, _LIMITS)
    return trend, strength
