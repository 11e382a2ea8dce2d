"""Mean reversion of equities: price is stretched away from VWAP and its averages, and the stretch ends.

Belongs here: `mean_reversion_long` and `mean_reversion_short`, one description of everything either side has.

The published rules are not symmetrical, and that is kept: only buyers must be 2 ATR from EMA 21, have the rules of a
falling market and are stopped by opposed flow; only sellers need volume, and a market that does not trend against them.
Their weights differ too, since sellers have fewer factors.

Differences from the predecessor:

- "Trending down" is the family of the market's regime; its vocabularies did not meet, so the rules of a falling market
  had nothing to go by.
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.detector import EQUITIES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses
from hd_pipelines.signals.detectors.rules.conditions import Condition, Veto, above, at_least, at_most, below
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
from hd_pipelines.signals.detectors.rules.shared_vetoes import (
    AGAINST_THE_MARKET,
    MARKET_AGAINST_THE_TRADE,
    OPPOSED_FLOW,
    falling_knife,
)
from hd_pipelines.tables.vocabulary import Strategy

_FAR_FROM_EMA_21 = Steps(
    "ema_21_distance_atr",
    ((-3.0, 100.0), (-2.5, 90.0), (-2.0, 80.0), (-1.5, 70.0), (-1.0, 55.0)),
    40.0,
    rising=False,
)
_PATIENCE_CANDLE = at_least("is_patience_candle", 1.0)
_BUYERS_REVERSAL = Bonuses(50.0, ("is_patience_candle",), (("patience_candle", (_PATIENCE_CANDLE,), 30.0),))
_SELLERS_REVERSAL = Bonuses(
    50.0,
    ("is_patience_candle", "bullish_divergence"),
    (
        ("divergence", (above("bullish_divergence", 0.0),), 30.0),
        ("patience_candle", (_PATIENCE_CANDLE,), 20.0),
    ),
)

MEAN_REVERSIONS = build_pair(
    "mean_reversion",
    Strategy.MEAN_REVERSION,
    purpose="Price is stretched away from VWAP with an extreme RSI, and should return.",
    suffixes=("long", "short"),
    asset_classes=EQUITIES,
    conditions=(
        Condition("extreme_rsi", (below("rsi_14", 30.0),)),
        Condition("far_from_vwap", (below("vwap_distance_pct", -0.5),)),
        Condition("far_from_ema_21", (at_most("ema_21_distance_atr", -2.0),)),
        Condition("volume_for_sellers", (at_least("rvol", 1.2),)),
        Veto("not_extreme_enough_against_the_market", (MARKET_AGAINST_THE_TRADE, above("rsi_14", 20.0))),
        falling_knife(3.0),
        *OPPOSED_FLOW,
        AGAINST_THE_MARKET,
    ),
    factors=(
        Factor("rsi", 0.20, OVERSOLD),
        Factor("vwap", 0.15, below_vwap(40.0)),
        Factor("ema_21", 0.15, _FAR_FROM_EMA_21),
        Factor("volume", 0.10, RELATIVE_VOLUME),
        Factor("regime", 0.10, regime_for_reversal(against=20.0)),
        Factor("divergence", 0.15, DIVERGENCE),
        Factor("rsi_turns", 0.10, RSI_TURNS),
        Factor("buyers_reversal", 0.05, _BUYERS_REVERSAL),
        Factor("sellers_reversal", 0.05, _SELLERS_REVERSAL),
    ),
    long_without=("volume_for_sellers", "against_the_market", "sellers_reversal"),
    short_without=(
        "far_from_ema_21",
        "not_extreme_enough_against_the_market",
        "falling_knife",
        "opposed_by_blocks",
        "opposed_by_sweeps",
        "ema_21",
        "divergence",
        "rsi_turns",
        "buyers_reversal",
    ),
    short_changes={"factor.rsi.weight": 0.35, "factor.vwap.weight": 0.30, "factor.volume.weight": 0.20},
    contract=ContractLimits((0.45, 0.55), (3, 10), 100, 500, 5.0),
    example={
        "rsi_14": 18.5,
        "vwap_distance_pct": -1.15,
        "ema_21_distance_atr": -2.6,
        "rvol": 1.8,
        "regime_family": encode_value("regime_family", "RANGING"),
        "ema_9_distance_pct": -0.9,
        "ema_21_distance_pct": -1.4,
        "flow_bias": 0.0,
        "flow_blocks": 0.0,
        "flow_sweeps": 1.0,
        "flow_score": 35.0,
        "bullish_divergence": 60.0,
        "rsi_change": 1.8,
        "is_patience_candle": 1.0,
    },
)
