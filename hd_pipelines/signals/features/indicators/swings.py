"""Swing highs and lows of 5-minute bars, and RSI divergence between them.

A bar is a swing high if its high is above those of the two bars before it and not below those of the two after it (of equal
highs the first counts), so it is confirmed when the second of them is complete. Swing lows mirror that.

Bullish divergence is a lower swing low with a higher RSI; bearish divergence mirrors that. Its clarity is

    50 × min(1, RSI difference / 10) + 50 × min(1, price difference / ATR)

Ten RSI points and one 5-minute ATR are each an unmistakable move. Divergence ends (0) when the newer swing is more than an
hour old, and swings more than four hours apart are not compared.
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
"""Rows of `fill_swing_features`."""
CLEAR_RSI_POINTS = 10.0
FRESH_BARS = 12
COMPARABLE_BARS = 48


def fill_swing_features(prices: Floats, strength: Floats, atr: Floats, own: int, states: Floats) -> None:
    """Fill `states`, shape (6, own + 1) of NaN: the state before the window's last `own` bars and after each of them.

    `prices`: rows high, low, close, shape (3, n). `strength`, `atr`: RSI and ATR of each bar, shape (n,). swing_* is NaN
    without a swing, the others without two; divergence also without RSI or ATR.
    """
    from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

    kernels_shapes.fill_swings(prices, strength, atr, own, CLEAR_RSI_POINTS, FRESH_BARS, COMPARABLE_BARS, states)
