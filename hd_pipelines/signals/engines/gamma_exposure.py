"""The gamma engine: dealers' short gamma amplifies moves, long gamma dampens them, and gamma walls block them.

Hedging works the same way for long and short trades, so both directions get the same factor. A wall lowers the score only
of a trade that moves towards it.
"""

from __future__ import annotations

from hd_pipelines.signals.engines.freshness import measure_freshness
from hd_pipelines.signals.engines.reading import Reading, make_neutral_reading, make_reading
from hd_pipelines.signals.tape import GammaContext
from hd_pipelines.tables.vocabulary import (
    ContextEngine,
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    GammaRecommendation,
    PositioningStrength,
)

ENGINE = ContextEngine.GAMMA_EXPOSURE
OF_STRENGTH = {
    DealerPositioning.LONG_GAMMA: {
        PositioningStrength.WEAK: 0.95,
        PositioningStrength.MODERATE: 0.90,
        PositioningStrength.STRONG: 0.85,
        PositioningStrength.EXTREME: 0.80,
    },
    DealerPositioning.SHORT_GAMMA: {
        PositioningStrength.WEAK: 1.05,
        PositioningStrength.MODERATE: 1.10,
        PositioningStrength.STRONG: 1.15,
        PositioningStrength.EXTREME: 1.20,
    },
    DealerPositioning.NEUTRAL: dict.fromkeys(PositioningStrength, 1.0),
}
OF_BEHAVIOR = {
    ExpectedBehavior.PINNING: 0.70,
    ExpectedBehavior.TRENDING: 1.15,
    ExpectedBehavior.VOLATILE: 1.20,
    ExpectedBehavior.RANGE_BOUND: 0.85,
}
OF_SIGN = {
    DealerPositioning.SHORT_GAMMA: 1.10,
    DealerPositioning.LONG_GAMMA: 0.90,
    DealerPositioning.NEUTRAL: 1.00,
}
"""The same for long and short trades."""
WALL_IN_THE_WAY = 0.85
NEAR = 0.01
"""A wall within this fraction of the price ahead blocks the trade."""
LESS_FOR_STRENGTH = {PositioningStrength.WEAK: 15.0, PositioningStrength.MODERATE: 5.0}
LESS_WITHOUT_RANK = 15.0
"""Confidence lost while the symbol has too little history to rank its gamma."""
LESS_FOR_OPEN_INTEREST = ((50_000.0, 20.0), (100_000.0, 10.0))
"""Confidence lost below that many contracts; unknown open interest counts as zero."""


def read(context: GammaContext | None, *, as_of_ns: int, direction: Direction, price: float) -> Reading:
    """Read dealers' hedging for a trade; `context` is the newest snapshot or None. With a NaN `price` walls are ignored."""
    if context is None:
        return make_neutral_reading(ENGINE, GammaRecommendation.NEUTRAL, "no gamma: no chain of this symbol")
    if context.positioning is None:
        return make_neutral_reading(
            ENGINE, GammaRecommendation.NEUTRAL, "no gamma: the chain has no answer to which side dealers are on"
        )
    above, below = is_above(context.resistance, price), is_above(-context.support, -price)
    is_in_the_way = above if direction is Direction.LONG else below
    fresh = measure_freshness(ENGINE, context.known_at_ns, as_of_ns)
    return make_reading(
        ENGINE,
        opinion=compute_opinion(context.positioning, context.strength, context.behavior, is_in_the_way=is_in_the_way),
        confidence=compute_confidence(context.strength, context.total_open_interest),
        freshness=fresh.share,
        recommendation=recommend(context.positioning, context.behavior, is_near_wall=above or below),
        reason=fresh.annotate(_reason(context, direction, price, is_in_the_way=is_in_the_way)),
        age_minutes=fresh.age_minutes,
    )


def is_above(wall: float, price: float) -> bool:
    """Whether a wall lies at most 1 % above the price (negate both for below); False if either is NaN."""
    return 0.0 <= wall - price <= NEAR * abs(price)


def compute_opinion(
    positioning: DealerPositioning,
    strength: PositioningStrength | None,
    behavior: ExpectedBehavior | None,
    *,
    is_in_the_way: bool,
) -> float:
    """Compute the multiplier of a snapshot; an unknown strength or behaviour has no effect."""
    return (
        OF_SIGN[positioning]
        * (OF_STRENGTH[positioning][strength] if strength is not None else 1.0)
        * (OF_BEHAVIOR[behavior] if behavior is not None else 1.0)
        * (WALL_IN_THE_WAY if is_in_the_way else 1.0)
    )


def compute_confidence(strength: PositioningStrength | None, open_interest: float) -> float:
    """Compute confidence, 0-100; lower for gamma of ordinary or unranked size, and for low open interest."""
    of_strength = LESS_WITHOUT_RANK if strength is None else LESS_FOR_STRENGTH.get(strength, 0.0)
    return (
        100.0 - of_strength - next((less for below, less in LESS_FOR_OPEN_INTEREST if not open_interest >= below), 0.0)
    )


def recommend(
    positioning: DealerPositioning, behavior: ExpectedBehavior | None, *, is_near_wall: bool
) -> GammaRecommendation:
    """Recommend the first action that applies; `is_near_wall` refers to either side."""
    if behavior is ExpectedBehavior.PINNING:
        return GammaRecommendation.AVOID_PINNING
    if positioning is DealerPositioning.SHORT_GAMMA and not is_near_wall:
        return GammaRecommendation.BREAKOUT_SETUP
    if behavior is ExpectedBehavior.TRENDING:
        return GammaRecommendation.TREND_CONTINUATION
    if behavior is ExpectedBehavior.RANGE_BOUND:
        return GammaRecommendation.RANGE_TRADE
    return GammaRecommendation.NEUTRAL


def _reason(context: GammaContext, direction: Direction, price: float, *, is_in_the_way: bool) -> str:
    size = context.strength.value if context.strength is not None else "not yet ranked"
    behavior = context.behavior.value if context.behavior is not None else "no expected behaviour"
    positioning = context.positioning.value if context.positioning is not None else ""
    wall = ""
    if price != price:  # noqa: PLR0124  # NaN, without the cost of a call
        wall = "; price unknown, walls not looked at"
    elif is_in_the_way:
        side, level = (
            ("resistance", context.resistance) if direction is Direction.LONG else ("support", context.support)
        )
        wall = f"; {side} at {level:g} in the way"
    return f"{positioning} ({size}), {behavior}{wall}"
