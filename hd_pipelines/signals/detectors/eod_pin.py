"""End-of-day pin of an index: in the last half hour of an expiration day, price is drawn towards max pain.

The trade points towards max pain; exactly at max pain there is no trade. It needs the option chain. It can also fire on
daily frames, since no condition needs minute bars.

Design notes:

- The direction follows from the side of max pain: long below it, short above it.
- The open-interest factor reaches 100 points when the max-pain strike holds 1 % of the expirations' open interest. On ten
  SPX and NDX chains from 2019 to 2023 that strike held 0.02 to 2.3 %, on six of them less than 0.5 %. A scale with 100
  points at 30 % would score most chains 1 or 2 points and keep the base score below 70.
- The last half hour is counted back from the session's own close, so it exists on half days too.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, Detector
from hd_pipelines.signals.detectors.rules.condition_curves import Cases
from hd_pipelines.signals.detectors.rules.conditions import Condition, above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.curves import Line, Steps, line_through
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import near_a_strike
from hd_pipelines.signals.detectors.rules.shared_vetoes import RECENT_CHAIN
from hd_pipelines.tables.vocabulary import Direction, Strategy

_LATE = Steps("minutes_to_close", ((30.0, 50.0),), Line("minutes_to_close", 100.0, -1.67))
_DEALERS = Cases(("max_pain_gamma",), (("long_gamma", (above("max_pain_gamma", 0.0),), 100.0),), 30.0)

EOD_PIN = Detector(
    "eod_pin_setup",
    Strategy.EOD_PIN,
    purpose="In the last half hour of an expiration day, an index near max pain is drawn towards it.",
    directions=(Direction.LONG, Direction.SHORT),
    asset_classes=INDICES,
    needs_chain=True,
    conditions=(
        Condition("last_half_hour", (at_most("minutes_to_close", 30.0),)),
        Condition("expires_today", (at_least("is_zero_dte", 1.0),)),
        Condition("max_pain_lies_ahead", (below("max_pain_distance_pct", 0.0),)),
        Condition("near_max_pain", (at_least("max_pain_distance_pct", -0.5),)),
        Condition("open_interest", (at_least("max_pain_open_interest", 5000.0),)),
        RECENT_CHAIN,
    ),
    factors=(
        Factor("strike", 0.40, near_a_strike("max_pain_distance_pct")),
        Factor("open_interest_share", 0.30, line_through("max_pain_oi_share", (0.0, 0.0), (0.01, 100.0))),
        Factor("timing", 0.20, _LATE),
        Factor("dealers", 0.10, _DEALERS),
    ),
    contract=ContractLimits((0.48, 0.52), (0, 0), 500, 2000, 2.0),
    example={
        "chain_age_minutes": 11.0,
        "minutes_to_close": 8.0,
        "is_zero_dte": 1.0,
        "max_pain_distance_pct": -0.03,
        "max_pain_open_interest": 9200.0,
        "max_pain_oi_share": 0.006,
        "max_pain_gamma": 120_000_000.0,
    },
)
