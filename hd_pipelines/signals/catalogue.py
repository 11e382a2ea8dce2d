"""Catalogue of features: name, unit, meaning, and how each mirrors for a short trade.

A frame has exactly these columns, float64, NaN where a value is unknown. `features` computes them.

A symmetrical pair of detectors is written once, from the long side. `view_for(SHORT)` mirrors the frame for the other:

- `SIGNED` features change sign (distance from VWAP),
- `CENTRED` features are reflected at 50 (RSI 30 becomes 70),
- `SWAPPED` features trade places with their partner (distance above the day's low and below its high),
- `REGIME` swaps up and down trends,
- `EVEN` features stay the same (relative volume).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from hd_pipelines.tables.vocabulary import MarketRegime, RegimeFamily, VixRegime


class Orientation(Enum):
    """How a feature changes when the frame is mirrored for a short trade."""

    EVEN = auto()
    SIGNED = auto()
    CENTRED = auto()
    SWAPPED = auto()
    REGIME = auto()


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the frame. `partner`: for `SWAPPED`. `enum_values`: for features that hold an enum value's position."""

    name: str
    unit: str
    meaning: str
    orientation: Orientation = Orientation.EVEN
    partner: str | None = None
    enum_values: tuple[str, ...] = ()


def _even(name: str, unit: str, meaning: str) -> list[Feature]:
    return [Feature(name, unit, meaning)]


def _signed(name: str, unit: str, meaning: str) -> list[Feature]:
    return [Feature(name, unit, meaning, Orientation.SIGNED)]


def _centred(name: str, meaning: str) -> list[Feature]:
    return [Feature(name, "0-100", meaning, Orientation.CENTRED)]


def _swapped(name: str, partner: str, unit: str, meaning: str, partners_meaning: str) -> list[Feature]:
    return [
        Feature(name, unit, meaning, Orientation.SWAPPED, partner),
        Feature(partner, unit, partners_meaning, Orientation.SWAPPED, name),
    ]


_FAMILIES = tuple(RegimeFamily)
_TIME = [
    *_even("minutes_from_open", "minutes", "Minutes since the session's open; 1 at the end of its first minute."),
    *_even("minutes_to_close", "minutes", "Minutes to the session's own close; half days are shorter."),
    *_even("price_age_minutes", "minutes", "Minutes since the last trade; grows while a symbol is halted."),
]
_SESSION = [
    *_even("price", "price", "Close of the last minute that traded in this session."),
    *_even("day_open", "price", "First price of the session."),
    *_even("day_high", "price", "Highest price of the session so far."),
    *_even("day_low", "price", "Lowest price of the session so far."),
    *_signed("change_from_open_pct", "%", "Price relative to the session's open."),
    *_signed("gap_pct", "%", "The session's open relative to the previous close."),
    *_signed("gap_in_atr", "day ATR", "The gap in units of the 14-day ATR."),
    *_centred("day_range_position", "Where the price lies between the day's low (0) and high (100)."),
    *_swapped(
        "above_day_low_pct", "below_day_high_pct", "%", "Price above the day's low.", "Price below the day's high."
    ),
]
_VOLUME = [
    *_even("rvol", "×", "Volume so far relative to the mean of the last 20 sessions up to the same minute."),
    *_even("rvol_sessions", "sessions", "Number of sessions in that mean."),
    *_even("is_proxy_volume", "0/1", "Volume is that of the index's ETF, since an index has none."),
    *_even("average_daily_volume", "shares", "Mean volume of the last 20 sessions."),
    *_even("vwap", "price", "Volume-weighted typical price of the session so far."),
    *_signed("vwap_distance_pct", "%", "Price relative to VWAP."),
]
_FIVE_MINUTES = [
    *_centred("rsi_14", "RSI of 14 complete 5-minute bars."),
    *_signed("rsi_change", "points", "Change of RSI since the previous 5-minute bar."),
    *_even("atr_5m", "price", "Wilder ATR of 14 complete 5-minute bars."),
    *_even("atr_15m", "price", "Wilder ATR of 14 complete 15-minute bars."),
    *_even("atr_1h", "price", "Wilder ATR of 14 complete hours."),
    *_even("atr_day_pct", "%", "Wilder ATR of 14 days, in percent of the price."),
    *_even("adx_14", "0-100", "ADX of 14 complete 5-minute bars."),
    *_centred("bollinger_position", "Where the price lies between the Bollinger bands (20, 2) of 5-minute closes."),
    *_even("bollinger_width_pct", "%", "Width of the Bollinger bands, in percent of the middle band."),
    *_even("ema_9", "price", "EMA of 9 complete 5-minute bars."),
    *_even("ema_21", "price", "EMA of 21 complete 5-minute bars."),
    *_even("ema_50", "price", "EMA of 50 complete 5-minute bars."),
    *_even("ema_200", "price", "EMA of 200 complete 5-minute bars."),
    *_signed("ema_9_distance_pct", "%", "Price relative to EMA 9."),
    *_signed("ema_21_distance_pct", "%", "Price relative to EMA 21."),
    *_signed("ema_50_distance_pct", "%", "Price relative to EMA 50."),
    *_signed("ema_200_distance_pct", "%", "Price relative to EMA 200."),
    *_signed("ema_21_distance_atr", "ATR", "Price relative to EMA 21, in 5-minute ATRs."),
    *_signed("ema_21_50_spread_pct", "%", "EMA 21 relative to EMA 50."),
    *_signed("ema_21_200_spread_pct", "%", "EMA 21 relative to EMA 200."),
    *_centred("rsi_15m", "RSI of 14 complete 15-minute bars."),
    *_centred("rsi_1h", "RSI of 14 complete hours."),
    *_signed("ema_spread_15m_pct", "%", "EMA 21 relative to EMA 50, of 15-minute bars."),
    *_signed("ema_spread_1h_pct", "%", "EMA 21 relative to EMA 50, of hourly bars."),
    *_even("is_patience_candle", "0/1", "The last complete 5-minute bar lies inside the one before."),
]
_STRUCTURE = [
    *_swapped(
        "above_20_bar_high_pct",
        "below_20_bar_low_pct",
        "%",
        "Price above the highest of the 20 complete 5-minute bars before the forming one; negative below it.",
        "Price below the lowest of those bars; negative above it.",
    ),
    *_swapped(
        "above_opening_range_pct",
        "below_opening_range_pct",
        "%",
        "Price above the high of the first 15 minutes, once they are over.",
        "Price below the low of the first 15 minutes, once they are over.",
    ),
    *_swapped(
        "above_swing_high_pct",
        "below_swing_low_pct",
        "%",
        "Price above the last confirmed swing high of 5-minute bars.",
        "Price below the last confirmed swing low of 5-minute bars.",
    ),
    *_swapped(
        "has_higher_lows",
        "has_lower_highs",
        "0/1",
        "The last two confirmed swing lows rise.",
        "The last two confirmed swing highs fall.",
    ),
    *_swapped(
        "bullish_divergence",
        "bearish_divergence",
        "0-100",
        "Clarity of a lower swing low with a higher RSI; 0 if there is none.",
        "Clarity of a higher swing high with a lower RSI; 0 if there is none.",
    ),
    *_swapped(
        "distance_to_resistance_pct",
        "distance_to_support_pct",
        "%",
        "Distance to the nearest key level above the price.",
        "Distance to the nearest key level below the price.",
    ),
    *_even("is_near_key_level", "0/1", "A major key level lies within a twentieth of a day's ATR."),
]
_TRENDS = [
    *_signed("mtf_trend_week", "-2..2", "Trend of weeks: 2 strong up, 1 up, 0 none, -1 down, -2 strong down."),
    *_signed("mtf_trend_day", "-2..2", "Trend of days."),
    *_signed("mtf_trend_1h", "-2..2", "Trend of hours."),
    *_signed("mtf_trend_15m", "-2..2", "Trend of 15-minute bars."),
    *_even("mtf_strength_week", "0-100", "Strength of the trend of weeks."),
    *_even("mtf_strength_day", "0-100", "Strength of the trend of days."),
    *_even("mtf_strength_1h", "0-100", "Strength of the trend of hours."),
    *_even("mtf_strength_15m", "0-100", "Strength of the trend of 15-minute bars."),
]
_MARKET = [
    Feature(
        "regime_family",
        "word",
        "Family of the market's regime.",
        Orientation.REGIME,
        enum_values=tuple(map(str, _FAMILIES)),
    ),
    Feature(
        "market_regime", "enum", "The market's regime of the last complete session.", enum_values=tuple(MarketRegime)
    ),
    Feature("vix_regime", "enum", "Class of the VIX of the last complete session.", enum_values=tuple(VixRegime)),
    *_even("vix_level", "points", "VIX of the last complete session."),
    *_even("iv_percentile", "0-1", "Share of the last 252 sessions with a lower 30-day volatility."),
    *_even("iv30", "per year", "30-day volatility at the forward."),
]
_FLOW = [
    *_signed(
        "flow_bias", "-1..1", "Lean of option prints of the last four trading hours: 1 bullish, -1 bearish, 0 neither."
    ),
    *_even("flow_score", "0-100", "Strength of that flow, from sweeps, blocks and large prints."),
    *_even("flow_sweeps", "prints", "Sweeps among them."),
    *_even("flow_blocks", "prints", "Blocks among them."),
    *_centred("flow_buy_pressure", "Share of premium that is bullish."),
    *_even("flow_is_rising", "0/1", "The last hour has more premium than the hour before."),
]
_CHAIN = [
    *_even("chain_age_minutes", "trading minutes", "Age of the chain that the next features come from."),
    *_even("minutes_to_expiry", "minutes", "Minutes to the settlement of the nearest expiration."),
    *_even("is_zero_dte", "0/1", "The nearest expiration is today's."),
    *_even("zero_dte_share", "0-1", "Share of gamma that expires today."),
    *_even("max_gamma_distance_pct", "%", "Absolute distance of the price from the strike with the most gamma."),
    *_even(
        "dealer_gamma_ratio",
        "×",
        "Dealer gamma relative to the median absolute gamma of the last 20 closes; negative is short.",
    ),
    *_swapped("call_gamma_share", "put_gamma_share", "0-100", "Calls' share of gamma.", "Puts' share of gamma."),
    *_signed("zero_gamma_distance_pct", "%", "Price relative to the level where dealer gamma changes sign."),
    *_signed(
        "zero_gamma_crossed", "-1..1", "1 if the price rose through that level in the last 15 minutes, -1 if it fell."
    ),
    *_even("flip_strike_gamma_share", "0-100", "Share of gamma at the strike nearest to that level."),
    *_even(
        "option_volume_ratio", "×", "Option volume relative to the mean of the last 20 sessions up to the same minute."
    ),
    *_signed("max_pain_distance_pct", "%", "Price relative to max pain of the nearest expiration."),
    *_even("max_pain_open_interest", "contracts", "Open interest at that strike."),
    *_even("max_pain_oi_share", "0-1", "Share of the expirations' open interest at that strike."),
    *_even("max_pain_gamma", "$ per 1 %", "Dealer gamma at that strike."),
]
FEATURES: dict[str, Feature] = {
    feature.name: feature
    for group in (_TIME, _SESSION, _VOLUME, _FIVE_MINUTES, _STRUCTURE, _TRENDS, _MARKET, _FLOW, _CHAIN)
    for feature in group
}
"""All features by name, in the order of the frame's columns."""

LEVELS = (
    "prior_day_high",
    "prior_day_low",
    "prior_day_close",
    "prior_week_high",
    "prior_week_low",
    "prior_week_close",
    "opening_range_high",
    "opening_range_low",
    "vwap",
    "pivot",
    "pivot_r1",
    "pivot_s1",
    "pivot_r2",
    "pivot_s2",
    "gap_edge",
    "swing_high",
    "swing_low",
    "gamma_resistance",
    "gamma_support",
    "zero_gamma",
    "max_pain",
)
"""Key levels of a frame, prices; NaN where a level does not exist (yet)."""

MAJOR_LEVELS = (
    "prior_day_high",
    "prior_day_low",
    "prior_day_close",
    "prior_week_high",
    "prior_week_low",
    "prior_week_close",
    "opening_range_high",
    "opening_range_low",
    "gap_edge",
    "gamma_resistance",
    "gamma_support",
    "zero_gamma",
    "max_pain",
)
"""Levels that many traders watch."""


def encode_value(feature: str, value: str) -> float:
    """Return the code of an enum value. Raises `KeyError` for an unknown feature, `ValueError` for an unknown value."""
    return float(FEATURES[feature].enum_values.index(value))


def decode_value(feature: str, code: float) -> str | None:
    """Return the enum value of a code; None for NaN."""
    return None if math.isnan(code) else FEATURES[feature].enum_values[int(code)]
