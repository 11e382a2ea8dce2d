"""IV gate, edge of settled signals, validity and cool-down."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.detectors.detector import ContractLimits
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.scanner.cooldown import SignalMemory
from hd_pipelines.signals.scanner.planning.iv_gate import evaluate_iv_gate
from hd_pipelines.signals.scanner.planning.validity import find_valid_until
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.policy.scan_policy import Pace
from hd_pipelines.signals.scanner.scoring.edge import evaluate_edge
from hd_pipelines.signals.scanner.signal import EarlierSignal, Edge
from hd_pipelines.signals.tape import IvContext
from hd_pipelines.tables.vocabulary import IvRegime, Resolution, TradingStyle
from tests.signals.scanner.setups import HALF_DAY, SESSION, at, ns

SCALP, DAY_TRADE, SWING = TradingStyle
GATE, EDGE, VALIDITY = DEFAULT_POLICY.iv_gate, DEFAULT_POLICY.edge, DEFAULT_POLICY.validity
NOW = ns(at(60))


def history(percentile=0.3, ivs=(0.2,) * 6, reason=None):
    close = ns(get_regular_hours(date(2025, 6, 16)).closes_at)
    return [
        IvContext(close - (len(ivs) - 1 - i) * 10**9, iv, 50.0, percentile, IvRegime.NORMAL, 252, reason)
        for i, iv in enumerate(ivs)
    ]


@pytest.mark.parametrize(
    ("percentile", "is_blocked", "size"),
    [
        (0.05, False, 1.05),
        (0.10, False, 1.1),
        (0.50, False, 1.1),
        (0.51, False, 0.85),
        (0.749, False, 0.85),
        (0.75, True, 1.0),
        (0.99, True, 1.0),
    ],
)
def test_premium_is_not_bought_in_the_most_expensive_quarter(percentile, is_blocked, size):
    found = evaluate_iv_gate(history(percentile), NOW, GATE)
    assert (found.is_blocked, found.size) == (is_blocked, size)


def test_a_percentile_is_a_share_and_not_a_percentage():
    """Regression guard: the percentile is a fraction, so 0.8 must be compared with 0.75, not 75."""
    assert evaluate_iv_gate(history(0.8), NOW, GATE).is_blocked


@pytest.mark.parametrize(
    ("newest", "change", "size"),
    [(0.159, "crush", 1.2), (0.161, None, 1.1), (0.261, "spike", 0.99), (0.259, None, 1.1)],
)
def test_a_crush_and_a_spike_move_the_size(newest, change, size):
    found = evaluate_iv_gate(history(ivs=(0.2,) * 5 + (newest,)), NOW, GATE)
    assert found.size == pytest.approx(size)  # 1.1 × 1.1 is kept at 1.2
    assert (change or "after") in found.reason if change else "after" not in found.reason


def test_a_change_needs_five_readings_before():
    assert evaluate_iv_gate(history(ivs=(0.2,) * 4 + (0.1,)), NOW, GATE).change is None


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no row of this symbol"),
        ([replace(history()[0], iv_percentile=None, reason="99 observations, fewer than 126")], "fewer than 126"),
        ([replace(history()[0], known_at_ns=ns(get_regular_hours(date(2025, 6, 2)).closes_at))], "too old"),
    ],
)
def test_unknown_volatility_passes_with_a_reason(rows, reason):
    found = evaluate_iv_gate(rows, NOW, GATE)
    assert (found.is_blocked, found.size, found.percentile) == (False, 1.0, None)
    assert reason in found.reason


def test_later_volatility_is_not_looked_at():
    later = replace(history(0.9)[0], known_at_ns=NOW + 1)
    assert not evaluate_iv_gate([*history(0.3), later], NOW, GATE).is_blocked


@pytest.mark.parametrize(
    ("edge", "multiplier", "is_lost"),
    [
        (None, 1.0, False),
        (Edge(4, 4, 8.0, 0.0), 1.0, False),
        (Edge(5, 5, 10.0, 0.0), 1.05, False),
        (Edge(19, 0, 0.0, 19.0), 0.95, False),
        (Edge(20, 15, 20.0, 5.0), 1.15, False),
        (Edge(39, 0, 0.0, 39.0), 0.85, False),
        (Edge(40, 24, 36.0, 16.0), 1.3, False),
        (Edge(40, 20, 24.0, 20.0), 1.06, False),  # mean 0.1 R: a fifth of the span
        (Edge(40, 18, 18.0, 20.5), 1.0, True),  # profit factor below 0.9
        (Edge(40, 17, 40.0, 10.0), 1.0, True),  # 42.5 % won
        (Edge(39, 10, 5.0, 30.0), 0.85, False),  # too few to give up
    ],
)
def test_settled_signals_move_the_next_score(edge, multiplier, is_lost):
    found = evaluate_edge(edge, EDGE)
    assert (found.multiplier, found.is_lost) == (pytest.approx(multiplier), is_lost)


def test_lost_r_may_carry_either_sign():
    assert evaluate_edge(Edge(30, 12, 10.0, -20.0), EDGE) == evaluate_edge(Edge(30, 12, 10.0, 20.0), EDGE)


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 500), st.floats(0, 500))
def test_an_edge_stays_within_its_span(count, share, won, lost):
    found = evaluate_edge(Edge(count, round(share * count), won, lost), EDGE)
    span = 0.0 if count < 5 else 0.05 if count < 20 else 0.15 if count < 40 else 0.3
    assert 1 - span - 1e-9 <= found.multiplier <= 1 + span + 1e-9
    assert not (found.is_lost and count < 40)


WEEKLY = ContractLimits((0.4, 0.5), (1, 7), 1, 1, 5.0)
TODAY_ONLY = ContractLimits((0.4, 0.5), (0, 0), 1, 1, 5.0)


def ends(style, minute=60, session=SESSION, resolution=Resolution.MINUTE, contract=WEEKLY):
    return find_valid_until(
        style, as_of=at(minute, session), session=session, resolution=resolution, contract=contract, rules=VALIDITY
    )


def test_a_scalp_stands_thirty_minutes_or_until_the_close():
    assert ends(SCALP) == at(90)
    assert ends(SCALP, 370) == at(390)
    assert ends(SCALP, 380) == at(390)
    assert ends(SCALP, 381) is None
    assert ends(SCALP, 195, HALF_DAY) == at(210, HALF_DAY)


def test_a_day_trade_stands_until_a_quarter_before_its_own_close():
    assert ends(DAY_TRADE) == at(375)
    assert ends(DAY_TRADE, 360) == at(375)
    assert ends(DAY_TRADE, 361) is None
    assert ends(DAY_TRADE, 60, HALF_DAY) == at(195, HALF_DAY)


def test_a_swing_stands_until_the_third_close_after():
    assert ends(SWING) == get_regular_hours(date(2025, 6, 23)).closes_at  # Tuesday; Juneteenth lies between
    assert ends(SWING, 390) == get_regular_hours(date(2025, 6, 23)).closes_at


def test_nothing_outlives_the_option_it_is_traded_with():
    assert ends(SWING, contract=TODAY_ONLY) is None
    has_swings = {name for name, detector in DETECTORS.items() if ends(SWING, contract=detector.contract) is not None}
    assert {name.rsplit("_", 1)[0] for name in has_swings} == {
        "breakout",
        "mean_reversion",
        "trend_continuation",
        "index_mean_reversion",
    }


def test_a_look_at_the_close_is_held_overnight():
    looked = {style: ends(style, 390, resolution=Resolution.DAY) for style in TradingStyle}
    assert looked == {
        SCALP: None,
        DAY_TRADE: get_regular_hours(date(2025, 6, 18)).closes_at,
        SWING: get_regular_hours(date(2025, 6, 23)).closes_at,
    }
    assert ends(DAY_TRADE, 390, resolution=Resolution.DAY, contract=TODAY_ONLY) is None


@given(st.integers(1, 390), st.sampled_from(list(TradingStyle)))
def test_a_signal_never_lapses_before_it_is_published(minute, style):
    until = ends(style, minute)
    assert until is None or until > at(minute)


def earlier(detector, instant: datetime) -> EarlierSignal:
    return EarlierSignal(detector, instant, instant - timedelta(minutes=1))


def test_a_detector_is_silent_for_its_cool_down_and_others_are_not():
    memory = SignalMemory([earlier("a", at(60))], Pace(15, 9))
    assert [memory.is_cooling("a", at(minute)) for minute in (59, 60, 61, 74, 75)] == [False, True, True, True, False]
    assert not memory.is_cooling("b", at(61))


def test_a_symbol_has_so_many_signals_in_any_hour():
    memory = SignalMemory([earlier("a", at(60)), earlier("b", at(80))], Pace(15, 2))
    assert [memory.is_full(at(minute)) for minute in (79, 80, 119, 120)] == [False, True, True, False]


def test_what_is_admitted_counts_like_what_was_stored():
    memory = SignalMemory([], Pace(15, 2))
    for name, minute in (("a", 60), ("b", 60)):
        assert not memory.is_full(at(minute))
        memory.admit(name, at(minute))
    assert memory.is_full(at(60))
    assert memory.is_cooling("b", at(70))


def test_signals_of_the_future_do_not_count():
    memory = SignalMemory([earlier("a", at(100)), earlier("b", at(101))], Pace(15, 2))
    assert not memory.is_cooling("a", at(99))
    assert not memory.is_full(at(99))
