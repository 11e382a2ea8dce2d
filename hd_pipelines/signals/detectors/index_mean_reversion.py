"""Mean reversion of indices: the equities' pattern with the narrower distances of an index and a preferred time of day.

Belongs here: `index_mean_reversion_long` and `index_mean_reversion_short`, one description of everything either side
has. Volume and VWAP are those of the index's fund, since an index has none.

As published, only buyers must be 1.8 ATR from EMA 21, have the falling-knife rule and are stopped by opposed flow; only
sellers need a market that does not trend against them, and they need more volume. Their weights differ.

Differences from the predecessor:

- In a falling market it asked buyers for an RSI of at most 25 again; the condition below 25 says so already.
- The preferred time ends 150 minutes (or, for 80 points, 90) before the session's own close.
- Volume and VWAP come from the index's fund; its own feed had none, so the detectors could not fire.
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Cases
from hd_pipelines.signals.detectors.rules.conditions import Condition, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.curves import Steps
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import (
    DIVERGENCE,
    OVERSOLD,
    RELATIVE_VOLUME,
    RSI_TURNS,
    below_vwap,
    regime_for_reversal,
)
from hd_pipelines.signals.detectors.rules.shared_vetoes import AGAINST_THE_MARKET, OPPOSED_FLOW, falling_knife
from hd_pipelines.tables.vocabulary import Strategy

_FAR_FROM_EMA_21 = Steps(
    "ema_21_distance_atr",
    ((-2.5, 100.0), (-2.0, 90.0), (-1.5, 80.0), (-1.2, 70.0), (-1.0, 55.0)),
    40.0,
    rising=False,
)
_TIME_OF_DAY = Cases(
    ("minutes_from_open", "minutes_to_close"),
    (
        ("middle", (at_least("minutes_from_open", 60.0), at_least("minutes_to_close", 150.0)), 100.0),
        ("wider_middle", (at_least("minutes_from_open", 30.0), at_least("minutes_to_close", 90.0)), 80.0),
    ),
    60.0,
)

INDEX_MEAN_REVERSIONS = build_pair(
    "index_mean_reversion",
    Strategy.INDEX_MEAN_REVERSION,
    purpose="An index is stretched away from VWAP with an extreme RSI, and should return.",
    suffixes=("long", "short"),
    asset_classes=INDICES,
    conditions=(
        Condition("extreme_rsi", (below("rsi_14", 25.0),)),
        Condition("far_from_vwap", (below("vwap_distance_pct", -0.4),)),
        Condition("far_from_ema_21", (at_most("ema_21_distance_atr", -1.8),)),
        Condition("volume", (at_least("rvol", 1.0),)),
        falling_knife(2.0),
        *OPPOSED_FLOW,
        AGAINST_THE_MARKET,
    ),
    factors=(
        Factor("vwap", 0.15, below_vwap(50.0)),
        Factor("ema_21", 0.20, _FAR_FROM_EMA_21),
        Factor("rsi", 0.15, OVERSOLD),
        Factor("volume", 0.10, RELATIVE_VOLUME),
        Factor("regime", 0.10, regime_for_reversal(against=40.0)),
        Factor("divergence", 0.15, DIVERGENCE),
        Factor("rsi_turns", 0.10, RSI_TURNS),
        Factor("time_of_day", 0.05, _TIME_OF_DAY),
    ),
    long_without=("against_the_market",),
    short_without=(
        "far_from_ema_21",
        "falling_knife",
        "opposed_by_blocks",
        "opposed_by_sweeps",
        "ema_21",
        "divergence",
        "rsi_turns",
    ),
    short_changes={
        "condition.volume.rvol.at_least": 1.3,
        "factor.vwap.weight": 0.30,
        "factor.rsi.weight": 0.25,
        "factor.volume.weight": 0.20,
        "factor.regime.weight": 0.15,
        "factor.time_of_day.weight": 0.10,
    },
    contract=ContractLimits((0.40, 0.50), (1, 5), 200, 1000, 3.0),
    example={
        "rsi_14": 21.0,
        "vwap_distance_pct": -0.75,
        "ema_21_distance_atr": -2.2,
        "rvol": 1.6,
        "regime_family": encode_value("regime_family", "RANGING"),
        "ema_9_distance_pct": -0.45,
        "ema_21_distance_pct": -0.8,
        "flow_bias": 0.0,
        "flow_blocks": 1.0,
        "flow_sweeps": 1.0,
        "flow_score": 30.0,
        "bullish_divergence": 50.0,
        "rsi_change": 1.5,
        "minutes_from_open": 150.0,
        "minutes_to_close": 240.0,
    },
)
