"""From firing detectors to signals: what passes, what does not, and by which name."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.frame import FeatureFrame, join_frames
from hd_pipelines.signals.scanner.rejections import MEANING, Rejection
from hd_pipelines.signals.scanner.scan import DEFAULT_POLICY, scan
from hd_pipelines.signals.scanner.signal import EarlierSignal, Edge, signal_id
from hd_pipelines.signals.tape import Contexts, IvContext
from hd_pipelines.tables.vocabulary import AssetClass, Direction, IvRegime, MarketRegime, Resolution, TradingStyle
from tests.signals.scanner.setups import HALF_DAY, SESSION, at, chain, contexts, row, session_of, setup

NAN = float("nan")
BREAKOUT = DETECTORS["breakout_bullish"]
OPENING_DRIVE = DETECTORS["opening_drive_bullish"]
ONLY = {"detectors": {BREAKOUT.name: BREAKOUT}}


def reasons(frame, known=None, **asked):
    outcome = scan(frame, contexts() if known is None else known, **(ONLY | asked))
    assert outcome.signals == ()
    return [reason for (_, reason), count in outcome.rejections.items() for _ in range(count)]


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_can_become_a_signal(name):
    """Each on its own example, in a market and at an hour that suit it."""
    detector = DETECTORS[name]
    for direction in detector.directions:
        hour = {"minutes_from_open": 95.0, "minutes_to_close": 295.0} if "index_mean" in name else {}
        outcome = scan(setup(detector, direction, **hour), contexts(regime=None), detectors={name: detector})
        assert [signal.direction for signal in outcome.signals] == [direction], outcome.rejections


def test_a_signal_carries_its_facts():
    outcome = scan(setup(BREAKOUT), contexts(), chain_at=lambda _: chain())
    (signal,) = outcome.signals
    assert (outcome.symbol, outcome.rows, outcome.candidates, outcome.already_stored) == ("AAPL", 1, 1, 0)
    assert (signal.symbol, signal.detector, signal.direction) == ("AAPL", "breakout_bullish", Direction.LONG)
    assert (signal.as_of, signal.bar_time, signal.session) == (at(75), at(74), SESSION)
    assert (
        signal.style_score
        == {
            TradingStyle.SCALP: signal.scalp_score,
            TradingStyle.DAY_TRADE: signal.day_trade_score,
            TradingStyle.SWING: signal.swing_score,
        }[signal.style]
    )
    assert signal.stop_price < signal.entry_price < signal.target_1 < signal.target_2 < signal.target_3
    assert signal.as_of < signal.valid_until
    assert signal.parameter_version == BREAKOUT.parameter_version
    assert signal.policy_version == DEFAULT_POLICY.policy_version
    assert signal.contract["ticker"] == signal.contract_ticker
    assert signal.signal_id == signal_id("AAPL", "breakout_bullish", at(74))


def test_the_chain_is_asked_for_signals_only():
    asked = []

    def chain_at(as_of_ns):
        asked.append(as_of_ns)

    scan(setup(BREAKOUT, rvol=0.5), contexts(), chain_at=chain_at)
    assert asked == []
    (signal,) = scan(setup(BREAKOUT), contexts(), chain_at=chain_at).signals
    assert len(asked) == 1
    assert signal.explanation["contract"]["reason"] == "no chain of this symbol was known"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minutes_from_open": 0.0}, Rejection.OUTSIDE_SESSION),
        ({"minutes_to_close": -1.0}, Rejection.OUTSIDE_SESSION),
        ({"price": NAN}, Rejection.NO_PRICE),
        ({"price": 0.0}, Rejection.NO_PRICE),
        ({"price_age_minutes": 6.0}, Rejection.HALTED_OR_STALE_PRICE),
        ({"price_age_minutes": NAN}, Rejection.HALTED_OR_STALE_PRICE),
        ({"average_daily_volume": NAN}, Rejection.AVERAGE_VOLUME_UNKNOWN),
        ({"average_daily_volume": 99_999.0}, Rejection.LOW_AVERAGE_VOLUME),
        ({"regime": MarketRegime.RANGE_BOUND}, "not_permitted:breakout_in_range"),
        ({"vix": 32.0}, "not_permitted:vix_high_allows_no_breakout"),
        ({"vix": 45.0}, "not_permitted:vix_extreme_allows_no_breakout"),
        ({"atr_5m": NAN, "vwap": NAN, "ema_21": NAN, "rsi_14": NAN, "flow_score": NAN}, Rejection.LOW_DATA_CONFIDENCE),
        ({"flow_sweeps": NAN, "rvol": 1.3, "vwap_distance_pct": 0.1}, Rejection.BASE_SCORE_TOO_LOW),
        ({"atr_5m": 0.0, "atr_15m": NAN, "atr_1h": NAN}, Rejection.NO_ATR),
        ({"atr_15m": 8.0}, Rejection.STOP_TOO_FAR),
        ({"levels": {"pivot_r1": 201.5, "pivot_r2": 202.12}}, Rejection.RISK_REWARD_TOO_LOW),
    ],
)
def test_a_candidate_that_fails_one_check_has_its_name(changes, reason):
    assert reasons(setup(BREAKOUT, **changes)) == [reason]


def test_the_first_check_that_fails_names_the_reason():
    frame = setup(BREAKOUT, price_age_minutes=9.0, average_daily_volume=1.0, regime=MarketRegime.RANGE_BOUND)
    assert reasons(frame) == [Rejection.HALTED_OR_STALE_PRICE]


def test_volume_is_asked_of_what_trades():
    pin = DETECTORS["eod_pin_setup"]
    of_pin = {"detectors": {pin.name: pin}}
    assert reasons(setup(pin, rvol=0.5), contexts(regime=None), **of_pin) == [Rejection.LOW_RELATIVE_VOLUME]
    unknown = setup(pin, rvol=NAN, average_daily_volume=NAN, vwap=NAN)
    assert reasons(unknown, contexts(regime=None), **of_pin) == [Rejection.BASE_SCORE_TOO_LOW]
    assert scan(setup(pin, average_daily_volume=5.0), contexts(regime=None), **of_pin).signals


def test_a_new_listing_is_distinguished_from_a_quiet_stock():
    quiet = BREAKOUT.vary({"condition.volume.rvol.above": 0.0})
    asked = {"detectors": {quiet.name: quiet}}
    assert reasons(setup(BREAKOUT, rvol=0.5), **asked) == [Rejection.LOW_RELATIVE_VOLUME]
    trend = DETECTORS["trend_continuation_long"]
    anyhow = replace(trend, conditions=tuple(c for c in trend.conditions if c.name != "volume"))
    outcome = scan(setup(trend, rvol=NAN), contexts(), detectors={anyhow.name: anyhow})
    assert outcome.rejections == {(trend.name, Rejection.RELATIVE_VOLUME_UNKNOWN): 1}


def test_contexts_can_keep_a_candidate_back():
    against = {f"mtf_trend_{name}": -2.0 for name in ("week", "day", "1h", "15m")}
    assert reasons(setup(BREAKOUT, regime=None, **against), contexts(regime=None)) == [Rejection.STYLE_SCORE_TOO_LOW]


def test_a_lost_edge_keeps_a_style_back():
    style = scan(setup(BREAKOUT), contexts()).signals[0].style
    lost = {(BREAKOUT.name, style): Edge(40, 10, 10.0, 30.0)}
    assert reasons(setup(BREAKOUT), edges=lost) == [Rejection.EDGE_LOST]


def plain_row(**changes):
    """A breakout that nothing around it makes better or worse, so that no score reaches 100."""
    flat = dict.fromkeys(("mtf_trend_week", "mtf_trend_day", "mtf_trend_1h", "mtf_trend_15m", "is_near_key_level"), 0.0)
    return setup(BREAKOUT, minute=250, regime=None, **(flat | changes))


def test_an_edge_lifts_and_lowers_the_score_of_its_style():
    scores = scan(plain_row(), Contexts(), **ONLY).signals[0].explanation["styles"]["scores"]
    assert max(scores.values()) < 95
    lifted = scan(
        plain_row(), Contexts(), edges={(BREAKOUT.name, TradingStyle.SWING): Edge(30, 20, 30.0, 10.0)}, **ONLY
    )
    assert lifted.signals[0].style is TradingStyle.SWING
    assert lifted.signals[0].explanation["styles"]["scores"] == pytest.approx(
        scores | {"swing": scores["swing"] * 1.15}
    )


def test_expensive_options_are_not_bought():
    known = contexts()
    expensive = tuple(replace(each, iv_percentile=0.8, regime=IvRegime.HIGH) for each in known.iv)
    assert reasons(setup(BREAKOUT), replace(known, iv=expensive)) == [Rejection.IV_TOO_HIGH]


def test_no_style_is_left_at_the_last_minutes_for_options_that_expire_today():
    pin = DETECTORS["eod_pin_setup"]
    late = setup(pin, minutes_from_open=385.0, minutes_to_close=5.0)
    moved = replace(late, as_of_ns=late.as_of_ns + 7 * 60_000_000_000)
    assert reasons(moved, contexts(regime=None), detectors={pin.name: pin}) == [Rejection.NO_STYLE]


def test_a_swing_against_a_strong_trend_is_not_offered():
    mean = DETECTORS["mean_reversion_short"]
    frame = setup(mean, regime=MarketRegime.RANGE_BOUND)
    assert scan(frame, contexts(regime=None), detectors={mean.name: mean}).signals
    squeeze = DETECTORS["gamma_squeeze_bearish"]
    against = setup(squeeze, regime=MarketRegime.STRONG_UPTREND)
    signals = scan(against, contexts(regime=None), detectors={squeeze.name: squeeze}).signals
    assert {signal.style for signal in signals} <= {TradingStyle.SCALP, TradingStyle.DAY_TRADE}


@pytest.mark.parametrize(
    ("known", "label"),
    [
        (Contexts(), "gamma_exposure_missing"),
        (Contexts(), "regime_missing"),
        (Contexts(), "flow_missing"),
        (replace(contexts(), iv=()), "iv_percentile_missing"),
        (contexts(session=date(2025, 6, 5)), "iv_percentile_fading"),
        (contexts(session=date(2025, 6, 5)), "regime_fading"),
    ],
)
def test_missing_and_old_contexts_leave_a_labelled_signal(known, label):
    (signal,) = scan(setup(BREAKOUT), known).signals
    assert label in signal.explanation["labels"]


def test_missing_vix_leaves_a_labelled_signal():
    (signal,) = scan(setup(BREAKOUT, vix_level=NAN, vix_regime=NAN), contexts(vix=NAN)).signals
    assert "no_vix" in signal.explanation["labels"]
    assert signal.explanation["thresholds"]["parts"][-1]["source"] == "vix_unknown"


def test_a_style_without_its_atr_leaves_the_others():
    plain = scan(setup(BREAKOUT), contexts()).signals[0]
    assert plain.style is TradingStyle.DAY_TRADE
    (signal,) = scan(setup(BREAKOUT, atr_15m=NAN), contexts()).signals
    assert signal.style is TradingStyle.SCALP
    assert "no_atr_15m" in signal.explanation["labels"]


def test_labels_of_the_frame_go_with_the_outcome_and_those_of_the_row_with_the_signal():
    frame = replace(setup(BREAKOUT, rvol_sessions=7.0), labels=("no_trade_for_15_minutes",))
    outcome = scan(frame, contexts())
    assert outcome.labels == ("no_trade_for_15_minutes",)
    labels = outcome.signals[0].explanation["labels"]
    assert "rvol_of_7_sessions" in labels
    assert "no_trade_for_15_minutes" not in labels


def test_borrowed_volume_is_labelled():
    squeeze = DETECTORS["gamma_squeeze_bullish"]
    frame = setup(squeeze, is_proxy_volume=1.0)
    (signal,) = scan(frame, contexts(regime=None), detectors={squeeze.name: squeeze}).signals
    assert "volume_of_SPY" in signal.explanation["labels"]


def test_without_rows_there_is_a_label():
    empty = setup(BREAKOUT).select(slice(0, 0))
    outcome = scan(replace(empty, labels=("no_bars_today",)), contexts())
    assert (outcome.rows, outcome.signals, outcome.labels) == (0, (), ("no_bars_today", "no_rows"))


def test_a_half_day_ends_earlier():
    (signal,) = scan(setup(BREAKOUT, session=HALF_DAY, minute=100), contexts(session=HALF_DAY)).signals
    assert (signal.as_of, signal.style) == (at(100, HALF_DAY), TradingStyle.DAY_TRADE)
    assert signal.valid_until == get_regular_hours(HALF_DAY).closes_at - timedelta(minutes=15)
    assert signal.explanation["thresholds"]["parts"][2]["source"] == "late_morning"


def day_row(**changes) -> FeatureFrame:
    """What a frame of days can know."""
    of_minutes = dict.fromkeys(
        ("vwap", "rsi_14", "ema_21", "flow_bias", "flow_score", "flow_sweeps", "atr_5m", "atr_15m", "atr_1h"), NAN
    )
    return setup(BREAKOUT, resolution=Resolution.DAY, minute=390, **(of_minutes | changes))


def test_a_session_without_minutes_is_looked_at_once():
    (signal,) = scan(day_row(), contexts()).signals
    hours = get_regular_hours(SESSION)
    assert (signal.bar_time, signal.as_of, signal.resolution) == (hours.opens_at, hours.closes_at, Resolution.DAY)
    assert (signal.style, signal.valid_until) == (TradingStyle.SWING, get_regular_hours(date(2025, 6, 23)).closes_at)
    assert signal.explanation["plan"]["atr_feature"] == "atr_day_pct"
    assert signal.explanation["thresholds"]["parts"][2]["source"] == "whole_session"
    stored = EarlierSignal(signal.detector, signal.as_of, signal.bar_time)
    assert scan(day_row(), contexts(), earlier=[stored]).already_stored == 1


def test_a_pattern_of_the_chain_at_a_close_is_a_day_trade_of_the_next_session():
    squeeze = DETECTORS["gamma_squeeze_bullish"]
    unknown = dict.fromkeys(("vwap", "rsi_14", "ema_21", "flow_bias", "flow_score", "atr_5m", "atr_15m", "atr_1h"), NAN)
    frame = setup(squeeze, resolution=Resolution.DAY, minute=390, minutes_to_close=0.0, **unknown)
    (signal,) = scan(frame, contexts(regime=None), detectors={squeeze.name: squeeze}).signals
    assert (signal.style, signal.valid_until) == (
        TradingStyle.DAY_TRADE,
        get_regular_hours(date(2025, 6, 18)).closes_at,
    )


# Time order ------------------------------------------------------------------------------------------------------------


def steady(minutes=range(31, 91), detector=BREAKOUT):
    return session_of(setup(detector), minutes)


def test_a_steady_pattern_signals_once_per_cool_down_and_hour():
    outcome = scan(steady(), contexts(), **ONLY)
    assert [signal.as_of for signal in outcome.signals] == [at(31), at(46)]
    assert outcome.candidates == 60
    assert outcome.rejections == {
        (BREAKOUT.name, Rejection.COOL_DOWN): 28,
        (BREAKOUT.name, Rejection.HOURLY_CAP): 30,
    }


def test_an_index_may_signal_more_often():
    squeeze = DETECTORS["gamma_squeeze_bullish"]
    outcome = scan(steady(range(331, 371), squeeze), contexts(regime=None), detectors={squeeze.name: squeeze})
    assert [signal.as_of for signal in outcome.signals] == [at(331), at(341), at(351)]


def test_what_was_stored_before_cools_and_counts():
    before = [EarlierSignal(BREAKOUT.name, at(25), at(24)), EarlierSignal("trend_continuation_long", at(28), at(27))]
    outcome = scan(steady(range(31, 51)), contexts(), earlier=before, **ONLY)
    assert outcome.signals == ()
    assert outcome.rejections == {
        (BREAKOUT.name, Rejection.COOL_DOWN): 9,
        (BREAKOUT.name, Rejection.HOURLY_CAP): 11,
    }


def test_a_stored_signal_of_the_same_bar_is_neither_new_nor_rejected():
    before = [EarlierSignal(BREAKOUT.name, at(31), at(30))]
    outcome = scan(steady(range(31, 32)), contexts(), earlier=before, **ONLY)
    assert (outcome.signals, outcome.already_stored, sum(outcome.rejections.values())) == ((), 1, 0)


@pytest.mark.parametrize("order", [("good", "better"), ("better", "good")])
def test_of_one_minute_the_best_go_first(order):
    flow = next(factor for factor in BREAKOUT.factors if factor.name == "flow")
    better = replace(BREAKOUT, name="better", factors=(flow,))
    detectors = {"good": replace(BREAKOUT, name="good"), "better": better}
    both = scan(plain_row(), Contexts(), detectors={name: detectors[name] for name in order})
    assert [signal.detector for signal in both.signals] == ["better", "good"]
    assert both.signals[0].style_score > both.signals[1].style_score
    capped = DEFAULT_POLICY.vary({"pace.per_hour": 1})
    one = scan(plain_row(), Contexts(), detectors={name: detectors[name] for name in order}, policy=capped)
    assert [signal.detector for signal in one.signals] == ["better"]
    assert one.rejections == {("good", Rejection.HOURLY_CAP): 1}


def test_rows_can_be_chosen():
    frame = steady()
    outcome = scan(frame, contexts(), rows=slice(20, 30), **ONLY)
    assert (outcome.rows, [signal.as_of for signal in outcome.signals]) == (10, [at(51)])
    assert scan(frame, contexts(), rows=slice(60, 70), **ONLY).labels == ("no_rows",)


def test_the_next_day_starts_anew():
    later = date(2025, 6, 18)
    both = join_frames([steady(range(380, 386)), session_of(setup(BREAKOUT), range(1, 4), later)])
    outcome = scan(both, contexts(), **ONLY)
    assert [signal.session for signal in outcome.signals] == [SESSION, later]


# Names and numbers -----------------------------------------------------------------------------------------------------


def test_every_rejection_has_its_meaning():
    assert set(MEANING) == set(Rejection)


def test_permissions_follow_the_policy():
    frame = setup(BREAKOUT, regime=MarketRegime.RANGE_BOUND)
    assert scan(frame, Contexts(), **ONLY).rejections == {(BREAKOUT.name, "not_permitted:breakout_in_range"): 1}
    lenient = replace(DEFAULT_POLICY, permissions=replace(DEFAULT_POLICY.permissions, in_family={}))
    (signal,) = scan(frame, Contexts(), policy=lenient, **ONLY).signals
    assert signal.policy_version != DEFAULT_POLICY.policy_version


def test_an_unknown_class_forbids_nothing():
    frame = setup(BREAKOUT, market_regime=NAN, regime_family=NAN, vix_regime=NAN)
    assert len(scan(frame, contexts(regime=None)).signals) == 1


def test_sizes_multiply_window_vix_and_volatility():
    frame = setup(OPENING_DRIVE, vix_level=13.0, vix_regime=encode_value("vix_regime", "NORMAL"))
    (signal,) = scan(frame, contexts(), detectors={OPENING_DRIVE.name: OPENING_DRIVE}).signals
    assert signal.size_multiplier == pytest.approx(1.0 * 1.2 * 1.1)


def test_garbage_in_contexts_is_no_error():
    odd = IvContext(0, NAN, NAN, None, None, 0, "no observation")
    known = replace(contexts(), iv=(odd,))
    (signal,) = scan(setup(BREAKOUT), known).signals
    assert "iv_percentile_missing" in signal.explanation["labels"]


def test_scanning_an_asset_class_that_no_detector_is_for_finds_nothing():
    frame = row(AssetClass.INDEX)
    outcome = scan(frame, contexts(), **ONLY)
    assert (outcome.candidates, outcome.signals, dict(outcome.rejections)) == (0, (), {})
    assert np.isfinite(frame["price"]).all()
