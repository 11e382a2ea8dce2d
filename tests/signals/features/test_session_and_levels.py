"""The session so far and its key levels, on small sessions made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from hd_pipelines.market.sessions import list_last_sessions, list_week_sessions
from hd_pipelines.signals.features import build_session_frame
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.tape import to_day_number
from tests.signals.features.tapes import TODAY, resampled, tape_of, walk

YESTERDAY = list_last_sessions(TODAY, 2)[0]


def flat(session: date, price: float, volume: float = 100.0) -> pd.DataFrame:
    """A session whose every minute is at one price."""
    minutes = walk([session])
    minutes[["open", "high", "low", "close"]] = price
    return minutes.assign(volume=volume)


def today(*closes: tuple[int, float]) -> pd.DataFrame:
    """A session at 100 that trades at other prices from the given minutes on."""
    minutes = flat(TODAY, 100.0)
    for minute, price in closes:
        minutes.loc[minutes["minute"] >= minute, ["open", "high", "low", "close"]] = price
    return minutes


def frame_of(minutes: pd.DataFrame, prior: float | None = None) -> FeatureFrame:
    earlier = [] if prior is None else [flat(YESTERDAY, prior)]
    return build_session_frame(tape_of(pd.concat([*earlier, minutes], ignore_index=True)), TODAY)


def test_the_days_open_high_and_low_are_the_sessions_and_not_the_last_bars():
    frame = frame_of(today((50, 103.0), (60, 98.0), (70, 101.0)))
    assert set(frame["day_open"]) == {100.0}
    assert frame["day_high"][[48, 49, 389]].tolist() == [100.0, 103.0, 103.0]
    assert frame["day_low"][[58, 59, 389]].tolist() == [100.0, 98.0, 98.0]
    assert frame["change_from_open_pct"][[49, 389]] == pytest.approx([3.0, 1.0])
    assert frame["day_range_position"][389] == pytest.approx(60.0)
    assert frame["above_day_low_pct"][389] == pytest.approx(100 * (101 / 98 - 1))
    assert frame["below_day_high_pct"][389] == pytest.approx(100 * (1 - 101 / 103))


def test_minutes_count_from_one_and_down_to_none():
    frame = frame_of(today())
    assert frame["minutes_from_open"].tolist() == list(range(1, 391))
    assert frame["minutes_to_close"].tolist() == list(range(389, -1, -1))
    assert frame.as_of(0).isoformat() == "2024-03-14T13:31:00+00:00"


def test_a_gap_has_an_edge_until_it_is_filled():
    frame = frame_of(today((100, 101.0), (200, 98.9)), prior=99.0)
    assert frame["gap_pct"] == pytest.approx([100 * (100 / 99 - 1)] * 390)
    assert frame.levels["gap_edge"][[0, 198]].tolist() == [99.0, 99.0]
    assert np.isnan(frame.levels["gap_edge"][199:]).all()
    assert np.isnan(frame_of(today(), prior=100.0).levels["gap_edge"]).all()
    down = frame_of(today((300, 102.0)), prior=102.0)
    assert (down.levels["gap_edge"][:299] == 102.0).all()
    assert np.isnan(down.levels["gap_edge"][299:]).all()


def test_the_opening_range_is_known_when_its_fifteen_minutes_are_over():
    frame = frame_of(today((3, 102.0), (10, 99.0), (16, 105.0)))
    assert np.isnan(frame.levels["opening_range_high"][:14]).all()
    assert frame.levels["opening_range_high"][[14, 389]].tolist() == [102.0, 102.0]
    assert frame.levels["opening_range_low"][[14, 389]].tolist() == [99.0, 99.0]
    assert frame["above_opening_range_pct"][15] == pytest.approx(100 * (105 / 102 - 1))
    assert frame["below_opening_range_pct"][15] == pytest.approx(100 * (1 - 105 / 99))


def test_a_price_is_compared_with_twenty_bars_that_it_is_no_part_of():
    """Of a breakout in minute 103, bar 101-105: the window is bars 1-100 at each of its minutes, the last one too."""
    frame = frame_of(today((103, 104.0)))
    assert frame["above_20_bar_high_pct"][[100, 101]].tolist() == [0.0, 0.0]
    assert frame["above_20_bar_high_pct"][[102, 103, 104]] == pytest.approx([4.0] * 3)
    assert frame["above_20_bar_high_pct"][105] == 0.0  # bar 106-110 begins: the bar of the breakout is over
    falling = frame_of(today((103, 96.0)))
    assert falling["below_20_bar_low_pct"][[101, 102, 104, 105]] == pytest.approx([0.0, 4.0, 4.0, 0.0])


def test_pivots_are_the_floors_of_the_prior_day():
    minutes = pd.concat([flat(YESTERDAY, 100.0), today()], ignore_index=True)
    minutes.loc[5, ["high", "low"]] = [106.0, 97.0]
    levels = build_session_frame(tape_of(minutes), TODAY).levels
    assert {name: float(levels[name][0]) for name in levels if name.startswith("p")} == pytest.approx(
        {
            "prior_day_high": 106.0,
            "prior_day_low": 97.0,
            "prior_day_close": 100.0,
            "pivot": 101.0,
            "pivot_r1": 105.0,
            "pivot_s1": 96.0,
            "pivot_r2": 110.0,
            "pivot_s2": 92.0,
        }
        | {name: float("nan") for name in ("prior_week_high", "prior_week_low", "prior_week_close")},
        nan_ok=True,
    )


def test_the_prior_week_is_the_whole_week_before_this_one():
    week = list_week_sessions(date(2024, 3, 6))
    parts = [flat(session, 100.0 + number) for number, session in enumerate(week)]
    since = [flat(session, 50.0) for session in list_week_sessions(TODAY)[:3]]
    minutes = pd.concat([*parts, *since, flat(TODAY, 51.0)], ignore_index=True)
    levels = build_session_frame(tape_of(minutes), TODAY).levels
    assert [levels[f"prior_week_{name}"][0] for name in ("high", "low", "close")] == [104.0, 100.0, 104.0]
    days = resampled(minutes, 1000)
    without_tuesday = days[days["session"] != to_day_number(week[1])]
    frame = build_session_frame(tape_of(minutes, without_tuesday), TODAY)
    assert np.isnan(frame.levels["prior_week_high"]).all()
    assert "no_prior_week" in frame.labels


def test_the_nearest_key_levels_are_above_and_below_the_price():
    frame = frame_of(today((50, 101.0), (100, 100.5), (148, 100.7)), prior=99.0)
    known = {name: values[149] for name, values in frame.levels.items() if not np.isnan(values[149])}
    assert (known["swing_high"], known["swing_low"], known["prior_day_close"]) == (101.0, 100.5, 99.0)
    assert frame["distance_to_resistance_pct"][149] == pytest.approx(100 * 0.3 / 100.7)
    assert frame["distance_to_support_pct"][149] == pytest.approx(100 * (100.7 - known["vwap"]) / 100.7)
    assert known["vwap"] == pytest.approx((49 * 100 + 50 * 101 + 48 * 100.5 + 3 * 100.7) / 150)
    assert np.isnan(frame["is_near_key_level"]).all()  # one day is no ATR
    far = frame_of(today((300, 120.0)))
    assert np.isnan(far["distance_to_resistance_pct"][300])


def test_a_major_level_is_near_within_a_twentieth_of_a_days_range():
    days = list_last_sessions(TODAY, 21)[:-1]
    earlier = pd.concat([flat(day, 100.0) for day in days], ignore_index=True)
    # Every day ranges over four dollars, so a twentieth of its ATR is 20 cents.
    earlier.loc[earlier["minute"] == 5, "high"] = 102.0
    earlier.loc[earlier["minute"] == 6, "low"] = 98.0
    minutes = today((50, 101.85), (100, 101.75), (150, 103.0), (200, 100.15))
    frame = build_session_frame(tape_of(pd.concat([earlier, minutes], ignore_index=True)), TODAY)
    assert frame["atr_day_pct"][60] == pytest.approx(100 * 4 / 101.85)
    # 102 is yesterday's high; 100 its close and the opening range.
    assert frame["is_near_key_level"][[60, 110, 160, 210]].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_a_price_on_a_level_is_at_no_distance_from_it():
    frame = frame_of(today(), prior=100.0)
    assert set(frame["distance_to_support_pct"]) == set(frame["distance_to_resistance_pct"]) == {0.0}


def test_relative_volume_is_that_of_whole_five_minutes_against_sessions_until_the_same_one():
    sessions = list_last_sessions(TODAY, 21)
    earlier = [flat(session, 100.0, volume=100.0 + 10 * number) for number, session in enumerate(sessions[:-1])]
    own = flat(TODAY, 100.0, volume=390.0)
    frame = build_session_frame(tape_of(pd.concat([*earlier, own], ignore_index=True)), TODAY)
    assert np.isnan(frame["rvol"][:4]).all()
    assert frame["rvol"][4:] == pytest.approx([2.0] * 386)  # 390 against a mean of 195 a minute
    assert frame["average_daily_volume"][0] == pytest.approx(195.0 * 390)
    own.loc[own["minute"] == 8, "volume"] = 1e6
    frame = build_session_frame(tape_of(pd.concat([*earlier, own], ignore_index=True)), TODAY)
    assert frame["rvol"][[7, 8]] == pytest.approx([2.0, 2.0])  # minute 8 counts once its five minutes are over
    assert frame["rvol"][9] == pytest.approx((9 * 390 + 1e6) / (10 * 195))


def test_a_symbol_that_rarely_trades_traded_nothing_in_between():
    sessions = list_last_sessions(TODAY, 7)
    parts = [flat(session, 100.0) for session in sessions]
    sparse = pd.concat([part[part["minute"] % 100 == 1] for part in parts], ignore_index=True)
    frame = build_session_frame(tape_of(sparse), TODAY)
    assert frame["rvol"][4:] == pytest.approx([1.0] * len(frame["rvol"][4:]))
    assert "rvol_of_6_sessions" in frame.labels


def test_five_sessions_are_a_usual_volume_and_four_are_not():
    parts = {count: [flat(session, 100.0) for session in list_last_sessions(TODAY, count + 1)] for count in (4, 5)}
    four, five = (build_session_frame(tape_of(pd.concat(parts[count], ignore_index=True)), TODAY) for count in (4, 5))
    assert np.isnan(four["rvol"]).all()
    assert five["rvol"][100] == 1.0
    assert (four["rvol_sessions"][100], five["rvol_sessions"][100]) == (4, 5)


def test_prices_are_those_of_the_last_minute_and_not_of_the_last_bar():
    frame = frame_of(today((102, 101.0)), prior=100.0)
    assert frame["price"][101] == 101.0
    assert frame["ema_9"][101] == frame["ema_9"][99]
    assert frame["ema_9_distance_pct"][101] == pytest.approx(1.0)


def test_a_frame_of_an_earlier_session_uses_no_later_data():
    minutes = walk(list_last_sessions(TODAY, 3), seed=4)
    tape = tape_of(minutes)
    early = tape_of(minutes[minutes["session"] <= to_day_number(YESTERDAY)])
    one, other = build_session_frame(tape, YESTERDAY), build_session_frame(replace(early, days=tape.days), YESTERDAY)
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one.columns)
