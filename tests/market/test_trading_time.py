"""Trading time: it does not pass at night and over weekends, respects half days, and adds up."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.sessions import (
    NEW_YORK,
    count_trading_minutes,
    get_last_snapshot_session,
    get_regular_hours,
    list_sessions_between,
    measure_trading_time_ns,
    subtract_trading_minutes,
)

MINUTE = 60_000_000_000
FIRST, LAST = get_regular_hours(date(2024, 1, 2)).opens_at_ns, get_regular_hours(date(2025, 12, 31)).closes_at_ns
instants = st.integers(FIRST, LAST)


def ns(*clock: int) -> int:
    return int(datetime(*clock, tzinfo=NEW_YORK).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("earlier", "later", "minutes"),
    [
        ((2025, 1, 17, 16, 0), (2025, 1, 21, 9, 30), 0),  # Martin Luther King day between
        ((2025, 1, 17, 15, 0), (2025, 1, 21, 10, 30), 120),
        ((2025, 3, 7, 16, 0), (2025, 3, 10, 16, 0), 390),  # the clocks change in between
        ((2024, 11, 27, 16, 0), (2024, 12, 2, 9, 30), 210),  # Thanksgiving, and a half day after it
        ((2024, 7, 3, 12, 0), (2024, 7, 3, 18, 0), 60),
        ((2025, 3, 12, 3, 0), (2025, 3, 12, 9, 29), 0),
        ((2025, 3, 12, 11, 0), (2025, 3, 12, 10, 15), -45),
    ],
)
def test_minutes_of_regular_hours_between(earlier, later, minutes):
    assert count_trading_minutes(ns(*earlier), ns(*later)) == minutes


def test_all_sessions_together_are_the_sum_of_their_minutes():
    sessions = list_sessions_between(date(2024, 1, 2), date(2025, 12, 31))
    assert count_trading_minutes(FIRST, LAST) == sum(get_regular_hours(session).minutes for session in sessions)


@given(instants, instants, instants)
def test_stretches_add_up(a, b, c):
    assert count_trading_minutes(a, b) + count_trading_minutes(b, c) == pytest.approx(
        count_trading_minutes(a, c), abs=1e-6
    )


@given(st.lists(instants, max_size=20))
def test_the_array_answers_as_the_single_instant_does(several):
    elapsed = measure_trading_time_ns(np.array(several, np.int64))
    for instant, total in zip(several, elapsed, strict=True):
        assert int(total - elapsed[0]) / MINUTE == count_trading_minutes(several[0], instant)


@given(instants, st.floats(0, 5000))
def test_going_back_is_the_inverse_of_counting(instant, minutes):
    begins = subtract_trading_minutes(instant, minutes)
    assert count_trading_minutes(begins, instant) == pytest.approx(minutes, abs=1e-9)
    assert count_trading_minutes(begins + 1, instant) < count_trading_minutes(begins, instant)


def test_what_the_calendar_does_not_know_is_refused():
    beyond = int(datetime(2100, 2, 1, tzinfo=UTC).timestamp())
    with pytest.raises(ValueError, match="no trading time can be given"):
        count_trading_minutes(FIRST, beyond * 1_000_000_000)
    with pytest.raises(ValueError, match="no trading time can be given"):
        measure_trading_time_ns(np.array([0]))


def test_trading_time_goes_on_after_the_end_of_the_calendar_snapshot():
    end = get_last_snapshot_session()
    sessions = list_sessions_between(end, end + timedelta(days=45))
    close, later = get_regular_hours(end).closes_at_ns, get_regular_hours(sessions[-1]).closes_at_ns
    minutes = sum(get_regular_hours(session).minutes for session in sessions[1:])
    assert count_trading_minutes(close, later) == minutes
    assert subtract_trading_minutes(later, minutes + 1) == close - MINUTE
    assert measure_trading_time_ns(np.array([close, later])).tolist()[1] - measure_trading_time_ns(
        np.array([close])
    ).item() == (minutes * MINUTE)
