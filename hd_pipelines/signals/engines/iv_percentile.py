"""The IV engine: options that are cheap relative to their own past raise a score, expensive ones lower it.

Class limits are those of `analytics.volatility.iv_classes`. Percentiles are fractions: 0.8, not 80.
"""

from __future__ import annotations

from hd_pipelines.analytics.volatility.iv_classes import FAVORABLE_BELOW
from hd_pipelines.signals.engines.freshness import measure_freshness
from hd_pipelines.signals.engines.reading import Reading, make_neutral_reading, make_reading
from hd_pipelines.signals.tape import IvContext
from hd_pipelines.tables.vocabulary import ContextEngine, Direction, IvRecommendation, IvRegime

ENGINE = ContextEngine.IV_PERCENTILE
OF_CLASS = {
    IvRegime.EXTREMELY_LOW: 1.20,
    IvRegime.LOW: 1.10,
    IvRegime.NORMAL: 1.00,
    IvRegime.ELEVATED: 0.95,
    IvRegime.HIGH: 0.85,
    IvRegime.EXTREMELY_HIGH: 0.70,
}
CHEAP = frozenset({IvRegime.EXTREMELY_LOW, IvRegime.LOW})
DEAR = frozenset({IvRegime.HIGH, IvRegime.EXTREMELY_HIGH})
IF_CHEAP = {Direction.LONG: 1.15, Direction.SHORT: 0.90}
IF_DEAR = {Direction.LONG: 0.80, Direction.SHORT: 1.10}
"""Cheap is below the 20th percentile, expensive from the 80th."""
ENOUGH_OBSERVATIONS = 200
LESS_FOR_FEW = 20.0
"""Confidence lost with no observations; proportional below `ENOUGH_OBSERVATIONS`."""
EXTREMES = (0.05, 0.95)
LESS_FOR_EXTREMES = 10.0
RECOMMENDED = {
    IvRegime.EXTREMELY_LOW: IvRecommendation.BUY_PREMIUM,
    IvRegime.LOW: IvRecommendation.BUY_PREMIUM,
    IvRegime.NORMAL: IvRecommendation.NEUTRAL,
    IvRegime.ELEVATED: IvRecommendation.WAIT_FOR_IV_DROP,
    IvRegime.HIGH: IvRecommendation.WAIT_FOR_IV_DROP,
    IvRegime.EXTREMELY_HIGH: IvRecommendation.SELL_PREMIUM,
}
"""NORMAL below the 40th percentile is BUY_FAVORABLE."""


def read(context: IvContext | None, *, as_of_ns: int, direction: Direction) -> Reading:
    """Read the IV percentile among the last 252 sessions for a trade; `context` is the newest row or None."""
    if context is None:
        return make_neutral_reading(ENGINE, IvRecommendation.NEUTRAL, "no IV percentile: no row of this symbol")
    percentile, regime = context.iv_percentile, context.regime
    if percentile is None or regime is None:
        return make_neutral_reading(
            ENGINE, IvRecommendation.NEUTRAL, f"no IV percentile: {context.reason or 'its row has none'}"
        )
    if not 0.0 <= percentile <= 1.0:
        return make_neutral_reading(
            ENGINE, IvRecommendation.NEUTRAL, f"no IV percentile: {percentile:g} is no share between 0 and 1"
        )
    fresh = measure_freshness(ENGINE, context.known_at_ns, as_of_ns)
    reason = f"IV above {100 * percentile:.0f} % of {context.n_observations} sessions: {regime.value}"
    return make_reading(
        ENGINE,
        opinion=compute_opinion(regime, direction),
        confidence=compute_confidence(percentile, context.n_observations),
        freshness=fresh.share,
        recommendation=recommend(regime, percentile),
        reason=fresh.annotate(reason),
        age_minutes=fresh.age_minutes,
    )


def compute_opinion(regime: IvRegime, direction: Direction) -> float:
    """Compute the multiplier of an IV class for a trade."""
    if regime in CHEAP:
        return OF_CLASS[regime] * IF_CHEAP[direction]
    return OF_CLASS[regime] * (IF_DEAR[direction] if regime in DEAR else 1.0)


def compute_confidence(percentile: float, n_observations: int) -> float:
    """Compute confidence, 0-100; lower with fewer than 200 observations, and at the extremes, where one day decides."""
    few = max(ENOUGH_OBSERVATIONS - n_observations, 0) / ENOUGH_OBSERVATIONS
    is_extreme = percentile < EXTREMES[0] or percentile > EXTREMES[1]
    return 100.0 - LESS_FOR_FEW * few - LESS_FOR_EXTREMES * is_extreme


def recommend(regime: IvRegime, percentile: float) -> IvRecommendation:
    """Recommend an action; the same values that `analytics.volatility.iv_classes.classify_iv_recommendation` stores."""
    if regime is IvRegime.NORMAL and percentile < FAVORABLE_BELOW:
        return IvRecommendation.BUY_FAVORABLE
    return RECOMMENDED[regime]
