"""Mean reversion of an index: the stock pattern with an index's narrower distances and a preferred time of day.

Volume and VWAP come from the index's tracking ETF, since an index has none.

The two sides are deliberately not symmetrical. Only the long side must be 1.8 ATR below EMA 21, has the falling-knife veto
and is vetoed by opposing flow. Only the short side is vetoed by a market trending against it, and it needs more volume
(1.3 instead of 1.0). Factor weights differ because the short side has fewer factors.

Design notes:

- In a falling market no stricter RSI rule applies to the long side, since RSI must be below 25 anyway.
- The preferred time ends 150 minutes before the session's own close (for 80 points, 90 minutes).
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Cases
from hd_pipelines.signals.detectors.rules.conditions import Condition, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import (
    DIVERGENCE,
    OVERSOLD,
    RELATIVE_VOLUME,
    RSI_TURNS,
    below_ema_21,
    below_vwap,
    regime_for_reversal,
)
from hd_pipelines.signals.detectors.rules.shared_vetoes import LONG_REVERSIONS_ONLY, reversion_vetoes
from hd_pipelines.tables.vocabulary import Strategy

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
    purpose="An index is stretched away from VWAP with an extreme RSI and is likely to revert.",
    suffixes=("long", "short"),
    asset_classes=INDICES,
    conditions=(
        Condition("extreme_rsi", (below("rsi_14", 25.0),)),
        Condition("far_from_vwap", (below("vwap_distance_pct", -0.4),)),
        Condition("far_from_ema_21", (at_most("ema_21_distance_atr", -1.8),)),
        Condition("volume", (at_least("rvol", 1.0),)),
        *reversion_vetoes(2.0),
    ),
    factors=(
        Factor("vwap", 0.15, below_vwap(50.0)),
        Factor("ema_21", 0.20, below_ema_21(-2.5, -2.0, -1.5, -1.2, -1.0)),
        Factor("rsi", 0.15, OVERSOLD),
        Factor("volume", 0.10, RELATIVE_VOLUME),
        Factor("regime", 0.10, regime_for_reversal(against=40.0)),
        Factor("divergence", 0.15, DIVERGENCE),
        Factor("rsi_turns", 0.10, RSI_TURNS),
        Factor("time_of_day", 0.05, _TIME_OF_DAY),
    ),
    long_without=("against_the_market",),
    short_without=LONG_REVERSIONS_ONLY,
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
