"""Opening drive of an index: in the first half hour, price moves away from the open on volume.

Design notes:

- The open is the session's first price, not the open of the latest bar.
- Momentum scores 50 points at a move of 0.3 % and 100 at 1 %.
- The gap scores 20 points without a gap, plus 80 per day ATR in the trade's direction; nothing is left at a quarter ATR
  against it.
- Sweeps score only when flow leans in the trade's direction.
- Longer trends count as aligned when both the daily and the hourly trend point in the trade's direction.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses, Cases
from hd_pipelines.signals.detectors.rules.conditions import Condition, above, at_least, at_most
from hd_pipelines.signals.detectors.rules.curves import Line, line_through
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import WITH_THE_TRADE
from hd_pipelines.tables.vocabulary import Strategy

_FLOW = Cases(
    ("flow_bias", "flow_score", "flow_sweeps"),
    (
        ("strong", (WITH_THE_TRADE, above("flow_score", 60.0)), 100.0),
        ("many_sweeps", (WITH_THE_TRADE, above("flow_sweeps", 3.0)), 90.0),
        ("aligned", (WITH_THE_TRADE,), 75.0),
    ),
    50.0,
)
_LONGER_TRENDS = Bonuses(
    50.0,
    ("mtf_trend_day", "mtf_trend_1h"),
    (("aligned", (at_least("mtf_trend_day", 1.0), at_least("mtf_trend_1h", 1.0)), 50.0),),
)

OPENING_DRIVES = build_pair(
    "opening_drive",
    Strategy.OPENING_DRIVE,
    purpose="In the first half hour, an index moves away from its open on volume.",
    asset_classes=INDICES,
    conditions=(
        Condition("first_half_hour", (at_most("minutes_from_open", 30.0),)),
        Condition("moves", (at_least("change_from_open_pct", 0.3),)),
        Condition("volume", (at_least("rvol", 1.5),)),
    ),
    factors=(
        Factor("momentum", 0.30, line_through("change_from_open_pct", (0.3, 50.0), (1.0, 100.0))),
        Factor("volume", 0.25, line_through("rvol", (2.0, 50.0), (4.0, 100.0))),
        Factor("flow", 0.20, _FLOW),
        Factor("gap", 0.15, Line("gap_in_atr", 20.0, 80.0)),
        Factor("mtf", 0.10, _LONGER_TRENDS),
    ),
    contract=ContractLimits((0.50, 0.60), (0, 1), 500, 1000, 2.0),
    example={
        "minutes_from_open": 18.0,
        "change_from_open_pct": 0.72,
        "rvol": 2.8,
        "flow_bias": 1.0,
        "flow_score": 68.0,
        "flow_sweeps": 2.0,
        "gap_in_atr": 0.45,
        "mtf_trend_day": 1.0,
        "mtf_trend_1h": 1.0,
    },
)
