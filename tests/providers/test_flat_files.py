"""Downloads of flat files under every fault of bucket, network and disk (F01, F19 to F24)."""

import gzip
import hashlib
import pickle
import random
import shutil
from collections import namedtuple
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hd_pipelines.providers.errors import (
    ConnectionCutError,
    CredentialsRefusedError,
    DiskNearlyFullError,
    FileRefusedError,
    FlatFileError,
    ObjectAbsentError,
    ObjectNotEntitledError,
    ObjectRepublishedError,
    ObjectUnavailableError,
)
from hd_pipelines.providers.massive.flat_files.client import FlatFiles
from hd_pipelines.providers.massive.flat_files.landing import build_landed_path
from hd_pipelines.providers.massive.flat_files.layout import OPTION_DAY, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.sandbox.faults import (
    OBJECT_OPERATIONS,
    CutConnection,
    FaultRule,
    Operation,
    Refuse,
    Republish,
    TruncateBody,
    make_late,
    refuse_listed_keys,
)
from hd_pipelines.tables.vocabulary import Rule
from tests.support.flat_files import SESSION, good_rows, packed
from tests.support.vendor_bucket import client_of, limited_bucket, vendor_bucket

__all__ = ["limited_bucket", "vendor_bucket"]  # fixtures

KEY = STOCK_MINUTE.key(SESSION)
BODY = packed(good_rows(500))
NEXT_BODY = packed(good_rows(501))
NOISE = gzip.compress(b"ticker\n" + random.Random(1).randbytes(3_000_000).hex().encode() + b"\n", mtime=0)
"""A body of 3 MB in many TCP segments; gzip, but not a market."""
FULL_DISK = namedtuple("Usage", "total used free")


@pytest.fixture
def landing(tmp_path) -> Path:
    return tmp_path / "landed"


@pytest.fixture
def files(vendor_bucket, landing) -> FlatFiles:
    vendor_bucket.bucket.put(KEY, BODY)
    return client_of(vendor_bucket, landing)


def leftovers(landing: Path) -> list[str]:
    return [path.name for path in landing.rglob("*") if path.is_file()]


def remote_of(files: FlatFiles):
    return files.head(KEY)


def failure(files: FlatFiles, kind: type[FlatFileError]) -> FlatFileError:
    with pytest.raises(kind) as failed:
        files.download(remote_of(files))
    assert type(failed.value) is kind
    assert failed.value.finding.subject == KEY
    assert failed.value.finding.cure
    return failed.value


# ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_is_the_window_and_its_strays(vendor_bucket, files):
    for day in (date(2026, 4, 30), date(2026, 5, 1), date(2026, 5, 29), date(2026, 6, 1)):
        vendor_bucket.bucket.put(STOCK_MINUTE.key(day), BODY)
    vendor_bucket.bucket.put("us_stocks_sip/minute_aggs_v1/2026/05/readme.txt", b"hello")
    vendor_bucket.bucket.put("us_stocks_sip/minute_aggs_v1/2026/05/2026-06-03.csv.gz", BODY)
    remotes = files.list_objects(STOCK_MINUTE, date(2026, 5, 1), date(2026, 5, 29))
    assert [(remote.session, remote.size) for remote in remotes] == [
        (date(2026, 5, 1), len(BODY)),
        (SESSION, len(BODY)),
        (date(2026, 5, 29), len(BODY)),
        (None, len(BODY)),
        (None, 5),
    ]
    assert remotes[1].etag == hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert remotes[1].last_modified.tzinfo is UTC


def test_a_listing_of_years_costs_one_request_a_year(vendor_bucket, files):
    counted = vendor_bucket.faults.add(FaultRule(Refuse(500), "*", frozenset({Operation.LIST}), nth=10**9))
    files.list_objects(STOCK_MINUTE, date(2024, 1, 1), date(2026, 5, 31))
    assert counted.calls == 3


def test_nothing_is_listed_where_nothing_is(files):
    assert files.list_objects(OPTION_DAY, date(2026, 1, 1), date(2026, 12, 31)) == []


# ── landing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_download_lands_whole_with_its_record(files, landing):
    landed = files.download(remote_of(files))
    assert landed.path == landing / f"us_stocks_sip/minute_aggs_v1/2026/05/2026-05-22.{landed.etag}.csv.gz"
    assert landed.path.read_bytes() == BODY
    assert (landed.sha256, landed.size, landed.rows) == (hashlib.sha256(BODY).hexdigest(), len(BODY), 500)
    assert leftovers(landing) == [landed.path.name, f"{landed.path.name}.json"] or len(leftovers(landing)) == 2


def test_a_landed_version_is_not_fetched_again(vendor_bucket, files):
    first = files.download(remote_of(files))
    counted = vendor_bucket.faults.add(FaultRule(Refuse(500), "*", OBJECT_OPERATIONS, nth=10**9))
    remote = files.list_objects(STOCK_MINUTE, SESSION, SESSION)[0]
    assert files.download(remote) == first
    assert files.download_many([remote]).downloaded == 0
    assert counted.calls == 0


@pytest.mark.parametrize("damage", ["no sidecar", "torn sidecar", "short file"])
def test_a_landed_file_that_is_not_whole_is_fetched_again(files, damage):
    first = files.download(remote_of(files))
    sidecar = first.path.with_name(first.path.name + ".json")
    if damage == "no sidecar":
        sidecar.unlink()
    elif damage == "torn sidecar":
        sidecar.write_text(sidecar.read_text()[:40])
    else:
        first.path.write_bytes(BODY[:-1])
    assert files.find_landed_version(remote_of(files)) is None
    assert files.download(remote_of(files)) == first
    assert first.path.read_bytes() == BODY


def test_a_stray_object_cannot_be_downloaded(vendor_bucket, files):
    vendor_bucket.bucket.put("us_stocks_sip/minute_aggs_v1/2026/05/readme.txt", b"hello")
    stray = files.list_objects(STOCK_MINUTE, SESSION, SESSION)[-1]
    with pytest.raises(ValueError, match=r"readme\.txt"):
        files.download(stray)


@pytest.mark.parametrize("etag", ["../../../etc/passwd", ".", "a/b", "x" * 200, "", "a\0b"])
def test_f25_an_etag_is_never_a_path(landing, etag):
    path = build_landed_path(landing, STOCK_MINUTE, SESSION, etag)
    assert path.parent == landing / "us_stocks_sip/minute_aggs_v1/2026/05"
    assert len(path.name) < 120


def test_f01_a_body_that_is_not_whole_gzip_does_not_land(vendor_bucket, files, landing):
    vendor_bucket.bucket.put(KEY, BODY[:-20])
    assert failure(files, FileRefusedError).finding.rule is Rule.GZIP_TRUNCATED
    assert leftovers(landing) == []


def test_f06_an_object_of_zero_bytes_does_not_land(vendor_bucket, files, landing):
    vendor_bucket.bucket.put(KEY, b"")
    assert failure(files, FileRefusedError).finding.rule is Rule.FILE_EMPTY
    assert leftovers(landing) == []


# ── versions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f19_both_versions_of_a_republished_object_stay(vendor_bucket, files):
    first = files.download(remote_of(files))
    vendor_bucket.bucket.put(KEY, NEXT_BODY)
    second = files.download(remote_of(files))
    assert first.path.read_bytes() == BODY
    assert second.path.read_bytes() == NEXT_BODY
    assert second.rows - first.rows == 1
    assert files.find_landed(STOCK_MINUTE, [SESSION]) == [second]


def test_f19_a_version_that_the_vendor_puts_back_is_the_newest_again(files, monkeypatch):
    from dataclasses import replace

    remote = remote_of(files)
    first = files.download(remote)
    other = replace(
        first, etag="other", path=build_landed_path(files._landing, STOCK_MINUTE, SESSION, "other"),
        last_modified=datetime(2090, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    shutil.copy(first.path, other.path)
    from hd_pipelines.providers.massive.flat_files.landing import write_sidecar

    write_sidecar(other)
    assert files.find_landed(STOCK_MINUTE, [SESSION])[0].etag == "other"
    files.download(replace(remote, last_modified=datetime(2091, 1, 1, tzinfo=UTC)))
    assert files.find_landed(STOCK_MINUTE, [SESSION])[0].etag == first.etag


def test_f19_an_object_republished_since_it_was_listed_is_not_taken_for_the_old_one(vendor_bucket, files, landing):
    listed = remote_of(files)
    vendor_bucket.bucket.put(KEY, NEXT_BODY)
    with pytest.raises(ObjectRepublishedError) as error:
        files.download(listed)
    assert error.value.finding.rule is Rule.OBJECT_REPUBLISHED
    assert error.value.is_transient
    assert leftovers(landing) == []


def test_f20_an_etag_of_a_multipart_upload_is_only_a_name(files, landing):
    path = build_landed_path(landing, STOCK_MINUTE, SESSION, "9b2cf535f27731c974343645a3985328-4")
    assert path.name == "2026-05-22.9b2cf535f27731c974343645a3985328-4.csv.gz"
    assert files.download(remote_of(files)).sha256 == hashlib.sha256(BODY).hexdigest()


def test_f21_an_object_republished_during_the_download_is_refused(vendor_bucket, files, landing):
    vendor_bucket.faults.add(FaultRule(Republish(NEXT_BODY), KEY, frozenset({Operation.GET})))
    assert "412" in str(failure(files, ObjectRepublishedError))
    assert leftovers(landing) == []


def test_f21_an_object_republished_between_two_pieces_is_never_mixed(vendor_bucket, files, landing):
    vendor_bucket.bucket.put(KEY, NOISE)
    vendor_bucket.faults.add(FaultRule(CutConnection(1_500_000), KEY, nth=1))
    vendor_bucket.faults.add(FaultRule(Republish(BODY), KEY, nth=1))
    failure(files, ObjectRepublishedError)
    assert leftovers(landing) == []


def test_f21_an_object_republished_right_after_the_download_is_refused(vendor_bucket, files, landing):
    remote = remote_of(files)
    vendor_bucket.faults.add(FaultRule(Republish(NEXT_BODY), KEY, frozenset({Operation.HEAD})))
    with pytest.raises(ObjectRepublishedError, match="while it was downloaded"):
        files.download(remote)
    assert leftovers(landing) == []


def test_f21_a_store_that_ignores_if_match_is_noticed_by_the_etag_of_its_response(
    vendor_bucket, files, landing, monkeypatch
):
    listed = remote_of(files)
    vendor_bucket.bucket.put(KEY, NEXT_BODY)
    get_object = files._bucket._s3.get_object
    monkeypatch.setattr(files._bucket._s3, "get_object", lambda IfMatch, **request: get_object(**request))  # noqa: N803
    with pytest.raises(ObjectRepublishedError, match=listed.etag):
        files.download(listed)
    assert leftovers(landing) == []


def test_f21_many_downloads_take_a_republished_object_in_its_new_version(vendor_bucket, files):
    vendor_bucket.faults.add(FaultRule(Republish(NEXT_BODY), KEY, frozenset({Operation.GET})))
    downloads = files.download_many([remote_of(files)])
    assert downloads.errors == ()
    assert downloads.landed[0].path.read_bytes() == NEXT_BODY


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f22_an_object_that_is_not_published_is_absent(files):
    with pytest.raises(ObjectAbsentError) as error:
        files.head(STOCK_MINUTE.key(date(2026, 5, 26)))
    assert error.value.finding.rule is Rule.OBJECT_ABSENT
    assert not error.value.is_transient


def test_f22_a_dataset_that_comes_late_is_absent_until_then(vendor_bucket, files):
    vendor_bucket.faults.add(make_late(KEY))
    with pytest.raises(ObjectAbsentError):
        remote_of(files)
    assert files.list_objects(STOCK_MINUTE, SESSION, SESSION) == []


def test_f22_an_object_that_is_listed_but_forbidden_is_not_in_the_plan(limited_bucket, landing):
    limited_bucket.bucket.put(OPTION_DAY.key(SESSION), BODY)
    with pytest.raises(ObjectNotEntitledError) as error:
        client_of(limited_bucket, landing).head(OPTION_DAY.key(SESSION))
    assert error.value.finding.rule is Rule.OBJECT_NOT_ENTITLED
    assert not error.value.is_transient


def test_f22_a_forbidden_object_that_is_not_listed_is_absent(limited_bucket, landing):
    with pytest.raises(ObjectAbsentError):
        client_of(limited_bucket, landing).head(OPTION_DAY.key(SESSION))


def test_f22_a_download_that_is_forbidden_after_the_head_is_not_entitled(vendor_bucket, files):
    remote = remote_of(files)
    vendor_bucket.faults.add(refuse_listed_keys(KEY))
    with pytest.raises(ObjectNotEntitledError):
        files.download(remote)


@pytest.mark.parametrize("keys", [{"key_id": "nobody"}, {"secret": "wrong-canary-secret"}])
def test_f22_wrong_keys_are_distinguished_from_a_small_plan_and_never_shown(vendor_bucket, landing, keys):
    vendor_bucket.bucket.put(KEY, BODY)
    stranger = client_of(vendor_bucket, landing, **keys)
    with pytest.raises(CredentialsRefusedError) as error:
        stranger.head(KEY)
    with pytest.raises(CredentialsRefusedError):
        stranger.list_objects(STOCK_MINUTE, SESSION, SESSION)
    shown = f"{error.value} {error.value!r} {stranger!r} {error.value.__cause__} {vars(error.value)}"
    assert all(secret not in shown for secret in keys.values())
    assert "HD_FLAT_FILES_SECRET" in error.value.finding.cure


def test_refused_keys_stop_the_other_downloads_without_asking(vendor_bucket, files, landing):
    for day in range(4, 9):
        vendor_bucket.bucket.put(STOCK_DAY.key(date(2026, 5, day)), BODY)
    remotes = files.list_objects(STOCK_DAY, date(2026, 5, 1), date(2026, 5, 31))
    counted = vendor_bucket.faults.add(FaultRule(Refuse(500), "*", frozenset(Operation), nth=10**9))
    downloads = client_of(vendor_bucket, landing, secret="wrong").download_many(remotes, workers=1)
    assert [type(error) for error in downloads.errors] == [CredentialsRefusedError] * 5
    assert counted.calls == 0  # signatures are refused before the script runs


@pytest.mark.parametrize("status", [429, 500, 503])
def test_f23_a_bucket_in_trouble_is_asked_again(vendor_bucket, files, landing, status):
    vendor_bucket.faults.add(FaultRule(Refuse(status), KEY, frozenset({Operation.GET}), times=1))
    patient = client_of(vendor_bucket, landing, max_attempts=3)
    assert patient.download(remote_of(files)).path.read_bytes() == BODY


@pytest.mark.parametrize("status", [429, 500, 503])
def test_f23_a_bucket_in_lasting_trouble_is_unavailable(vendor_bucket, files, landing, status):
    remote = remote_of(files)
    vendor_bucket.faults.add(FaultRule(Refuse(status), "*", frozenset(Operation), times=None))
    for ask in (lambda: files.download(remote), lambda: files.list_objects(STOCK_MINUTE, SESSION, SESSION)):
        with pytest.raises(ObjectUnavailableError, match=str(status)) as error:
            ask()
        assert error.value.is_transient
    assert leftovers(landing) == []


def test_f23_a_bucket_that_does_not_answer_is_unavailable(vendor_bucket, landing):
    files = client_of(vendor_bucket, landing)
    vendor_bucket.stop()
    with pytest.raises(ObjectUnavailableError):
        files.head(KEY)


def test_f23_a_cut_connection_is_resumed_where_it_was_cut(vendor_bucket, files):
    vendor_bucket.bucket.put(KEY, NOISE)
    for cut in (1_000_000, 700_000, 0):
        vendor_bucket.faults.add(FaultRule(CutConnection(cut), KEY))
    counted = vendor_bucket.faults.add(FaultRule(Refuse(500), KEY, nth=10**9))
    patient = client_of(vendor_bucket, files._landing, max_attempts=4)
    assert patient.download(remote_of(files)).path.read_bytes() == NOISE
    assert counted.calls == 1  # the fourth and last GET; the first three were cut


def test_f23_a_body_shorter_than_promised_is_completed(vendor_bucket, files):
    vendor_bucket.bucket.put(KEY, NOISE)
    vendor_bucket.faults.add(FaultRule(TruncateBody(1_000_000), KEY))
    assert files.download(remote_of(files)).path.read_bytes() == NOISE


def test_f23_a_connection_that_always_breaks_is_reported_and_leaves_nothing(vendor_bucket, files, landing):
    vendor_bucket.faults.add(FaultRule(CutConnection(0), KEY, times=None))
    error = failure(files, ConnectionCutError)
    assert error.finding.rule is Rule.CONNECTION_CUT
    assert error.is_transient
    assert leftovers(landing) == []


# ── disk ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f24_a_nearly_full_disk_is_not_filled_further(vendor_bucket, files, landing):
    nearly_full = client_of(
        vendor_bucket, landing, disk_margin_bytes=1000, disk_usage=lambda _: FULL_DISK(0, 0, 1000 + len(BODY) - 1)
    )
    with pytest.raises(DiskNearlyFullError, match="margin") as error:
        nearly_full.download(remote_of(files))
    assert error.value.finding.rule is Rule.DISK_NEARLY_FULL
    assert leftovers(landing) == []


def test_f24_the_margin_counts_all_downloads_under_way(vendor_bucket, files, landing):
    days = [date(2026, 5, day) for day in (4, 5, 6, 7, 8)]
    for day in days:
        vendor_bucket.bucket.put(STOCK_MINUTE.key(day), BODY)
    room_for_one = client_of(
        vendor_bucket, landing, disk_margin_bytes=0, disk_usage=lambda _: FULL_DISK(0, 0, len(BODY))
    )
    remotes = files.list_objects(STOCK_MINUTE, days[0], days[-1])
    assert len(room_for_one.download_many(remotes, workers=1).landed) == 5
    shutil.rmtree(landing)
    with room_for_one._disk.reserve(remotes[0].place, remotes[0].size), pytest.raises(DiskNearlyFullError):
        room_for_one.download(remotes[1])


def test_f24_a_disk_that_fills_up_meanwhile_is_reported_and_the_part_removed(files, landing, monkeypatch):
    import errno
    import os

    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert failure(files, DiskNearlyFullError).finding.rule is Rule.DISK_NEARLY_FULL
    assert leftovers(landing) == []


# ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_bad_object_does_not_keep_the_others_from_landing(vendor_bucket, files):
    days = [date(2026, 5, day) for day in (4, 5, 6, 7, 8)]
    for day in days:
        vendor_bucket.bucket.put(STOCK_DAY.key(day), BODY if day != days[2] else BODY[:-9])
    vendor_bucket.faults.add(refuse_listed_keys(STOCK_DAY.key(days[3])))
    seen = []
    downloads = files.download_many(
        files.list_objects(STOCK_DAY, days[0], days[-1]), workers=3, on_progress=seen.append
    )
    assert [landed.session for landed in downloads.landed] == [days[0], days[1], days[4]]
    assert [type(error) for error in downloads.errors] == [FileRefusedError, ObjectNotEntitledError]
    assert (downloads.downloaded, downloads.downloaded_bytes) == (3, 3 * len(BODY))
    assert [progress.objects_done for progress in seen] == [1, 2, 3, 4, 5]
    assert seen[-1].bytes_done == seen[-1].bytes


def test_an_error_keeps_its_findings_through_another_process(files):
    with pytest.raises(ObjectAbsentError) as error:
        files.head(STOCK_DAY.key(SESSION))
    assert pickle.loads(pickle.dumps(error.value)).findings == error.value.findings
