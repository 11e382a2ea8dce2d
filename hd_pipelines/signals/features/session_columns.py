"""Columns and levels that minute and daily frames share: the day so far, the days before, and their trends."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hd_pipelines.signals.features.day_history import DayHistory
from hd_pipelines.signals.features.exchange_days import load_exchange_days
from hd_pipelines.signals.features.indicators.key_levels import PIVOTS, compute_pivots, find_gap_edge
from hd_pipelines.signals.features.indicators.trends import TIMEFRAMES, compute_trend_and_strength
from hd_pipelines.signals.features.percentages import percent, position
from hd_pipelines.signals.features.session_grid import Grid, Running
from hd_pipelines.signals.frame import Floats

PRIOR_LEVELS = (
    "prior_day_high",
    "prior_day_low",
    "prior_day_close",
    "prior_week_high",
    "prior_week_low",
    "prior_week_close",
)
Columns = dict[str, Floats]


def compute_session_features(running: Running, rows: Grid, days: DayHistory) -> Columns:
    """Compute the price's position in its day, the gap, and the session's clock."""
    price = running.price
    prior_close, day_atr, volume, length = rows.spread_to_rows(
        np.stack((days.prior_day[2], days.of_days[0], days.volume[0], load_exchange_days().minutes[rows.positions]))
    )
    minute = rows.minute.astype(np.float64)
    return {
        "minutes_from_open": minute,
        "minutes_to_close": length - minute,
        "price": price,
        "price_age_minutes": running.price_age_minutes,
        "day_open": running.day_open,
        "day_high": running.day_high,
        "day_low": running.day_low,
        "change_from_open_pct": percent(price, running.day_open),
        "gap_pct": percent(running.day_open, prior_close),
        "gap_in_atr": (running.day_open - prior_close) / day_atr,
        "day_range_position": position(price, running.day_low, running.day_high),
        "above_day_low_pct": percent(price, running.day_low),
        "below_day_high_pct": -percent(price, running.day_high),
        "average_daily_volume": volume,
        "atr_day_pct": day_atr / price * 100.0,
    }


def compute_session_levels(running: Running, rows: Grid, days: DayHistory) -> Columns:
    """Compute levels of earlier days, pivots, the gap edge and the opening range."""
    of_days = rows.spread_to_rows(np.concatenate((days.prior_day, days.prior_week, compute_pivots(days.prior_day))))
    levels = dict(zip((*PRIOR_LEVELS, *PIVOTS), of_days, strict=True))
    levels["opening_range_high"], levels["opening_range_low"] = running.opening_range_high, running.opening_range_low
    levels["gap_edge"] = find_gap_edge(levels["prior_day_close"], running.day_open, running.day_high, running.day_low)
    return levels


def compute_trend_features(days: DayHistory, longer: Mapping[str, Columns], price: Floats, rows: Grid) -> Columns:
    """Compute trend and strength of all timeframes. `longer`: states of "15m" and "1h" bars; NaN without them."""
    lines = np.full((3, len(TIMEFRAMES), len(rows)), np.nan)
    lines[:, :2] = rows.spread_to_rows(np.stack((days.of_weeks, days.of_days), axis=1))
    for timeframe, states in longer.items():
        for line, name in zip(lines, ("atr", "trend_ema", "trend_slope"), strict=True):
            line[TIMEFRAMES.index(timeframe)] = states[name]
    trend, strength = compute_trend_and_strength(price, *lines)
    columns = {f"mtf_trend_{timeframe}": trend[row] for row, timeframe in enumerate(TIMEFRAMES)}
    return columns | {f"mtf_strength_{timeframe}": strength[row] for row, timeframe in enumerate(TIMEFRAMES)}
