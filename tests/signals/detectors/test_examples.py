"""Every detector's example fires with a score high enough to be stored, and misses when any one condition fails."""

import numpy as np
import pytest

from hd_pipelines.signals.catalogue import FEATURES, encode_value
from hd_pipelines.signals.detectors.examples import build_firing_frame, build_frame, build_near_misses, get_example
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.conditions import Condition, Veto
from hd_pipelines.tables.vocabulary import REGIME_FAMILIES, Direction, MarketRegime, RegimeFamily
from tests.signals.detectors.frames import SIDES, named

MISSES = [
    (detector, direction, miss) for detector, direction in SIDES for miss in build_near_misses(detector, direction)
]
LOWEST_BASE_SCORE = 70.0
"""The default threshold of a base score: below it the scanner stores nothing."""


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_it_fires_on_its_example(detector, direction):
    assert detector.fires(build_firing_frame(detector, direction), direction).tolist() == [True]


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_its_example_is_good_enough_to_be_stored_and_wholly_known(detector, direction):
    scores = detector.score(build_firing_frame(detector, direction), direction)
    assert scores.total[0] >= LOWEST_BASE_SCORE
    assert scores.coverage.tolist() == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("detector", "direction", "miss"), MISSES, ids=lambda v: named(v) or f"{v.condition}-{list(v.changes)[-1]}"
)
def test_one_thing_alone_keeps_it_from_firing(detector, direction, miss):
    assert not detector.fires(miss.frame, direction)[0]
    view = miss.frame.view_for(direction)
    failing = [condition.name for condition in detector.conditions if not condition.passes(view)[0]]
    assert failing == [miss.condition]


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_every_condition_and_veto_has_a_near_miss_that_is_near(detector, direction):
    misses = build_near_misses(detector, direction)
    assert {miss.condition for miss in misses} == {condition.name for condition in detector.conditions}
    actual = [test for condition in detector.conditions_for(direction) for test in condition.tests]
    for miss in misses:
        thresholds = [
            abs(test.threshold - miss.changes[test.feature])
            for test in actual
            if test.feature in miss.changes and not FEATURES[test.feature].enum_values
        ]
        assert not thresholds or min(thresholds) <= 1.0


def test_a_pair_s_example_names_nothing_that_neither_side_looks_at():
    for strategy in {detector.strategy for detector in DETECTORS.values()}:
        sides = [detector for detector in DETECTORS.values() if detector.strategy is strategy]
        assert {name for side in sides for name in side.example} == {name for side in sides for name in side.features}


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_an_example_lies_within_what_its_features_can_be(detector, direction):
    for name, value in get_example(detector, direction).items():
        feature = FEATURES[name]
        assert np.isfinite(value)
        if feature.unit in {"0-100", "0/1", "0-1", "-1..1", "×", "minutes", "contracts", "prints"}:
            low = -1.0 if feature.unit == "-1..1" or name == "dealer_gamma_ratio" else 0.0
            assert value >= low * 10.0
        if feature.unit in {"0/1", "0-1", "-1..1"}:
            assert abs(value) <= 1.0
        if feature.unit == "0-100":
            assert 0.0 <= value <= 100.0


def test_each_regime_of_the_market_that_trends_lets_trends_continue():
    """Every enum value that a detector tests for is one that the feature can have."""
    fired = set()
    for regime in MarketRegime:
        code = encode_value("regime_family", REGIME_FAMILIES[regime])
        for side, direction in (("long", Direction.LONG), ("short", Direction.SHORT)):
            detector = DETECTORS[f"trend_continuation_{side}"]
            frame = build_frame(detector, get_example(detector, direction) | {"regime_family": code})
            if detector.fires(frame, direction)[0]:
                fired.add((REGIME_FAMILIES[regime], direction))
    assert fired == {(RegimeFamily.TRENDING_UP, Direction.LONG), (RegimeFamily.TRENDING_DOWN, Direction.SHORT)}


def test_conditions_and_vetoes_are_the_only_kinds():
    assert {type(condition) for detector in DETECTORS.values() for condition in detector.conditions} == {
        Condition,
        Veto,
    }
