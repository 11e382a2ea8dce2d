"""The flow engine: option prints that lean with a trade raise its score, prints that lean against it lower it.

The put/call ratio is taken of sentiment, not of option type: a sold put counts as bullish. Only prints whose side is known
count. Nothing that opposes a trade boosts it. If only one side traded in a window there is no ratio, and the lean counts at
the lowest step. Counting prints is in `signals.flow_window`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from hd_pipelines.signals.engines.freshness import measure_freshness
from hd_pipelines.signals.engines.reading import Reading, make_neutral_reading, make_reading
from hd_pipelines.signals.flow_window import (
    FEWEST_PRINTS,
    LEAST_PREMIUM_USD,
    WINDOW_HOURS,
    FlowSummary,
    summarize_prints,
)
from hd_pipelines.signals.tape import Prints
from hd_pipelines.tables.vocabulary import ContextEngine, Direction, FlowRecommendation, FlowStrength, FlowUrgency

ENGINE = ContextEngine.FLOW
STRONGLY_BULLISH_BELOW, BULLISH_BELOW, BEARISH_ABOVE, STRONGLY_BEARISH_ABOVE = 0.5, 0.7, 1.3, 2.0
"""Bearish/bullish ratio."""
STEPS = ((40.0, 1.05), (60.0, 1.10), (80.0, 1.15), (100.0, 1.20))
"""Multiplier of a lean up to each strength, if it goes with the trade."""
ONE_SIDED_STRENGTH = 40.0
WITH_THE_TRADE, AGAINST_IT = 1.15, 0.80
INSTITUTIONAL = ((30.0, 0.95), (60.0, 1.05), (80.0, 1.10))
INSTITUTIONAL_ABOVE = 1.15
"""Multiplier of an institutional score below 30, up to 60, up to 80, and above; never a boost against the trade."""
FOLLOW_FROM, CONFIRM_FROM = 70.0, 50.0
FADE_STRENGTH, FADE_INSTITUTIONAL = 60.0, 20.0
URGENCIES = ((75.0, FlowUrgency.VERY_AGGRESSIVE), (60.0, FlowUrgency.AGGRESSIVE), (40.0, FlowUrgency.MODERATE))
FEW_PRINTS, LITTLE_PREMIUM_USD, LITTLE_INSTITUTIONAL, LITTLE_KNOWN_PCT, SHORT_WINDOW_HOURS = (
    20,
    100_000.0,
    30.0,
    50.0,
    1.0,
)
LESS_FOR_FEW, LESS_FOR_LITTLE, LESS_FOR_RETAIL, LESS_FOR_UNKNOWN, LESS_FOR_SHORT = 20.0, 15.0, 15.0, 15.0, 10.0
"""Confidence lost below each of the values above, in their order."""


class Lean(NamedTuple):
    """Direction and strength (0-100) of a window's lean. `kind` is None if no side is known."""

    kind: FlowStrength | None
    strength: float

    @property
    def sign(self) -> int:
        """1 bullish, -1 bearish, 0 neither."""
        if self.kind in {FlowStrength.STRONGLY_BULLISH, FlowStrength.BULLISH}:
            return 1
        return -1 if self.kind in {FlowStrength.STRONGLY_BEARISH, FlowStrength.BEARISH} else 0


def read(prints: Prints | None, *, as_of_ns: int, direction: Direction, trading_hours: float = WINDOW_HOURS) -> Reading:
    """Read the prints of the last `trading_hours`; neutral without prints, or with too few."""
    summary = summarize_prints(prints, as_of_ns, trading_hours=trading_hours)
    if summary is None:
        return make_neutral_reading(ENGINE, FlowRecommendation.WAIT, "no flow: no option print was ever recorded")
    if summary.newest_at_ns is None or not summary.is_enough:
        found = f"{summary.prints} prints and ${summary.premium:,.0f} in {trading_hours:g} trading hours"
        needed = f"{FEWEST_PRINTS} and ${LEAST_PREMIUM_USD:,.0f} are needed"
        return make_neutral_reading(ENGINE, FlowRecommendation.WAIT, f"{found}; {needed}")
    lean, institutional = find_lean(summary), summary.institutional_score
    fresh = measure_freshness(ENGINE, summary.newest_at_ns, as_of_ns)
    return make_reading(
        ENGINE,
        opinion=compute_opinion(lean, institutional, direction),
        confidence=compute_confidence(summary, trading_hours),
        freshness=fresh.share,
        recommendation=recommend(lean.strength, institutional),
        reason=fresh.annotate(_reason(summary, lean, institutional)),
        age_minutes=fresh.age_minutes,
    )


def find_lean(summary: FlowSummary) -> Lean:
    """Find the lean of a window from the mean of its bearish/bullish ratios by volume and by premium."""
    ratio = (summary.bearish_bullish_by_volume + summary.bearish_bullish_by_premium) / 2.0
    if not math.isnan(ratio):
        return classify_ratio(ratio)
    if summary.bullish_premium > 0.0:
        return Lean(FlowStrength.BULLISH, ONE_SIDED_STRENGTH)
    return Lean(FlowStrength.BEARISH, ONE_SIDED_STRENGTH) if summary.bearish_premium > 0.0 else Lean(None, 0.0)


def classify_ratio(ratio: float) -> Lean:
    """Classify a bearish/bullish ratio above 0."""
    if ratio < STRONGLY_BULLISH_BELOW:
        return Lean(FlowStrength.STRONGLY_BULLISH, (1.0 - ratio) * 100.0)
    if ratio < BULLISH_BELOW:
        return Lean(FlowStrength.BULLISH, (1.0 - ratio) * 80.0)
    if ratio <= BEARISH_ABOVE:
        return Lean(FlowStrength.NEUTRAL, 50.0)
    if ratio <= STRONGLY_BEARISH_ABOVE:
        return Lean(FlowStrength.BEARISH, (ratio - 1.0) * 80.0)
    return Lean(FlowStrength.STRONGLY_BEARISH, min((ratio - 1.0) * 100.0, 100.0))


def compute_opinion(lean: Lean, institutional: float, direction: Direction) -> float:
    """Compute the multiplier of a lean and an institutional score (0-100) for a trade."""
    towards = lean.sign * direction.sign
    of_institutions = find_institutional_factor(institutional)
    if towards > 0:
        return WITH_THE_TRADE * find_strength_factor(lean.strength) * of_institutions
    return AGAINST_IT * min(of_institutions, 1.0) if towards < 0 else of_institutions


def find_strength_factor(strength: float) -> float:
    """Find the multiplier of a lean with the trade; `strength` is 0-100."""
    return next((factor for most, factor in STEPS if strength <= most), STEPS[-1][1])


def find_institutional_factor(score: float) -> float:
    """Find the multiplier of an institutional score, 0-100."""
    below, _ = INSTITUTIONAL[0]
    if score < below:
        return INSTITUTIONAL[0][1]
    return next((factor for most, factor in INSTITUTIONAL[1:] if score <= most), INSTITUTIONAL_ABOVE)


def compute_confidence(summary: FlowSummary, trading_hours: float = WINDOW_HOURS) -> float:
    """Compute confidence, 0-100; lower for few prints, little premium, few institutions, unknown sides, a short window."""
    return (
        100.0
        - LESS_FOR_FEW * (summary.prints < FEW_PRINTS)
        - LESS_FOR_LITTLE * (summary.premium < LITTLE_PREMIUM_USD)
        - LESS_FOR_RETAIL * (summary.institutional_score < LITTLE_INSTITUTIONAL)
        - LESS_FOR_UNKNOWN * (summary.known_pct < LITTLE_KNOWN_PCT)
        - LESS_FOR_SHORT * (trading_hours <= SHORT_WINDOW_HOURS)
    )


def recommend(strength: float, institutional: float) -> FlowRecommendation:
    """Recommend an action from the strength of the lean and the institutional score, both 0-100."""
    if strength > FOLLOW_FROM and institutional > FOLLOW_FROM:
        return FlowRecommendation.FOLLOW_FLOW
    if strength > CONFIRM_FROM and institutional > CONFIRM_FROM:
        return FlowRecommendation.CONFIRM_FLOW
    if strength > FADE_STRENGTH and institutional < FADE_INSTITUTIONAL:
        return FlowRecommendation.FADE_FLOW
    return FlowRecommendation.NEUTRAL


def classify_urgency(aggressiveness: float) -> FlowUrgency | None:
    """Classify an aggressiveness, 0-100; None for NaN."""
    if math.isnan(aggressiveness):
        return None
    return next((word for above, word in URGENCIES if aggressiveness > above), FlowUrgency.PASSIVE)


def _reason(summary: FlowSummary, lean: Lean, institutional: float) -> str:
    found = f"{summary.prints} prints, ${summary.premium:,.0f}, institutional {institutional:.0f}"
    if lean.kind is None:
        return f"no side is known, so no lean; {found}"
    hurry = classify_urgency(summary.aggressiveness)
    one_sided = "" if summary.bullish and summary.bearish else " (one side only, no ratio)"
    leaning = f"{lean.kind.value}{one_sided}, {hurry.value if hurry is not None else 'urgency unknown'}"
    return f"{leaning}; {found}; side known of {summary.known_pct:.0f} % of premium"
