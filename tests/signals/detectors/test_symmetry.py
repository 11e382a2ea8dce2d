"""A symmetrical pair is one implementation: a mirrored market makes the partner give the same answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from hd_pipelines.signals.catalogue import FEATURES
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.conditions import Veto
from hd_pipelines.tables.vocabulary import Direction
from tests.signals.detectors.frames import SIDES, asset_class_for, frame_with, frames, named, turned_around

PAIRS = [
    (DETECTORS[f"{family}_{long}"], DETECTORS[f"{family}_{short}"])
    for family, long, short in (
        ("breakout", "bullish", "bearish"),
        ("trend_continuation", "long", "short"),
        ("gamma_squeeze", "bullish", "bearish"),
        ("power_hour_reversal", "bullish", "bearish"),
        ("opening_drive", "bullish", "bearish"),
        ("gamma_flip", "bullish", "bearish"),
    )
]
UNEQUAL = [
    (DETECTORS["mean_reversion_long"], DETECTORS["mean_reversion_short"]),
    (DETECTORS["index_mean_reversion_long"], DETECTORS["index_mean_reversion_short"]),
]
SETTINGS = settings(max_examples=50, deadline=None)


@given(columns=frames())
@SETTINGS
def test_the_partner_gives_the_same_result_for_the_mirrored_market(columns):
    upright, turned = frame_with(columns), frame_with(turned_around(columns))
    for long, short in PAIRS:
        asset_class = asset_class_for(long)
        np.testing.assert_array_equal(
            long.fires(replace(upright, asset_class=asset_class), Direction.LONG),
            short.fires(replace(turned, asset_class=asset_class), Direction.SHORT),
        )
        np.testing.assert_allclose(
            long.score(upright, Direction.LONG).total, short.score(turned, Direction.SHORT).total, atol=1e-9
        )


@given(columns=frames())
@SETTINGS
def test_the_pin_points_the_other_way_when_the_market_is_upside_down(columns):
    pin = DETECTORS["eod_pin_setup"]
    upright, turned = (
        replace(frame_with(c), asset_class=asset_class_for(pin)) for c in (columns, turned_around(columns))
    )
    np.testing.assert_array_equal(pin.fires(upright, Direction.LONG), pin.fires(turned, Direction.SHORT))
    assert not np.any(pin.fires(upright, Direction.LONG) & pin.fires(upright, Direction.SHORT))


@pytest.mark.parametrize(("long", "short"), PAIRS, ids=named)
def test_a_symmetrical_pair_has_the_same_rules_and_numbers(long, short):
    assert (long.conditions, long.factors, long.contract) == (short.conditions, short.factors, short.contract)


@given(columns=frames())
@SETTINGS
def test_a_pair_of_unequal_sides_agrees_on_what_both_have(columns):
    upright, turned = frame_with(columns), frame_with(turned_around(columns))
    for long, short in UNEQUAL:
        of_long = {condition: condition for condition in long.conditions}
        for condition in set(of_long) & set(short.conditions):
            np.testing.assert_array_equal(
                condition.passes(upright.view_for(Direction.LONG)), condition.passes(turned.view_for(Direction.SHORT))
            )
        by_long, by_short = long.score(upright, Direction.LONG), short.score(turned, Direction.SHORT)
        for name in by_long.by_factor.keys() & by_short.by_factor.keys():
            np.testing.assert_allclose(by_long.by_factor[name], by_short.by_factor[name], atol=1e-9)


@pytest.mark.parametrize(("long", "short"), UNEQUAL, ids=named)
def test_the_sides_differ_only_as_published(long, short):
    def names(detector):
        return {each.name for each in (*detector.conditions, *detector.factors)}

    long_only = {"far_from_ema_21", "falling_knife", "opposed_by_blocks", "opposed_by_sweeps"}
    long_only |= {"ema_21", "divergence", "rsi_turns"}
    short_only = {"against_the_market"}
    if long.name == "mean_reversion_long":
        long_only |= {"not_extreme_enough_against_the_market", "buyers_reversal"}
        short_only |= {"volume_for_sellers", "sellers_reversal"}
    assert names(long) - names(short) == long_only
    assert names(short) - names(long) == short_only


@given(columns=frames())
@SETTINGS
def test_the_mirrored_description_is_what_was_evaluated(columns):
    """`mirror_tests` on the frame as it is, and the rule on the frame turned around, are two ways to one answer."""
    rounded = {name: np.round(values, 2) for name, values in columns.items()}
    frame = frame_with(rounded)
    view = frame.view_for(Direction.SHORT)
    for detector, direction in SIDES:
        if direction is Direction.LONG:
            continue
        for evaluated, actual in zip(detector.conditions, detector.conditions_for(direction), strict=True):
            np.testing.assert_array_equal(_passes(evaluated, view), _passes(actual, frame.columns))
        for evaluated, actual in zip(detector.factors, detector.factors_for(direction), strict=True):
            np.testing.assert_allclose(evaluated.evaluate(view), actual.evaluate(frame.columns), atol=1e-9)


def _passes(condition, view):
    """With a hair's breadth of rounding at the threshold taken away: 100 - 55.01 is not 44.99 to the last digit."""
    near = {name: np.round(view[name], 6) for name in FEATURES}
    return (
        ~np.all([t.holds(near) for t in condition.tests], axis=0)
        if isinstance(condition, Veto)
        else np.all([t.holds(near) for t in condition.tests], axis=0)
    )
