"""Mean reversion of stocks and ETFs: price is stretched away from VWAP and its averages, and the stretch is ending.

The two sides are deliberately not symmetrical. Only the long side must be 2 ATR below EMA 21, has the vetoes for falling
markets and is vetoed by opposing flow. Only the short side needs volume, and is vetoed by a market trending against it.
Factor weights differ because the short side has fewer factors.

Design notes:

- "Trending down" is the family of the market's regime, the same enum that the regime table stores.
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.detector import EQUITIES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses
from hd_pipelines.signals.detectors.rules.conditions import Condition, Veto, above, at_least, at_most, below
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
from hd_pipelines.signals.detectors.rules.shared_vetoes import (
    LONG_REVERSIONS_ONLY,
    MARKET_AGAINST_THE_TRADE,
    reversion_vetoes,
)
from hd_pipelines.tables.vocabulary import Strategy

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
    purpose="Price is stretched away from VWAP with an extreme RSI and is likely to revert.",
    suffixes=("long", "short"),
    asset_classes=EQUITIES,
    conditions=(
        Condition("extreme_rsi", (below("rsi_14", 30.0),)),
        Condition("far_from_vwap", (below("vwap_distance_pct", -0.5),)),
        Condition("far_from_ema_21", (at_most("ema_21_distance_atr", -2.0),)),
        Condition("volume_for_sellers", (at_least("rvol", 1.2),)),
        Veto("not_extreme_enough_against_the_market", (MARKET_AGAINST_THE_TRADE, above("rsi_14", 20.0))),
        *reversion_vetoes(3.0),
    ),
    factors=(
        Factor("rsi", 0.20, OVERSOLD),
        Factor("vwap", 0.15, below_vwap(40.0)),
        Factor("ema_21", 0.15, below_ema_21(-3.0, -2.5, -2.0, -1.5, -1.0)),
        Factor("volume", 0.10, RELATIVE_VOLUME),
        Factor("regime", 0.10, regime_for_reversal(against=20.0)),
        Factor("divergence", 0.15, DIVERGENCE),
        Factor("rsi_turns", 0.10, RSI_TURNS),
        Factor("buyers_reversal", 0.05, _BUYERS_REVERSAL),
        Factor("sellers_reversal", 0.05, _SELLERS_REVERSAL),
    ),
    long_without=("volume_for_sellers", "against_the_market", "sellers_reversal"),
    short_without=(*LONG_REVERSIONS_ONLY, "not_extreme_enough_against_the_market", "buyers_reversal"),
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
