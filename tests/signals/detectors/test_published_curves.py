"""The factor curves at every bound."""

import math

import pytest

from hd_pipelines.signals.catalogue import FEATURES, encode_value
from tests.signals.detectors.frames import points_of

JUST = 1e-6


def steps(detector, factor, feature, table, otherwise, *, rising=True):
    """Each corner of a published table: at its bound, and a hair short of it, where the next step (or else) applies."""
    away = -JUST if rising else JUST
    easier = [*table[1:], None]
    for (bound, points), nearest in zip(table, easier, strict=True):
        assert points_of(detector, factor, **{feature: bound}) == [points]
        expected = nearest[1] if nearest else min(max(otherwise(bound + away), 0.0), 100.0)
        assert points_of(detector, factor, **{feature: bound + away}) == pytest.approx([expected])


def test_breakout_volume_and_vwap():
    steps("breakout_bullish", "volume", "rvol", [(4, 100), (2.5, 75), (1.5, 50)], lambda r: 33 * (r - 1))
    assert points_of("breakout_bullish", "volume", rvol=[1.3, 0.5]) == pytest.approx([9.9, 0.0])
    table = [(1.5, 100), (1.0, 85), (0.5, 70), (0.2, 60), (0.0, 50)]
    steps("breakout_bullish", "vwap", "vwap_distance_pct", table, lambda _: 0.0)


def test_breakout_flow():
    cases = {  # bias, score, sweeps
        (1, 71, 0): 100, (1, 61, 0): 85, (1, 61, 4): 90, (1, 50, 4): 90, (1, 50, 1): 70, (1, 50, 3): 70, (1, 70, 0): 85,
        (0, 90, 0): 60, (-1, 10, 0): 30, (-1, 90, 9): 30, (1, 60, 0): 60,
    }  # fmt: skip
    for (bias, score, sweeps), points in cases.items():
        actual = points_of("breakout_bullish", "flow", flow_bias=bias, flow_score=score, flow_sweeps=sweeps)
        assert actual == [points], (bias, score, sweeps)


def test_breakout_level_and_momentum():
    def level(orb, swing):
        return points_of(
            "breakout_bullish",
            "level",
            above_20_bar_high_pct=0.1,
            above_opening_range_pct=orb,
            above_swing_high_pct=swing,
        )

    assert [*level(0.4, -0.1), *level(0.3, -0.1), *level(-0.3, 0.1), *level(0.31, 0.1)] == [50, 70, 85, 65]

    def momentum(*values):
        named = dict(zip(("rsi_14", "rsi_15m", "rsi_1h"), values, strict=True))
        return points_of("breakout_bullish", "mtf", **named)[0]

    assert momentum(50, 70, 60) == 100
    assert momentum(49.9, 70.1, 60) == pytest.approx(100 / 3)
    assert momentum(49.9, math.nan, 60) == 50
    assert math.isnan(momentum(math.nan, math.nan, math.nan))


@pytest.mark.parametrize("name", ["mean_reversion_long", "mean_reversion_short", "index_mean_reversion_long"])
def test_relative_volume_and_rsi(name):
    steps(name, "volume", "rvol", [(2, 100), (1.5, 80), (1.2, 65)], lambda r: min(100, 50 * r))
    table = [(20, 100), (25, 85), (30, 70), (35, 55)]
    steps(name, "rsi", "rsi_14", table, lambda rsi: max(0, 100 - 2 * rsi), rising=False)
    assert points_of(name, "rsi", rsi_14=[45.0, 50.0, 70.0]) == [10.0, 0.0, 0.0]


@pytest.mark.parametrize(("name", "slope"), [("mean_reversion_long", 40), ("index_mean_reversion_long", 50)])
def test_distance_below_vwap(name, slope):
    table = [(-1.5, 100), (-1, 85), (-0.5, 70), (-0.3, 55)]
    steps(name, "vwap", "vwap_distance_pct", table, lambda d: slope * abs(d), rising=False)
    assert points_of(name, "vwap", vwap_distance_pct=[-0.1, 0.0]) == pytest.approx([0.1 * slope, 0.0])


def test_distance_from_ema_21():
    table = [(-3, 100), (-2.5, 90), (-2, 80), (-1.5, 70), (-1, 55)]
    steps("mean_reversion_long", "ema_21", "ema_21_distance_atr", table, lambda _: 40, rising=False)
    table = [(-2.5, 100), (-2, 90), (-1.5, 80), (-1.2, 70), (-1, 55)]
    steps("index_mean_reversion_long", "ema_21", "ema_21_distance_atr", table, lambda _: 40, rising=False)


def test_regime_for_reversals():
    families = ("RANGING", "CHOPPY", "VOLATILE", "TRENDING_UP", "TRENDING_DOWN")
    assert set(families) == set(FEATURES["regime_family"].enum_values)
    codes = [encode_value("regime_family", word) for word in families]
    assert points_of("mean_reversion_long", "regime", regime_family=codes) == [100, 90, 70, 60, 20]
    assert points_of("index_mean_reversion_long", "regime", regime_family=codes) == [100, 90, 70, 60, 40]


def test_divergence_and_turning_rsi():
    assert points_of("mean_reversion_long", "divergence", bullish_divergence=[0.0, 60.0, 100.0]) == [50, 80, 100]
    rsi = [34.9, 29.9, 29.9, 32.0, 40.0, 40.0, 40.0, 29.0]
    change = [0.1, -0.1, 0.1, -2.0, 4.0, -4.0, 20.0, 0.0]
    actual = points_of("mean_reversion_long", "rsi_turns", rsi_14=rsi, rsi_change=change)
    assert actual == [90, 40, 90, 40, 70, 30, 100, 50]


def test_reversal_candles():
    assert points_of("mean_reversion_long", "buyers_reversal", is_patience_candle=[0.0, 1.0]) == [50, 80]
    actual = points_of(
        "mean_reversion_short", "sellers_reversal", is_patience_candle=[0, 1, 0, 1], bullish_divergence=[0, 0, 30, 30]
    )
    assert actual == [50, 70, 80, 100]


def test_trend_averages_pullback_and_volume():
    def averages(distance, spread, long_spread):
        return points_of(
            "trend_continuation_long",
            "ema",
            ema_21_distance_pct=distance,
            ema_21_50_spread_pct=spread,
            ema_21_200_spread_pct=long_spread,
        )[0]

    assert averages(0.5, 1.0, 0.0) == 50
    assert averages(0.6, 1.0, 0.0) == 60
    assert averages(1.1, 1.1, 0.0) == 80
    assert averages(1.1, 2.1, 0.1) == 100

    def pullback(rsi, vwap):
        return points_of("trend_continuation_long", "pullback", rsi_14=rsi, vwap_distance_pct=vwap)[0]

    assert [pullback(52, 0.6), pullback(44, 0.6), pullback(39, 0.6)] == [80, 65, 50]
    assert [pullback(45, -0.2), pullback(60, 0.5), pullback(65, -0.21)] == [100, 100, 65]
    volumes = [0.8, 1.5, 0.79, 1.6, 2.0, 0.59, 2.1, 2.5, 0.49, 2.51]
    actual = points_of("trend_continuation_long", "volume", rvol=volumes)
    assert actual == [100, 100, 75, 75, 75, 60, 60, 60, 40, 40]


def test_trend_lows_longer_trends_and_flow():
    actual = points_of(
        "trend_continuation_long", "higher_lows", has_higher_lows=[0, 1, 1], below_swing_low_pct=[-1.0, -1.0, -0.3]
    )
    assert actual == [50, 90, 100]
    actual = points_of("trend_continuation_long", "mtf", ema_spread_15m_pct=[1, 1, -1], ema_spread_1h_pct=[1, -1, 0])
    assert actual == [100, 50, 0]
    flow = {  # bias, score, sweeps, is rising
        (0, 90, 9, 1): 50, (1, 60, 0, 0): 75, (1, 70, 0, 0): 90, (1, 60, 3, 0): 85, (1, 60, 0, 1): 85, (1, 70, 3, 1): 100,
        (-1, 60, 0, 1): 30, (-1, 70, 0, 1): 15, (-1, 60, 0, 0): 35,
    }  # fmt: skip
    for (bias, score, sweeps, rising), points in flow.items():
        values = {"flow_bias": bias, "flow_score": score, "flow_sweeps": sweeps, "flow_is_rising": rising}
        assert points_of("trend_continuation_long", "flow", **values) == [points], values


def test_gamma_squeeze():
    name = "gamma_squeeze_bullish"
    distances = [0.0, 0.04, 0.25, 0.5, 0.6]
    published = [max(0.0, 100 - 20_000 * d / 100) for d in distances]
    assert points_of(name, "strike", max_gamma_distance_pct=distances) == pytest.approx(published)
    steps(name, "share", "call_gamma_share", [(60, 100), (55, 75), (50, 50)], lambda _: 30)
    table = [(30, 100), (60, 85), (120, 70), (240, 55)]
    steps(name, "expiry", "minutes_to_expiry", table, lambda m: 100 - m / 5, rising=False)
    steps(name, "volume", "rvol", [(3, 100), (2, 80), (1.5, 60)], lambda r: 40 * r)


def test_power_hour():
    name = "power_hour_reversal_bullish"
    table = [(5, 100), (10, 85), (20, 70)]
    steps(name, "extreme", "day_range_position", table, lambda p: 100 - 3 * p, rising=False)
    from_open = [(360, 100), (345, 85), (330, 70)]
    table = [(390 - minute, points) for minute, points in from_open]
    steps(name, "timing", "minutes_to_close", table, lambda _: 0, rising=False)
    steps(name, "reversal", "rsi_14", [(25, 100), (30, 85), (35, 70), (40, 55)], lambda _: 0, rising=False)
    flow = {(0, 9, 9): 50, (1, 2, 2): 80, (1, 3, 2): 90, (1, 3, 3): 100, (-1, 3, 3): 50}
    for (bias, blocks, sweeps), points in flow.items():
        assert points_of(name, "flow", flow_bias=bias, flow_blocks=blocks, flow_sweeps=sweeps) == [points]
    assert points_of(name, "range", change_from_open_pct=[0.0, -1.0, -1.5, -2.0]) == [40, 80, 100, 100]


def test_time_of_day_for_index_reversals():
    minutes = {29: 60, 30: 80, 59: 80, 60: 100, 240: 100, 241: 80, 300: 80, 301: 60}
    for minute, points in minutes.items():
        actual = points_of(
            "index_mean_reversion_long", "time_of_day", minutes_from_open=minute, minutes_to_close=390 - minute
        )
        assert actual == [points], minute


def test_opening_drive():
    name = "opening_drive_bullish"
    assert points_of(name, "volume", rvol=[1.5, 2.0, 3.0, 4.0, 6.0]) == [37.5, 50, 75, 100, 100]
    flow = {(1, 61, 0): 100, (1, 60, 4): 90, (1, 60, 3): 75, (0, 90, 9): 50, (-1, 90, 9): 50}
    for (bias, score, sweeps), points in flow.items():
        assert points_of(name, "flow", flow_bias=bias, flow_score=score, flow_sweeps=sweeps) == [points]
    assert points_of(name, "mtf", mtf_trend_day=[1, 2, 1, 0], mtf_trend_1h=[1, 1, 0, 0]) == [100, 100, 50, 50]


def test_gamma_flip():
    name = "gamma_flip_bullish"
    steps(name, "expiry", "minutes_to_expiry", [(120, 100), (240, 75), (360, 50)], lambda _: 25, rising=False)
    assert points_of(name, "options_volume", option_volume_ratio=[0.5, 1.0, 1.5, 2.0]) == [0, 50, 100, 100]
    assert points_of(name, "momentum", rvol=[1.0, 2.0, 3.0]) == [0, 50, 100]


def test_end_of_day_pin():
    name = "eod_pin_setup"
    assert points_of(name, "strike", max_pain_distance_pct=[0.0, -0.03, -0.5]) == pytest.approx([100, 94, 0])
    minutes = [0.0, 1.0, 10.0, 29.0, 30.0, 60.0]
    assert points_of(name, "timing", minutes_to_close=minutes) == pytest.approx(
        [max(50.0, 100 - 1.67 * minute) for minute in minutes]
    )
    assert points_of(name, "dealers", max_pain_gamma=[1.0, 0.0, -1.0]) == [100, 30, 30]


def test_curves_with_a_design_note():
    """Their scales are chosen from measured data; docs/reference/detectors.md gives the reason for each."""
    assert points_of("gamma_squeeze_bullish", "dealers", dealer_gamma_ratio=[-2, -1, 0, 2]) == [100, 75, 50, 0]
    assert points_of("gamma_flip_bullish", "gamma", flip_strike_gamma_share=[0, 1, 5, 9]) == [25, 40, 100, 100]
    assert points_of("gamma_flip_bullish", "expires_today", zero_dte_share=[0, 0.5, 1]) == [0, 50, 100]
    actual = points_of("opening_drive_bullish", "momentum", change_from_open_pct=[0.3, 0.65, 1.0, 1.5])
    assert actual == pytest.approx([50, 75, 100, 100])
    assert points_of("opening_drive_bullish", "gap", gap_in_atr=[-0.25, 0, 0.5, 1]) == [0, 20, 60, 100]
    assert points_of("eod_pin_setup", "open_interest_share", max_pain_oi_share=[0, 0.005, 0.01, 0.3]) == [
        0,
        50,
        100,
        100,
    ]
