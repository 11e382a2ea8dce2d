"""Swings of 5-minute bars: where the price turned, whether turns rise or fall, and where RSI disagrees with them.

Belongs here: confirmed turning points and divergence. A bar is a swing high if its high is above those of the two bars
before it and not below those of the two after it (of equal highs the first one turns), so it is known only when the
second of them is complete; swing lows mirror that.

Divergence (product facts §4): a lower swing low with a higher RSI at it is bullish, mirrored bearish. How clear it is:

    50 × min(1, RSI difference / 10) + 50 × min(1, price difference / ATR)

Ten points of RSI and one ATR of 5-minute bars are each a move that nobody overlooks; less of one makes it doubtful. It is
over (0) when the newer swing is more than an hour old, and two swings more than four hours apart are not compared.
"""

from __future__ import annotations

from hd_pipelines.signals.frame import Floats

SWING_FEATURES = (
    "swing_high",
    "swing_low",
    "has_lower_highs",
    "has_higher_lows",
    "bearish_divergence",
    "bullish_divergence",
)
"""Rows of `swing_features`."""
CLEAR_RSI_POINTS = 10.0
FRESH_BARS = 12
COMPARABLE_BARS = 48


def fill_swing_features(prices: Floats, strength: Floats, atr: Floats, own: int, states: Floats) -> None:
    """Fill `states`, shape (6, own + 1) of NaN: the state after each of the window's last `own` bars and before them.

    `prices`: rows high, low, close, shape (3, n). `strength`, `atr`: RSI and ATR of each bar, shape (n,). NaN: swing_*
    without a swing, the others without two; divergence also without RSI or ATR.
    """
    from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

    kernels_shapes.fill_swings(prices, strength, atr, own, CLEAR_RSI_POINTS, FRESH_BARS, COMPARABLE_BARS, states)
