"""From a landed file to the lake: what fails a check is not published, and the last good part stays (F06, F19, F26–F28)."""

import sys
from datetime import date

import pytest

from hd_pipelines.lake import Lake, ingest
from hd_pipelines.lake.ingest import check_row_count
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.providers.errors import FileRefusedError
from hd_pipelines.providers.massive.flat_files.layout import OPTION_DAY, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.tables.vocabulary import Rule
from tests.support.flat_files import SESSION, good_rows, landed, packed, row
from tests.support.vendor_bucket import client_of, vendor_bucket

__all__ = ["vendor_bucket"]  # a fixture

GOOD = packed(good_rows(200))
HALF_DAY = date(2025, 11, 28)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def file(tmp_path):
    def landed_file(body=GOOD, **given):
        return landed(tmp_path, body, **given)

    return landed_file


def usual(rows: int, last: date = SESSION, count: int = 21) -> dict[date, int]:
    """A history in which every session before `last` had `rows`."""
    return dict.fromkeys(list_last_sessions(last, count)[:-1], rows)


def test_a_good_file_becomes_the_part_of_its_session(lake, file):
    given = file()
    report = ingest(given, lake)
    assert (report.rows, report.rows_set_aside, report.findings, report.is_unchanged) == (200, 0, (), False)
    assert (report.dataset, report.session, report.key) == (STOCK_MINUTE, SESSION, STOCK_MINUTE.key(SESSION))
    part = lake.find_part(STOCK_MINUTE, SESSION)
    assert (part.source.etag, part.source.sha256, part.source.rows) == (given.etag, given.sha256, 200)
    assert lake.scan(STOCK_MINUTE, SESSION, SESSION).collect().height == 200


def test_the_same_version_is_not_ingested_twice(lake, file):
    ingest(file(packed([*good_rows(200), row("TSLA", low="0")])), lake)
    again = ingest(file(packed([*good_rows(200), row("TSLA", low="0")])), lake)
    assert (again.is_unchanged, again.rows, again.rows_set_aside) == (True, 200, 1)


def test_a_part_of_an_older_ingest_is_made_again(lake, file, monkeypatch):
    ingest(file(), lake)
    monkeypatch.setattr(sys.modules[check_row_count.__module__], "INGEST_VERSION", 2)
    assert not ingest(file(), lake).is_unchanged


def test_f19_a_republished_file_replaces_its_session(lake, file):
    ingest(file(), lake)
    report = ingest(file(packed(good_rows(201))), lake)
    assert (report.is_unchanged, report.rows) == (False, 201)
    assert lake.find_part(STOCK_MINUTE, SESSION).source.etag == report.etag


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (GOOD[:-5], Rule.GZIP_TRUNCATED),
        (packed([]), Rule.NO_ROWS),
        (packed(good_rows(200), "ticker,open"), Rule.COLUMN_MISSING),
        (packed([row(minute=n, low="0") for n in range(200)]), Rule.PRICE_NOT_POSITIVE),
        (packed(good_rows(99)), Rule.ROW_COUNT_UNUSUAL),
        (packed(good_rows(401)), Rule.ROW_COUNT_UNUSUAL),
    ],
)
def test_a_refused_file_leaves_the_last_good_part(lake, file, body, rule):
    good = ingest(file(), lake)
    with pytest.raises(FileRefusedError) as refused:
        ingest(file(body), lake, history_rows=usual(200))
    assert refused.value.finding.rule is rule
    assert refused.value.finding.subject == STOCK_MINUTE.key(SESSION)
    assert lake.find_part(STOCK_MINUTE, SESSION).source.etag == good.etag
    assert lake.scan(STOCK_MINUTE, SESSION, SESSION).collect().height == 200


def test_a_refused_first_file_leaves_no_part(lake, file):
    with pytest.raises(FileRefusedError):
        ingest(file(packed([])), lake)
    assert lake.list_sessions(STOCK_MINUTE) == []


def test_f06_an_empty_file_on_a_closed_day_is_no_session(lake, file):
    with pytest.raises(FileRefusedError) as refused:
        ingest(file(packed([]), session=date(2026, 5, 25)), lake)  # Memorial Day
    assert refused.value.finding.rule is Rule.OBJECT_ON_CLOSED_DAY


@pytest.mark.parametrize("closed", [date(2025, 1, 9), date(2026, 5, 23), date(2026, 6, 19)])
def test_f26_rows_of_a_closed_day_never_reach_the_lake(lake, file, closed):
    with pytest.raises(FileRefusedError) as refused:
        ingest(file(session=closed), lake)
    assert refused.value.finding.rule is Rule.OBJECT_ON_CLOSED_DAY
    assert str(closed) in refused.value.finding.detail


def test_f26_juneteenth_before_2022_was_a_session(lake, file):
    session = date(2020, 6, 19)
    assert ingest(file(packed(good_rows(session=session)), session=session), lake).rows == 200


def test_f26_a_half_day_is_compared_per_minute_of_trading():
    history = usual(390_000, HALF_DAY)
    assert check_row_count(STOCK_MINUTE, HALF_DAY, 210_000, history) is None
    assert check_row_count(STOCK_MINUTE, HALF_DAY, 110_000, history) is None
    assert check_row_count(STOCK_MINUTE, HALF_DAY, 100_000, history).rule is Rule.ROW_COUNT_UNUSUAL
    assert check_row_count(STOCK_MINUTE, HALF_DAY, 421_000, history).rule is Rule.ROW_COUNT_UNUSUAL
    assert check_row_count(STOCK_DAY, HALF_DAY, 12_000, usual(12_000, HALF_DAY)) is None


@pytest.mark.parametrize(("rows", "is_unusual"), [(499, True), (500, False), (2000, False), (2001, True)])
def test_f27_a_row_count_outside_half_to_twice_the_median_is_unusual(rows, is_unusual):
    finding = check_row_count(OPTION_DAY, SESSION, rows, usual(1000))
    assert (finding is not None) is is_unusual


def test_f27_the_median_is_of_the_twenty_sessions_before():
    history = usual(1000) | dict.fromkeys(list_last_sessions(SESSION, 60)[:-21], 9_000_000)
    assert check_row_count(OPTION_DAY, SESSION, 1000, history | {date(2026, 5, 26): 9_000_000}) is None


def test_f27_too_short_a_history_checks_nothing():
    assert check_row_count(OPTION_DAY, SESSION, 1, usual(1000, count=5)) is None
    assert check_row_count(OPTION_DAY, SESSION, 1, usual(1000, count=6)) is not None


def test_f28_the_same_bytes_under_another_date_are_refused(lake, file):
    first = file()
    with pytest.raises(FileRefusedError) as refused:
        ingest(file(), lake, session_of_sha256=lambda sha256: date(2026, 5, 21) if sha256 == first.sha256 else None)
    assert refused.value.finding.rule is Rule.OBJECT_UNDER_TWO_DATES
    assert "2026-05-21" in refused.value.finding.detail
    assert lake.list_sessions(STOCK_MINUTE) == []


def test_f28_the_same_bytes_under_the_same_date_are_fine(lake, file):
    assert ingest(file(), lake, session_of_sha256=lambda _: SESSION).rows == 200


def test_a_landed_file_that_changed_on_disk_is_refused(lake, file):
    given = file()
    given.path.write_bytes(packed(good_rows(150)))
    with pytest.raises(FileRefusedError, match="SHA-256 differs"):
        ingest(given, lake)
    assert lake.list_sessions(STOCK_MINUTE) == []


def test_from_bucket_to_lake_and_on_after_a_republication(lake, vendor_bucket, tmp_path):
    client = client_of(vendor_bucket, tmp_path / "landed")
    for body, rows in ((GOOD, 200), (packed(good_rows(230)), 230)):
        vendor_bucket.bucket.put(STOCK_MINUTE.key(SESSION), body)
        (remote,) = client.list_objects(STOCK_MINUTE, SESSION, SESSION)
        report = ingest(client.download(remote), lake)
        assert report.rows == rows
    assert lake.scan(STOCK_MINUTE, SESSION, SESSION).collect().height == 230
