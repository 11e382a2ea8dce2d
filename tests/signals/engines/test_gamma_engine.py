"""The gamma engine: short gamma amplifies both directions, a wall blocks one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.engines import gamma_exposure
from hd_pipelines.tables.vocabulary import (
    ContextStatus,
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    GammaRecommendation,
    PositioningStrength,
)
from tests.signals.engines.made import NOW, gamma

LONG, SHORT = Direction.LONG, Direction.SHORT
LONG_GAMMA, SHORT_GAMMA, NEUTRAL = (
    DealerPositioning.LONG_GAMMA,
    DealerPositioning.SHORT_GAMMA,
    DealerPositioning.NEUTRAL,
)
WEAK, MODERATE, STRONG, EXTREME = PositioningStrength
PINNING, TRENDING, VOLATILE, RANGE_BOUND = ExpectedBehavior

snapshots = st.builds(
    gamma,
    st.sampled_from(DealerPositioning),
    st.none() | st.sampled_from(PositioningStrength),
    st.sampled_from(ExpectedBehavior),
    resistance=st.sampled_from([100.5, 101.0, 101.1, 120.0, math.nan]),
    support=st.sampled_from([99.5, 99.0, 98.9, 80.0, math.nan]),
    total_open_interest=st.sampled_from([0.0, 49_999.0, 99_999.0, 1e6, math.nan]),
)


def read(context, direction: Direction = LONG, price: float = 100.0):
    return gamma_exposure.read(context, as_of_ns=NOW, direction=direction, price=price)


@pytest.mark.parametrize(
    ("positioning", "strength", "behavior", "opinion"),
    [
        (SHORT_GAMMA, EXTREME, VOLATILE, 1.20 * 1.20 * 1.10),
        (SHORT_GAMMA, STRONG, TRENDING, 1.15 * 1.15 * 1.10),
        (SHORT_GAMMA, MODERATE, TRENDING, 1.10 * 1.15 * 1.10),
        (SHORT_GAMMA, WEAK, VOLATILE, 1.05 * 1.20 * 1.10),
        (LONG_GAMMA, EXTREME, PINNING, 0.80 * 0.70 * 0.90),
        (LONG_GAMMA, STRONG, RANGE_BOUND, 0.85 * 0.85 * 0.90),
        (LONG_GAMMA, MODERATE, RANGE_BOUND, 0.90 * 0.85 * 0.90),
        (LONG_GAMMA, WEAK, PINNING, 0.95 * 0.70 * 0.90),
        (NEUTRAL, EXTREME, TRENDING, 1.15),
        (NEUTRAL, WEAK, VOLATILE, 1.20),
        (SHORT_GAMMA, None, None, 1.10),
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_multipliers_match_the_published_table_for_either_direction(
    positioning, strength, behavior, opinion, direction
):
    assert read(gamma(positioning, strength, behavior), direction).opinion == pytest.approx(opinion)


def test_short_gamma_boosts_a_short_as_much_as_a_long():
    found = [read(gamma(SHORT_GAMMA), direction).multiplier for direction in Direction]
    assert found[0] == found[1] > 1.0


@pytest.mark.parametrize(
    ("price", "long_is_hindered", "short_is_hindered"),
    [
        (100.0, False, False),
        (109.0, True, False),
        (108.8, False, False),
        (110.0, True, False),
        (110.1, False, False),
        (90.8, False, True),
        (91.0, False, False),
        (89.9, False, False),
    ],
)
def test_a_wall_within_one_per_cent_hinders_only_the_trade_that_runs_into_it(
    price, long_is_hindered, short_is_hindered
):
    """Resistance at 110, support at 90."""
    free = read(gamma()).opinion
    for direction, is_hindered in ((LONG, long_is_hindered), (SHORT, short_is_hindered)):
        found = read(gamma(), direction, price)
        assert found.opinion == pytest.approx(free * (0.85 if is_hindered else 1.0))
        assert ("in the way" in found.reason) is is_hindered


@pytest.mark.parametrize(
    ("strength", "open_interest", "confidence"),
    [
        (EXTREME, 1e6, 100),
        (STRONG, 1e5, 100),
        (MODERATE, 1e6, 95),
        (WEAK, 1e6, 85),
        (None, 1e6, 85),
        (STRONG, 99_999, 90),
        (STRONG, 49_999, 80),
        (WEAK, math.nan, 65),
    ],
)
def test_confidence_matches_the_published_table(strength, open_interest, confidence):
    assert read(gamma(SHORT_GAMMA, strength, total_open_interest=open_interest)).confidence == confidence


@pytest.mark.parametrize(
    ("positioning", "behavior", "price", "recommendation"),
    [
        (LONG_GAMMA, PINNING, 100.0, GammaRecommendation.AVOID_PINNING),
        (LONG_GAMMA, RANGE_BOUND, 100.0, GammaRecommendation.RANGE_TRADE),
        (SHORT_GAMMA, TRENDING, 100.0, GammaRecommendation.BREAKOUT_SETUP),
        (SHORT_GAMMA, VOLATILE, 100.0, GammaRecommendation.BREAKOUT_SETUP),
        (SHORT_GAMMA, TRENDING, 109.5, GammaRecommendation.TREND_CONTINUATION),
        (SHORT_GAMMA, VOLATILE, 90.5, GammaRecommendation.NEUTRAL),
        (NEUTRAL, TRENDING, 100.0, GammaRecommendation.TREND_CONTINUATION),
        (NEUTRAL, VOLATILE, 100.0, GammaRecommendation.NEUTRAL),
    ],
)
def test_recommendations(positioning, behavior, price, recommendation):
    assert read(gamma(positioning, STRONG, behavior), price=price).recommendation == recommendation


@given(snapshots, st.sampled_from(Direction))
def test_a_mirrored_market_gives_the_other_side_the_same_reading(context, direction):
    """Around a price of 100: resistance becomes support as far away on the other side."""
    turned = gamma(
        context.positioning,
        context.strength,
        context.behavior,
        resistance=200.0 - context.support,
        support=200.0 - context.resistance,
        total_open_interest=context.total_open_interest,
    )
    other = SHORT if direction is LONG else LONG
    here, there = read(context, direction), read(turned, other)
    assert (here.opinion, here.confidence, here.recommendation) == (
        there.opinion,
        there.confidence,
        there.recommendation,
    )


def test_a_missing_chain_is_named_and_neutral():
    found = read(None)
    assert (found.multiplier, found.status, found.reason) == (
        1.0,
        ContextStatus.MISSING,
        "no gamma: no chain of this symbol",
    )
    assert found.recommendation == GammaRecommendation.NEUTRAL


def test_a_chain_without_an_answer_is_neutral():
    found = read(gamma(None, None, None))
    assert (found.multiplier, found.status) == (1.0, ContextStatus.MISSING)


def test_an_unknown_price_has_no_walls_and_a_reason():
    found = read(gamma(), price=math.nan)
    assert found.opinion == read(gamma()).opinion
    assert found.reason.endswith("price unknown, walls not looked at")
