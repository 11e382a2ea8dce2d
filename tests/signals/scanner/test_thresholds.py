"""The thresholds of a candidate, and that they can be reached."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.policy.vocabulary import TimeWindow, VixBand
from hd_pipelines.signals.scanner.scoring.thresholds import (
    BANDS,
    UNKNOWN,
    classify_vix,
    find_base_thresholds,
    find_requirements,
)
from hd_pipelines.signals.scanner.scoring.windows import WINDOWS
from hd_pipelines.tables.vocabulary import AssetClass, Strategy, TradingStyle

RULES = DEFAULT_POLICY.thresholds
PROFILES = DEFAULT_POLICY.plan.profiles


def choose(strategy=Strategy.BREAKOUT, asset_class=AssetClass.STOCK, window="mid_morning", band="medium"):
    place = UNKNOWN if band is None else BANDS.index(VixBand(band))
    return find_requirements(strategy, asset_class, WINDOWS.index(TimeWindow(window)), place, RULES)


@pytest.mark.parametrize(
    ("vix", "band"),
    [
        (9.0, "low"),
        (14.99, "low"),
        (15.0, "medium"),
        (25.0, "high"),
        (34.9, "high"),
        (35.0, "extreme"),
        (80.0, "extreme"),
    ],
)
def test_bands_of_the_vix(vix, band):
    assert BANDS[classify_vix(np.array([vix]), RULES)[0]] == band


def test_an_unknown_vix_adds_nothing_and_is_labelled():
    assert classify_vix(np.array([np.nan]), RULES)[0] == UNKNOWN
    unknown = choose(band=None)
    assert (unknown.base, unknown.style, unknown.size) == (choose().base, choose().style, 1.0)
    assert unknown.to_json(TradingStyle.SCALP, PROFILES[TradingStyle.SCALP])["parts"][-1]["source"] == "vix_unknown"


@pytest.mark.parametrize(
    ("strategy", "asset_class", "window", "band", "base", "style"),
    [
        (Strategy.BREAKOUT, AssetClass.STOCK, "opening", "medium", 65, 70),
        (Strategy.BREAKOUT, AssetClass.STOCK, "opening", "low", 60, 67),
        (Strategy.BREAKOUT, AssetClass.EQUITY_ETF, "lunch", "medium", 85, 88),
        (Strategy.BREAKOUT, AssetClass.STOCK, "lunch", "extreme", 95, 95),  # 100 and 100, bounded
        (Strategy.INDEX_MEAN_REVERSION, AssetClass.INDEX, "mid_morning", "high", 82, 85),
        (Strategy.GAMMA_FLIP, AssetClass.INDEX, "power_hour", "medium", 78, 77),
        (Strategy.EOD_PIN, AssetClass.INDEX, "power_hour", "low", 73, 74),
    ],
)
def test_thresholds_are_start_plus_window_plus_vix(strategy, asset_class, window, band, base, style):
    found = choose(strategy, asset_class, window, band)
    assert (found.base, found.style) == (base, style)


@pytest.mark.parametrize(
    ("strategy", "asset_class", "window", "band", "style", "least"),
    [
        (Strategy.BREAKOUT, AssetClass.STOCK, "mid_morning", "medium", TradingStyle.SCALP, 1.5),
        (Strategy.BREAKOUT, AssetClass.STOCK, "mid_morning", "medium", TradingStyle.SWING, 2.0),
        (Strategy.BREAKOUT, AssetClass.STOCK, "opening", "low", TradingStyle.SCALP, 1.0),
        (Strategy.OPENING_DRIVE, AssetClass.INDEX, "opening", "medium", TradingStyle.SCALP, 1.5),
        (Strategy.GAMMA_FLIP, AssetClass.INDEX, "power_hour", "medium", TradingStyle.SCALP, 1.8),
        (Strategy.BREAKOUT, AssetClass.STOCK, "lunch", "medium", TradingStyle.DAY_TRADE, 2.5),
    ],
)
def test_reward_per_risk_starts_from_the_larger_of_class_and_style(strategy, asset_class, window, band, style, least):
    assert choose(strategy, asset_class, window, band).risk_reward(PROFILES[style]) == least


def test_size_is_that_of_the_window_times_that_of_the_vix():
    assert choose(window="power_hour", band="low").size == pytest.approx(1.1 * 1.2)
    assert choose(window="lunch", band="extreme").size == pytest.approx(0.6 * 0.4)


def test_the_reported_parts_add_up():
    for window in WINDOWS:
        for band in BANDS:
            for style, profile in PROFILES.items():
                found = choose(Strategy.OPENING_DRIVE, AssetClass.INDEX, window, band)
                actual = found.to_json(style, profile)
                base, reward = (sum(part[key] for part in actual["parts"]) for key in ("base", "risk_reward"))
                assert actual["base"] == min(base, 95)
                assert actual["risk_reward"] == pytest.approx(max(reward, 1.0))


@given(st.lists(st.tuples(st.integers(0, len(WINDOWS) - 1), st.integers(-1, 3)), min_size=1, max_size=30))
def test_thresholds_of_many_rows_are_those_of_each(pairs):
    window, band = (np.array(each) for each in zip(*pairs, strict=True))
    found = find_base_thresholds(Strategy.GAMMA_FLIP, AssetClass.INDEX, window, band, RULES)
    assert found.tolist() == [
        find_requirements(Strategy.GAMMA_FLIP, AssetClass.INDEX, w, b, RULES).base for w, b in pairs
    ]


def test_a_plan_without_levels_reaches_its_reward_in_most_hours():
    """Every style has the profile's own ratio, so its least reward must not exceed that in calm hours."""
    for style, profile in PROFILES.items():
        own = profile.target_2 / profile.stop
        calm = [w for w in TimeWindow if choose(window=w).risk_reward(profile) <= own]
        assert len(calm) >= 6, style
