"""Partitions are exchange sessions; the daily schedule requests two of them, on sessions only, in New York time."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import exchange_calendars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.sessions import (
    NEW_YORK,
    get_last_snapshot_session,
    is_session,
    list_closed_weekdays,
    list_sessions_between,
)
from hd_pipelines.partitions import (
    CALENDAR_WARNING,
    FIRST_PARTITION,
    RANGE_END_TAG,
    RANGE_START_TAG,
    _end_of_exclusions,
    build_range_tags,
    build_session_partitions,
)
from hd_pipelines.schedules.maintenance import daily_standing_checks
from hd_pipelines.schedules.sessions import daily_sessions


def keys_at(now: datetime) -> list[str]:
    return list(build_session_partitions().get_partition_keys(current_time=now))


def new_york(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=NEW_YORK)


def test_partitions_are_exactly_the_sessions_of_the_exchange():
    now = new_york(2026, 6, 30, 12)
    calendar = exchange_calendars.get_calendar("XNYS", start=str(FIRST_PARTITION), end="2026-06-30")
    assert keys_at(now) == [str(day.date()) for day in calendar.sessions]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (new_york(2026, 5, 22, 0, 1), "2026-05-22"),  # from midnight on
        (new_york(2026, 5, 22, 11), "2026-05-22"),  # while the session is running
        (new_york(2026, 5, 22, 23), "2026-05-22"),
        (new_york(2026, 5, 23, 12), "2026-05-22"),  # Saturday
        (new_york(2026, 5, 24, 12), "2026-05-22"),  # Sunday
        (
            new_york(2026, 5, 25, 12),
            "2026-05-26",
        ),  # Memorial Day: the offset counts sessions, so tomorrow's exists already
        (new_york(2026, 5, 26, 12), "2026-05-26"),
        (new_york(2026, 3, 8, 12), "2026-03-06"),  # Sunday of the clock change
    ],
)
def test_the_newest_partition_is_the_session_of_today_or_the_last_one(now, newest):
    assert keys_at(now)[-1] == newest


@given(st.integers(0, 3242 * 24 * 60))
@settings(max_examples=12, deadline=None)
def test_at_any_moment_partitions_end_with_the_newest_session(minute):
    now = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    today = now.astimezone(NEW_YORK).date()
    weekday = today - timedelta(days=max(today.weekday() - 4, 0))
    # On a holiday the next session's partition exists already: Dagster's offset counts partitions, not days.
    expected = weekday if is_session(weekday) else list_sessions_between(weekday, weekday + timedelta(days=10))[0]
    assert keys_at(now)[-1] == str(expected)


def test_the_calendar_answers_for_partitions_to_come():
    today = datetime.now(UTC).date()
    excluded = {datetime.fromtimestamp(day.timestamp, NEW_YORK).date() for day in build_session_partitions().exclusions}
    assert set(list_closed_weekdays(today, today + timedelta(days=90))) <= excluded


def test_partitions_go_on_after_the_calendar_snapshot_with_a_warning_before(caplog):
    end = get_last_snapshot_session()
    assert _end_of_exclusions(end - CALENDAR_WARNING) == end
    assert not caplog.records
    assert _end_of_exclusions(end - CALENDAR_WARNING + timedelta(days=1)) >= end + timedelta(days=40)
    assert "run `make calendar`" in caplog.text
    assert _end_of_exclusions(date(end.year + 2, 3, 1)) == date(end.year + 3, 12, 31)


def test_range_tags_name_the_ends():
    assert build_range_tags(date(2026, 5, 21), date(2026, 5, 26)) == {
        RANGE_START_TAG: "2026-05-21",
        RANGE_END_TAG: "2026-05-26",
    }


def test_a_range_cannot_end_on_a_closed_day():
    with pytest.raises(ValueError, match="2026-05-25 is not an exchange session"):
        build_range_tags(date(2026, 5, 21), date(2026, 5, 25))


def tick(at: datetime):
    return daily_sessions(dg.build_schedule_context(scheduled_execution_time=at))


@pytest.mark.parametrize(
    ("at", "first", "last"),
    [
        (new_york(2026, 5, 22, 17), "2026-05-21", "2026-05-22"),
        (new_york(2026, 5, 26, 17), "2026-05-22", "2026-05-26"),  # over the long weekend
        (new_york(2025, 11, 28, 17), "2025-11-26", "2025-11-28"),  # the half day after Thanksgiving
    ],
)
def test_the_daily_run_covers_the_last_two_sessions(at, first, last):
    request = tick(at)
    assert request.tags == {RANGE_START_TAG: first, RANGE_END_TAG: last}
    assert request.run_key == f"daily:{last}"


@pytest.mark.parametrize("holiday", [date(2026, 5, 25), date(2026, 7, 3), date(2026, 12, 25), date(2025, 1, 9)])
def test_a_holiday_requests_nothing(holiday):
    skipped = tick(new_york(holiday.year, holiday.month, holiday.day, 17))
    assert isinstance(skipped, dg.SkipReason)
    assert f"{holiday} is not an exchange session" in skipped.skip_message


def test_every_session_is_requested_twice_except_the_newest():
    days = list_sessions_between(date(2026, 1, 1), date(2026, 6, 30))
    requested = [tick(new_york(day.year, day.month, day.day, 17)).tags for day in days]
    firsts, lasts = [tags[RANGE_START_TAG] for tags in requested], [tags[RANGE_END_TAG] for tags in requested]
    assert lasts == [str(day) for day in days]
    assert firsts[1:] == lasts[:-1]


def test_five_oclock_stays_five_oclock_when_the_clock_changes():
    assert (daily_sessions.cron_schedule, daily_sessions.execution_timezone) == ("0 17 * * 1-5", "America/New_York")
    from dagster._utils.schedules import schedule_execution_time_iterator

    ticks = schedule_execution_time_iterator(
        new_york(2026, 3, 6, 0).timestamp(), daily_sessions.cron_schedule, daily_sessions.execution_timezone
    )
    friday, monday = next(ticks), next(ticks)
    assert (friday.astimezone(UTC).hour, monday.astimezone(UTC).hour) == (22, 21)
    assert tick(monday).tags == {RANGE_START_TAG: "2026-03-06", RANGE_END_TAG: "2026-03-09"}


def test_standing_checks_run_every_day_of_the_week():
    saturday = dg.build_schedule_context(scheduled_execution_time=new_york(2026, 5, 23, 11, 30))
    assert not is_session(date(2026, 5, 23))
    assert daily_standing_checks(saturday).run_key == "standing:2026-05-23"
