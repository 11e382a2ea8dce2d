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

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.frame import Floats, Integers

SWING_FEATURES = ("swing_high", "swing_low", "has_lower_highs", "has_higher_lows", "bearish", "bullish")
"""Rows of `swing_features`."""
BARS_EACH_SIDE = 2
RSI_POINTS_OF_A_CLEAR_DIVERGENCE = 10.0
FRESH_BARS = 12
COMPARABLE_BARS = 48


def swing_features(prices: Floats, strength: Floats, atr: Floats, own: int, states: Floats) -> None:
    """Fill `states`, shape (6, own + 1): the state after each of the window's last `own` bars.

    `prices`: rows high, low, close, shape (3, n). `strength`, `atr`: RSI and ATR of each bar, shape (n,). NaN: swing_*
    without a swing, the others without two; divergence also without RSI or ATR.
    """
    bars = prices.shape[1]
    if bars == 0:
        states[:] = np.nan
        return
    newest = np.arange(bars - own - 1, bars)
    atr_now = atr.take(newest)
    _of_one_side(prices[0], strength, atr_now, newest, states[0::2])
    # A low is the high of a price turned upside down; RSI is reflected at 50 with it.
    _of_one_side(-prices[1], 100.0 - strength, atr_now, newest, states[1::2])
    np.negative(states[1], out=states[1])


def _of_one_side(high: Floats, strength: Floats, atr: Floats, newest: Integers, states: Floats) -> None:
    turns = np.concatenate((_NO_TURNS, turning_points(high)))
    known = (turns[2:] + BARS_EACH_SIDE).searchsorted(newest, side="right")
    last, before = turns.take(known + 1), turns.take(known)
    high_now, strength_now = high.take(last), strength.take(last)
    rise = high_now - high.take(before)
    fall_of_strength = strength.take(before) - strength_now
    clear = 50.0 * np.minimum(1.0, fall_of_strength / RSI_POINTS_OF_A_CLEAR_DIVERGENCE)
    clear += 50.0 * np.minimum(1.0, rise / atr)
    is_none = (rise <= 0) | (fall_of_strength <= 0)
    is_none |= (newest - last > FRESH_BARS) | (last - before > COMPARABLE_BARS)
    clear[is_none & ~np.isnan(clear)] = 0.0
    states[0], states[1], states[2] = high_now, rise < 0, clear
    if known.size and known[0] < 2:
        states[0, known < 1] = np.nan
        states[1:, known < 2] = np.nan


_NO_TURNS = np.full(2, -1, np.int64)


def turning_points(high: Floats) -> NDArray[np.intp]:
    """Bars whose high stands above the two before and not below the two after, ascending."""
    if high.size < 2 * BARS_EACH_SIDE + 1:
        return np.empty(0, np.intp)
    rises, falls = high[1:] > high[:-1], high[1:] <= high[:-1]
    # Above the one before and not below the one after; then the same of the ones beyond.
    turns = rises[1:-2] & falls[2:-1]
    turns &= (high[2:-2] > high[:-4]) & (high[2:-2] >= high[4:])
    return turns.nonzero()[0] + BARS_EACH_SIDE
