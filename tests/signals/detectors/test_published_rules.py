"""Conditions, vetoes, weights and contracts, as documented."""

import pytest

from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.tables.vocabulary import AssetClass

WEIGHTS = {
    "breakout_bullish": {"volume": 0.30, "flow": 0.25, "vwap": 0.20, "level": 0.15, "mtf": 0.10},
    "mean_reversion_long": {
        "rsi": 0.20, "vwap": 0.15, "ema_21": 0.15, "volume": 0.10, "regime": 0.10, "divergence": 0.15,
        "rsi_turns": 0.10, "buyers_reversal": 0.05,
    },
    "mean_reversion_short": {"rsi": 0.35, "vwap": 0.30, "volume": 0.20, "regime": 0.10, "sellers_reversal": 0.05},
    "trend_continuation_long": {
        "ema": 0.25, "pullback": 0.20, "volume": 0.15, "higher_lows": 0.15, "mtf": 0.10, "flow": 0.15,
    },
    "gamma_squeeze_bullish": {"strike": 0.30, "dealers": 0.25, "share": 0.20, "expiry": 0.15, "volume": 0.10},
    "power_hour_reversal_bullish": {"extreme": 0.25, "timing": 0.20, "reversal": 0.25, "flow": 0.20, "range": 0.10},
    "index_mean_reversion_long": {
        "vwap": 0.15, "ema_21": 0.20, "rsi": 0.15, "volume": 0.10, "regime": 0.10, "divergence": 0.15,
        "rsi_turns": 0.10, "time_of_day": 0.05,
    },
    "index_mean_reversion_short": {"vwap": 0.30, "rsi": 0.25, "volume": 0.20, "regime": 0.15, "time_of_day": 0.10},
    "opening_drive_bullish": {"momentum": 0.30, "volume": 0.25, "flow": 0.20, "gap": 0.15, "mtf": 0.10},
    "gamma_flip_bullish": {
        "gamma": 0.35, "expiry": 0.25, "expires_today": 0.20, "options_volume": 0.15, "momentum": 0.05,
    },
    "eod_pin_setup": {"strike": 0.40, "open_interest_share": 0.30, "timing": 0.20, "dealers": 0.10},
}  # fmt: skip

CONDITIONS = {
    "breakout_bullish": {"above_20_bar_high_pct > 0", "rvol > 1.2", "vwap_distance_pct > 0"},
    "breakout_bearish": {"below_20_bar_low_pct > 0", "rvol > 1.2", "vwap_distance_pct < 0"},
    "mean_reversion_long": {"rsi_14 < 30", "vwap_distance_pct < -0.5", "ema_21_distance_atr ≤ -2"},
    "mean_reversion_short": {"rsi_14 > 70", "vwap_distance_pct > 0.5", "rvol ≥ 1.2"},
    "trend_continuation_long": {
        "regime_family is TRENDING_UP", "ema_21_distance_pct ≥ 0", "ema_50_distance_pct ≥ 0",
        "ema_200_distance_pct ≥ 0", "ema_21_50_spread_pct ≥ 0", "rsi_14 ≥ 45", "rsi_14 ≤ 60",
        "ema_21_distance_pct ≤ 1", "ema_21_distance_atr ≤ 2", "rvol ≥ 0.8",
    },
    "trend_continuation_short": {
        "regime_family is TRENDING_DOWN", "ema_21_distance_pct ≤ 0", "ema_50_distance_pct ≤ 0",
        "ema_200_distance_pct ≤ 0", "ema_21_50_spread_pct ≤ 0", "rsi_14 ≥ 40", "rsi_14 ≤ 55",
        "ema_21_distance_pct ≥ -1", "ema_21_distance_atr ≥ -2", "rvol ≥ 0.8",
    },
    "gamma_squeeze_bullish": {
        "max_gamma_distance_pct ≤ 0.5", "dealer_gamma_ratio < 0", "rvol ≥ 1.3", "minutes_to_close ≤ 90",
        "call_gamma_share ≥ 50", "change_from_open_pct > 0",
    },
    "gamma_squeeze_bearish": {
        "max_gamma_distance_pct ≤ 0.5", "dealer_gamma_ratio < 0", "rvol ≥ 1.3", "minutes_to_close ≤ 90",
        "put_gamma_share ≥ 50", "change_from_open_pct < 0",
    },
    "power_hour_reversal_bullish": {"minutes_to_close ≤ 60", "above_day_low_pct ≤ 0.5", "rsi_14 ≤ 40", "rvol ≥ 1.2"},
    "power_hour_reversal_bearish": {"minutes_to_close ≤ 60", "below_day_high_pct ≤ 0.5", "rsi_14 ≥ 60", "rvol ≥ 1.2"},
    "index_mean_reversion_long": {
        "rsi_14 < 25", "vwap_distance_pct < -0.4", "ema_21_distance_atr ≤ -1.8", "rvol ≥ 1",
    },
    "index_mean_reversion_short": {"rsi_14 > 75", "vwap_distance_pct > 0.4", "rvol ≥ 1.3"},
    "opening_drive_bullish": {"minutes_from_open ≤ 30", "change_from_open_pct ≥ 0.3", "rvol ≥ 1.5"},
    "opening_drive_bearish": {"minutes_from_open ≤ 30", "change_from_open_pct ≤ -0.3", "rvol ≥ 1.5"},
    "gamma_flip_bullish": {"zero_gamma_crossed ≥ 0.5", "is_zero_dte ≥ 1", "minutes_to_close ≤ 180"},
    "gamma_flip_bearish": {"zero_gamma_crossed ≤ -0.5", "is_zero_dte ≥ 1", "minutes_to_close ≤ 180"},
    "eod_pin_setup": {
        "minutes_to_close ≤ 30", "is_zero_dte ≥ 1", "max_pain_distance_pct < 0", "max_pain_distance_pct ≥ -0.5",
        "max_pain_open_interest ≥ 5000",
    },
}  # fmt: skip

VETOES = {
    "mean_reversion_long": {
        ("regime_family is TRENDING_DOWN", "rsi_14 > 20"),
        ("regime_family is TRENDING_DOWN", "ema_9_distance_pct < -3", "ema_21_distance_pct < -3"),
        ("flow_bias ≤ -0.5", "flow_blocks > 2"),
        ("flow_bias ≤ -0.5", "flow_sweeps ≥ 3", "flow_score ≥ 70"),
    },
    "mean_reversion_short": {("regime_family is TRENDING_UP",)},
    "index_mean_reversion_long": {
        ("regime_family is TRENDING_DOWN", "ema_9_distance_pct < -2", "ema_21_distance_pct < -2"),
        ("flow_bias ≤ -0.5", "flow_blocks > 2"),
        ("flow_bias ≤ -0.5", "flow_sweeps ≥ 3", "flow_score ≥ 70"),
    },
    "index_mean_reversion_short": {("regime_family is TRENDING_UP",)},
}

CONTRACTS = {
    "breakout": ((0.35, 0.50), (2, 7), 100, 500, 5.0),
    "mean_reversion": ((0.45, 0.55), (3, 10), 100, 500, 5.0),
    "trend_continuation": ((0.40, 0.55), (5, 14), 100, 500, 5.0),
    "gamma_squeeze": ((0.48, 0.55), (0, 2), 500, 1000, 3.0),
    "gamma_flip": ((0.45, 0.55), (0, 3), 300, 800, 4.0),
    "opening_drive": ((0.50, 0.60), (0, 1), 500, 1000, 2.0),
    "power_hour_reversal": ((0.45, 0.55), (0, 1), 300, 500, 3.0),
    "index_mean_reversion": ((0.40, 0.50), (1, 5), 200, 1000, 3.0),
    "eod_pin": ((0.48, 0.52), (0, 0), 500, 2000, 2.0),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name):
    assert {factor.name: factor.weight for factor in DETECTORS[name].factors} == WEIGHTS[name]


@pytest.mark.parametrize("name", DETECTORS)
def test_conditions(name):
    detector = DETECTORS[name]
    actual = detector.conditions_for(detector.directions[0])
    # Ours beside the published ones: a chain is at most a session old.
    fresh = {"chain_age_minutes ≤ 390"} if detector.needs_chain else set()
    assert {str(t) for c in actual if type(c).__name__ == "Condition" for t in c.tests} == CONDITIONS[name] | fresh
    assert {tuple(map(str, c.tests)) for c in actual if type(c).__name__ == "Veto"} == VETOES.get(name, set())


@pytest.mark.parametrize("name", DETECTORS)
def test_contract_limits(name):
    limits = DETECTORS[name].contract
    actual = limits.delta, limits.days_to_expiry, limits.min_volume, limits.min_open_interest, limits.max_spread_pct
    assert actual == CONTRACTS[DETECTORS[name].strategy]


def test_directions_and_asset_classes():
    for name, detector in DETECTORS.items():
        is_index = AssetClass.INDEX in detector.asset_classes
        assert is_index == (not name.startswith(("breakout", "mean_reversion", "trend_continuation")))
