"""Curves and conditions at their bounds, with missing features, and mirrored for the short side."""

import math

import numpy as np
import pytest

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses, Cases, ShareOfTests
from hd_pipelines.signals.detectors.rules.conditions import (
    Condition,
    IsOneOf,
    Test,
    Veto,
    above,
    all_hold,
    at_least,
    at_most,
    below,
    to_json_value,
)
from hd_pipelines.signals.detectors.rules.curves import Line, Steps, ValuePoints, line_through
from hd_pipelines.signals.detectors.rules.factors import Factor
from tests.signals.detectors.frames import frame_with

MISSING = math.nan


def columns(**values):
    return frame_with(values).columns


def points_at(curve, **values):
    return [None if math.isnan(p) else round(float(p), 6) for p in curve.evaluate(columns(**values))]


@pytest.mark.parametrize(
    ("test", "holds"),
    [(at_least, [False, True, True]), (above, [False, False, True]), (at_most, [True, True, False]),
     (below, [True, False, False])],
)  # fmt: skip
def test_a_comparison_holds_inside_its_bounds_and_never_for_a_missing_value(test, holds):
    assert test("rvol", 1.2).holds(columns(rvol=[1.1, 1.2, 1.3, MISSING])).tolist() == [*holds, False]


def test_an_enum_condition_includes_or_excludes_values_and_never_holds_for_a_missing_one():
    codes = [encode_value("regime_family", word) for word in ("RANGING", "CHOPPY", "VOLATILE")]
    seen = columns(regime_family=[*codes, MISSING])
    assert IsOneOf("regime_family", ("RANGING", "CHOPPY")).holds(seen).tolist() == [True, True, False, False]
    assert IsOneOf("regime_family", ("RANGING",), negated=True).holds(seen).tolist() == [False, True, True, False]


def test_a_condition_needs_to_be_known_and_a_veto_needs_to_be_known_to_forbid():
    tests = (above("rvol", 1.0), below("rsi_14", 30.0))
    seen = columns(rvol=[2.0, 2.0, MISSING, 0.5], rsi_14=[20.0, MISSING, 20.0, 20.0])
    assert Condition("all", tests).passes(seen).tolist() == [True, False, False, False]
    assert Veto("all", tests).passes(seen).tolist() == [False, True, True, True]


def test_a_condition_without_tests_is_refused():
    with pytest.raises(ValueError, match="at least one test"):
        all_hold((), columns(rvol=1.0))


def test_a_test_is_mirrored_for_the_short_side():
    assert str(below("rsi_14", 30.0).mirror()) == "rsi_14 > 70"
    assert str(at_most("vwap_distance_pct", -0.5).mirror()) == "vwap_distance_pct ≥ 0.5"
    assert str(above("above_20_bar_high_pct", 0.0).mirror()) == "below_20_bar_low_pct > 0"
    assert str(at_least("rvol", 1.2).mirror()) == "rvol ≥ 1.2"
    assert str(IsOneOf("regime_family", ("TRENDING_UP", "CHOPPY")).mirror()) == (
        "regime_family is TRENDING_DOWN or CHOPPY"
    )
    assert str(IsOneOf("vix_regime", ("HIGH",), negated=True).mirror()) == "vix_regime is not HIGH"
    assert Test("rsi_14", below("rsi_14", 0).comparison, 30.0).mirror().mirror() == below("rsi_14", 30.0)


def test_a_line_goes_through_its_two_points_and_is_mirrored():
    line = line_through("rsi_14", (30.0, 80.0), (50.0, 20.0))
    assert points_at(line, rsi_14=[30.0, 50.0, MISSING]) == [80.0, 20.0, None]
    assert points_at(line.mirror(), rsi_14=[70.0, 50.0]) == [80.0, 20.0]
    assert points_at(Line("gap_pct", 10.0, 5.0, absolute=True), gap_pct=[-2.0, 2.0]) == [20.0, 20.0]
    assert str(Line("gap_pct", 20.0, -80.0, absolute=True)) == "20 - 80 × |gap_pct|"
    assert str(Line("gap_pct", 20.0, 80.0).mirror()) == "20 - 80 × gap_pct"
    with pytest.raises(ZeroDivisionError):
        line_through("rvol", (1.0, 0.0), (1.0, 100.0))


def test_steps_have_no_points_where_nothing_is_known_even_with_a_number_for_the_rest():
    curve = Steps("rvol", ((2.0, 100.0), (1.0, 50.0)), 10.0)
    assert points_at(curve, rvol=[2.0, 1.99, 1.0, 0.9, MISSING]) == [100.0, 50.0, 50.0, 10.0, None]
    assert str(curve) == "rvol: 100 at ≥ 2; 50 at ≥ 1; else 10"
    falling = Steps("rsi_14", ((20.0, 100.0),), Line("rsi_14", 100.0, -2.0), rising=False).mirror()
    assert str(falling) == "rsi_14: 100 at ≥ 80; else -100 + 2 × rsi_14"


def test_enum_values_missing_from_the_table_have_no_points():
    curve = ValuePoints("regime_family", (("TRENDING_UP", 60.0),))
    codes = [encode_value("regime_family", word) for word in ("TRENDING_UP", "RANGING")]
    assert points_at(curve, regime_family=[*codes, MISSING]) == [60.0, None, None]
    assert str(curve.mirror()) == "regime_family: 60 in TRENDING_DOWN"


def test_the_first_case_that_holds_gives_the_points():
    curve = Cases(
        ("flow_bias",),
        (
            ("both", (above("flow_bias", 0.0), above("flow_score", 50.0)), 90.0),
            ("one", (above("flow_bias", 0.0),), 70.0),
        ),
        Line("flow_bias", 30.0, 10.0),
    )
    told_at = points_at(curve, flow_bias=[1.0, 1.0, 1.0, -1.0, MISSING], flow_score=[60.0, 50.0, MISSING, 60.0, 60.0])
    assert told_at == [90.0, 70.0, 70.0, 20.0, None]
    assert curve.features == ("flow_bias", "flow_score")
    assert str(curve.mirror()) == (
        "90 if flow_bias < 0 and flow_score > 50; 70 if flow_bias < 0; else 30 - 10 × flow_bias"
    )


def test_a_case_does_not_apply_where_another_need_is_missing():
    curve = Cases(("flow_bias", "flow_score"), (("with", (above("flow_bias", 0.0),), 90.0),), 60.0)
    assert points_at(curve, flow_bias=[1.0, 1.0, 0.0], flow_score=[10.0, MISSING, 10.0]) == [90.0, None, 60.0]


def test_a_bonus_on_a_missing_feature_is_not_given_and_a_missing_need_leaves_no_points():
    curve = Bonuses(
        50.0, ("rsi_14",), (("volume", (above("rvol", 2.0),), 20.0), ("low", (below("rsi_14", 30.0),), -15.0))
    )
    told_at = points_at(curve, rsi_14=[40.0, 20.0, 20.0, MISSING], rvol=[3.0, 3.0, MISSING, 3.0])
    assert told_at == [70.0, 55.0, 35.0, None]
    assert str(curve) == "50; +20 if rvol > 2; -15 if rsi_14 < 30"


def test_a_share_is_of_what_is_known():
    curve = ShareOfTests(((above("rsi_14", 50.0),), (above("rsi_15m", 50.0), above("rsi_1h", 50.0))))
    told_at = points_at(
        curve, rsi_14=[60, 60, 40, MISSING], rsi_15m=[60, 60, 60, MISSING], rsi_1h=[60, 40, MISSING, 60]
    )
    assert told_at == [100.0, 50.0, 0.0, None]


def test_points_of_a_factor_stay_within_0_and_100():
    factor = Factor("any", 0.5, Line("rvol", 0.0, 50.0))
    assert factor.evaluate(columns(rvol=[-1.0, 1.0, 9.0])).tolist() == [0.0, 50.0, 100.0]


def test_the_description_of_a_value_can_be_written_as_json():
    seen = columns(rvol=[1.23456789, MISSING, np.inf], regime_family=[0.0, MISSING, 2.0])
    assert [to_json_value("rvol", seen, row) for row in range(3)] == [1.234568, None, None]
    assert [to_json_value("regime_family", seen, row) for row in range(3)] == ["TRENDING_UP", None, "RANGING"]
