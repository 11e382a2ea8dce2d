"""TA-Lib indicators of a window of complete bars, at the end of each of the session's own bars.

A window is the bars of a fixed number of sessions before the session, then its own. It is never "all history", because then
a longer tape would give other numbers than a shorter one. Column c of a result is the state after c of the session's bars;
column 0 is the state before its first.

Formulas are TA-Lib's: an EMA starts from the simple mean of its first bars; ATR, RSI and ADX use Wilder's smoothing
(J. W. Wilder, "New Concepts in Technical Trading Systems", 1978). Where TA-Lib returns 0 because nothing moved, the result
here is NaN: a symbol without movement is not oversold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import unwrap
from typing import NamedTuple

import numpy as np

from hd_pipelines.signals.frame import Floats

FIVE_MINUTE_INDICATORS = (
    "ema_9",
    "ema_21",
    "ema_50",
    "ema_200",
    "rsi_14",
    "rsi_change",
    "atr_5m",
    "adx_14",
    "bollinger_middle",
    "bollinger_deviation",
    "highest_20",
    "lowest_20",
    "is_patience_candle",
)
"""Rows of `fill_five_minute_indicators`."""
LONGER_BAR_INDICATORS = ("atr", "rsi", "ema_spread_pct", "trend_ema", "trend_slope")
"""Rows of `fill_longer_bar_indicators`."""
EMA_PERIODS = (9, 21, 50, 200)
PERIOD = 14
"""Period of RSI, ATR and ADX."""
BREAKOUT_BARS = BOLLINGER_BARS = 20
TREND_EMA_BARS = 20


def fill_five_minute_indicators(prices: Floats, strength: Floats, atr: Floats, own: int, states: Floats) -> None:
    """Fill `states`, shape (13, own + 1), from a window of 5-minute bars of which the last `own` are the session's.

    `prices`: rows high, low and close, shape (3, n), each row contiguous; `strength` and `atr`: `relative_strength` and
    `average_true_range` of them. NaN where the window is too short.
    """
    talib = _talib()
    high, low, close = prices
    for row, period in enumerate(EMA_PERIODS):
        _keep(states[row], talib.EMA(close, period))
    _keep(states[4], strength)
    _keep(states[5], strength[1:] - strength[:-1])
    _keep(states[6], atr)
    _keep(states[7], talib.ADX(high, low, close, PERIOD))
    states[7, np.isnan(states[6])] = np.nan
    begin = max(0, close.size - own - BREAKOUT_BARS)
    # TA-Lib's running sums of squares lose precision far from zero: 5,000 points squared use 16 digits, a deviation of 1
    # only the last seven. Centred on the first close they are accurate enough.
    centre = close[begin : begin + 1]
    upper, middle, _ = talib.BBANDS(close[begin:] - centre, BOLLINGER_BARS, 1.0, 1.0)
    _keep(states[8], middle + centre)
    _keep(states[9], upper - middle)
    _keep(states[10], talib.MAX(high[begin:], BREAKOUT_BARS))
    _keep(states[11], talib.MIN(low[begin:], BREAKOUT_BARS))
    _patience_candle(high[high.size - own :], low[low.size - own :], states[12])


def fill_longer_bar_indicators(prices: Floats, states: Floats, fewest: int) -> None:
    """Fill `states`, shape (5, own + 1), from a window of longer bars; the trend needs `fewest` of them.

    The trend's EMA starts at the first close, so that it is defined before 20 bars exist. trend_slope: least-squares slope
    of the EMA's last five values, in ATR per bar.
    """
    talib = _talib()
    close = prices[2]
    atr = average_true_range(prices)
    middle = talib.EMA(close, EMA_PERIODS[2])
    _keep(states[0], atr)
    _keep(states[1], relative_strength(close))
    _keep(states[2], (talib.EMA(close, EMA_PERIODS[1]) - middle) / middle * 100.0)
    ema, slope = trend_line(close, atr, fewest)
    _keep(states[3], ema)
    _keep(states[4], slope)


def relative_strength(close: Floats) -> Floats:
    """RSI of 14 bars, 0-100. NaN in the first 14, and where no bar of the window ever moved."""
    talib = _talib()
    strength: Floats = talib.RSI(close, PERIOD)
    is_zero = strength == 0.0
    if is_zero.any():
        # TA-Lib returns 0 both after falls only and after no move at all.
        is_zero[1:] &= close[1:] == close[:-1]
        strength[is_zero] = np.nan
    return strength


def average_true_range(prices: Floats) -> Floats:
    """Wilder's ATR of 14 bars, price units. NaN in the first 14, and where there was no range at all."""
    talib = _talib()
    atr: Floats = talib.ATR(prices[0], prices[1], prices[2], PERIOD)
    atr[atr <= 0.0] = np.nan
    return atr


def trend_line(close: Floats, atr: Floats, fewest: int) -> tuple[Floats, Floats]:
    """EMA of 20 bars started at the first close, and the slope of its last five values in ATR per bar.

    NaN before `fewest` bars; the slope also where there is no ATR.
    """
    talib = _talib()
    # TA-Lib starts from the mean of the first 20 values: prepending 19 copies of the first close makes that mean the close.
    padded = np.concatenate((close[:1].repeat(TREND_EMA_BARS - 1), close))
    ema: Floats = talib.EMA(padded, TREND_EMA_BARS)[TREND_EMA_BARS - 1 :]
    slope = np.empty(close.size)
    # Least squares over x = -2 … 2 is sum(x y) / sum(x²), and sum(x²) is 10.
    slope[4:] = (2.0 * (ema[4:] - ema[:-4]) + (ema[3:-1] - ema[1:-3])) / 10.0 / atr[4:]
    ema[: fewest - 1] = slope[: fewest - 1] = np.nan
    return ema, slope


class _TaLib(NamedTuple):
    """TA-Lib's array functions, without the wrapper that checks for pandas and polars in every call."""

    EMA: Callable[..., Floats]
    RSI: Callable[..., Floats]
    ATR: Callable[..., Floats]
    ADX: Callable[..., Floats]
    MAX: Callable[..., Floats]
    MIN: Callable[..., Floats]
    BBANDS: Callable[..., tuple[Floats, Floats, Floats]]


@cache
def _talib() -> _TaLib:
    import talib

    return _TaLib(*(unwrap(getattr(talib, name)) for name in _TaLib._fields))


def _patience_candle(high: Floats, low: Floats, states: Floats) -> None:
    """Fill 1 where the last bar lies inside the previous one and is smaller, both of this session; NaN before two bars."""
    states[:2] = np.nan
    lower_high, higher_low = high[:-1] - high[1:], low[1:] - low[:-1]
    states[2:] = (np.minimum(lower_high, higher_low) >= 0) & (np.maximum(lower_high, higher_low) > 0)


def _keep(states: Floats, values: Floats) -> None:
    """Store an indicator's last values as the session's states; NaN where the window has no bar before the session."""
    missing = states.size - values.size
    if missing > 0:
        states[:missing] = np.nan
        states[missing:] = values
    else:
        states[:] = values[-states.size :]
