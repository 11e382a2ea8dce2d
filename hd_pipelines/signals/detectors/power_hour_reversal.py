"""Power-hour reversal of an index: in the last hour, price sits at the day's extreme with an extreme RSI, and turns.

Design notes:

- The day's high, low and open are the session's, not those of the latest bar.
- The last hour is counted back from the session's own close, so it exists on half days too.
- Blocks and sweeps score only when flow leans in the trade's direction.
- RSI beyond the last step and times before the last hour score 0. No row that fires reaches them unless parameters are
  changed.
- Above the open (for a long trade) the range factor keeps falling from its 40 points.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses
from hd_pipelines.signals.detectors.rules.conditions import Condition, above, at_least, at_most
from hd_pipelines.signals.detectors.rules.curves import Line, Steps
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import WITH_THE_TRADE
from hd_pipelines.tables.vocabulary import Strategy

_AT_THE_EXTREME = Steps(
    "day_range_position",
    ((5.0, 100.0), (10.0, 85.0), (20.0, 70.0)),
    Line("day_range_position", 100.0, -3.0),
    rising=False,
)
_LATE = Steps("minutes_to_close", ((30.0, 100.0), (45.0, 85.0), (60.0, 70.0)), 0.0, rising=False)
_EXTREME_RSI = Steps("rsi_14", ((25.0, 100.0), (30.0, 85.0), (35.0, 70.0), (40.0, 55.0)), 0.0, rising=False)
_FLOW = Bonuses(
    50.0,
    ("flow_bias", "flow_blocks", "flow_sweeps"),
    (
        ("aligned", (WITH_THE_TRADE,), 30.0),
        ("aligned_with_blocks", (WITH_THE_TRADE, above("flow_blocks", 2.0)), 10.0),
        ("aligned_with_sweeps", (WITH_THE_TRADE, above("flow_sweeps", 2.0)), 10.0),
    ),
)

POWER_HOUR_REVERSALS = build_pair(
    "power_hour_reversal",
    Strategy.POWER_HOUR_REVERSAL,
    purpose="In the last hour, an exhausted index sits at the day's extreme and turns back into its range.",
    asset_classes=INDICES,
    conditions=(
        Condition("power_hour", (at_most("minutes_to_close", 60.0),)),
        Condition("at_the_days_extreme", (at_most("above_day_low_pct", 0.5),)),
        Condition("extreme_rsi", (at_most("rsi_14", 40.0),)),
        Condition("volume", (at_least("rvol", 1.2),)),
    ),
    factors=(
        Factor("extreme", 0.25, _AT_THE_EXTREME),
        Factor("timing", 0.20, _LATE),
        Factor("reversal", 0.25, _EXTREME_RSI),
        Factor("flow", 0.20, _FLOW),
        Factor("range", 0.10, Line("change_from_open_pct", 40.0, -40.0)),
    ),
    contract=ContractLimits((0.45, 0.55), (0, 1), 300, 500, 3.0),
    example={
        "minutes_to_close": 25.0,
        "above_day_low_pct": 0.15,
        "rsi_14": 27.0,
        "rvol": 1.6,
        "day_range_position": 8.0,
        "flow_bias": 1.0,
        "flow_blocks": 3.0,
        "flow_sweeps": 2.0,
        "change_from_open_pct": -1.1,
    },
)
