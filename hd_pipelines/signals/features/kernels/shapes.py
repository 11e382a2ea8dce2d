"""Loops for `swings`, `trends`, `key_levels` and `chain_features`, which document the definitions."""
# ruff: noqa: PLR0917 - compiled functions take plain arrays

import numpy as np

from hd_pipelines.signals.features.kernels.types import FLOAT, INT, OUT, PRICES, REAL, compile_kernel
from hd_pipelines.signals.frame import Floats


@compile_kernel(PRICES, REAL, REAL, INT, FLOAT, INT, INT, OUT)
def fill_swings(
    prices: Floats,
    strength: Floats,
    atr: Floats,
    own: int,
    clear_points: float,
    fresh_bars: int,
    comparable_bars: int,
    states: Floats,
) -> None:
    """Fill `states`, shape (6, own + 1) of NaN; see `swings.fill_swing_features`. Prices are rows high, low, close."""
    bars = prices.shape[1]
    before_own = bars - own - 1
    for side in range(2):
        # Lows are the highs of negated prices; RSI is negated with them.
        sign = 1.0 - 2.0 * side
        turns, last, before = 0, 0, 0
        for newest in range(4, bars):
            turn = newest - 2
            height = sign * prices[side, turn]
            if (
                height > sign * prices[side, turn - 1]
                and height >= sign * prices[side, turn + 1]
                and height > sign * prices[side, turn - 2]
                and height >= sign * prices[side, turn + 2]
            ):
                turns, before, last = turns + 1, last, turn
            column = newest - before_own
            if column < 0 or turns == 0:
                continue
            states[side, column] = prices[side, last]
            if turns == 1:
                continue
            rise = sign * (prices[side, last] - prices[side, before])
            weakening = sign * (strength[before] - strength[last])
            states[2 + side, column] = 1.0 if rise < 0.0 else 0.0
            reach = rise / atr[newest]
            if np.isnan(weakening) or np.isnan(reach):
                continue
            is_one = rise > 0.0 and weakening > 0.0
            is_one &= newest - last <= fresh_bars and last - before <= comparable_bars
            clear = 50.0 * min(1.0, weakening / clear_points) + 50.0 * min(1.0, reach)
            states[4 + side, column] = clear if is_one else 0.0


@compile_kernel(REAL, PRICES, PRICES, PRICES, REAL, REAL)
def compute_trends(
    price: Floats, atr: Floats, ema: Floats, slope: Floats, day_ranges: Floats, limits: Floats
) -> Floats:
    """Compute trend and strength, shape (2, timeframes, rows); see `trends`. NaN where ATR, EMA or slope is NaN.

    `day_ranges`: factor from relative ATR to strength, per timeframe. `limits`: distance, strong distance, strong slope.
    """
    answers = np.full((2, *atr.shape), np.nan)
    for timeframe in range(atr.shape[0]):
        for row in range(price.size):
            distance = (price[row] - ema[timeframe, row]) / atr[timeframe, row]
            steepness = slope[timeframe, row]
            if np.isnan(distance) or np.isnan(steepness):
                continue
            direction = 1.0 if steepness > 0.0 else -1.0
            along, steepness = distance * direction, abs(steepness)
            trend = 0.0
            if steepness > 0.0 and along > limits[0]:
                trend = direction
                if along > limits[1] and steepness > limits[2]:
                    trend *= 2.0
            answers[0, timeframe, row] = trend
            of_range = atr[timeframe, row] / price[row] * day_ranges[timeframe]
            answers[1, timeframe, row] = (
                0.4 * min(abs(distance) * 33.0, 100.0)
                + 0.4 * min(steepness * 400.0, 100.0)
                + 0.2 * min(of_range, 100.0)
            )
    return answers


@compile_kernel(REAL, PRICES)
def measure_nearest_levels(price: Floats, levels: Floats) -> Floats:
    """Measure the distance from each price to the nearest level at or above, and at or below it. Shape (2, rows), or NaN.

    `levels`: shape (m, rows), NaN where there is none.
    """
    nearest = np.full((2, price.size), np.nan)
    for level in range(levels.shape[0]):
        for row in range(price.size):
            distance = levels[level, row] - price[row]
            if distance >= 0.0 and not distance >= nearest[0, row]:
                nearest[0, row] = distance
            if distance <= 0.0 and not -distance >= nearest[1, row]:
                nearest[1, row] = -distance
    return nearest


@compile_kernel(PRICES, FLOAT, FLOAT)
def read_strikes(by_strike: Floats, zero_gamma: float, max_pain: float) -> tuple[float, float, float, float]:
    """Read gamma at the strike nearest to `zero_gamma` (0-100 of all); open interest at `max_pain`, its share and gamma.

    `by_strike`: strike, gamma, open interest; shape (m, 3). NaN without the level, or without a strike there.
    """
    all_gamma = all_interest = 0.0
    flip = interest = share = gamma = distance = np.nan
    for i in range(by_strike.shape[0]):
        size = abs(by_strike[i, 1])
        if not np.isnan(size):
            all_gamma += size
        if not np.isnan(by_strike[i, 2]):
            all_interest += by_strike[i, 2]
        away = abs(by_strike[i, 0] - zero_gamma)
        if away < distance or (np.isnan(distance) and not np.isnan(away)):
            distance, flip = away, size
        if by_strike[i, 0] == max_pain:
            gamma, interest = by_strike[i, 1], by_strike[i, 2]
    if all_interest > 0.0:
        share = interest / all_interest
    return 100.0 * flip / all_gamma if all_gamma > 0.0 else np.nan, interest, share, gamma
