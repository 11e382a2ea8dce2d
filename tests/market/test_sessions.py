"""Sessions and hours compared with the library from which the snapshot was taken, and with well-known days."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import pytest

from hd_pipelines.market.sessions import (
    CHICAGO,
    compute_midnight_ns,
    find_last_completed_session,
    get_last_snapshot_session,
    get_regular_hours,
    is_session,
    list_closed_weekdays,
    list_known_sessions,
    list_last_sessions,
    list_sessions_between,
    list_week_sessions,
)

FIRST = date(2003, 9, 10)


def hours_in_library(first: date, last: date) -> dict[date, tuple[datetime, datetime]]:
    schedule = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last)).schedule
    return {
        day.date(): (opens.to_pydatetime(), closes.to_pydatetime())
        for day, opens, closes in zip(schedule.index, schedule["open"], schedule["close"], strict=True)
    }


def our_hours(first: date, last: date) -> dict[date, tuple[datetime, datetime]]:
    return {
        day: (get_regular_hours(day).opens_at, get_regular_hours(day).closes_at)
        for day in list_sessions_between(first, last)
    }


def test_every_session_and_its_hours_equal_the_exchange_calendars_library():
    last = get_last_snapshot_session()
    assert our_hours(FIRST, last) == hours_in_library(FIRST, last), "not the library's: run `make calendar`"


def test_sessions_after_the_snapshot_are_computed_by_the_library():
    first = get_last_snapshot_session() + timedelta(days=1)
    last = date(first.year + 4, 12, 31)
    later = our_hours(first, last)
    assert later == hours_in_library(first, last)
    assert all(is_session(day) == (day in later) for day in weekdays(first, last))
    assert any(get_regular_hours(day).minutes == 210 for day in later)


def weekdays(first: date, last: date) -> list[date]:
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def test_the_snapshot_and_later_sessions_are_one_calendar():
    end = get_last_snapshot_session()
    across = list_sessions_between(end - timedelta(days=10), end + timedelta(days=60))
    assert across == sorted(set(across))
    assert list_last_sessions(across[-1], len(across)) == across
    assert (
        list_known_sessions(across[-1])[: len(list_known_sessions(end))]
        == list_known_sessions(end)[: len(list_known_sessions(end))]
    )
    assert find_last_completed_session(get_regular_hours(across[-1]).closes_at) == across[-1]


def test_far_option_expirations_do_not_import_the_library():
    program = (
        "import sys; from datetime import date; from hd_pipelines.market.sessions import is_session, get_regular_hours;"
        "assert get_regular_hours(date(2040, 1, 20)).minutes == 390 and not is_session(date(2040, 1, 21));"
        "assert 'exchange_calendars' not in sys.modules; assert not is_session(date(2040, 7, 4));"
        "assert 'exchange_calendars' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_calendar_ends_with_the_century_instead_of_computing_without_end():
    assert not is_session(date(2100, 1, 4))
    with pytest.raises(ValueError, match="2100-01-04 is not an exchange session"):
        get_regular_hours(date(2100, 1, 4))


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2025, 1, 9), "national day of mourning"),
        (date(2012, 10, 29), "hurricane Sandy"),
        (date(2019, 5, 27), "Memorial Day"),
        (date(2022, 6, 20), "first Juneteenth"),
    ],
)
def test_the_exchange_is_closed_on(day, why):
    assert not is_session(day), why
    with pytest.raises(ValueError, match=str(day)):
        get_regular_hours(day)


def test_juneteenth_was_a_session_before_2022():
    assert is_session(date(2020, 6, 19))


@pytest.mark.parametrize(
    ("session", "opens", "minutes"),
    [
        (date(2024, 3, 8), datetime(2024, 3, 8, 14, 30, tzinfo=UTC), 390),  # last standard-time session
        (date(2024, 3, 11), datetime(2024, 3, 11, 13, 30, tzinfo=UTC), 390),  # first summer-time session
        (date(2024, 11, 29), datetime(2024, 11, 29, 14, 30, tzinfo=UTC), 210),  # day after Thanksgiving
    ],
)
def test_hours_follow_daylight_saving_and_early_closes(session, opens, minutes):
    hours = get_regular_hours(session)
    assert hours.opens_at == opens
    assert hours.minutes == minutes
    assert hours.closes_at_ns - hours.opens_at_ns == minutes * 60 * 10**9


def test_the_last_completed_session_changes_at_the_close_not_at_midnight():
    close = get_regular_hours(date(2026, 11, 20)).closes_at
    assert find_last_completed_session(close) == date(2026, 11, 20)
    assert find_last_completed_session(close - timedelta(seconds=1)) == date(2026, 11, 19)
    assert find_last_completed_session(close + timedelta(days=2)) == date(2026, 11, 20)


def test_a_clock_without_timezone_is_refused():
    with pytest.raises(ValueError, match="timezone"):
        find_last_completed_session(datetime(2026, 11, 20, 17))  # noqa: DTZ001


def test_sessions_back_counts_sessions_not_days():
    assert list_last_sessions(date(2026, 11, 21), 3) == [date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20)]


def test_a_holiday_week_has_four_sessions():
    assert list_week_sessions(date(2026, 11, 25)) == (
        date(2026, 11, 23),
        date(2026, 11, 24),
        date(2026, 11, 25),
        date(2026, 11, 27),
    )
    assert list_closed_weekdays(date(2026, 11, 23), date(2026, 11, 29)) == [date(2026, 11, 26)]


def test_vendor_day_stamps_are_local_midnights():
    # I:SPX 2026-08-20 is stamped 1787202000000 ms, stocks of 2026-05-22 1779422400000000000 ns (vendor notes §0, §1)
    assert compute_midnight_ns(date(2026, 8, 20), CHICAGO) == 1_787_202_000_000 * 10**6
    assert compute_midnight_ns(date(2026, 5, 22)) == 1_779_422_400_000_000_000


def test_far_third_fridays_are_sessions_as_the_library_has_them():
    fridays = [date(year, month, 15) for year in range(2032, 2045) for month in range(1, 13)]
    fridays = [day + timedelta(days=(4 - day.weekday()) % 7) for day in fridays]
    in_library = hours_in_library(date(2032, 1, 1), date(2044, 12, 31))
    assert [day for day in fridays if not is_session(day)] == [day for day in fridays if day not in in_library]
