"""Objects that should be in the bucket by now: absent, late, never offered, on a closed day."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.providers.massive.flat_files.client import RemoteObject
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, parse_key
from hd_pipelines.providers.massive.flat_files.publication import compute_due_time, find_publication_gaps
from hd_pipelines.tables.vocabulary import Rule, Severity

WEEK = list_sessions_between(date(2026, 5, 18), date(2026, 5, 22))
LATER = datetime(2026, 6, 1, tzinfo=UTC)
MEMORIAL_DAY = date(2026, 5, 25)


def listed(*days):
    return [RemoteObject(INDEX_DAY.key(day), INDEX_DAY, day, "etag", 100, LATER) for day in days]


@pytest.mark.parametrize(
    ("days", "now", "expected"),
    [
        pytest.param(WEEK, LATER, [], id="all there"),
        pytest.param(
            [WEEK[0], WEEK[1], WEEK[3], WEEK[4]], LATER, [(Rule.OBJECT_ABSENT, Severity.ERROR, WEEK[2])], id="absent"
        ),
        pytest.param(WEEK[:4], LATER, [(Rule.OBJECT_ABSENT, Severity.ERROR, WEEK[4])], id="the newest is absent"),
        pytest.param(WEEK[:4], datetime(2026, 5, 23, 14, 59, tzinfo=UTC), [], id="late, not due yet"),
        pytest.param(
            WEEK[:4],
            datetime(2026, 5, 23, 15, 0, tzinfo=UTC),
            [(Rule.OBJECT_ABSENT, Severity.ERROR, WEEK[4])],
            id="due at this moment",
        ),
        pytest.param(WEEK[3:], LATER, [(Rule.DATASET_NOT_OFFERED, Severity.WARNING, WEEK[2])], id="not offered before"),
        pytest.param([], LATER, [(Rule.DATASET_NOT_OFFERED, Severity.WARNING, WEEK[4])], id="not offered at all"),
        pytest.param([], datetime(2026, 5, 18, 20, tzinfo=UTC), [], id="nothing is due"),
        pytest.param(
            [*WEEK, MEMORIAL_DAY], LATER, [(Rule.OBJECT_ON_CLOSED_DAY, Severity.WARNING, MEMORIAL_DAY)], id="holiday"
        ),
        pytest.param(
            [*WEEK, date(2026, 5, 23)],
            LATER,
            [(Rule.OBJECT_ON_CLOSED_DAY, Severity.WARNING, date(2026, 5, 23))],
            id="weekend",
        ),
        pytest.param(
            [date(2026, 5, 17), *WEEK[1:]],
            LATER,
            [
                (Rule.DATASET_NOT_OFFERED, Severity.WARNING, WEEK[0]),
                (Rule.OBJECT_ON_CLOSED_DAY, Severity.WARNING, date(2026, 5, 17)),
            ],
            id="a closed day is no beginning",
        ),
    ],
)
def test_what_the_bucket_lacks_is_reported(days, now, expected):
    found = find_publication_gaps(INDEX_DAY, WEEK, listed(*days), now=now)
    assert [(finding.rule, finding.severity, finding.session) for finding in found] == expected
    assert all(finding.dataset == INDEX_DAY.name and finding.cure for finding in found)


def test_a_stray_object_belongs_to_no_session():
    stray = RemoteObject(f"{INDEX_DAY.prefix}/README.txt", INDEX_DAY, None, "etag", 1, LATER)
    folder = RemoteObject(f"{INDEX_DAY.prefix}/2026/", INDEX_DAY, None, "etag", 0, LATER)
    (found,) = find_publication_gaps(INDEX_DAY, WEEK, [*listed(*WEEK), stray, folder], now=LATER)
    assert (found.rule, found.session, found.subject) == (Rule.OBJECT_STRAY, None, stray.key)
    copy = replace(stray, key=f"{INDEX_DAY.prefix}/2026/05/2026-05-22 (copy).csv.gz")
    (found,) = find_publication_gaps(INDEX_DAY, WEEK, [*listed(*WEEK), copy], now=LATER)
    assert found.session == date(2026, 5, 1)  # what a listing of that month resolves


@pytest.mark.parametrize("name", ["2026-02-30.csv.gz", "2026-13-01.csv.gz", "0000-00-00.csv.gz"])
def test_a_key_of_a_day_that_does_not_exist_is_no_sessions(name):
    assert parse_key(f"{INDEX_DAY.prefix}/{name[:4]}/{name[5:7]}/{name}") is None


def test_many_sessions_before_the_beginning_are_one_finding():
    (found,) = find_publication_gaps(INDEX_DAY, WEEK, listed(WEEK[4]), now=LATER)
    assert found.rows == 4
    assert "from 2026-05-18 to 2026-05-21" in found.detail


@pytest.mark.parametrize(
    ("session", "due"),
    [
        (date(2026, 5, 22), datetime(2026, 5, 23, 15, tzinfo=UTC)),  # Friday's files on Saturday, summer time
        (date(2026, 1, 5), datetime(2026, 1, 6, 16, tzinfo=UTC)),
        (date(2026, 3, 6), datetime(2026, 3, 7, 16, tzinfo=UTC)),
        (date(2026, 3, 9), datetime(2026, 3, 10, 15, tzinfo=UTC)),  # the clock changed on the 8th
    ],
)
def test_files_are_due_at_eleven_in_new_york_on_the_next_day(session, due):
    assert compute_due_time(session) == due
