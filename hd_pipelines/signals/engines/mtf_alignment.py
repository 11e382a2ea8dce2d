"""The alignment engine: how far weekly, daily, hourly and 15-minute trends agree with a trade.

Each timeframe counts for or against the trade by its weight. A timeframe that is flat or unknown counts half, so a market
without trends is neutral. Confidence measures how far timeframes agree with each other, so a market united against a trade
is a certain penalty. Trends are measured in `features.indicators.trends`.
"""

from __future__ import annotations

import math

from hd_pipelines.signals.engines.freshness import compute_freshness
from hd_pipelines.signals.engines.reading import Reading, make_neutral_reading, make_reading
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.tables.vocabulary import ContextEngine, Direction, MtfAlignment, MtfRecommendation

ENGINE = ContextEngine.MTF_ALIGNMENT
WEIGHTS = {"week": 3.0, "day": 2.0, "1h": 1.0, "15m": 0.5}
_TOTAL = sum(WEIGHTS.values())
_COLUMNS = tuple((name, f"mtf_trend_{name}", f"mtf_strength_{name}", weight) for name, weight in WEIGHTS.items())
CLASSES = (
    (85.0, MtfAlignment.FULLY_ALIGNED),
    (65.0, MtfAlignment.MOSTLY_ALIGNED),
    (45.0, MtfAlignment.NEUTRAL),
    (25.0, MtfAlignment.DIVERGING),
    (0.0, MtfAlignment.CONFLICTING),
)
"""Minimum alignment, 0-100, of each class."""
OF_CLASS = {
    MtfAlignment.FULLY_ALIGNED: 1.25,
    MtfAlignment.MOSTLY_ALIGNED: 1.10,
    MtfAlignment.NEUTRAL: 1.00,
    MtfAlignment.DIVERGING: 0.85,
    MtfAlignment.CONFLICTING: 0.65,
}
ALIGNED = frozenset({MtfAlignment.FULLY_ALIGNED, MtfAlignment.MOSTLY_ALIGNED})
OPPOSED = frozenset({MtfAlignment.DIVERGING, MtfAlignment.CONFLICTING})
WITH_THE_DOMINANT_TREND = 1.20
AGAINST_IT = 0.70
DOMINANT_FROM, STRONGLY_FROM = 0.5, 1.5
"""Weighted mean of the trends, -2 to 2, from which there is a trend, and a strong one."""
HEAVY = 2.0
LESS_FOR_MISSING = 15.0
"""Confidence lost for each unknown timeframe of weight `HEAVY` or more."""
RECOMMENDED = {
    MtfAlignment.FULLY_ALIGNED: MtfRecommendation.STRONG_SIGNAL,
    MtfAlignment.MOSTLY_ALIGNED: MtfRecommendation.CONFIRM_SIGNAL,
    MtfAlignment.NEUTRAL: MtfRecommendation.WAIT_ALIGNMENT,
    MtfAlignment.DIVERGING: MtfRecommendation.AVOID_DIVERGENCE,
    MtfAlignment.CONFLICTING: MtfRecommendation.AVOID_DIVERGENCE,
}


def read(frame: FeatureFrame, row: int, *, direction: Direction) -> Reading:
    """Read the trends of a frame's row for a trade; neutral if none is known."""
    trends: dict[str, float] = {}
    strengths = missing = 0.0
    for name, trend_column, strength_column, weight in _COLUMNS:
        trend, strength = float(frame.columns[trend_column][row]), float(frame.columns[strength_column][row])
        if math.isnan(trend):
            missing += LESS_FOR_MISSING if weight >= HEAVY else 0.0
            continue
        trends[name] = trend
        strengths += 0.0 if math.isnan(strength) else strength
    if not trends:
        return make_neutral_reading(
            ENGINE, MtfRecommendation.WAIT_ALIGNMENT, "no trend: too few bars of every timeframe"
        )
    aligned = measure_alignment(trends, direction)
    kind = classify_alignment(aligned)
    price_age = float(frame.columns["price_age_minutes"][row])
    fresh = compute_freshness(ENGINE, 0.0 if math.isnan(price_age) else price_age)
    unknown = [name for name in WEIGHTS if name not in trends]
    reason = f"{_describe_trends(trends)}: {aligned:.0f} % with the trade, {kind.value}"
    return make_reading(
        ENGINE,
        opinion=compute_opinion(kind, find_dominant_trend(trends) * direction.sign),
        confidence=(max(aligned, 100.0 - aligned) - missing + strengths / len(WEIGHTS)) / 2.0,
        freshness=fresh.share,
        recommendation=RECOMMENDED[kind],
        reason=fresh.annotate(reason + (f"; unknown: {', '.join(unknown)}" if unknown else "")),
        age_minutes=fresh.age_minutes,
    )


def measure_alignment(trends: dict[str, float], direction: Direction) -> float:
    """Measure the weight of timeframes with the trade, 0-100; one that is flat or not in `trends` counts half."""
    leaning = sum(WEIGHTS[name] * ((trend > 0) - (trend < 0)) for name, trend in trends.items())
    return 50.0 + 50.0 * direction.sign * leaning / _TOTAL


def classify_alignment(aligned: float) -> MtfAlignment:
    """Classify an alignment, 0-100."""
    return next(kind for least, kind in CLASSES if aligned >= least)


def find_dominant_trend(trends: dict[str, float]) -> float:
    """Find the trend of the weighted mean of known timeframes: 2, 1, 0, -1 or -2."""
    mean = sum(WEIGHTS[name] * trend for name, trend in trends.items()) / sum(WEIGHTS[name] for name in trends)
    size = (abs(mean) >= DOMINANT_FROM) + (abs(mean) >= STRONGLY_FROM)
    return math.copysign(size, mean)


def compute_opinion(kind: MtfAlignment, dominant_towards: float) -> float:
    """Compute the multiplier of a class; `dominant_towards`: the dominant trend, positive if it goes with the trade."""
    if kind in OPPOSED:
        return OF_CLASS[kind] * AGAINST_IT
    if kind in ALIGNED and dominant_towards > 0:
        return OF_CLASS[kind] * WITH_THE_DOMINANT_TREND
    return OF_CLASS[kind]


_WORDS = {2.0: "strong up", 1.0: "up", 0.0: "flat", -1.0: "down", -2.0: "strong down"}


def _describe_trends(trends: dict[str, float]) -> str:
    return ", ".join(f"{name} {_WORDS.get(trend, trend)}" for name, trend in trends.items())
