"""A row is what was known at its instant: cutting the tape there, or asking for the instant alone, changes no bit of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hd_pipelines.market.sessions import sessions_back
from hd_pipelines.signals.features import evaluate, frames, session_frame
from hd_pipelines.signals.frame import FeatureFrame, joined
from hd_pipelines.signals.tape import day_number
from tests.signals.features.tapes import TODAY, long_tape


def assert_same(one: FeatureFrame, other: FeatureFrame) -> None:
    """Every value to the last bit; NaN is NaN."""
    assert one.as_of_ns.tolist() == other.as_of_ns.tolist()
    for kind in ("columns", "levels"):
        ours, theirs = getattr(one, kind), getattr(other, kind)
        assert list(ours) == list(theirs)
        different = [name for name in ours if not np.array_equal(ours[name], theirs[name], equal_nan=True)]
        assert different == []


@pytest.mark.parametrize("minute", [1, 4, 5, 7, 15, 60, 61, 200, 389, 390])
def test_a_cut_tape_gives_the_same_rows(minute):
    tape = long_tape(traded=0.9)
    whole = session_frame(tape, TODAY)
    as_of_ns = int(whole.as_of_ns[minute - 1])
    cut = session_frame(tape.until(as_of_ns), TODAY)
    assert_same(cut, whole.rows(slice(0, len(cut))))
    assert_same(evaluate(tape, as_of_ns), whole.rows(slice(minute - 1, minute)))
    assert_same(evaluate(tape.until(as_of_ns), as_of_ns), whole.rows(slice(minute - 1, minute)))


def test_many_sessions_at_once_are_each_of_them():
    tape, sessions = long_tape(sessions=28), sessions_back(TODAY, 6)
    assert_same(frames(tape, sessions), joined([session_frame(tape, session) for session in sessions]))
    assert_same(frames(tape, sessions[::2]), joined([session_frame(tape, session) for session in sessions[::2]]))


def test_history_before_the_window_changes_nothing():
    long = long_tape(sessions=45, days=600)
    first = sessions_back(TODAY, 21)[0]
    earliest_day = day_number(sessions_back(TODAY, 261)[0])
    days = long.days.part(slice(int(np.searchsorted(long.days.session, earliest_day)), None))
    bars_of_window = long.five_minutes.part(slice(len(long.five_minutes.before(first)), None))
    short = replace(long, five_minutes=bars_of_window, days=days, minutes=long.minutes.of_session(TODAY))
    assert len(short.five_minutes) < len(long.five_minutes)
    assert len(short.days) < len(long.days)
    assert_same(session_frame(short, TODAY), session_frame(long, TODAY))
