"""Breakout of stocks and ETFs: price leaves the range of the last 20 complete 5-minute bars, on volume and beyond VWAP.

Design notes:

- The forming bar is excluded from the range, because a price can never exceed the high of a bar that it belongs to.
- Sweeps score only when flow leans in the trade's direction.
- Flow that leans in the trade's direction but weakly (score up to 60, no sweep) scores 60, like neutral flow.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.detector import EQUITIES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses, Cases, ShareOfTests
from hd_pipelines.signals.detectors.rules.conditions import Condition, above, at_least, at_most
from hd_pipelines.signals.detectors.rules.curves import Line, Steps
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import AGAINST_THE_TRADE, WITH_THE_TRADE
from hd_pipelines.tables.vocabulary import Strategy

_VOLUME = Steps("rvol", ((4.0, 100.0), (2.5, 75.0), (1.5, 50.0)), Line("rvol", -33.0, 33.0))
_BEYOND_VWAP = Steps("vwap_distance_pct", ((1.5, 100.0), (1.0, 85.0), (0.5, 70.0), (0.2, 60.0), (0.0, 50.0)), 0.0)
_FLOW = Cases(
    ("flow_bias", "flow_score", "flow_sweeps"),
    (
        ("very_strong", (WITH_THE_TRADE, above("flow_score", 70.0)), 100.0),
        ("many_sweeps", (WITH_THE_TRADE, above("flow_sweeps", 3.0)), 90.0),
        ("strong", (WITH_THE_TRADE, above("flow_score", 60.0)), 85.0),
        ("some_sweeps", (WITH_THE_TRADE, above("flow_sweeps", 0.0)), 70.0),
        ("opposed", (AGAINST_THE_TRADE,), 30.0),
    ),
    60.0,
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
_MOMENTUM = ShareOfTests(
    tuple((at_least(rsi, 50.0), at_most(rsi, 70.0)) for rsi in ("rsi_14", "rsi_15m", "rsi_1h")),
)

BREAKOUTS = build_pair(
    "breakout",
    Strategy.BREAKOUT,
    purpose="Price breaks out of the range of the last 20 complete 5-minute bars, on volume and beyond VWAP.",
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
    example={
        "above_20_bar_high_pct": 0.15,
        "rvol": 2.8,
        "vwap_distance_pct": 0.8,
        "flow_bias": 1.0,
        "flow_score": 66.0,
        "flow_sweeps": 2.0,
        "above_opening_range_pct": 0.2,
        "above_swing_high_pct": 0.15,
        "rsi_14": 66.0,
        "rsi_15m": 62.0,
        "rsi_1h": 58.0,
    },
)
