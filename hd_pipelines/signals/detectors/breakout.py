"""Breakouts of equities: price leaves the range of the 20 complete 5-minute bars before, on volume, beyond VWAP.

Belongs here: `breakout_bullish` and `breakout_bearish`, one description. The forming bar is not part of the range: a
price is always inside a range that includes it.
"""

from __future__ import annotations

from hd_pipelines.market.vocabulary import Strategy
from hd_pipelines.signals.detectors.conditions import Condition, above, at_least, at_most
from hd_pipelines.signals.detectors.detector import EQUITIES, ContractLimits, pair
from hd_pipelines.signals.detectors.factors import Bonuses, Factor, Line, ShareHolding, Steps

_VOLUME = Steps("rvol", ((4.0, 100.0), (2.5, 75.0), (1.5, 50.0)), Line("rvol", -33.0, 33.0))
_BEYOND_VWAP = Steps(
    "vwap_distance_pct",
    ((1.5, 100.0), (1.0, 85.0), (0.5, 70.0), (0.2, 60.0), (0.0, 50.0)),
    Line("vwap_distance_pct", 0.0, 0.0),
)
_FLOW = Bonuses(
    30.0,
    ("flow_bias", "flow_score", "flow_sweeps"),
    (
        ("not_opposed", (above("flow_bias", -0.5),), 30.0),
        ("with_the_trade", (at_least("flow_bias", 0.5),), 10.0),
        ("strong", (at_least("flow_bias", 0.5), above("flow_score", 60.0)), 15.0),
        ("very_strong", (at_least("flow_bias", 0.5), above("flow_score", 70.0)), 15.0),
    ),
)
_AT_A_LEVEL = Bonuses(
    50.0,
    ("above_20_bar_high_pct",),
    (
        (
            "at_the_opening_range",
            (at_least("above_opening_range_pct", -0.3), at_most("above_opening_range_pct", 0.3)),
            20.0,
        ),
        ("beyond_the_last_swing", (above("above_swing_high_pct", 0.0),), 15.0),
    ),
)
_MOMENTUM = ShareHolding(
    tuple((at_least(rsi, 50.0), at_most(rsi, 70.0)) for rsi in ("rsi_14", "rsi_15m", "rsi_1h")),
)

BREAKOUTS = pair(
    "breakout",
    Strategy.BREAKOUT,
    asset_classes=EQUITIES,
    conditions=(
        Condition("leaves_its_range", (above("above_20_bar_high_pct", 0.0),)),
        Condition("volume", (above("rvol", 1.2),)),
        Condition("beyond_vwap", (above("vwap_distance_pct", 0.0),)),
    ),
    factors=(
        Factor("volume", 0.30, _VOLUME),
        Factor("flow", 0.25, _FLOW),
        Factor("vwap", 0.20, _BEYOND_VWAP),
        Factor("level", 0.15, _AT_A_LEVEL),
        Factor("mtf", 0.10, _MOMENTUM),
    ),
    contract=ContractLimits((0.35, 0.50), (2, 7), 100, 500, 5.0),
)
