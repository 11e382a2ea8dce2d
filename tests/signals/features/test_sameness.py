"""A row is what was known at its instant: cutting the tape there, or asking for the instant alone, changes no bit of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.sessions import regular_hours, sessions_back
from hd_pipelines.market.vocabulary import AssetClass
from hd_pipelines.signals.features import evaluate, frames, session_frame
from hd_pipelines.signals.frame import FeatureFrame, joined
from hd_pipelines.signals.tape import SymbolTape, day_number
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


@st.composite
def tapes(draw: st.DrawFn) -> tuple[SymbolTape, date]:
    """Symbols that trade often or rarely, are halted, newly listed, an index with a fund, with context that comes late."""
    session = draw(st.sampled_from([TODAY, HALF_DAY, date(2023, 11, 27)]))
    seed, history = draw(st.integers(0, 10_000)), draw(st.sampled_from([1, 4, 7, 22]))
    minutes = walk(sessions_back(session, history), seed=seed, traded=draw(st.sampled_from([1.0, 0.9, 0.3, 0.02])))
    halted_from, halted_for = draw(st.integers(1, 390)), draw(st.sampled_from([0, 30, 400]))
    is_halted = (minutes["session"] == day_number(session)) & minutes["minute"].between(
        halted_from, halted_from + halted_for - 1
    )
    minutes = minutes[~is_halted].reset_index(drop=True)
    if draw(st.booleans()):
        minutes.loc[minutes.index % 7 == 3, "volume"] = draw(st.sampled_from([0.0, np.nan]))
    recent = minutes[minutes["session"] >= day_number(sessions_back(session, 2)[0])]
    known = contexts(recent, seed=seed, every=2) if len(recent) and draw(st.booleans()) else None
    if not draw(st.booleans()):
        return tape_of(minutes, contexts=known), session
    fund = tape_of(walk(sessions_back(session, history), seed=seed + 1, traded=0.8), symbol="SPY")
    return tape_of(minutes.assign(volume=np.nan), asset_class=AssetClass.INDEX, contexts=known, proxy=fund), session


@settings(max_examples=40, deadline=None)
@given(tapes(), st.integers(1, 390), st.integers(0, MINUTE - 1))
def test_nothing_that_comes_later_changes_a_row(made, minute, nanoseconds):
    tape, session = made
    whole = session_frame(tape, session)
    as_of_ns = regular_hours(session).opens_at_ns + minute * MINUTE + nanoseconds
    cut = tape.until(as_of_ns)
    rows = session_frame(cut, session)
    assert_same(rows, whole.rows(slice(0, len(rows))))
    asked, asked_of_cut = evaluate(tape, as_of_ns), evaluate(cut, as_of_ns)
    assert_same(asked, asked_of_cut)
    assert asked.labels == asked_of_cut.labels
    of_instant = whole.rows(whole.as_of_ns == as_of_ns - nanoseconds)
    if len(asked):
        assert asked.as_of_ns.tolist() == [min(as_of_ns - nanoseconds, regular_hours(session).closes_at_ns)]
        if len(of_instant):
            assert_same(asked, of_instant)
    else:
        # Before its first trade a symbol has rows without a price; asked for one of them, there is nothing to say.
        assert np.isnan(of_instant["price"]).all()


@pytest.mark.parametrize("minute", [1, 4, 5, 7, 15, 60, 61, 200, 389, 390])
def test_a_cut_tape_gives_the_same_rows(minute):
    tape = long_tape(traded=0.9)
    whole = session_frame(tape, TODAY)
    as_of_ns = int(whole.as_of_ns[minute - 1])
    cut = session_frame(tape.until(as_of_ns), TODAY)
    assert_same(cut, whole.rows(slice(0, len(cut))))
    assert_same(evaluate(tape, as_of_ns), whole.rows(slice(minute - 1, minute)))


def test_many_sessions_at_once_are_each_of_them():
    tape, sessions = long_tape(sessions=28), sessions_back(TODAY, 6)
    tape = replace(tape, contexts=contexts(walk(sessions, seed=1), seed=3))
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


def test_an_instant_after_the_close_is_the_close():
    tape = long_tape()
    closes_ns = regular_hours(TODAY).closes_at_ns
    assert_same(evaluate(tape, closes_ns + 90 * MINUTE), evaluate(tape, closes_ns))
