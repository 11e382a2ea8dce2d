"""Trend continuation of stocks and ETFs: in a trending market, a symbol in the same trend has pulled back to its EMA 21.

Design notes:

- The market's trend is the family of its regime, the same enum that the regime table stores.
- The flow bonuses for a high score and for sweeps, and the penalty for a high opposing score, apply only with that bias.
- "Near the swing low" means at most 0.3 % above it.
- More than 1 % above EMA 21 adds 10 points although the conditions stop at 1 %: both numbers are parameters.
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.detector import EQUITIES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses, Cases, ShareOfTests
from hd_pipelines.signals.detectors.rules.conditions import Condition, IsOneOf, above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import AGAINST_THE_TRADE, WITH_THE_TRADE
from hd_pipelines.tables.vocabulary import RegimeFamily, Strategy

_AVERAGES = Bonuses(
    50.0,
    ("ema_21_distance_pct", "ema_21_50_spread_pct", "ema_21_200_spread_pct"),
    (
        ("above_ema_21", (above("ema_21_distance_pct", 0.5),), 10.0),
        ("well_above_ema_21", (above("ema_21_distance_pct", 1.0),), 10.0),
        ("spread", (above("ema_21_50_spread_pct", 1.0),), 10.0),
        ("wide_spread", (above("ema_21_50_spread_pct", 2.0),), 10.0),
        ("above_ema_200", (above("ema_21_200_spread_pct", 0.0),), 10.0),
    ),
)
_PULLBACK = Bonuses(
    50.0,
    ("rsi_14", "vwap_distance_pct"),
    (
        ("cooled", (at_least("rsi_14", 40.0), at_most("rsi_14", 65.0)), 15.0),
        ("cooled_well", (at_least("rsi_14", 45.0), at_most("rsi_14", 60.0)), 15.0),
        ("at_vwap", (at_least("vwap_distance_pct", -0.2), at_most("vwap_distance_pct", 0.5)), 20.0),
    ),
)
_QUIET_VOLUME = Cases(
    ("rvol",),
    (
        ("ordinary", (at_least("rvol", 0.8), at_most("rvol", 1.5)), 100.0),
        ("nearly_ordinary", (at_least("rvol", 0.6), at_most("rvol", 2.0)), 75.0),
        ("unusual", (at_least("rvol", 0.5), at_most("rvol", 2.5)), 60.0),
    ),
    40.0,
)
_HIGHER_LOWS = Bonuses(
    50.0,
    ("has_higher_lows",),
    (
        ("higher_lows", (at_least("has_higher_lows", 1.0),), 40.0),
        ("near_the_swing_low", (at_least("below_swing_low_pct", -0.3), at_most("below_swing_low_pct", 0.0)), 10.0),
    ),
)
_LONGER_TRENDS = ShareOfTests(((above("ema_spread_15m_pct", 0.0),), (above("ema_spread_1h_pct", 0.0),)))
_FLOW = Bonuses(
    50.0,
    ("flow_bias", "flow_score", "flow_sweeps"),
    (
        ("aligned", (WITH_THE_TRADE,), 25.0),
        ("aligned_strongly", (WITH_THE_TRADE, at_least("flow_score", 70.0)), 15.0),
        ("aligned_with_sweeps", (WITH_THE_TRADE, at_least("flow_sweeps", 3.0)), 10.0),
        ("aligned_and_rising", (WITH_THE_TRADE, at_least("flow_is_rising", 1.0)), 10.0),
        ("opposed", (AGAINST_THE_TRADE,), -20.0),
        ("opposed_strongly", (AGAINST_THE_TRADE, at_least("flow_score", 70.0)), -15.0),
        ("opposed_but_falling", (AGAINST_THE_TRADE, below("flow_is_rising", 1.0)), 5.0),
    ),
)

TREND_CONTINUATIONS = build_pair(
    "trend_continuation",
    Strategy.TREND_CONTINUATION,
    purpose="In a trending market, a symbol with ordered moving averages has pulled back to its EMA 21.",
    suffixes=("long", "short"),
    asset_classes=EQUITIES,
    conditions=(
        Condition("market_trends", (IsOneOf("regime_family", (RegimeFamily.TRENDING_UP,)),)),
        Condition(
            "beyond_its_averages",
            tuple(at_least(f"ema_{length}_distance_pct", 0.0) for length in (21, 50, 200)),
        ),
        Condition("averages_in_order", (at_least("ema_21_50_spread_pct", 0.0),)),
        Condition("rsi_of_a_pullback", (at_least("rsi_14", 45.0), at_most("rsi_14", 60.0))),
        Condition("near_ema_21", (at_most("ema_21_distance_pct", 1.0), at_most("ema_21_distance_atr", 2.0))),
        Condition("volume", (at_least("rvol", 0.8),)),
    ),
    factors=(
        Factor("ema", 0.25, _AVERAGES),
        Factor("pullback", 0.20, _PULLBACK),
        Factor("volume", 0.15, _QUIET_VOLUME),
        Factor("higher_lows", 0.15, _HIGHER_LOWS),
        Factor("mtf", 0.10, _LONGER_TRENDS),
        Factor("flow", 0.15, _FLOW),
    ),
    contract=ContractLimits((0.40, 0.55), (5, 14), 100, 500, 5.0),
    example={
        "regime_family": encode_value("regime_family", RegimeFamily.TRENDING_UP),
        "ema_21_distance_pct": 0.35,
        "ema_50_distance_pct": 0.8,
        "ema_200_distance_pct": 1.9,
        "ema_21_distance_atr": 0.9,
        "ema_21_50_spread_pct": 0.45,
        "ema_21_200_spread_pct": 1.54,
        "rsi_14": 54.0,
        "rvol": 1.1,
        "vwap_distance_pct": 0.2,
        "has_higher_lows": 1.0,
        "below_swing_low_pct": -0.25,
        "ema_spread_15m_pct": 0.6,
        "ema_spread_1h_pct": 0.9,
        "flow_bias": 1.0,
        "flow_score": 55.0,
        "flow_sweeps": 1.0,
        "flow_is_rising": 1.0,
    },
)
