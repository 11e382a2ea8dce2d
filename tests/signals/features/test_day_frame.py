"""One row per session from day bars: the same as a frame of minutes where both have a value, and NaN elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.signals.catalogue import FEATURES, LEVELS
from hd_pipelines.signals.features import build_day_frame, build_session_frame
from hd_pipelines.signals.tape import Contexts, SymbolTape, empty_bars
from hd_pipelines.tables.vocabulary import AssetClass, Resolution
from tests.signals.features.tapes import TODAY, bars, chain, long_tape, resampled, tape_of, walk

HALF_DAY = date(2023, 11, 24)
OF_DAYS = (
    "minutes_from_open",
    "minutes_to_close",
    "price",
    "price_age_minutes",
    "day_open",
    "day_high",
    "day_low",
    "change_from_open_pct",
    "gap_pct",
    "gap_in_atr",
    "day_range_position",
    "above_day_low_pct",
    "below_day_high_pct",
    "average_daily_volume",
    "is_proxy_volume",
    "atr_day_pct",
    "mtf_trend_week",
    "mtf_trend_day",
    "mtf_strength_week",
    "mtf_strength_day",
)


def test_a_day_row_equals_the_closes_row_of_minutes():
    tape = long_tape()
    closes_ns = get_regular_hours(TODAY).closes_at_ns
    known = Contexts(gamma=(chain(closes_ns - 60_000_000_000, float(tape.days.close[-1]), zero_gamma=90.0),))
    tape = replace(tape, contexts=known)
    day, minutes = build_day_frame(tape, [TODAY]), build_session_frame(tape, TODAY)
    assert day.resolution is Resolution.DAY
    assert day.as_of_ns.tolist() == [closes_ns]
    chain_features = [name for name in FEATURES if "gamma" in name or "pain" in name or "chain" in name]
    for name in (*OF_DAYS, *(set(chain_features) - {"zero_gamma_crossed"})):
        assert day[name][0] == pytest.approx(minutes[name][-1], nan_ok=True), name
    prior = [name for name in LEVELS if name.startswith(("prior", "pivot", "gamma", "gap"))]
    for name in prior:
        assert day.levels[name][0] == pytest.approx(minutes.levels[name][-1], nan_ok=True), name


def test_what_needs_minutes_has_no_answer():
    frame = build_day_frame(long_tape(), [TODAY])
    for name in ("rsi_14", "vwap", "above_opening_range_pct", "above_20_bar_high_pct", "mtf_trend_1h", "atr_5m"):
        assert np.isnan(frame[name]).all(), name
    assert frame.labels == ("no_regime", "no_vix", "no_iv_percentile", "no_chain")


def test_relative_volume_of_days_is_the_day_against_the_twenty_before():
    tape = long_tape()
    frame = build_day_frame(tape, list_last_sessions(TODAY, 3))
    volume = tape.days.volume
    expected = [volume[at] / volume[at - 20 : at].mean() for at in (-3, -2)] + [volume[-1] / volume[-21:-1].mean()]
    assert frame["rvol"] == pytest.approx(expected)
    assert frame["rvol_sessions"].tolist() == [20.0] * 3


def test_a_half_days_row_stands_at_its_own_close():
    frame = build_day_frame(long_tape(HALF_DAY), [HALF_DAY])
    assert frame.as_of(0) == get_regular_hours(HALF_DAY).closes_at
    assert (frame["minutes_from_open"][0], frame["minutes_to_close"][0]) == (210, 0)


def test_the_price_crosses_zero_gamma_from_the_close_before_to_this_one():
    days = resampled(walk(list_last_sessions(TODAY, 3)), 1000)
    days["close"] = [99.0, 101.0, 98.0]
    days["high"], days["low"] = 105.0, 95.0
    closes = [get_regular_hours(session).closes_at_ns for session in list_last_sessions(TODAY, 3)]
    known = Contexts(gamma=tuple(chain(at, zero_gamma=100.0) for at in closes))
    tape = SymbolTape("T", AssetClass.STOCK, empty_bars(), empty_bars(), bars(days), known)
    crossed = build_day_frame(tape, list_last_sessions(TODAY, 3))["zero_gamma_crossed"]
    assert crossed.tolist() == pytest.approx([np.nan, 1.0, -1.0], nan_ok=True)


def test_sessions_without_a_bar_have_no_row_and_are_labelled():
    tape = long_tape()
    kept = replace(tape, days=tape.days.select(np.delete(np.arange(len(tape.days)), -2)))
    frame = build_day_frame(kept, list_last_sessions(TODAY, 3))
    assert len(frame) == 2
    assert {"no_bars_today", "no_prior_day"} < set(frame.labels)
    assert np.isnan(frame["gap_pct"]).tolist() == [False, True]
    nothing = build_day_frame(SymbolTape("T", AssetClass.STOCK, empty_bars(), empty_bars(), empty_bars()), [TODAY])
    assert (len(nothing), nothing.labels) == (0, ("no_bars_today",))
    assert len(build_day_frame(tape, [])) == 0


def test_an_index_of_days_borrows_its_funds_volume():
    sessions = list_last_sessions(TODAY, 30)
    index = tape_of(walk(sessions, seed=3).assign(volume=np.nan), symbol="SPX", asset_class=AssetClass.INDEX)
    fund = tape_of(walk(sessions, seed=4), symbol="SPY")
    frame, of_fund = build_day_frame(replace(index, proxy=fund), [TODAY]), build_day_frame(fund, [TODAY])
    assert frame["rvol"] == of_fund["rvol"]
    assert frame["is_proxy_volume"] == 1.0
    assert frame.labels[0] == "volume_of_SPY"
    alone = build_day_frame(index, [TODAY])
    assert {"no_volume", "no_rvol", "no_average_volume"} < set(alone.labels)
    assert np.isnan(alone["rvol"]).all()


def test_many_days_at_once_are_each_of_them():
    tape, sessions = long_tape(), list_last_sessions(TODAY, 5)
    together = build_day_frame(tape, sessions)
    for row, session in enumerate(sessions):
        alone = build_day_frame(replace(tape, days=tape.days.until(get_regular_hours(session).closes_at_ns)), [session])
        assert all(np.array_equal(together[name][row : row + 1], alone[name], equal_nan=True) for name in FEATURES)
