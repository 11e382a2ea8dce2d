"""Filling the bucket: idempotent, independent of the window, the same on one process and on two."""

from datetime import date

import pytest

from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, STOCK_DAY
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.generation import SESSIONS_WORTH_PROCESSES, generate

LAST = date(2026, 7, 8)


def contents(root) -> dict[str, bytes]:
    bucket = Bucket(root)
    return {key: bucket.get(key) for key in bucket.list_keys()}


def test_a_window_over_a_holiday_has_objects_on_sessions_only(tmp_path):
    report = generate(tmp_path, list_last_sessions(LAST, 4))
    assert (report.sessions, report.objects_written, report.objects_skipped) == (4, 4 * len(DATASETS), 0)
    assert Bucket(tmp_path).list_keys(STOCK_DAY.prefix) == [
        STOCK_DAY.key(day) for day in (date(2026, 7, 2), date(2026, 7, 6), date(2026, 7, 7), LAST)
    ]
    assert report.size_bytes == sum(len(body) for body in contents(tmp_path).values())


def test_generating_again_writes_nothing(tmp_path):
    generate(tmp_path, list_last_sessions(LAST, 2))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")}
    report = generate(tmp_path, list_last_sessions(LAST, 2))
    assert (report.objects_written, report.objects_skipped, report.rows) == (0, 2 * len(DATASETS), 0)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")} == times


def test_overlapping_windows_give_identical_objects(tmp_path):
    generate(tmp_path / "wide", list_last_sessions(LAST, 3))
    generate(tmp_path / "narrow", [LAST])
    narrow = contents(tmp_path / "narrow")
    wide = contents(tmp_path / "wide")
    assert len(narrow) == len(DATASETS)
    assert {key: wide[key] for key in narrow} == narrow


def test_a_changed_or_missing_object_is_made_again(tmp_path):
    generate(tmp_path, [LAST])
    before = contents(tmp_path)
    bucket = Bucket(tmp_path)
    bucket.put(STOCK_DAY.key(LAST), b"republished by a test")
    assert generate(tmp_path, [LAST]).objects_written == len(DATASETS)
    bucket.delete(STOCK_DAY.key(LAST))
    assert generate(tmp_path, [LAST]).objects_written == len(DATASETS)
    assert contents(tmp_path) == before


def test_another_seed_replaces_the_objects(tmp_path):
    generate(tmp_path, [LAST])
    before = contents(tmp_path)
    assert generate(tmp_path, [LAST], seed=8).objects_written == len(DATASETS)
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    assert all(after[key] != before[key] for key in after)


def test_progress_counts_sessions(tmp_path):
    seen = []
    generate(tmp_path, list_last_sessions(LAST, 3), on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_what_was_written_before_a_failure_is_remembered(tmp_path):
    with pytest.raises(ValueError, match="2026-07-04"):
        generate(tmp_path, [LAST, date(2026, 7, 4)])
    assert generate(tmp_path, [LAST]).objects_skipped == len(DATASETS)


def test_processes_write_the_same_objects(tmp_path):
    sessions = list_last_sessions(LAST, SESSIONS_WORTH_PROCESSES)
    generate(tmp_path / "processes", sessions)
    generate(tmp_path / "alone", sessions[-2:])
    alone = contents(tmp_path / "alone")
    together = contents(tmp_path / "processes")
    assert {key: together[key] for key in alone} == alone
    assert len(together) == len(DATASETS) * len(sessions)
