"""Features of chains, regime, volatility and prints: the newest known, aged in trading time, and never stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.signals.catalogue import decode_value
from hd_pipelines.signals.features import build_session_frame, evaluate
from hd_pipelines.signals.flow_window import compute_flow_columns
from hd_pipelines.signals.tape import Contexts, IvContext, RegimeContext
from hd_pipelines.tables.vocabulary import Direction, MarketRegime, VixRegime
from tests.signals.features.tapes import MINUTE, TODAY, chain, contexts, long_tape, walk

OPENS_NS = get_regular_hours(TODAY).opens_at_ns
CLOSES_NS = get_regular_hours(TODAY).closes_at_ns
YESTERDAY = list_last_sessions(TODAY, 2)[0]
TAPE = long_tape()


def at(minute: int) -> int:
    return OPENS_NS + minute * MINUTE


def frame_with(**known):
    return build_session_frame(replace(TAPE, contexts=Contexts(**known)), TODAY)


def test_a_row_has_the_newest_chain_known_at_its_instant():
    frame = frame_with(gamma=(chain(at(10), max_pain=90.0), chain(at(25), max_pain=91.0)))
    # Known after its instant, not at it: the row of the tenth minute does not know the chain of the tenth minute.
    assert np.isnan(frame.levels["max_pain"][:10]).all()
    assert set(frame.levels["max_pain"][10:25]) == {90.0}
    assert set(frame.levels["max_pain"][25:]) == {91.0}
    assert frame["chain_age_minutes"][[10, 11, 24, 25, 389]].tolist() == [1, 2, 15, 1, 365]


def test_a_chain_ages_in_trading_time_and_two_sessions_make_it_nothing():
    friday, monday, tuesday = (date(2024, 3, day) for day in (8, 11, 12))
    closed = get_regular_hours(friday).closes_at_ns - 30 * MINUTE
    tape = replace(TAPE, contexts=Contexts(gamma=(chain(closed),)))
    on_monday, on_tuesday = build_session_frame(tape, monday), build_session_frame(tape, tuesday)
    assert on_monday["chain_age_minutes"][[0, 389]].tolist() == [31, 420]
    assert not np.isnan(on_monday["dealer_gamma_ratio"]).any()
    assert on_tuesday["chain_age_minutes"][[359, 360]].tolist() == [780, 781]
    assert np.isnan(on_tuesday["dealer_gamma_ratio"]).tolist() == [False] * 360 + [True] * 30
    assert np.isnan(on_tuesday.levels["gamma_support"][360:]).all()


def test_a_chains_figures_are_ratios_and_shares_of_the_chain():
    snapshot = chain(at(1), 93.0, zero_gamma=92.2, expires_at_ns=CLOSES_NS)
    frame = frame_with(gamma=(snapshot,))
    strikes, gamma, interest = snapshot.by_strike.T
    price, row = frame["price"][100], 100
    expected = {
        "minutes_to_expiry": 390 - 101,
        "is_zero_dte": 1.0,
        "zero_dte_share": 0.4,
        "max_gamma_distance_pct": abs(price / snapshot.absolute_gamma_strike - 1) * 100,
        "dealer_gamma_ratio": 2.0,
        "call_gamma_share": 60.0,
        "put_gamma_share": 40.0,
        "zero_gamma_distance_pct": (price / 92.2 - 1) * 100,
        "flip_strike_gamma_share": 100 * abs(gamma[strikes == 92.0][0]) / np.abs(gamma).sum(),
        "option_volume_ratio": 1.5,
        "max_pain_distance_pct": (price / snapshot.max_pain - 1) * 100,
        "max_pain_open_interest": interest[19],
        "max_pain_oi_share": interest[19] / interest.sum(),
        "max_pain_gamma": gamma[19],
    }
    assert {name: frame[name][row] for name in expected} == pytest.approx(expected)
    levels = {"gamma_resistance": 93.0 * 1.02, "gamma_support": 93.0 * 0.98, "zero_gamma": 92.2, "max_pain": 92.0}
    assert {name: frame.levels[name][row] for name in levels} == pytest.approx(levels)


def test_an_expiration_that_has_settled_has_no_max_pain_and_is_not_today():
    yesterday_closed = get_regular_hours(YESTERDAY).closes_at_ns
    frame = frame_with(gamma=(chain(yesterday_closed - MINUTE, expires_at_ns=yesterday_closed),))
    gone = ("minutes_to_expiry", "is_zero_dte", "max_pain_distance_pct", "max_pain_open_interest", "zero_dte_share")
    assert all(np.isnan(frame[name]).all() for name in gone)
    assert np.isnan(frame.levels["max_pain"]).all()
    assert not np.isnan(frame["dealer_gamma_ratio"]).any()
    at_noon = frame_with(gamma=(chain(at(0), expires_at_ns=at(100)),))
    assert at_noon["minutes_to_expiry"][[0, 99]].tolist() == [99, 0]
    assert np.isnan(at_noon["minutes_to_expiry"][100:]).all()


def test_what_expires_today_is_not_taken_from_yesterdays_chain():
    frame = frame_with(gamma=(chain(get_regular_hours(YESTERDAY).closes_at_ns, expires_at_ns=CLOSES_NS),))
    assert np.isnan(frame["zero_dte_share"]).all()
    assert set(frame["is_zero_dte"]) == {1.0}  # its nearest expiration is today's


def test_a_chain_without_an_expiration_or_levels_has_null_features():
    frame = frame_with(gamma=(chain(at(1), typical_gex=np.nan, resistance=np.nan, support=-1.0, option_volume=np.nan),))
    for name in ("minutes_to_expiry", "is_zero_dte", "dealer_gamma_ratio", "zero_gamma_crossed", "option_volume_ratio"):
        assert np.isnan(frame[name]).all(), name
    assert np.isnan(frame["flip_strike_gamma_share"]).all()
    assert np.isnan(frame.levels["gamma_resistance"]).all()
    assert np.isnan(frame.levels["gamma_support"]).all()
    empty = frame_with(gamma=(replace(chain(at(0), zero_gamma=92.0), by_strike=np.empty((0, 3))),))
    assert np.isnan(empty["max_pain_open_interest"]).all()
    assert not np.isnan(empty["call_gamma_share"]).any()


def crossing_frame(prices, gamma):
    minutes = walk([TODAY])
    for minute, price in prices:
        minutes.loc[minutes["minute"] >= minute, ["open", "high", "low", "close"]] = price
    from tests.signals.features.tapes import tape_of

    return build_session_frame(tape_of(minutes, contexts=Contexts(gamma=gamma)), TODAY)["zero_gamma_crossed"]


def test_a_crossing_is_remembered_for_fifteen_minutes_with_its_direction():
    crossed = crossing_frame([(1, 99.0), (100, 101.0), (200, 98.0)], (chain(at(1), zero_gamma=100.0),))
    assert crossed[[98, 99, 113, 114]].tolist() == [0, 1, 1, 0]
    assert crossed[[198, 199, 213, 214]].tolist() == [0, -1, -1, 0]


def test_the_last_crossing_counts_and_a_moving_level_is_no_crossing():
    crossed = crossing_frame([(1, 99.0), (100, 101.0), (105, 99.0)], (chain(at(1), zero_gamma=100.0),))
    assert crossed[[103, 104]].tolist() == [1, -1]
    moved = crossing_frame([(1, 99.0)], (chain(at(1), zero_gamma=100.0), chain(at(50), zero_gamma=98.0)))
    assert set(moved[1:]) == {0.0}
    assert np.isnan(crossing_frame([(1, 99.0)], (chain(at(30), zero_gamma=100.0),))[:29]).all()


def regime(session, market=MarketRegime.STRONG_UPTREND, vix=VixRegime.LOW):
    return RegimeContext(get_regular_hours(session).closes_at_ns, session, market, vix, 13.5, 80.0)


def test_the_market_is_that_of_the_last_complete_session():
    frame = frame_with(regime=(regime(YESTERDAY), regime(TODAY, MarketRegime.CAPITULATION, VixRegime.EXTREME)))
    # Today's is made after today's close.
    assert {decode_value("market_regime", code) for code in frame["market_regime"]} == {"STRONG_UPTREND"}
    assert {decode_value("regime_family", code) for code in frame["regime_family"]} == {"TRENDING_UP"}
    sold = frame.view_for(Direction.SHORT)["regime_family"]
    assert {decode_value("regime_family", code) for code in sold} == {"TRENDING_DOWN"}
    assert decode_value("vix_regime", frame["vix_regime"][0]) == "LOW"
    assert frame["vix_level"][0] == 13.5


def test_a_regime_that_was_never_decided_is_missing():
    frame = frame_with(regime=(replace(regime(YESTERDAY, None, None), vix_level=float("nan")),))
    assert all(np.isnan(frame[name]).all() for name in ("market_regime", "regime_family", "vix_regime", "vix_level"))
    assert {"no_regime", "no_vix"} < set(frame.labels)


def test_context_of_a_week_ago_is_not_todays():
    six = list_last_sessions(TODAY, 7)[0]
    iv = IvContext(get_regular_hours(six).closes_at_ns, 0.3, 0.5, 0.6, None, 252)
    frame = frame_with(regime=(regime(six),), iv=(iv,))
    assert {"no_regime", "no_vix", "no_iv_percentile"} < set(frame.labels)
    recent = list_last_sessions(TODAY, 5)[0]
    frame = frame_with(regime=(regime(recent),), iv=(replace(iv, known_at_ns=get_regular_hours(recent).closes_at_ns),))
    assert {"no_regime", "no_vix", "no_iv_percentile"}.isdisjoint(frame.labels)
    assert set(frame["iv_percentile"]) == {0.6}
    assert set(frame["iv30"]) == {0.3}


def test_flow_columns_come_from_the_prints_and_are_null_without_them():
    known = contexts(walk(list_last_sessions(TODAY, 3)), seed=8)
    tape = replace(TAPE, contexts=known)
    frame = build_session_frame(tape, TODAY)
    for name, values in compute_flow_columns(known.prints, frame.as_of_ns).items():
        assert np.array_equal(frame[name], values, equal_nan=True), name
    assert not np.isnan(frame["flow_score"]).all()
    one = evaluate(tape, at(120))
    assert np.array_equal(one["flow_score"], frame["flow_score"][119:120], equal_nan=True)
    assert all(np.isnan(frame_with()[name]).all() for name in frame.columns if name.startswith("flow_"))
