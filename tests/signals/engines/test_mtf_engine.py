"""The alignment engine, measured from the trade's side."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.engines import mtf_alignment
from hd_pipelines.tables.vocabulary import ContextStatus, Direction, MtfRecommendation
from tests.signals.engines.made import frame, trends

LONG, SHORT = Direction.LONG, Direction.SHORT
NAN = math.nan
trend = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])
known_or_not = trend | st.just(NAN)
four = st.tuples(known_or_not, known_or_not, known_or_not, known_or_not)


def read(row, direction: Direction = LONG):
    return mtf_alignment.read(row, 0, direction=direction)


@pytest.mark.parametrize(
    ("row", "opinion", "recommendation"),
    [
        ((2, 2, 1, 1), 1.25 * 1.20, "STRONG_SIGNAL"),
        ((1, 1, 1, -1), 1.25 * 1.20, "STRONG_SIGNAL"),  # 92
        ((1, 1, -1, -1), 1.10 * 1.20, "CONFIRM_SIGNAL"),  # 77
        ((1, 0, 0, 0), 1.10, "CONFIRM_SIGNAL"),  # 73, but a mean of 0.46 is no dominant trend
        ((1, -1, -1, 0), 1.00, "WAIT_ALIGNMENT"),  # 50
        ((0, 0, 0, 0), 1.00, "WAIT_ALIGNMENT"),
        ((-1, 1, 0, 0), 0.85 * 0.70, "AVOID_DIVERGENCE"),  # 42
        ((-1, -1, -1, 1), 0.65 * 0.70, "AVOID_DIVERGENCE"),
        ((-2, -2, -2, -2), 0.65 * 0.70, "AVOID_DIVERGENCE"),
    ],
)
def test_multipliers_match_the_published_table(row, opinion, recommendation):
    found = read(trends(*row))
    assert found.opinion == pytest.approx(opinion)
    assert found.recommendation == recommendation


def test_a_market_aligned_against_the_trade_is_a_penalty_of_full_confidence():
    down = trends(-2, -2, -2, -2, strength=100.0)
    assert read(down, SHORT).multiplier == pytest.approx(1.5)
    assert read(down, LONG).multiplier == pytest.approx(0.455)


def test_no_trend_anywhere_is_neutral_and_not_conflicting():
    found = read(trends(0, 0, 0, 0))
    assert found.multiplier == 1.0
    assert found.recommendation == MtfRecommendation.WAIT_ALIGNMENT
    assert "NEUTRAL" in found.reason


@pytest.mark.parametrize(
    ("row", "strength", "confidence"),
    [
        ((1, 1, 1, 1), 60.0, (100 + 60) / 2),
        ((-1, -1, -1, -1), 60.0, (100 + 60) / 2),
        ((0, 0, 0, 0), 10.0, (50 + 10) / 2),
        ((NAN, 1, 1, 1), 60.0, (100 * 5 / 6.5 - 15 + 45) / 2),
        ((NAN, NAN, 1, 1), 60.0, (100 * 4 / 6.5 - 30 + 30) / 2),
        ((1, 1, 1, NAN), 60.0, (100 * 6.25 / 6.5 + 45) / 2),
    ],
)
def test_confidence_is_how_far_timeframes_agree_and_how_strongly(row, strength, confidence):
    assert read(trends(*row, strength=strength)).confidence == pytest.approx(confidence)


@pytest.mark.parametrize("unknown", range(4))
def test_an_unknown_timeframe_lowers_confidence_and_is_named(unknown):
    row = [1.0] * 4
    whole = read(trends(*row))
    row[unknown] = NAN
    found = read(trends(*row))
    assert found.confidence < whole.confidence
    assert found.multiplier < whole.multiplier
    assert found.reason.endswith(f"; unknown: {('week', 'day', '1h', '15m')[unknown]}")


def test_without_any_trend_it_is_silent():
    found = read(frame())
    assert (found.multiplier, found.status) == (1.0, ContextStatus.MISSING)
    assert found.reason == "no trend: too few bars of every timeframe"


def test_a_trend_whose_strength_is_unknown_counts_as_weak():
    assert read(trends(1, 1, 1, 1, strength=NAN)).confidence == 50.0


def test_trends_of_a_symbol_halted_for_hours_fade():
    now, halted = (read(trends(1, 1, 1, 1, price_age_minutes=minutes)) for minutes in (1.0, 300.0))
    assert (now.status, halted.status) == (ContextStatus.FRESH, ContextStatus.FADING)
    assert 1.0 < halted.multiplier < now.multiplier
    assert "300 trading minutes old" in halted.reason


@given(four)
def test_a_mirrored_market_gives_the_other_side_the_same_reading(row):
    here, there = read(trends(*row), LONG), read(trends(*(-each for each in row)), SHORT)
    assert (here.opinion, here.confidence, here.recommendation) == (
        there.opinion,
        there.confidence,
        there.recommendation,
    )


@given(four, st.permutations(["week", "day", "1h", "15m"]))
def test_the_order_of_timeframes_does_not_matter(row, order):
    known = {name: each for name, each in zip(("week", "day", "1h", "15m"), row, strict=True) if not math.isnan(each)}
    shuffled = {name: known[name] for name in order if name in known}
    for direction in Direction:
        assert mtf_alignment.measure_alignment(shuffled, direction) == mtf_alignment.measure_alignment(known, direction)


@given(st.tuples(trend, trend, trend, trend), st.integers(0, 3))
def test_a_timeframe_that_turns_towards_the_trade_never_lowers_the_opinion(row, position):
    turned = list(row)
    turned[position] = min(turned[position] + 1.0, 2.0)
    assert read(trends(*turned)).opinion >= read(trends(*row)).opinion


@given(four)
def test_no_trade_is_boosted_by_a_market_against_it(row):
    boosted = [direction for direction in Direction if read(trends(*row), direction).multiplier > 1.0]
    assert len(boosted) < 2
