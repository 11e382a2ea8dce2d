"""All columns and levels of a grid's rows, and what is degraded about them.

Belongs here: which part answers which feature of the catalogue. Each part is a room of its own; what is done here is
price against something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.features import labels
from hd_pipelines.signals.features.bar_states import WINDOW_SESSIONS, AllBarStates, bar_states
from hd_pipelines.signals.features.chain_features import chain_features, crossings
from hd_pipelines.signals.features.day_history import DayHistory, believable_days, day_history
from hd_pipelines.signals.features.exchange_days import exchange_days
from hd_pipelines.signals.features.flow_features import flow_features
from hd_pipelines.signals.features.key_levels import gap_edge, nearest, opening_range, pivots
from hd_pipelines.signals.features.market_context import market_features
from hd_pipelines.signals.features.percentages import percent, position
from hd_pipelines.signals.features.placed_bars import PlacedBars, placed
from hd_pipelines.signals.features.relative_volume import SLOT_MINUTES, usual_volume
from hd_pipelines.signals.features.session_grid import Grid, Running, running_prices, running_volume
from hd_pipelines.signals.features.trends import TIMEFRAMES, trend_and_strength
from hd_pipelines.signals.features.volume_source import volume_labels, volume_source
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import SymbolTape

CONTRADICTION = 0.05
"""Share by which a day's close may differ from its last 5-minute close before they are of different adjustments."""
Columns = dict[str, Floats]


def minute_columns(tape: SymbolTape, minutes: PlacedBars, rows: Grid) -> tuple[Columns, Columns, tuple[str, ...]]:
    """Features, levels and labels of the rows, from the tape and the believable minutes of the grid's sessions."""
    before = np.arange(max(int(rows.positions[0]) - WINDOW_SESSIONS, 0), int(rows.positions[-1]))
    history = placed(tape.five_minutes, before)
    running = running_prices(minutes, rows)
    states = bar_states(history, minutes, rows)
    source = volume_source(tape)
    days = day_history(believable_days(tape.days), believable_days(source.days) if source else None, rows.positions)
    contradicts = np.abs(days.levels["prior_day_close"] / states.close_before - 1.0) > CONTRADICTION
    days = days.without(contradicts)
    columns: Columns = {
        "minutes_from_open": rows.minute.astype(np.float64),
        "minutes_to_close": (exchange_days().minutes[rows.positions][rows.number] - rows.minute).astype(np.float64),
        **session_features(running, rows, days),
        **_bar_features(states, running.price),
    }
    volumes = None if source is None else _Volumes(minutes, history)
    if source is not None and source is not tape:
        volumes = _Volumes(placed(source.minutes, rows.positions), placed(source.five_minutes, before))
    of_volume, volume_sessions = _volume_features(volumes, minutes, rows, running.price)
    columns |= of_volume
    columns["is_proxy_volume"] = np.full(len(rows), np.nan if source is None else float(source is not tape))
    columns["average_daily_volume"] = rows.spread(days.average_volume)
    columns |= _trends(states, days, running.price, rows)
    columns |= market_features(tape.contexts, rows.as_of_ns)
    columns |= flow_features(tape.contexts.prints, rows.as_of_ns)
    of_chain, chain_levels = chain_features(tape.contexts.gamma, rows.as_of_ns, running.price)
    columns |= of_chain
    columns["zero_gamma_crossed"] = crossings(running.price, chain_levels["zero_gamma"], rows)
    levels = _levels(states, days, running, rows) | chain_levels
    levels["vwap"] = columns["vwap"]
    columns |= _structure(states, levels, running.price)
    degraded = [
        *volume_labels(tape),
        *([labels.BARS_LEFT_OUT] if minutes.left_out or history.left_out else []),
        *([labels.DAYS_CONTRADICT] if contradicts.any() else []),
        *([labels.IDLE] if np.any(running.price_age_minutes[rows.last] >= labels.IDLE_MINUTES) else []),
        *labels.short_windows("bars", states.window_sessions),
        *(labels.short_windows("rvol", volume_sessions) if source else []),
        *labels.missing(columns | levels, rows.last),
    ]
    return columns, levels, tuple(degraded)


def session_features(running: Running, rows: Grid, days: DayHistory) -> Columns:
    """Where the price is in its day, and how the day began."""
    price, prior_close = running.price, rows.spread(days.levels["prior_day_close"])
    day_atr = rows.spread(days.atr)
    return {
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
        "atr_day_pct": day_atr / price * 100.0,
    }


@dataclass(frozen=True)
class _Volumes:
    """Bars whose volume counts: of the grid's sessions, and 5-minute bars of those before."""

    minutes: PlacedBars
    history: PlacedBars


def _volume_features(
    volumes: _Volumes | None, minutes: PlacedBars, rows: Grid, price: Floats
) -> tuple[Columns, Integers]:
    """RVOL at the end of the last complete 5 minutes, VWAP; and how many of the 20 sessions before have volume."""
    if volumes is None:
        names = ("rvol", "rvol_sessions", "vwap", "vwap_distance_pct")
        return {name: np.full(len(rows), np.nan) for name in names}, np.zeros(0, np.int64)
    so_far = running_volume(minutes, volumes.minutes, rows)
    usual = usual_volume(volumes.history, rows.positions)
    slot = rows.minute // SLOT_MINUTES - 1
    known = np.maximum(slot, 0)
    traded = so_far.volume[np.minimum(rows.first_row + SLOT_MINUTES * (known + 1), len(rows)) - 1]
    rvol, sessions = traded / usual.mean[rows.number, known], usual.counted[rows.number, known]
    rvol[slot < 0] = np.nan
    sessions[slot < 0] = np.nan
    columns = {
        "rvol": rvol,
        "rvol_sessions": sessions,
        "vwap": so_far.vwap,
        "vwap_distance_pct": percent(price, so_far.vwap),
    }
    return columns, usual.sessions


def _bar_features(states: AllBarStates, price: Floats) -> Columns:
    five, quarter, hour = states.five, states.longer["15m"], states.longer["1h"]
    columns = {name: five.at_rows(name) for name in ("rsi_14", "rsi_change", "atr_5m", "adx_14", "is_patience_candle")}
    ema = {period: five.at_rows(f"ema_{period}") for period in (9, 21, 50, 200)}
    for period, values in ema.items():
        columns[f"ema_{period}"] = values
        columns[f"ema_{period}_distance_pct"] = percent(price, values)
    middle, band = five.at_rows("bollinger_middle"), 2.0 * five.at_rows("bollinger_deviation")
    return columns | {
        "ema_21_distance_atr": (price - ema[21]) / columns["atr_5m"],
        "ema_21_50_spread_pct": percent(ema[21], ema[50]),
        "ema_21_200_spread_pct": percent(ema[21], ema[200]),
        "bollinger_position": position(price, middle - band, middle + band),
        "bollinger_width_pct": 200.0 * band / middle,
        "atr_15m": quarter.at_rows("atr"),
        "rsi_15m": quarter.at_rows("rsi"),
        "ema_spread_15m_pct": quarter.at_rows("ema_spread_pct"),
        "atr_1h": hour.at_rows("atr"),
        "rsi_1h": hour.at_rows("rsi"),
        "ema_spread_1h_pct": hour.at_rows("ema_spread_pct"),
        "has_higher_lows": five.at_rows("has_higher_lows"),
        "has_lower_highs": five.at_rows("has_lower_highs"),
        "bullish_divergence": five.at_rows("bullish"),
        "bearish_divergence": five.at_rows("bearish"),
    }


def _trends(states: AllBarStates, days: DayHistory, price: Floats, rows: Grid) -> Columns:
    columns = {}
    for timeframe in TIMEFRAMES:
        if timeframe in states.longer:
            bars = states.longer[timeframe]
            ema, atr, slope = (bars.at_rows(name) for name in ("trend_ema", "atr", "trend_slope"))
        else:
            ema, atr, slope = (rows.spread(values[timeframe]) for values in (days.ema, days.atr_of, days.slope))
        trend, strength = trend_and_strength(timeframe, price, ema, atr, slope)
        columns[f"mtf_trend_{timeframe}"], columns[f"mtf_strength_{timeframe}"] = trend, strength
    return columns


def _levels(states: AllBarStates, days: DayHistory, running: Running, rows: Grid) -> Columns:
    prior = days.levels
    floor = pivots(prior["prior_day_high"], prior["prior_day_low"], prior["prior_day_close"])
    levels = {name: rows.spread(values) for name, values in (prior | floor).items()}
    levels["opening_range_high"], levels["opening_range_low"] = opening_range(running, rows)
    levels["gap_edge"] = gap_edge(levels["prior_day_close"], running.day_open, running.day_high, running.day_low)
    return levels | {name: states.five.at_rows(name) for name in ("swing_high", "swing_low")}


def _structure(states: AllBarStates, levels: Columns, price: Floats) -> Columns:
    return {
        "above_20_bar_high_pct": percent(price, states.five.before_rows("highest_20")),
        "below_20_bar_low_pct": -percent(price, states.five.before_rows("lowest_20")),
        "above_opening_range_pct": percent(price, levels["opening_range_high"]),
        "below_opening_range_pct": -percent(price, levels["opening_range_low"]),
        "above_swing_high_pct": percent(price, levels["swing_high"]),
        "below_swing_low_pct": -percent(price, levels["swing_low"]),
        **nearest(price, levels.values()),
    }
