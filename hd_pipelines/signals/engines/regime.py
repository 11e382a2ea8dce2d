"""The regime engine: how the market regime and the VIX scale a trade, by direction and holding time.

A market that runs against a trade never boosts it: the product is capped at 1. Which strategies a regime forbids is in
`permissions`.
"""

from __future__ import annotations

import math

from hd_pipelines.signals.engines.freshness import measure_freshness
from hd_pipelines.signals.engines.reading import Reading, make_neutral_reading, make_reading
from hd_pipelines.signals.tape import RegimeContext
from hd_pipelines.tables.vocabulary import (
    ContextEngine,
    Direction,
    MarketRegime,
    RegimeRecommendation,
    TradingStyle,
    VixRegime,
)

ENGINE = ContextEngine.REGIME
OF_REGIME = {
    MarketRegime.STRONG_UPTREND: 1.25,
    MarketRegime.WEAK_UPTREND: 1.10,
    MarketRegime.CHOPPY_BULLISH: 0.95,
    MarketRegime.RANGE_BOUND: 0.80,
    MarketRegime.CHOPPY_BEARISH: 0.90,
    MarketRegime.WEAK_DOWNTREND: 1.05,
    MarketRegime.STRONG_DOWNTREND: 1.20,
    MarketRegime.BREAKOUT: 1.30,
    MarketRegime.BREAKDOWN: 1.25,
    MarketRegime.CAPITULATION: 1.40,
    MarketRegime.EUPHORIA: 0.70,
}
OF_VIX = {
    VixRegime.EXTREMELY_LOW: 1.05,
    VixRegime.LOW: 1.10,
    VixRegime.NORMAL: 1.00,
    VixRegime.ELEVATED: 0.95,
    VixRegime.HIGH: 0.85,
    VixRegime.EXTREME: 0.70,
}
RISING = frozenset(
    {
        MarketRegime.STRONG_UPTREND,
        MarketRegime.WEAK_UPTREND,
        MarketRegime.CHOPPY_BULLISH,
        MarketRegime.BREAKOUT,
    }
)
FALLING = frozenset(
    {
        MarketRegime.STRONG_DOWNTREND,
        MarketRegime.WEAK_DOWNTREND,
        MarketRegime.CHOPPY_BEARISH,
        MarketRegime.BREAKDOWN,
    }
)
WITH_THE_MARKET, AGAINST_IT = 1.20, 0.70
AT_EXTREMES = {
    MarketRegime.CAPITULATION: {Direction.LONG: 1.30, Direction.SHORT: 0.65},
    MarketRegime.EUPHORIA: {Direction.LONG: 0.60, Direction.SHORT: 1.25},
}
FAVORED = {
    TradingStyle.SCALP: frozenset(
        {
            MarketRegime.STRONG_UPTREND,
            MarketRegime.WEAK_UPTREND,
            MarketRegime.BREAKOUT,
            MarketRegime.STRONG_DOWNTREND,
            MarketRegime.BREAKDOWN,
        }
    ),
    TradingStyle.DAY_TRADE: frozenset(
        {
            MarketRegime.STRONG_UPTREND,
            MarketRegime.WEAK_UPTREND,
            MarketRegime.BREAKOUT,
            MarketRegime.STRONG_DOWNTREND,
            MarketRegime.BREAKDOWN,
            MarketRegime.WEAK_DOWNTREND,
        }
    ),
    TradingStyle.SWING: frozenset(
        {
            MarketRegime.STRONG_UPTREND,
            MarketRegime.STRONG_DOWNTREND,
            MarketRegime.BREAKOUT,
            MarketRegime.BREAKDOWN,
            MarketRegime.CAPITULATION,
        }
    ),
}
NOT_FAVORED = 0.85
RECOMMENDED = {
    MarketRegime.STRONG_UPTREND: RegimeRecommendation.AGGRESSIVE_LONGS,
    MarketRegime.BREAKOUT: RegimeRecommendation.AGGRESSIVE_LONGS,
    MarketRegime.WEAK_UPTREND: RegimeRecommendation.SELECTIVE_LONGS,
    MarketRegime.CHOPPY_BULLISH: RegimeRecommendation.SELECTIVE_LONGS,
    MarketRegime.RANGE_BOUND: RegimeRecommendation.NEUTRAL,
    MarketRegime.CHOPPY_BEARISH: RegimeRecommendation.SELECTIVE_SHORTS,
    MarketRegime.WEAK_DOWNTREND: RegimeRecommendation.SELECTIVE_SHORTS,
    MarketRegime.STRONG_DOWNTREND: RegimeRecommendation.AGGRESSIVE_SHORTS,
    MarketRegime.BREAKDOWN: RegimeRecommendation.AGGRESSIVE_SHORTS,
    MarketRegime.CAPITULATION: RegimeRecommendation.CONTRARIAN_OPPORTUNITY,
    MarketRegime.EUPHORIA: RegimeRecommendation.CONTRARIAN_OPPORTUNITY,
}
"""RANGE_BOUND with a VIX of NORMAL or more is AVOID_TRADING."""
_CALM = frozenset({VixRegime.EXTREMELY_LOW, VixRegime.LOW})


def read(context: RegimeContext | None, *, as_of_ns: int, direction: Direction, style: TradingStyle) -> Reading:
    """Read the market regime for a trade; `context` is the newest row or None. An unknown VIX is left out and named."""
    if context is None:
        return make_neutral_reading(ENGINE, RegimeRecommendation.NEUTRAL, "no regime: no session has one yet")
    regime, vix = context.market_regime, context.vix_regime
    if regime is None:
        return make_neutral_reading(
            ENGINE, RegimeRecommendation.NEUTRAL, f"no regime: {context.reason or 'its row has none'}"
        )
    if context.confidence is None or math.isnan(context.confidence):
        return make_neutral_reading(
            ENGINE, RegimeRecommendation.NEUTRAL, f"regime {regime.value} without confidence counts for nothing"
        )
    fresh = measure_freshness(ENGINE, context.known_at_ns, as_of_ns)
    of_vix = f"VIX {vix.value}" if vix is not None else "VIX unknown and left out"
    of_style = "" if regime in FAVORED[style] else f", no regime for a {style.value}"
    return make_reading(
        ENGINE,
        opinion=compute_opinion(regime, vix, direction, style),
        confidence=context.confidence,
        freshness=fresh.share,
        recommendation=recommend(regime, vix),
        reason=fresh.annotate(f"{regime.value} {_COURSE[find_course(regime, direction)]}, {of_vix}{of_style}"),
        age_minutes=fresh.age_minutes,
    )


def compute_opinion(regime: MarketRegime, vix: VixRegime | None, direction: Direction, style: TradingStyle) -> float:
    """Compute the multiplier of a regime for a trade; at most 1 if the market runs against it. Unknown VIX: no factor."""
    way = find_course(regime, direction)
    of_direction = AT_EXTREMES[regime][direction] if regime in AT_EXTREMES else _OF_COURSE[way]
    product = (
        OF_REGIME[regime]
        * (OF_VIX[vix] if vix is not None else 1.0)
        * of_direction
        * (1.0 if regime in FAVORED[style] else NOT_FAVORED)
    )
    return min(product, 1.0) if way < 0 else product


def find_course(regime: MarketRegime, direction: Direction) -> int:
    """Return 1 if the market goes with the trade, -1 against it, 0 neither. An exhausted market goes against its move."""
    if regime in AT_EXTREMES:
        return 1 if AT_EXTREMES[regime][direction] > 1.0 else -1
    return ((regime in RISING) - (regime in FALLING)) * direction.sign


def recommend(regime: MarketRegime, vix: VixRegime | None) -> RegimeRecommendation:
    """Recommend an action for a regime, regardless of the trade."""
    if regime is MarketRegime.RANGE_BOUND and vix is not None and vix not in _CALM:
        return RegimeRecommendation.AVOID_TRADING
    return RECOMMENDED[regime]


_OF_COURSE = {1: WITH_THE_MARKET, -1: AGAINST_IT, 0: 1.0}
_COURSE = {1: "with the trade", -1: "against the trade", 0: "with no direction"}
