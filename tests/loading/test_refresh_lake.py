"""From landed files to the lake: the manifest knows every version, a refused file changes nothing."""

import threading
from datetime import date

import polars as pl
import pytest

from hd_pipelines.loading.inputs import flat_files, load_recorder
from hd_pipelines.loading.inputs.load_recorder import LoadRecorder
from hd_pipelines.providers.massive.flat_files.layout import STOCK_DAY, STOCK_MINUTE
from hd_pipelines.tables.vocabulary import Rule
from tests.support.installation import SESSIONS, minute_rows, vendor_object

LAST = SESSIONS[-1]


def bad_tick(frame: pl.DataFrame) -> pl.DataFrame:
    """One row of SPY has a high below its low: it is set aside."""
    first = (pl.col("ticker") == "SPY") & (pl.int_range(pl.len()).over("ticker") == 5)
    return frame.with_columns(high=pl.when(first).then(pl.col("low") - 1).otherwise(pl.col("high")))


def manifest(installation):
    return installation.table(
        "select dataset, session, etag, superseded_by is null from load_manifest order by ingested_at, session"
    )


def test_every_version_is_recorded_and_the_newest_is_current(installation):
    installation.publish_files([LAST])
    installation.to_lake()
    installation.publish_files([LAST], shift=1.0)
    installation.to_lake()
    minutes = [(etag, current) for dataset, _, etag, current in manifest(installation) if dataset == STOCK_MINUTE.name]
    newest = installation.landed_files[STOCK_MINUTE][LAST].etag
    assert [(etag == newest, current) for etag, current in minutes] == [(False, False), (True, True)]
    assert installation.lake.find_part(STOCK_MINUTE, LAST).source.etag == newest


def test_a_refused_file_keeps_the_last_good_part_and_lets_others_on(installation):
    installation.publish_files(SESSIONS[-2:])
    installation.refresh(SESSIONS[-2:])
    part, bars = installation.lake.find_part(STOCK_MINUTE, LAST).source, installation.bars()
    body = installation.landed_files[STOCK_MINUTE][LAST].path.read_bytes()
    installation.land(STOCK_MINUTE, LAST, body[: len(body) // 2])
    installation.publish_files([SESSIONS[0]])
    report = installation.to_lake()[STOCK_MINUTE]
    assert (report.ingested, report.refused) == (1, 1)
    assert report.findings[0].rule is Rule.GZIP_TRUNCATED
    assert installation.lake.find_part(STOCK_MINUTE, LAST).source == part
    installation.to_bars(SESSIONS[-2:])
    assert installation.bars() == bars
    (found,) = [found for found in installation.findings() if found.dataset == STOCK_MINUTE.name]
    assert (found.rule, found.session) == (Rule.GZIP_TRUNCATED, LAST)

    installation.publish_files([LAST], shift=2.0)
    assert installation.to_lake()[STOCK_MINUTE].refused == 0
    assert [found for found in installation.findings() if found.dataset == STOCK_MINUTE.name] == []


def test_a_file_that_stays_refused_is_refused_again_by_every_run(installation):
    installation.land(STOCK_MINUTE, LAST, b"")
    for _ in range(2):
        assert installation.to_lake()[STOCK_MINUTE].refused == 1
    assert installation.table("select count(*) from data_findings") == [(1,)]


def test_a_crash_between_part_and_manifest_is_healed_with_all_findings(installation, monkeypatch):
    installation.publish_files([LAST], minutes=bad_tick)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(LoadRecorder, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            installation.to_lake()
    assert installation.lake.find_part(STOCK_MINUTE, LAST) is not None
    assert manifest(installation) == installation.findings() == []
    installation.to_lake()
    assert sorted((dataset, current) for dataset, _, _, current in manifest(installation)) == [
        (STOCK_DAY.name, True),
        (STOCK_MINUTE.name, True),
    ]
    (found,) = [found for found in installation.findings() if found.dataset == STOCK_MINUTE.name]
    assert (found.rule, found.session) == (Rule.HIGH_BELOW_LOW, LAST)


def test_a_part_that_was_lost_is_made_again(installation):
    installation.publish_files()
    installation.to_lake()
    installation.lake.remove(STOCK_DAY, LAST)
    report = installation.to_lake()[STOCK_DAY]
    assert (report.ingested, report.already_known) == (1, 9)
    assert installation.lake.find_part(STOCK_DAY, LAST) is not None


def test_parts_made_by_older_code_are_made_again(installation, monkeypatch):
    installation.publish_files(SESSIONS[:3])
    installation.to_lake(SESSIONS[:3])
    monkeypatch.setattr(flat_files, "INGEST_VERSION", 2)
    assert installation.to_lake(SESSIONS[:3])[STOCK_DAY].ingested == 3


def test_a_file_half_as_long_as_the_sessions_before_is_refused(installation):
    installation.publish_files(SESSIONS[:-1])
    installation.to_lake()
    rows = minute_rows(LAST).filter(pl.int_range(pl.len()).over("ticker") < 190)
    installation.land(STOCK_MINUTE, LAST, vendor_object(rows, STOCK_MINUTE, LAST))
    report = installation.to_lake()[STOCK_MINUTE]
    assert (report.refused, report.findings[0].rule) == (1, Rule.ROW_COUNT_UNUSUAL)


def test_a_damaged_file_is_refused_in_its_turn_and_those_before_and_after_it_are_loaded(installation):
    before, damaged, after = SESSIONS[-3:]
    installation.publish_files([before, damaged, after])
    body = installation.landed_files[STOCK_MINUTE][damaged].path.read_bytes()
    installation.land(STOCK_MINUTE, damaged, body[: len(body) // 2])
    report = installation.to_lake()[STOCK_MINUTE]
    assert (report.ingested, report.refused) == (2, 1)
    assert [finding.session for finding in report.findings] == [damaged]
    assert installation.lake.list_sessions(STOCK_MINUTE) == [before, after]
    assert [session for dataset, session, *_ in manifest(installation) if dataset == STOCK_MINUTE.name] == [
        before,
        after,
    ]


def refresh_stock_days(installation, **options):
    files = list(installation.landed_files[STOCK_DAY].values())
    return flat_files.refresh_lake(
        installation.database, installation.lake, STOCK_DAY, files, sessions=SESSIONS, **options
    )


def test_a_run_that_dies_leaves_no_thread_and_has_recorded_what_it_published(installation):
    installation.publish_files()

    def die(*_step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh_stock_days(installation, on_progress=die)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("read-ahead", "record-load"))]
    assert [session for _, session, *_ in manifest(installation)] == SESSIONS[:1]


def test_an_error_while_the_only_file_is_recorded_is_raised(installation, monkeypatch):
    installation.publish_files([LAST])
    monkeypatch.setattr(load_recorder, "record_load", lose_connection)
    with pytest.raises(ConnectionError):
        refresh_stock_days(installation)
    assert manifest(installation) == []


def test_an_error_that_follows_one_while_recording_names_both(installation, monkeypatch):
    installation.publish_files()
    monkeypatch.setattr(load_recorder, "record_load", lose_connection)

    def die(*_step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        refresh_stock_days(installation, on_progress=die)
    assert "the server is gone" in raised.value.__notes__[0]


def lose_connection(*_given):
    raise ConnectionError("the server is gone")


def test_the_same_bytes_under_two_dates_of_one_run_are_loaded_once(installation):
    first, second = SESSIONS[-2:]
    installation.publish_files([first])
    body = installation.landed_files[STOCK_DAY][first].path.read_bytes()
    installation.land(STOCK_DAY, second, body)
    report = installation.to_lake()[STOCK_DAY]
    assert [(finding.rule, finding.session) for finding in report.findings] == [(Rule.OBJECT_UNDER_TWO_DATES, second)]
    assert installation.lake.list_sessions(STOCK_DAY) == [first]


def test_the_same_bytes_under_a_second_date_are_refused(installation):
    installation.publish_files([LAST])
    installation.to_lake()
    body = installation.landed_files[STOCK_DAY][LAST].path.read_bytes()
    installation.land(STOCK_DAY, SESSIONS[-2], body)
    report = installation.to_lake()[STOCK_DAY]
    assert report.findings[0].rule is Rule.OBJECT_UNDER_TWO_DATES
    assert installation.lake.list_sessions(STOCK_DAY) == [LAST]


def test_progress_and_window_are_reported(installation):
    installation.publish_files(SESSIONS[:2])
    steps = []
    files = list(installation.landed_files[STOCK_DAY].values())
    report = refresh_stock_days(installation, on_progress=lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]
    assert report.rows_by_session == ((date(2026, 5, 11), 3), (date(2026, 5, 12), 3))
    assert report.rows_in_window == 6
    assert report.source_sha256 == files[-1].sha256
