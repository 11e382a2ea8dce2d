"""Relative volume estimated from days where minutes are few: labelled, and never in place of the exact value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.signals.features import build_session_frame, evaluate
from hd_pipelines.signals.features.labels import RVOL_FROM_DAYS
from tests.signals.features.tapes import TODAY, bars, resampled, tape_of, walk

ALL = list_last_sessions(TODAY, 25)


def few(minutes_of: int, *, day_volume: float = 1.0):
    """A tape with minutes of the last sessions only, and days of all; days in other terms by `day_volume`."""
    minutes = walk(ALL)
    days = resampled(minutes, 1000)
    days["volume"] *= day_volume
    kept = minutes[minutes["session"] >= minutes["session"].unique()[-minutes_of - 1]]
    return tape_of(kept, days)


def test_three_sessions_and_twenty_days_are_enough_for_an_estimate():
    frame = build_session_frame(few(3), TODAY)
    assert RVOL_FROM_DAYS in frame.labels
    assert "rvol_of_3_sessions" in frame.labels
    assert np.isnan(frame["rvol"][:4]).all()
    assert not np.isnan(frame["rvol"][4:]).any()
    exact = build_session_frame(tape_of(walk(ALL)), TODAY)
    assert frame["rvol"][60:] == pytest.approx(exact["rvol"][60:], rel=0.15)


def test_the_estimate_is_the_mean_day_times_the_share_that_was_usual_by_then():
    tape = few(2)
    frame = build_session_frame(tape, TODAY)
    minutes, days = walk(ALL), resampled(walk(ALL), 1000)
    sessions = minutes["session"].unique()
    usual_day = days[days["session"].isin(sessions[-21:-1])]["volume"].mean()
    shares = []
    for session in sessions[-3:-1]:
        of_session = minutes[minutes["session"] == session]
        shares.append(of_session["volume"][:100].sum() / of_session["volume"].sum())
    traded = minutes[minutes["session"] == sessions[-1]]["volume"][:100].sum()
    assert frame["rvol"][99] == pytest.approx(traded / (np.mean(shares) * usual_day), rel=1e-12)


def test_days_in_other_terms_than_minutes_give_the_same():
    assert build_session_frame(few(2), TODAY)["rvol"][50:] == pytest.approx(
        build_session_frame(few(2, day_volume=28.0), TODAY)["rvol"][50:], rel=1e-12
    )


def test_five_sessions_of_minutes_need_no_estimate():
    assert RVOL_FROM_DAYS not in build_session_frame(few(5), TODAY).labels


def test_without_minutes_of_an_earlier_session_there_is_no_share():
    frame = build_session_frame(few(0), TODAY)
    assert np.isnan(frame["rvol"]).all()
    assert "no_rvol" in frame.labels


def test_nine_days_are_too_few():
    tape = few(2)
    nine = resampled(walk(ALL), 1000)
    nine = nine[nine["session"] >= nine["session"].unique()[-10]]
    assert np.isnan(build_session_frame(replace(tape, days=bars(nine)), TODAY)["rvol"]).all()


def test_what_comes_later_changes_no_estimate():
    tape = few(2)
    whole = build_session_frame(tape, TODAY)
    for row in (10, 111, 300):
        cut = evaluate(tape.until(int(whole.as_of_ns[row])), int(whole.as_of_ns[row]))
        assert cut["rvol"][0] == whole["rvol"][row]
