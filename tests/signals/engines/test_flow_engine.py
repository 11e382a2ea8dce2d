"""The flow engine: only prints of known side lean, and flow against a trade never boosts it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.engines import flow
from hd_pipelines.tables.vocabulary import ContextStatus, Direction, FlowRecommendation, FlowStrength, FlowUrgency
from tests.signals.engines.made import BOUGHT_CALL, BOUGHT_PUT, MINUTE, NOW, SOLD_CALL, SOLD_PUT, ns, prints

LONG, SHORT = Direction.LONG, Direction.SHORT


def read(rows: list[dict], direction: Direction = LONG, **options):
    return flow.read(prints(*rows), as_of_ns=NOW, direction=direction, **options)


def puts_over_calls(ratio: float, count: int = 40, **changed) -> list[dict]:
    """Bought options with that put/call ratio, by contracts and by premium."""
    calls = [{**BOUGHT_CALL, "size": 100.0, "premium": 8_000.0, **changed}] * (count // 2)
    puts = [{**BOUGHT_PUT, "size": 100.0 * ratio, "premium": 8_000.0 * ratio, **changed}] * (count // 2)
    return calls + puts


@pytest.mark.parametrize(
    ("ratio", "kind", "strength"),
    [
        (0.1, FlowStrength.STRONGLY_BULLISH, 90),
        (0.49, FlowStrength.STRONGLY_BULLISH, 51),
        (0.5, FlowStrength.BULLISH, 40),
        (0.69, FlowStrength.BULLISH, 24.8),
        (0.7, FlowStrength.NEUTRAL, 50),
        (1.3, FlowStrength.NEUTRAL, 50),
        (1.31, FlowStrength.BEARISH, 24.8),
        (2.0, FlowStrength.BEARISH, 80),
        (2.01, FlowStrength.STRONGLY_BEARISH, 100),
        (9.0, FlowStrength.STRONGLY_BEARISH, 100),
    ],
)
def test_the_lean_of_a_put_call_ratio(ratio, kind, strength):
    found = flow.classify_ratio(ratio)
    assert found.kind is kind
    assert found.strength == pytest.approx(strength)


@pytest.mark.parametrize(
    ("ratio", "for_a_long", "for_a_short"),
    [
        (0.1, 1.15 * 1.20, 0.80),
        (0.35, 1.15 * 1.15, 0.80),
        (0.45, 1.15 * 1.10, 0.80),
        (0.55, 1.15 * 1.05, 0.80),
        (1.0, 1.0, 1.0),
        (1.6, 0.80, 1.15 * 1.10),
        (1.9, 0.80, 1.15 * 1.15),
        (3.0, 0.80, 1.15 * 1.20),
    ],
)
@pytest.mark.parametrize(("institutional", "factor"), [(20.0, 0.95), (30.0, 1.05), (70.0, 1.10), (90.0, 1.15)])
def test_multipliers_match_the_published_table(ratio, for_a_long, for_a_short, institutional, factor):
    lean = flow.classify_ratio(ratio)
    for direction, of_lean in ((LONG, for_a_long), (SHORT, for_a_short)):
        of_institutions = min(factor, 1.0) if of_lean == 0.80 else factor
        assert flow.compute_opinion(lean, institutional, direction) == pytest.approx(of_lean * of_institutions)


@given(st.floats(0.01, 20.0), st.floats(0, 100), st.sampled_from(Direction))
def test_flow_against_a_trade_is_always_a_penalty(ratio, institutional, direction):
    lean = flow.classify_ratio(ratio)
    found = flow.compute_opinion(lean, institutional, direction)
    if lean.sign * direction.sign < 0:
        assert found <= 0.80
    elif lean.sign * direction.sign > 0:
        assert found > 1.0


def test_sold_puts_are_not_bearish():
    """Nine times as many puts as calls, but sold: bullish, although the put/call ratio is 9."""
    rows = [{**BOUGHT_CALL}] * 2 + [{**SOLD_PUT}] * 16 + [{**SOLD_CALL}] * 2
    assert read(rows, LONG).multiplier > 1.0 > read(rows, SHORT).multiplier


def test_calls_of_unknown_side_do_not_make_a_bull():
    """Without a known side a print has no direction: the option's type alone is not enough."""
    long, short = (read([{"is_call": True, "size": 500.0}] * 50, direction) for direction in Direction)
    assert long.multiplier == short.multiplier
    assert long.recommendation == FlowRecommendation.NEUTRAL
    assert long.reason.startswith("no side is known, so no lean")


@pytest.mark.parametrize(("row", "direction"), [(BOUGHT_CALL, LONG), (BOUGHT_PUT, SHORT), (SOLD_CALL, SHORT)])
def test_a_window_in_which_one_side_traded_leans_its_way_by_the_lowest_step(row, direction):
    """If only one side traded there is no ratio; it must not count as a ratio of 0."""
    found = read([row] * 40, direction)
    assert found.opinion == pytest.approx(1.15 * 1.05 * 0.95)
    assert "one side only, no ratio" in found.reason
    other = SHORT if direction is LONG else LONG
    assert read([row] * 40, other).opinion == pytest.approx(0.80 * 0.95)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([BOUGHT_CALL] * 9, "9 prints and $90,000 in 4 trading hours; 10 and $50,000 are needed"),
        (
            [{**BOUGHT_CALL, "premium": 100.0}] * 30,
            "30 prints and $3,000 in 4 trading hours; 10 and $50,000 are needed",
        ),
    ],
)
def test_too_few_prints_give_a_neutral_reading(rows, reason):
    found = read(rows)
    assert (found.multiplier, found.status, found.reason) == (1.0, ContextStatus.MISSING, reason)
    assert found.recommendation == FlowRecommendation.WAIT


def test_no_print_at_all_is_named():
    found = flow.read(None, as_of_ns=NOW, direction=LONG)
    assert (found.multiplier, found.status) == (1.0, ContextStatus.MISSING)
    assert found.reason == "no flow: no option print was ever recorded"


@pytest.mark.parametrize(
    ("rows", "confidence"),
    [
        (puts_over_calls(0.5, premium=60_000.0, is_large=True), 100),
        (puts_over_calls(0.5, count=18, premium=60_000.0, is_large=True), 80),
        (puts_over_calls(0.5, premium=2_000.0, is_large=True), 85),
        (puts_over_calls(0.5, premium=60_000.0), 85),
        (
            [{"premium": 60_000.0, "is_large": True}] * 22
            + puts_over_calls(0.5, premium=60_000.0, is_large=True)[10:30],
            85,
        ),
        (puts_over_calls(0.5, count=10, premium=6_000.0), 50),
    ],
)
def test_confidence_matches_the_published_table_and_is_less_where_most_sides_are_unknown(rows, confidence):
    assert read(rows).confidence == confidence


def test_an_hour_is_a_short_window():
    rows = puts_over_calls(0.5, premium=60_000.0, is_large=True)
    assert read(rows, trading_hours=1.0).confidence == 90


@pytest.mark.parametrize(
    ("strength", "institutional", "recommendation"),
    [
        (71, 71, FlowRecommendation.FOLLOW_FLOW),
        (70, 71, FlowRecommendation.CONFIRM_FLOW),
        (51, 51, FlowRecommendation.CONFIRM_FLOW),
        (50, 90, FlowRecommendation.NEUTRAL),
        (61, 19, FlowRecommendation.FADE_FLOW),
        (60, 19, FlowRecommendation.NEUTRAL),
        (90, 30, FlowRecommendation.NEUTRAL),
    ],
)
def test_recommendations_match_the_published_table(strength, institutional, recommendation):
    assert flow.recommend(strength, institutional) == recommendation


@pytest.mark.parametrize(
    ("aggressiveness", "word"),
    [
        (76, FlowUrgency.VERY_AGGRESSIVE),
        (61, FlowUrgency.AGGRESSIVE),
        (41, FlowUrgency.MODERATE),
        (40, FlowUrgency.PASSIVE),
        (math.nan, None),
    ],
)
def test_urgency_classes_have_their_cut_offs(aggressiveness, word):
    assert flow.classify_urgency(aggressiveness) == word


def test_a_lull_of_three_hours_fades_the_flow():
    rows = [{**row, "at_ns": NOW} for row in puts_over_calls(0.3)]
    found = {
        hour: flow.read(prints(*rows), as_of_ns=ns(2025, 3, 12, hour, 0), direction=LONG) for hour in (11, 13, 14, 15)
    }
    assert found[13].multiplier == found[11].multiplier > found[14].multiplier > 1.0
    assert found[14].age_minutes == 180.0
    assert "180 trading minutes old" in found[14].reason
    assert found[15].status is ContextStatus.MISSING


def test_flow_turned_around_leans_the_other_way():
    """The limits are not reciprocal (0.7 and 1.3; 40 at 0.5, 80 at 2): the size may differ, the side may not."""
    rows = puts_over_calls(0.4)
    turned = [{**row, "is_call": not row["is_call"], "sentiment": -row["sentiment"]} for row in rows]
    assert read(rows, LONG).multiplier > 1.0
    assert read(turned, SHORT).multiplier > 1.0
    assert read(rows, SHORT).multiplier == read(turned, LONG).multiplier < 1.0


def test_prints_after_the_instant_are_not_seen():
    rows = [{**BOUGHT_CALL, "at_ns": NOW + MINUTE}] * 50
    assert read(rows).status is ContextStatus.MISSING
