"""Swings and divergence on bars drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hd_pipelines.signals.features.indicators.swings import SWING_FEATURES, fill_swing_features


def swings(middle, strength=None, atr=1.0):
    """States after each bar whose high and low lie half a point around `middle`; the first is that before any bar."""
    middle = np.asarray(middle, float)
    prices = np.stack((middle + 0.5, middle - 0.5, middle))
    strength = np.full(middle.size, 50.0) if strength is None else np.asarray(strength, float)
    states = np.full((len(SWING_FEATURES), middle.size + 1), np.nan)
    fill_swing_features(prices, strength, np.full(middle.size, atr), middle.size, states)
    return dict(zip(SWING_FEATURES, states, strict=True))


UP_DOWN = [10, 11, 12, 11, 10, 9, 10, 11]


def test_a_swing_is_known_when_two_bars_after_it_are_complete():
    found = swings(UP_DOWN)
    assert np.isnan(found["swing_high"][:5]).all()  # the high is bar 3; bar 5 confirms it
    assert found["swing_high"][5:].tolist() == [12.5] * 4
    assert np.isnan(found["swing_low"][:8]).all()
    assert found["swing_low"][8] == 8.5


def test_of_equal_highs_the_first_one_turned():
    found = swings([10, 11, 12, 12, 11, 10, 9])
    assert np.isnan(found["swing_high"][4])
    assert found["swing_high"][5] == 12.5
    assert np.isnan(found["has_lower_highs"]).all()  # one swing, not two


LOWER_LOW = [12, 11, 10, 11, 12, 11, 10, 9.5, 10, 11]


def test_lows_that_fall_are_not_higher_lows():
    found = swings(LOWER_LOW)
    assert found["has_higher_lows"][-1] == 0.0
    rising = swings([12, 11, 9.5, 11, 12, 11, 10.5, 10, 11, 12])
    assert rising["has_higher_lows"][-1] == 1.0
    assert np.isnan(rising["has_higher_lows"][:-1]).all()


def strength_at_lows(first, second):
    strength = np.full(10, 50.0)
    strength[2], strength[7] = first, second
    return strength


def test_a_lower_low_with_a_higher_rsi_is_bullish_as_far_as_both_differ():
    found = swings(LOWER_LOW, strength_at_lows(25, 31), atr=2.0)
    # 6 of 10 points of RSI, 0.5 of an ATR of 2: half of 0.6 and half of 0.25
    assert found["bullish_divergence"][-1] == pytest.approx(50 * 0.6 + 50 * 0.25)
    assert found["bearish_divergence"][-1] != found["bearish_divergence"][-1]  # there are no two swing highs
    clear = swings(LOWER_LOW, strength_at_lows(20, 45), atr=0.2)
    assert clear["bullish_divergence"][-1] == 100.0


@pytest.mark.parametrize(("first", "second"), [(31, 25), (30, 30)])
def test_a_lower_low_without_a_higher_rsi_is_no_divergence(first, second):
    assert swings(LOWER_LOW, strength_at_lows(first, second))["bullish_divergence"][-1] == 0.0


def test_a_higher_high_with_a_lower_rsi_is_bearish_to_the_same_degree():
    found = swings(-np.array(LOWER_LOW), 100 - strength_at_lows(25, 31), atr=2.0)
    assert found["bearish_divergence"][-1] == pytest.approx(42.5)
    assert np.isnan(found["bullish_divergence"][-1])


def test_an_unknown_rsi_is_an_unknown_divergence():
    assert np.isnan(swings(LOWER_LOW, strength_at_lows(np.nan, 31))["bullish_divergence"][-1])


def test_a_divergence_is_over_after_an_hour():
    after = [*LOWER_LOW, *np.linspace(11.1, 13, 20)]
    strength = np.concatenate((strength_at_lows(25, 31), np.full(20, 50.0)))
    found = swings(after, strength, atr=2.0)["bullish_divergence"]
    is_one = np.flatnonzero(found > 0)
    assert is_one.tolist() == list(range(10, 21))  # confirmed after bar 10, until bar 20: twelve bars after its low
    assert set(found[21:]) == {0.0}
