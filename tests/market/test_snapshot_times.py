"""The plan of chain snapshots, and the findings when one was missed."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, list_sessions_between
from hd_pipelines.market.snapshot_times import CLOSE_WITHIN, find_missed_snapshots, plan_snapshots
from hd_pipelines.tables.vocabulary import Rule, Severity, SnapshotKind

FULL, HALF, CLOSED = date(2026, 5, 22), date(2025, 11, 28), date(2026, 5, 25)
LONG_AFTER = datetime(2026, 6, 30, tzinfo=UTC)
ALL_SESSIONS = list_sessions_between(date(2024, 1, 2), date(2026, 12, 31))


def clock(session):
    """Planned snapshots in New York's clock."""
    return [(plan.kind.value, f"{plan.at.astimezone(NEW_YORK):%H:%M}") for plan in plan_snapshots(session)]


def everything(session, underlying="SPY"):
    """All planned snapshots, taken on time."""
    return [(underlying, plan.kind, plan.at) for plan in plan_snapshots(session)]


def test_a_full_day_has_25_snapshots_in_session_and_its_close():
    planned = clock(FULL)
    assert planned[0] == ("intraday", "09:45")
    assert planned[-2:] == [("intraday", "15:45"), ("close", "16:16")]
    assert len(planned) == 26


def test_a_half_day_ends_early():
    planned = clock(HALF)
    assert planned[-2:] == [("intraday", "12:45"), ("close", "13:16")]
    assert len(planned) == 14


def test_the_plan_follows_new_yorks_clock_through_the_year():
    assert clock(date(2026, 1, 5)) == clock(date(2026, 7, 6))


def test_a_closed_day_has_no_plan():
    with pytest.raises(ValueError, match="not an exchange session"):
        plan_snapshots(CLOSED)


@given(st.sampled_from(ALL_SESSIONS))
def test_plans_are_ascending_and_their_windows_do_not_overlap(session):
    plans = plan_snapshots(session)
    hours = get_regular_hours(session)
    assert all(first.until <= second.at for first, second in pairwise(plans))
    assert all(hours.opens_at < plan.at < hours.closes_at for plan in plans[:-1])
    assert [plan.kind for plan in plans].count(SnapshotKind.CLOSE) == 1
    assert plans[-1].at >= hours.closes_at


@given(st.sampled_from(ALL_SESSIONS), st.data())
def test_exactly_the_snapshots_left_out_are_missed(session, data):
    taken = everything(session)
    left_out = data.draw(st.sets(st.integers(0, len(taken) - 1)))
    have = [snapshot for position, snapshot in enumerate(taken) if position not in left_out]
    findings = find_missed_snapshots(have, [session], datetime(2027, 6, 1, tzinfo=UTC), underlyings=["SPY"])
    assert sum(finding.rows for finding in findings) == len(left_out)
    assert len(findings) == bool(left_out)


def test_a_missing_close_is_an_error_and_names_the_underlying():
    have = [snapshot for snapshot in everything(FULL, "I:SPX") if snapshot[1] is SnapshotKind.INTRADAY]
    (finding,) = find_missed_snapshots(have, [FULL], LONG_AFTER, underlyings=["SPX"])
    assert (finding.rule, finding.severity, finding.session, finding.subject) == (
        Rule.SNAPSHOT_MISSED,
        Severity.ERROR,
        FULL,
        "SPX",
    )
    assert finding.detail == "Not taken: the close."


def test_missing_snapshots_in_session_are_one_warning():
    have = [snapshot for position, snapshot in enumerate(everything(FULL)) if position not in {3, 4}]
    (finding,) = find_missed_snapshots(have, [FULL], LONG_AFTER, underlyings=["SPY"])
    assert finding.severity is Severity.WARNING
    assert finding.detail == "Not taken: 2 of 25 snapshots in session, first that of 14:30 UTC."


def test_nothing_is_missed_before_its_time_is_over():
    opens_at = get_regular_hours(FULL).opens_at
    assert find_missed_snapshots([], [FULL], opens_at + timedelta(minutes=29), underlyings=["SPY"]) == []
    (finding,) = find_missed_snapshots([], [FULL], opens_at + timedelta(minutes=30), underlyings=["SPY"])
    assert finding.rows == 1
    closes_at = get_regular_hours(FULL).closes_at
    just_before = closes_at + CLOSE_WITHIN - timedelta(seconds=1)
    (finding,) = find_missed_snapshots([], [FULL], just_before, underlyings=["SPY"])
    assert finding.severity is Severity.WARNING
    (finding,) = find_missed_snapshots([], [FULL], closes_at + CLOSE_WITHIN, underlyings=["SPY"])
    assert (finding.severity, finding.rows) == (Severity.ERROR, 26)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(minutes=7), timedelta(minutes=14, seconds=59)])
def test_a_late_snapshot_counts_until_the_next_is_due(late):
    have = [(name, kind, at + late) for name, kind, at in everything(FULL)]
    assert find_missed_snapshots(have, [FULL], LONG_AFTER, underlyings=["SPY"]) == []


def test_an_archives_close_counts_whatever_its_stamp():
    for stamp in (get_regular_hours(FULL).closes_at, get_regular_hours(FULL).closes_at - timedelta(minutes=15)):
        have = [("SPY", SnapshotKind.CLOSE, stamp)]
        kinds = [SnapshotKind.CLOSE]
        assert find_missed_snapshots(have, [FULL], LONG_AFTER, underlyings=["SPY"], kinds=kinds) == []


def test_another_underlyings_snapshots_do_not_count():
    findings = find_missed_snapshots(everything(FULL), [FULL], LONG_AFTER, underlyings=["QQQ", "SPY"])
    assert [finding.subject for finding in findings] == ["QQQ"]


def test_closed_days_are_passed_over():
    week = [FULL + timedelta(days=offset) for offset in range(5)]
    findings = find_missed_snapshots([], week, LONG_AFTER, underlyings=["SPY"])
    assert [finding.session for finding in findings] == [FULL, date(2026, 5, 26)]
