"""Parts of a session, and what suits a scalp, a day trade and a swing."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.engines import mtf_alignment
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition as On
from hd_pipelines.signals.scanner.scoring.styles import compute_suitability, find_conditions, measure_alignment
from hd_pipelines.signals.scanner.scoring.windows import WINDOWS, assign_windows
from hd_pipelines.tables.vocabulary import AssetClass, Direction, MarketRegime, Resolution
from tests.signals.scanner.setups import HALF_DAY, row

NAN = float("nan")


def window_at(minute, session=date(2025, 6, 17)):
    return WINDOWS[assign_windows(row(minute=minute, session=session))[0]].value


@pytest.mark.parametrize(
    ("minute", "name"),
    [
        (1, "opening"),  # 9:30 to 9:31
        (30, "opening"),  # 9:59 to 10:00
        (31, "mid_morning"),
        (90, "mid_morning"),
        (91, "late_morning"),
        (120, "late_morning"),
        (121, "lunch"),  # 11:30 to 11:31
        (240, "lunch"),
        (241, "early_afternoon"),
        (300, "early_afternoon"),
        (301, "afternoon"),
        (330, "afternoon"),
        (331, "power_hour"),  # 15:00 to 15:01
        (390, "power_hour"),
    ],
)
def test_a_full_day_is_divided_as_published(minute, name):
    assert window_at(minute) == name


@pytest.mark.parametrize(
    ("minute", "name"),
    [
        (30, "opening"),
        (90, "mid_morning"),
        (120, "late_morning"),
        (121, "afternoon"),
        (150, "afternoon"),
        (151, "power_hour"),
        (210, "power_hour"),
    ],
)
def test_a_half_day_has_its_power_hour_before_one_and_no_lunch(minute, name):
    assert window_at(minute, HALF_DAY) == name


def test_a_look_at_the_close_of_a_day_has_no_time_of_day():
    looked = row(minute=390, resolution=Resolution.DAY)
    assert WINDOWS[assign_windows(looked)[0]] == "whole_session"
    assert not {"power_hour", "close_within_30_minutes"} & set(holding(looked))


def holding(frame, direction=Direction.LONG):
    found = find_conditions(frame, assign_windows(frame), direction, DEFAULT_POLICY.styles)
    return [name.value for name, where in found.items() if where[0]]


def product(frame, direction=Direction.LONG):
    found = find_conditions(frame, assign_windows(frame), direction, DEFAULT_POLICY.styles)
    return compute_suitability(found, DEFAULT_POLICY.styles)[0]


QUIET = {"rvol": 1.0, "rsi_14": 50.0, "atr_day_pct": 1.2, "regime": None}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"atr_day_pct": 2.5}, ["atr_high"]),
        ({"atr_day_pct": 2.6}, ["atr_very_high"]),
        ({"atr_day_pct": 0.9}, ["atr_low"]),
        ({"atr_day_pct": 0.4}, ["atr_very_low"]),
        ({"rvol": 1.6}, ["volume_high"]),
        ({"rvol": 0.7}, ["volume_low"]),
        ({"rvol": 0.4}, ["volume_very_low"]),
        ({"is_near_key_level": 1.0}, ["near_key_level"]),
        ({"rsi_14": 30.0}, ["rsi_extreme"]),
        ({"rsi_14": 70.0}, ["rsi_extreme"]),
        ({"regime": MarketRegime.WEAK_DOWNTREND}, ["regime_trending"]),
        ({"regime": MarketRegime.RANGE_BOUND}, ["regime_ranging"]),
        ({"regime": MarketRegime.CHOPPY_BULLISH}, ["regime_choppy"]),
        ({"regime": MarketRegime.CAPITULATION}, ["regime_volatile"]),
        ({"mtf_trend_week": 1.0, "mtf_trend_day": 2.0}, ["trends_strongly_aligned"]),
        ({"mtf_trend_day": 1.0}, ["trends_aligned"]),
        ({"mtf_trend_day": -1.0}, ["trends_opposed"]),
    ],
)
def test_conditions_hold_where_they_are_published_to(changes, found):
    assert holding(row(minute=75, **(QUIET | changes))) == ["mid_morning", *found]


def test_the_last_hour_and_the_last_half_hour_exclude_each_other():
    assert "close_within_60_minutes" in holding(row(minute=345))
    assert {"close_within_30_minutes"} == {name for name in holding(row(minute=365)) if "close" in name}


def test_a_product_of_modifiers():
    """Mid-morning, volume above 1.5, day ATR above 1.5 %."""
    made = product(row(minute=75, **(QUIET | {"rvol": 1.6, "atr_day_pct": 2.0})))
    assert made == pytest.approx([1.1 * 1.3 * 0.9, 1.15 * 1.15 * 1.1, 1.0 * 1.0 * 1.15])


def test_missing_features_modify_nothing():
    names = ("rvol", "rsi_14", "atr_day_pct", "is_near_key_level", *(f"mtf_trend_{n}" for n in mtf_alignment.WEIGHTS))
    assert holding(row(minute=75, regime=None, **dict.fromkeys(names, NAN))) == ["mid_morning"]


@given(
    st.tuples(*[st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, NAN])] * 4),
    st.sampled_from(list(Direction)),
)
def test_alignment_is_that_of_the_engine(trends, direction):
    named = dict(zip(mtf_alignment.WEIGHTS, trends, strict=True))
    mine = measure_alignment(row(**{f"mtf_trend_{name}": trend for name, trend in named.items()}), direction)[0]
    known = {name: trend for name, trend in named.items() if not np.isnan(trend)}
    assert mine == pytest.approx(mtf_alignment.measure_alignment(known, direction)) if known else np.isnan(mine)


@given(st.integers(1, 390), st.floats(0, 5), st.floats(0, 100), st.floats(0, 5), st.sampled_from(list(MarketRegime)))
def test_at_most_one_condition_of_each_kind_holds(minute, atr, rsi, volume, regime):
    found = holding(row(minute=minute, atr_day_pct=atr, rsi_14=rsi, rvol=volume, regime=regime))
    kinds = [
        name.split("_")[0] for name in found if name.split("_")[0] in {"atr", "volume", "trends", "regime", "close"}
    ]
    assert len(kinds) == len(set(kinds))
    assert len([name for name in found if name in set(map(str, WINDOWS))]) == 1
    assert set(found) <= set(map(str, On))


def test_an_index_is_measured_like_a_stock():
    assert holding(row(AssetClass.INDEX, minute=75, **QUIET)) == ["mid_morning"]
