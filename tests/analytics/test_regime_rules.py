"""The rule table: total, ordered, every class reachable, and missing measures lower the confidence."""

import math

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.regime.conditions import Rule, at_least, at_most
from hd_pipelines.analytics.regime.decision import (
    decide,
    find_regimes_that_may_stay,
    list_missing_axes,
    measure_coverage,
)
from hd_pipelines.analytics.regime.rules import AXES, MEASURES, RULES
from hd_pipelines.tables.vocabulary import MarketRegime

QUIET = {
    "vix_level": 17.0,
    "return_20d": 0.0,
    "return_20d_before": 0.0,
    "trend_sigmas": 0.0,
    "distance_50d": 0.0,
    "distance_200d": 0.03,
    "move_sigmas": 0.0,
    "beyond_high_20d": -0.01,
    "beyond_low_20d": 0.01,
    "share_above_50d": 0.5,
    "share_above_200d": 0.55,
    "net_advances_10d": 0.0,
    "term_ratio": 0.1,
    "average_pairwise_correlation": 0.5,
    "put_call_ratio_total": 0.95,
}
"""A market that does nothing."""

PANIC = {
    "vix_level": 62.0,
    "return_20d": -0.25,
    "return_20d_before": -0.2,
    "trend_sigmas": -2.5,
    "distance_50d": -0.2,
    "distance_200d": -0.18,
    "move_sigmas": -1.5,
    "beyond_low_20d": -0.04,
    "share_above_50d": 0.02,
    "share_above_200d": 0.1,
    "net_advances_10d": -0.5,
    "term_ratio": -0.15,
    "average_pairwise_correlation": 0.9,
    "put_call_ratio_total": 1.6,
}

JANUARY_2018 = {
    "vix_level": 9.9,
    "return_20d": 0.05,
    "return_20d_before": 0.045,
    "trend_sigmas": 1.8,
    "distance_50d": 0.05,
    "distance_200d": 0.12,
    "share_above_50d": 0.85,
    "share_above_200d": 0.8,
    "net_advances_10d": 0.2,
    "put_call_ratio_total": 0.6,
}

REACHING = {
    "panic_selling": PANIC,
    "stretched_and_carefree": JANUARY_2018,
    "fell_out_of_its_range": {"move_sigmas": -2.1, "beyond_low_20d": -0.005},
    "fell_hard_from_calm": {"move_sigmas": -2.6, "beyond_low_20d": 0.001},
    "rose_out_of_its_range": {"move_sigmas": 1.6, "beyond_high_20d": 0.004},
    "broad_and_steep_rise": {
        "return_20d": 0.04,
        "return_20d_before": 0.04,
        "trend_sigmas": 0.9,
        "distance_50d": 0.03,
        "distance_200d": 0.06,
        "share_above_50d": 0.75,
        "net_advances_10d": 0.1,
    },
    "broad_and_steep_fall": {
        "vix_level": 28.0,
        "return_20d": -0.07,
        "return_20d_before": -0.06,
        "trend_sigmas": -1.1,
        "distance_50d": -0.06,
        "distance_200d": -0.08,
        "beyond_low_20d": 0.0,
        "share_above_50d": 0.2,
        "net_advances_10d": -0.2,
    },
    "flat_and_calm": {},
    "bounce_off_the_low": {"vix_level": 30.0, "beyond_low_20d": 0.09, "distance_50d": -0.05, "return_20d": -0.06},
    "rise_with_high_volatility": {
        "vix_level": 35.0,
        "return_20d": 0.06,
        "return_20d_before": 0.06,
        "trend_sigmas": 0.5,
        "distance_50d": 0.04,
    },
    "rise": {"return_20d": 0.02, "trend_sigmas": 0.4, "distance_50d": 0.02},
    "fall": {"return_20d": -0.02, "trend_sigmas": -0.4, "distance_50d": -0.02, "distance_200d": -0.05},
    "rally_in_a_bear_market": {"return_20d": 0.05, "trend_sigmas": 0.5, "distance_50d": 0.04, "distance_200d": -0.06},
    "deep_dip_above_the_long_average": {"return_20d": -0.05, "trend_sigmas": -0.9, "distance_50d": -0.04},
    "mixed_above_the_long_average": {"return_20d": -0.015, "trend_sigmas": -0.4, "distance_50d": 0.01},
    "mixed_below_the_long_average_or_nervous": {
        "return_20d": 0.02,
        "trend_sigmas": 0.4,
        "distance_50d": -0.01,
        "distance_200d": -0.04,
    },
    "nervous_without_a_measured_trend": {
        "vix_level": 33.0,
        **dict.fromkeys(("return_20d", "trend_sigmas", "distance_50d", "distance_200d")),
    },
    "nothing_else_fires": dict.fromkeys(("return_20d", "trend_sigmas", "distance_50d", "distance_200d")),
}
"""What makes each rule fire, as differences from `QUIET`."""


def frame(*rows):
    columns = {name: [row.get(name) for row in rows] for name in MEASURES}
    sizes = [row.get("n_stocks") for row in rows]
    return pl.DataFrame(
        {**columns, "n_stocks": sizes}, schema={**dict.fromkeys(MEASURES, pl.Float64), "n_stocks": pl.Int64}
    )


def rule_of(row):
    return RULES[decide(frame(row))["rule"].item()]


def covered(row):
    return frame(row).select(measure_coverage()).item()


extremes = st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324])
near_thresholds = st.sampled_from(
    sorted({c.threshold for rule in RULES for c in (*rule.requires, *rule.unless_contradicted)})
)
anything = st.none() | extremes | near_thresholds | st.floats(-1, 1) | st.floats(allow_nan=True, allow_infinity=True)
any_row = st.fixed_dictionaries(dict.fromkeys(MEASURES, anything))
any_trend = st.fixed_dictionaries(
    {
        "vix_level": st.floats(5, 90),
        **{
            name: st.floats(-0.5, 0.5) | near_thresholds.filter(lambda x: abs(x) < 1)
            for name in ("return_20d", "distance_50d", "distance_200d")
        },
        "trend_sigmas": st.floats(-5, 5),
    }
)


@settings(max_examples=80, deadline=None)
@given(st.lists(any_row, min_size=1, max_size=20))
@example([{}])
def test_every_input_has_one_regime_and_a_confidence(rows):
    measures = frame(*rows)
    decisions = decide(measures)
    assert set(decisions["raw_regime"]) <= set(MarketRegime)
    assert decisions["raw_regime"].to_list() == [RULES[rule].regime for rule in decisions["rule"]]
    assert measures.select(measure_coverage().is_between(0, 1).all()).item()
    assert find_regimes_that_may_stay(measures).null_count().sum_horizontal().item() == 0


@settings(max_examples=200, deadline=None)
@given(any_trend)
def test_a_measured_trend_is_never_decided_by_the_last_resort(row):
    assert rule_of(row).name not in {"nothing_else_fires", "nervous_without_a_measured_trend"}


@pytest.mark.parametrize("name", [rule.name for rule in RULES])
def test_every_rule_is_reached_by_a_market_that_could_be(name):
    assert rule_of(QUIET | REACHING[name]).name == name


def test_every_class_is_reached():
    assert {rule_of(QUIET | REACHING[rule.name]).regime for rule in RULES} == set(MarketRegime)


def test_panic_is_not_hidden_by_the_trend_it_is_part_of():
    row = QUIET | PANIC
    falls = [rule for rule in RULES if rule.regime is MarketRegime.STRONG_DOWNTREND]
    assert all(frame(row).select(rule.fires()).item() for rule in falls)
    assert rule_of(row).regime is MarketRegime.CAPITULATION


def test_euphoria_is_not_hidden_by_the_trend_it_is_part_of():
    row = QUIET | JANUARY_2018
    rises = [rule for rule in RULES if rule.regime is MarketRegime.STRONG_UPTREND]
    assert all(frame(row).select(rule.fires()).item() for rule in rises)
    assert rule_of(row).regime is MarketRegime.EUPHORIA


@settings(max_examples=200, deadline=None)
@given(row=any_row, lost=st.sampled_from([c for _, columns in AXES.values() for c in columns]))
def test_what_is_not_measured_lowers_the_confidence_of_a_decision(row, lost):
    known = QUIET | {name: value for name, value in row.items() if value is not None and not math.isnan(value)}
    assert covered(known) == pytest.approx(1.0)
    assert covered(known | {lost: None}) < covered(known)


def test_nothing_measured_is_worth_nothing():
    assert rule_of({}).regime is MarketRegime.RANGE_BOUND
    assert covered({}) == 0.0


def test_breadth_of_a_sample_counts_half():
    whole, sample = covered(QUIET | {"n_stocks": 5000}), covered(QUIET | {"n_stocks": 39})
    assert whole - sample == pytest.approx(AXES[next(a for a in AXES if a.value == "breadth")][0] / 2)


def test_a_missing_measure_neither_confirms_nor_forbids():
    rule = Rule("r", MarketRegime.BREAKOUT, 50, (at_least("vix_level", 20),), (at_most("term_ratio", 0.0),))
    fires = [
        frame(row).select(rule.fires()).item()
        for row in (
            {"vix_level": 25.0, "term_ratio": -0.1},
            {"vix_level": 25.0, "term_ratio": None},
            {"vix_level": 25.0, "term_ratio": 0.1},
            {"vix_level": None, "term_ratio": -0.1},
        )
    ]
    assert fires == [True, True, False, False]


def test_a_strong_trend_needs_breadth_that_does_not_contradict():
    rise = QUIET | REACHING["broad_and_steep_rise"]
    assert rule_of(rise).regime is MarketRegime.STRONG_UPTREND
    assert rule_of(rise | {"share_above_50d": None}).regime is MarketRegime.STRONG_UPTREND
    assert rule_of(rise | {"share_above_50d": 0.4}).regime is MarketRegime.WEAK_UPTREND


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.is_event and rule.requires], ids=lambda r: r.name)
def test_staying_is_easier_than_entering(rule):
    row = QUIET | REACHING[rule.name]
    assert find_regimes_that_may_stay(frame(row))[rule.regime.value].item()
    assert all(condition.slack >= 0 for condition in (*rule.requires, *rule.unless_contradicted))


def test_an_event_is_over_when_its_session_is():
    assert not find_regimes_that_may_stay(frame(QUIET | REACHING["fell_out_of_its_range"]))["BREAKDOWN"].item()


def test_the_table_refuses_to_be_partial():
    with pytest.raises(ValueError, match="must fire on everything"):
        decide(frame(QUIET), RULES[:-1])


def test_rules_ask_for_measures_that_exist_and_weights_add_up():
    asked = {c.measure for rule in RULES for c in (*rule.requires, *rule.unless_contradicted)}
    assert asked <= set(MEASURES)
    assert sum(weight for weight, _ in AXES.values()) == pytest.approx(1.0)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_missing_axes_are_named():
    assert (
        frame(QUIET | {"term_ratio": None, "share_above_50d": None}).select(list_missing_axes()).item()
        == "breadth, term structure"
    )
    assert frame(QUIET).select(list_missing_axes()).item() is None
