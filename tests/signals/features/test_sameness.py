"""A row is what was known at its instant: cutting the tape there, or evaluating the instant alone, changes no bit of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.signals.features import build_frames, build_session_frame, evaluate
from hd_pipelines.signals.frame import FeatureFrame, join_frames
from hd_pipelines.signals.tape import SymbolTape, to_day_number
from hd_pipelines.tables.vocabulary import AssetClass
from tests.signals.features.tapes import MINUTE, TODAY, contexts, long_tape, tape_of, walk

HALF_DAY = date(2023, 11, 24)


def assert_same(one: FeatureFrame, other: FeatureFrame) -> None:
    """Every value to the last bit; NaN is NaN."""
    assert one.as_of_ns.tolist() == other.as_of_ns.tolist()
    for kind in ("columns", "levels"):
        ours, theirs = getattr(one, kind), getattr(other, kind)
        assert list(ours) == list(theirs)
        different = [name for name in ours if not np.array_equal(ours[name], theirs[name], equal_nan=True)]
        assert different == []


@dataclass(frozen=True)
class Case:
    """A symbol that trades often or rarely, may be halted, new, an index with a fund; context may come at any time."""

    session: date
    history: int
    seed: int
    traded: float
    halted_from: int
    halted_for: int
    odd_volume: float | None
    has_context: bool
    is_index: bool

    def tape(self) -> SymbolTape:
        sessions = list_last_sessions(self.session, self.history)
        minutes = walk(sessions, seed=self.seed, traded=self.traded)
        halted = minutes["minute"].between(self.halted_from, self.halted_from + self.halted_for - 1)
        minutes = minutes[~halted | (minutes["session"] != to_day_number(self.session))].reset_index(drop=True)
        if self.odd_volume is not None:
            minutes.loc[minutes.index % 7 == 3, "volume"] = self.odd_volume
        recent = minutes[minutes["session"] >= to_day_number(list_last_sessions(self.session, 2)[0])]
        known = contexts(recent, seed=self.seed, every=2) if len(recent) and self.has_context else None
        if not self.is_index:
            return tape_of(minutes, contexts=known)
        fund = tape_of(walk(sessions, seed=self.seed + 1, traded=0.8), symbol="SPY")
        return tape_of(minutes.assign(volume=np.nan), asset_class=AssetClass.INDEX, contexts=known, proxy=fund)


CASES = st.builds(
    Case,
    session=st.sampled_from([TODAY, HALF_DAY, date(2023, 11, 27)]),
    history=st.sampled_from([1, 4, 7, 22]),
    seed=st.integers(0, 10_000),
    traded=st.sampled_from([1.0, 0.9, 0.3, 0.02]),
    halted_from=st.integers(1, 390),
    halted_for=st.sampled_from([0, 30, 400]),
    odd_volume=st.sampled_from([None, 0.0, np.nan]),
    has_context=st.booleans(),
    is_index=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(CASES, st.integers(1, 390), st.integers(0, MINUTE - 1))
def test_nothing_that_comes_later_changes_a_row(case, minute, nanoseconds):
    tape, session = case.tape(), case.session
    hours = get_regular_hours(session)
    asked_ns = hours.opens_at_ns + minute * MINUTE + nanoseconds
    row_ns = min(asked_ns - nanoseconds, hours.closes_at_ns)
    whole, cut = build_session_frame(tape, session), tape.until(asked_ns)
    delivered = build_session_frame(cut, session)
    assert_same(delivered, whole.select(slice(0, len(delivered))))
    then, one = build_session_frame(tape, session, asked_ns), evaluate(tape, asked_ns)
    assert_same(then, build_session_frame(cut, session, asked_ns))
    assert_same(one, evaluate(cut, asked_ns))
    assert_same(one, then.select(slice(-1, None)))
    assert one.labels == evaluate(cut, asked_ns).labels
    if len(then):
        assert one.as_of_ns.tolist() == [row_ns]
        assert_same(then.select(then.as_of_ns <= whole.as_of_ns[-1]), whole.select(whole.as_of_ns <= row_ns))
    else:
        # Before its first trade a symbol has rows without a price; for such an instant alone there is no value.
        assert np.isnan(whole["price"][whole.as_of_ns <= row_ns]).all()


@pytest.mark.parametrize("minute", [1, 4, 5, 7, 15, 60, 61, 200, 389, 390])
def test_a_cut_tape_gives_the_same_rows(minute):
    tape = long_tape(traded=0.9)
    whole = build_session_frame(tape, TODAY)
    as_of_ns = int(whole.as_of_ns[minute - 1])
    cut = build_session_frame(tape.until(as_of_ns), TODAY)
    assert_same(cut, whole.select(slice(0, len(cut))))
    assert_same(evaluate(tape, as_of_ns), whole.select(slice(minute - 1, minute)))


def test_many_sessions_at_once_are_each_of_them():
    tape, sessions = long_tape(sessions=28), list_last_sessions(TODAY, 6)
    tape = replace(tape, contexts=contexts(walk(sessions, seed=1), seed=3))
    assert_same(build_frames(tape, sessions), join_frames([build_session_frame(tape, session) for session in sessions]))
    assert_same(
        build_frames(tape, sessions[::2]),
        join_frames([build_session_frame(tape, session) for session in sessions[::2]]),
    )


def test_history_before_the_window_changes_nothing():
    long = long_tape(sessions=45, days=600)
    first = list_last_sessions(TODAY, 21)[0]
    earliest_day = to_day_number(list_last_sessions(TODAY, 261)[0])
    days = long.days.select(slice(int(np.searchsorted(long.days.session, earliest_day)), None))
    bars_of_window = long.five_minutes.select(slice(len(long.five_minutes.before(first)), None))
    short = replace(long, five_minutes=bars_of_window, days=days, minutes=long.minutes.of_session(TODAY))
    assert len(short.five_minutes) < len(long.five_minutes)
    assert len(short.days) < len(long.days)
    assert_same(build_session_frame(short, TODAY), build_session_frame(long, TODAY))


def test_an_instant_after_the_close_is_the_close():
    tape = long_tape()
    closes_ns = get_regular_hours(TODAY).closes_at_ns
    assert_same(evaluate(tape, closes_ns + 90 * MINUTE), evaluate(tape, closes_ns))
