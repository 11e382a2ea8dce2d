"""Compute all columns and levels of a minute grid's rows, and the labels of what is degraded about them.

Each group of features has its own module; this one combines them and relates the price to their values.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.market.sessions import measure_trading_time_ns
from hd_pipelines.signals.features import labels
from hd_pipelines.signals.features.bar_states import WINDOW_SESSIONS, BarStates, compute_bar_states
from hd_pipelines.signals.features.contexts.chain_features import (
    CROSSING_MINUTES,
    compute_chain_features,
    find_crossings,
)
from hd_pipelines.signals.features.contexts.market_context import compute_market_features
from hd_pipelines.signals.features.day_history import compute_day_history
from hd_pipelines.signals.features.indicators.estimated_volume import add_estimates
from hd_pipelines.signals.features.indicators.key_levels import measure_nearest_levels
from hd_pipelines.signals.features.indicators.relative_volume import choose_volume_source, compute_relative_volume
from hd_pipelines.signals.features.percentages import percent, position
from hd_pipelines.signals.features.placed_bars import PlacedBars, place_bars
from hd_pipelines.signals.features.session_columns import (
    compute_session_features,
    compute_session_levels,
    compute_trend_features,
)
from hd_pipelines.signals.features.session_grid import Grid, compute_running_prices, compute_running_volume
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import SymbolTape

CONTRADICTION = 0.05
"""A daily close that differs by more than this fraction from the last 5-minute close has another split adjustment."""
ROWS_LOOKED_BACK_AT = CROSSING_MINUTES + 1
"""Rows that the last row needs for crossings, besides running values."""
OF_FIVE_MINUTES = (
    "rsi_14",
    "rsi_change",
    "atr_5m",
    "adx_14",
    "ema_9",
    "ema_21",
    "ema_50",
    "ema_200",
    "is_patience_candle",
    "has_higher_lows",
    "has_lower_highs",
    "bullish_divergence",
    "bearish_divergence",
)
"""Features copied unchanged from the states of 5-minute bars."""
Columns = dict[str, Floats]


def compute_minute_columns(
    tape: SymbolTape, minutes: PlacedBars, rows: Grid, *, only_newest: bool = False
) -> tuple[Columns, Columns, tuple[str, ...]]:
    """Compute features, levels and labels of the rows, from the tape and the valid minutes of the grid's sessions.

    `only_newest`, for a grid of one session: return the last rows, of which only the very last is complete.
    """
    before = np.arange(max(int(rows.positions[0]) - WINDOW_SESSIONS, 0), int(rows.positions[-1]))
    history = place_bars(tape.five_minutes, before)
    running = compute_running_prices(minutes, rows)
    columns, volume_sessions, is_estimated = _compute_volume_features(tape, minutes, history, before, rows)
    if only_newest:
        rows, running = rows.newest(ROWS_LOOKED_BACK_AT), running.newest(ROWS_LOOKED_BACK_AT)
        columns = {name: values[-ROWS_LOOKED_BACK_AT:] for name, values in columns.items()}
    states = compute_bar_states(history, minutes, rows)
    source = choose_volume_source(tape)
    days = compute_day_history(tape.days, None if source is None else source.days, rows.positions)
    contradicts = np.abs(days.prior_day[2] / states.close_before - 1.0) > CONTRADICTION
    days = days.without(contradicts)
    clock_ns = measure_trading_time_ns(rows.as_of_ns)
    columns |= compute_session_features(running, rows, days)
    columns |= _compute_bar_features(states, running.price)
    columns |= compute_trend_features(days, states.longer, running.price, rows)
    columns |= compute_market_features(tape.contexts, rows.as_of_ns, clock_ns)
    of_chain, chain_levels = compute_chain_features(tape.contexts.gamma, rows.as_of_ns, clock_ns, running.price)
    columns |= of_chain
    columns["zero_gamma_crossed"] = find_crossings(running.price, chain_levels["zero_gamma"], rows)
    levels = compute_session_levels(running, rows, days) | chain_levels
    levels |= {"vwap": columns["vwap"], "swing_high": states.five["swing_high"], "swing_low": states.five["swing_low"]}
    columns |= _compute_structure(states, levels, running.price, columns["atr_day_pct"])
    columns["vwap_distance_pct"] = percent(running.price, columns["vwap"])
    degraded = [
        *labels.list_volume_labels(tape),
        *([labels.BARS_LEFT_OUT] if minutes.left_out or history.left_out else []),
        *([labels.DAYS_CONTRADICT] if contradicts.any() else []),
        *([labels.IDLE] if np.any(running.price_age_minutes[rows.last] >= labels.IDLE_MINUTES) else []),
        *labels.list_short_windows("bars", states.window_sessions),
        *labels.list_short_windows("rvol", volume_sessions),
        *([labels.RVOL_FROM_DAYS] if is_estimated else []),
        *labels.list_missing(columns | levels, rows.last),
    ]
    return columns, levels, tuple(degraded)


def _compute_volume_features(
    tape: SymbolTape, minutes: PlacedBars, history: PlacedBars, before: Integers, rows: Grid
) -> tuple[Columns, Integers, bool]:
    """Compute RVOL and VWAP; also the sessions with volume among the last 20, and whether any RVOL is an estimate."""
    source = choose_volume_source(tape)
    if source is None:
        names = ("rvol", "rvol_sessions", "vwap", "is_proxy_volume")
        return dict(zip(names, np.full((4, len(rows)), np.nan), strict=True)), np.zeros(0, np.int64), False
    volumes = minutes
    if source is not tape:
        volumes, history = place_bars(source.minutes, rows.positions), place_bars(source.five_minutes, before)
    traded, vwap = compute_running_volume(minutes, volumes, rows)
    rvol, sessions, usual_sessions = compute_relative_volume(traded, history, rows)
    rvol, is_estimated = add_estimates(rvol, usual_sessions, traded, rows, history=history, days=source.days)
    is_proxy = np.full(len(rows), float(source is not tape))
    columns = {"rvol": rvol, "rvol_sessions": sessions, "vwap": vwap, "is_proxy_volume": is_proxy}
    return columns, usual_sessions, is_estimated


def _compute_bar_features(states: BarStates, price: Floats) -> Columns:
    five, quarter, hour = states.five, states.longer["15m"], states.longer["1h"]
    middle, band = five["bollinger_middle"], 2.0 * five["bollinger_deviation"]
    ema_21 = five["ema_21"]
    return {name: five[name] for name in OF_FIVE_MINUTES} | {
        "ema_9_distance_pct": percent(price, five["ema_9"]),
        "ema_21_distance_pct": percent(price, ema_21),
        "ema_50_distance_pct": percent(price, five["ema_50"]),
        "ema_200_distance_pct": percent(price, five["ema_200"]),
        "ema_21_distance_atr": (price - ema_21) / five["atr_5m"],
        "ema_21_50_spread_pct": percent(ema_21, five["ema_50"]),
        "ema_21_200_spread_pct": percent(ema_21, five["ema_200"]),
        "bollinger_position": position(price, middle - band, middle + band),
        "bollinger_width_pct": 200.0 * band / middle,
        "atr_15m": quarter["atr"],
        "rsi_15m": quarter["rsi"],
        "ema_spread_15m_pct": quarter["ema_spread_pct"],
        "atr_1h": hour["atr"],
        "rsi_1h": hour["rsi"],
        "ema_spread_1h_pct": hour["ema_spread_pct"],
    }


def _compute_structure(states: BarStates, levels: Columns, price: Floats, atr_day_pct: Floats) -> Columns:
    return {
        "above_20_bar_high_pct": percent(price, states.before["highest_20"]),
        "below_20_bar_low_pct": -percent(price, states.before["lowest_20"]),
        "above_opening_range_pct": percent(price, levels["opening_range_high"]),
        "below_opening_range_pct": -percent(price, levels["opening_range_low"]),
        "above_swing_high_pct": percent(price, levels["swing_high"]),
        "below_swing_low_pct": -percent(price, levels["swing_low"]),
        **measure_nearest_levels(price, levels, atr_day_pct),
    }
