"""Indicators beside a plain pandas computation of the same window, bar by bar; it shares no code with the platform."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest

from benchmarks.signal_features import (
    compare,
    compute_plain_adx,
    compute_plain_atr,
    compute_plain_ema,
    compute_plain_rsi,
)
from hd_pipelines.market.sessions import list_last_sessions, list_week_sessions
from hd_pipelines.signals.features import build_session_frame
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.tape import to_day_number
from tests.signals.features.tapes import TODAY, long_tape, resampled, tape_of, walk

AFTER_A_HALF_DAY = date(2023, 11, 27)
"""The Monday after Thanksgiving's Friday, which closes at 13:00."""
MINUTES = (1, 4, 5, 9, 10, 61, 127, 200, 374, 389, 390)


@cache
def make_session(session: date) -> tuple[pd.DataFrame, FeatureFrame]:
    minutes = walk(list_last_sessions(session, 21), seed=5, traded=0.97)
    return minutes, build_session_frame(tape_of(minutes), session)


def window(minutes: pd.DataFrame, session: date, length: int, minute: int) -> pd.DataFrame:
    """Bars of the 20 sessions before, and of this one those that were over at the minute."""
    bars = resampled(minutes, length)
    is_today = bars["session"] == to_day_number(session)
    return bars[~is_today | (bars["minute"] <= minute)].reset_index(drop=True)


def oracle(minutes: pd.DataFrame, session: date, minute: int) -> dict[str, float]:
    five, quarter, hour = (window(minutes, session, length, minute) for length in (5, 15, 60))
    so_far = minutes[(minutes["session"] == to_day_number(session)) & (minutes["minute"] <= minute)]
    price, close = so_far["close"].iloc[-1], five["close"]
    rsi, last = compute_plain_rsi(close), close.tail(20)
    before = window(minutes, session, 5, minute - 1).tail(20)
    values = {f"ema_{period}": compute_plain_ema(close, period).iloc[-1] for period in (9, 21, 50, 200)}
    middle, deviation = last.mean(), np.sqrt(((last - last.mean()) ** 2).mean())
    typical = (so_far["high"] + so_far["low"] + so_far["close"]) / 3
    values |= {
        "rsi_14": rsi.iloc[-1],
        "rsi_change": rsi.iloc[-1] - rsi.iloc[-2],
        "atr_5m": compute_plain_atr(five).iloc[-1],
        "atr_15m": compute_plain_atr(quarter).iloc[-1],
        "atr_1h": compute_plain_atr(hour).iloc[-1],
        "adx_14": compute_plain_adx(five).iloc[-1],
        "rsi_15m": compute_plain_rsi(quarter["close"]).iloc[-1],
        "rsi_1h": compute_plain_rsi(hour["close"]).iloc[-1],
        "bollinger_position": 100 * (price - middle + 2 * deviation) / (4 * deviation),
        "bollinger_width_pct": 400 * deviation / middle,
        "above_20_bar_high_pct": (price / before["high"].max() - 1) * 100,
        "below_20_bar_low_pct": (1 - price / before["low"].min()) * 100,
        "vwap": (typical * so_far["volume"]).sum() / so_far["volume"].sum(),
        "day_open": so_far["open"].iloc[0],
        "day_high": so_far["high"].max(),
        "day_low": so_far["low"].min(),
        "price": price,
    }
    for name, bars in (("15m", quarter), ("1h", hour)):
        fast, slow = (compute_plain_ema(bars["close"], period).iloc[-1] for period in (21, 50))
        values[f"ema_spread_{name}_pct"] = (fast / slow - 1) * 100
    for period in (9, 21, 50, 200):
        values[f"ema_{period}_distance_pct"] = (price / values[f"ema_{period}"] - 1) * 100
    values["ema_21_distance_atr"] = (price - values["ema_21"]) / values["atr_5m"]
    values["ema_21_50_spread_pct"] = (values["ema_21"] / values["ema_50"] - 1) * 100
    values["ema_21_200_spread_pct"] = (values["ema_21"] / values["ema_200"] - 1) * 100
    return values


@pytest.mark.parametrize("session", [TODAY, AFTER_A_HALF_DAY])
@pytest.mark.parametrize("minute", MINUTES)
def test_indicators_are_those_of_plain_pandas(session, minute):
    minutes, frame = make_session(session)
    for name, value in oracle(minutes, session, minute).items():
        assert frame[name][minute - 1] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_the_benchmarks_peer_agrees_on_every_row():
    compare()


def test_a_patience_candle_lies_inside_the_one_before_and_needs_two_of_today():
    minutes, frame = make_session(TODAY)
    five = resampled(minutes, 5)
    today = five[five["session"] == to_day_number(TODAY)].reset_index(drop=True)
    before = today.shift()
    inside = (today["high"] <= before["high"]) & (today["low"] >= before["low"])
    inside &= (today["high"] < before["high"]) | (today["low"] > before["low"])
    assert inside.sum() >= 3
    assert np.isnan(frame["is_patience_candle"][:9]).all()
    assert frame["is_patience_candle"][9::5].tolist() == inside.iloc[1:].astype(float).tolist()


def test_day_atr_and_trends_of_days_and_weeks_leave_out_the_forming_ones():
    tape = long_tape()
    frame = build_session_frame(tape, TODAY)
    days = pd.DataFrame({name: getattr(tape.days, name) for name in ("session", "high", "low", "close")})
    window = list_last_sessions(TODAY, 261)[:-1]
    days = days[days["session"].isin([to_day_number(day) for day in window])].reset_index(drop=True)
    atr = compute_plain_atr(days).iloc[-1]
    assert frame["atr_day_pct"][99] == pytest.approx(atr / frame["price"][99] * 100, rel=1e-12)
    whole = [day for day in window if list_week_sessions(day)[0] in window and list_week_sessions(day)[-1] < TODAY]
    by_week = days[days["session"].isin([to_day_number(day) for day in whole])].copy()
    by_week["week"] = (by_week["session"] + 3) // 7
    weeks = by_week.groupby("week").agg(high=("high", "max"), low=("low", "min"), close=("close", "last")).reset_index()
    assert len(weeks) == 53
    for name, bars in (("week", weeks), ("day", days)):
        ema = bars["close"].ewm(span=20, adjust=False).mean()  # started at the first close
        slope = np.polyfit(range(5), ema.tail(5), 1)[0] / compute_plain_atr(bars).iloc[-1]
        distance = (frame["price"] - ema.iloc[-1]) / compute_plain_atr(bars).iloc[-1]
        expected = np.where(slope > 0, (distance > 0.8) * 1.0 + ((distance > 2.5) & (slope > 0.1)), 0.0)
        expected -= np.where(slope < 0, (distance < -0.8) * 1.0 + ((distance < -2.5) & (slope < -0.1)), 0.0)
        assert frame[f"mtf_trend_{name}"].tolist() == expected.tolist()
        assert 0 < frame[f"mtf_strength_{name}"].min() <= frame[f"mtf_strength_{name}"].max() <= 100


WARM_UP_BOUNDS = {
    "ema_200": 1e-6,
    "ema_200_distance_pct": 1e-6,
    "ema_21_200_spread_pct": 1e-6,
    "ema_spread_15m_pct": 1e-8,
    "atr_1h": 1e-4,
    "rsi_1h": 0.01,
    "ema_spread_1h_pct": 0.02,
    "mtf_strength_1h": 0.01,
}
"""What another start may be worth, in units of the feature. An hour's EMA 50 has 130 bars to forget its start."""


def test_twenty_sessions_are_enough_to_warm_up(monkeypatch):
    """Twice as much history moves no feature by more than its bound, and most by nothing but rounding."""
    from hd_pipelines.signals.features import bar_states, minute_columns

    tape = tape_of(walk(list_last_sessions(TODAY, 41), seed=9))
    usual = build_session_frame(tape, TODAY)
    for module in (bar_states, minute_columns):
        monkeypatch.setattr(module, "WINDOW_SESSIONS", 40)
    longer = build_session_frame(tape, TODAY)
    for name, values in usual.columns.items():
        if not np.isnan(values).all():
            assert np.nanmax(np.abs(values - longer[name])) <= WARM_UP_BOUNDS.get(name, 1e-9), name
    assert np.abs(usual["rsi_1h"] - longer["rsi_1h"]).max() > 0
