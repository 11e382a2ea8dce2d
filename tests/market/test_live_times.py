"""The times at which live bars are requested."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.live_times import has_opened, is_live_tick
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, list_sessions_between

FULL, HALF, CLOSED, SATURDAY = date(2026, 5, 22), date(2025, 11, 28), date(2026, 5, 25), date(2026, 5, 23)
ALL_SESSIONS = list_sessions_between(date(2024, 1, 2), date(2026, 12, 31))


def ticks(day):
    """Minutes of `day` at which live bars are requested, in New York time."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).astimezone(UTC)
    minutes = (midnight + timedelta(minutes=minute) for minute in range(24 * 60))
    return [f"{at.astimezone(NEW_YORK):%H:%M}" for at in minutes if is_live_tick(at)]


def test_a_full_day_is_asked_for_every_minute_and_twice_after_its_close():
    asked = ticks(FULL)
    assert (asked[0], asked[-3:], len(asked)) == ("09:31", ["16:00", "16:01", "16:16"], 392)


def test_a_half_day_ends_at_one():
    asked = ticks(HALF)
    assert (asked[0], asked[-3:], len(asked)) == ("09:31", ["13:00", "13:01", "13:16"], 212)


@pytest.mark.parametrize("day", [CLOSED, SATURDAY])
def test_a_closed_day_is_not_asked_for(day):
    assert ticks(day) == []


@given(st.sampled_from(ALL_SESSIONS), st.integers(0, 24 * 60 - 1))
def test_ticks_lie_where_a_session_has_opened(session, minute):
    at = datetime(session.year, session.month, session.day, tzinfo=NEW_YORK).astimezone(UTC) + timedelta(minutes=minute)
    assert has_opened(at) or not is_live_tick(at)
    assert has_opened(at) == (at >= get_regular_hours(session).opens_at)
