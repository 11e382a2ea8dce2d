"""What is true of every detector on every frame."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.signals.catalogue import FEATURES
from hd_pipelines.signals.detectors.detector import UnknownParameterError
from hd_pipelines.signals.detectors.examples import build_firing_frame, build_frame, get_example
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.conditions import Condition
from hd_pipelines.signals.detectors.rules.mirroring import mirror_name
from hd_pipelines.tables.vocabulary import AssetClass, Direction, Resolution
from tests.signals.detectors.frames import SIDES, asset_class_for, frame_with, frames, named, random_frame

MANY = settings(max_examples=50, deadline=None)
INDEX, STOCK = AssetClass.INDEX, AssetClass.STOCK


def answers(frame):
    """The results of all detectors on a frame: where they fire, their scores, and the points of every factor."""
    for detector, direction in SIDES:
        scores = detector.score(frame, direction)
        yield detector.fires(replace(frame, asset_class=asset_class_for(detector)), direction)
        yield scores.total
        yield scores.coverage
        yield from scores.by_factor.values()


@given(columns=frames(), data=st.data())
@MANY
def test_a_row_is_evaluated_by_itself_whatever_follows_or_precedes_it(columns, data):
    frame = frame_with(columns)
    cut = data.draw(st.integers(0, len(frame)))
    for whole, until, since in zip(
        answers(frame), answers(frame.select(slice(0, cut))), answers(frame.select(slice(cut, None))), strict=True
    ):
        np.testing.assert_array_equal(whole, np.concatenate([until, since]))


@pytest.mark.parametrize("asset_class", [STOCK, INDEX])
def test_a_long_frame_cut_at_any_row_gives_the_same_results_until_then(asset_class):
    frame = random_frame(2_000, asset_class, seed=11)
    fired = 0
    for detector, direction in SIDES:
        whole, scores = detector.fires(frame, direction), detector.score(frame, direction).total
        fired += int(whole.sum())
        for cut in (1, 2, 57, 1_024, 1_999):
            part = frame.select(slice(0, cut))
            assert detector.fires(part, direction).tobytes() == whole[:cut].tobytes()
            assert detector.score(part, direction).total.tobytes() == scores[:cut].tobytes()
    assert fired > 50


@given(columns=frames(with_infinities=True))
@MANY
def test_no_value_makes_a_detector_fail_or_a_score_leave_its_bounds(columns):
    frame = frame_with(columns)
    for detector, direction in SIDES:
        mine = replace(frame, asset_class=asset_class_for(detector))
        fired, scores = detector.fires(mine, direction), detector.score(mine, direction)
        assert fired.dtype == np.bool_
        assert fired.shape == scores.total.shape == scores.coverage.shape == (len(frame),)
        for points in (scores.total, *scores.by_factor.values()):
            assert np.all(np.isnan(points) | ((points >= 0.0) & (points <= 100.0)))
        assert np.all((scores.coverage >= 0.0) & (scores.coverage <= 1.0 + 1e-12))
        assert np.array_equal(np.isnan(scores.total), scores.coverage == 0.0)
        detector.explain(mine, 0, direction)


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_without_a_feature_its_conditions_do_not_hold_and_its_factors_leave_the_mean(detector, direction):
    example = get_example(detector, direction)
    for feature in detector.features:
        frame = build_frame(
            detector, example | {mirror_name(feature) if direction is Direction.SHORT else feature: np.nan}
        )
        view = frame.view_for(direction)
        for condition in detector.conditions:
            is_required = isinstance(condition, Condition) and any(t.feature == feature for t in condition.tests)
            assert condition.passes(view)[0] == (not is_required)
        scores = detector.score(frame, direction)
        known = [f.weight for f in detector.factors if not np.isnan(scores.by_factor[f.name][0])]
        assert scores.coverage[0] == pytest.approx(sum(known))
        assert not np.isnan(scores.total[0])


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_on_a_row_of_which_nothing_is_known_it_neither_fires_nor_scores(detector, direction):
    frame = build_frame(detector, {})
    assert not detector.fires(frame, direction)[0]
    assert np.isnan(detector.score(frame, direction).total[0])
    assert detector.score(frame, direction).coverage[0] == 0.0


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_it_does_not_fire_for_another_asset_class_or_direction(detector, direction):
    frame = build_firing_frame(detector, direction)
    for asset_class in AssetClass:
        fires = detector.fires(replace(frame, asset_class=asset_class), direction)[0]
        assert fires == (asset_class in detector.asset_classes)
    if len(detector.directions) == 1:
        other = Direction.SHORT if direction is Direction.LONG else Direction.LONG
        assert not detector.fires(build_firing_frame(detector, other), other)[0]


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=named)
def test_it_looks_only_at_features_of_the_catalogue(detector):
    assert set(detector.features) <= set(FEATURES)
    assert set(detector.example) <= set(FEATURES)
    assert {name for f in detector.factors_for(Direction.SHORT) for name in f.curve.features} <= set(FEATURES)


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=named)
def test_its_weights_sum_to_one_and_its_names_are_its_own(detector):
    assert math.fsum(factor.weight for factor in detector.factors) == pytest.approx(1.0)
    names = [each.name for each in (*detector.conditions,)], [each.name for each in detector.factors]
    assert all(len(set(each)) == len(each) for each in names)
    assert DETECTORS[detector.name] is detector


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=named)
def test_every_number_can_be_varied_and_changes_the_version(detector):
    parameters = detector.parameters()
    versions = {detector.parameter_version}
    for name, number in parameters.items():
        other = detector.vary({name: number + 0.125})
        assert other.parameters() == parameters | {name: number + 0.125}
        versions.add(other.parameter_version)
    assert len(versions) == len(parameters) + 1
    assert detector.vary({}) == detector
    assert all(len(version) == 12 for version in versions)


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=named)
def test_each_condition_moves_with_its_threshold(detector):
    """Thresholds are data: moved out of reach, the example no longer fires."""
    direction = detector.directions[0]
    frame = build_firing_frame(detector, direction)
    for name, number in detector.parameters().items():
        if name.startswith("condition.") and name.split(".")[1] in {
            c.name for c in detector.conditions if isinstance(c, Condition)
        }:
            away = 1e12 if name.endswith((".at_least", ".above")) else -1e12
            assert not detector.vary({name: number + away}).fires(frame, direction)[0], name


def test_a_number_that_it_does_not_have_is_refused():
    with pytest.raises(UnknownParameterError, match=r"breakout_bullish has no parameter 'factor\.luck\.weight'"):
        DETECTORS["breakout_bullish"].vary({"factor.luck.weight": 1.0})


def test_there_are_six_for_equities_and_eleven_for_indices_and_five_need_the_chain():
    on = {asset: [n for n, d in DETECTORS.items() if asset in d.asset_classes] for asset in AssetClass}
    assert len(DETECTORS) == 17
    assert len(on[STOCK]) == 6
    assert on[STOCK] == on[AssetClass.EQUITY_ETF]
    assert len(on[INDEX]) == 11
    assert [n for n, d in DETECTORS.items() if d.needs_chain] == [
        "gamma_squeeze_bullish",
        "gamma_squeeze_bearish",
        "gamma_flip_bullish",
        "gamma_flip_bearish",
        "eod_pin_setup",
    ]


def test_scoring_chosen_rows_is_scoring_a_frame_of_those_rows():
    frame = random_frame(500, INDEX, seed=5)
    rows = np.array([3, 99, 100, 499])
    for detector, direction in SIDES:
        chosen = detector.score(frame, direction, rows)
        np.testing.assert_array_equal(chosen.total, detector.score(frame.select(rows), direction).total)


def test_only_what_needs_the_chain_fires_on_a_day_s_one_row():
    """Of a day without minutes only its bar, its contexts and its chain are known: at the close, 390 minutes in."""
    day = {"minutes_from_open": 390.0, "minutes_to_close": 0.0}
    fired = set()
    for detector, direction in SIDES:
        known = {n: v for n, v in get_example(detector, direction).items() if n not in OF_MINUTES} | day
        frame = replace(build_frame(detector, known), resolution=Resolution.DAY)
        if detector.fires(frame, direction)[0]:
            fired.add(detector.name)
    assert fired == {name for name, detector in DETECTORS.items() if detector.needs_chain}


OF_MINUTES = {
    *(name for name in FEATURES if name.startswith(("rsi_", "ema_", "bollinger_", "atr_5m", "atr_15m", "atr_1h"))),
    *(name for name in FEATURES if name.startswith(("flow_", "vwap", "above_opening", "below_opening"))),
    *("above_20_bar_high_pct", "below_20_bar_low_pct", "is_patience_candle"),
}


def test_a_hundred_thousand_rows_are_scored_at_once():
    for frame in (random_frame(49_000, asset_class, seed=3) for asset_class in (STOCK, INDEX)):
        for detector, direction in SIDES:
            rows = np.flatnonzero(detector.fires(frame, direction))
            if rows.size:
                assert np.isfinite(detector.score(frame, direction, rows).total).all()
