"""Every scripted misfortune arrives at a real boto3 client as it would from the vendor."""

import gzip
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import S3DownloadFailedError

from hd_pipelines.sandbox.faults import (
    CutConnection,
    FaultRule,
    FaultScript,
    Operation,
    Refuse,
    Republish,
    SlowBody,
    TruncateBody,
    WrongLength,
    make_late,
    refuse_listed_keys,
)
from hd_pipelines.sandbox.server import SandboxServer

KEY = "us_stocks_sip/day_aggs_v1/2026/05/2026-05-22.csv.gz"
OTHER = "us_stocks_sip/day_aggs_v1/2026/05/2026-05-21.csv.gz"
HEAD = frozenset({Operation.HEAD})
BODY = gzip.compress(bytes(range(256)) * 4000, mtime=0, compresslevel=0)


@pytest.fixture
def filled(sandbox: SandboxServer) -> SandboxServer:
    sandbox.bucket.put(KEY, BODY)
    sandbox.bucket.put(OTHER, BODY)
    return sandbox


def get(s3, key=KEY):
    return s3.get_object(Bucket="flatfiles", Key=key)["Body"].read()


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (404, "NoSuchKey"), (429, "TooManyRequests"), (500, "InternalError"),
                         (503, "SlowDown")],
)  # fmt: skip
def test_a_refusal_has_s3s_code_once_and_then_the_object_comes(filled, s3, status, code):
    filled.faults.add(FaultRule(Refuse(status)))
    with pytest.raises(ClientError) as caught:
        get(s3)
    assert caught.value.response["Error"]["Code"] == code
    assert get(s3) == BODY


def test_retry_after_is_sent_when_scripted(filled, s3):
    filled.faults.add(FaultRule(Refuse(429, retry_after_seconds=7)))
    with pytest.raises(ClientError) as caught:
        get(s3)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"


def test_a_refused_head_has_no_body(filled, s3):
    filled.faults.add(FaultRule(Refuse(403), operations=HEAD))
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket="flatfiles", Key=KEY)
    assert caught.value.response["Error"] == {"Code": "403", "Message": "Forbidden"}


def test_a_refused_listing(filled, s3):
    filled.faults.add(FaultRule(Refuse(503), "us_stocks_sip/*", frozenset({Operation.LIST})))
    with pytest.raises(ClientError, match="SlowDown"):
        s3.list_objects_v2(Bucket="flatfiles", Prefix="us_stocks_sip/day_aggs_v1/")
    assert s3.list_objects_v2(Bucket="flatfiles", Prefix="us_stocks_sip/day_aggs_v1/")["KeyCount"] == 2


@pytest.mark.parametrize("after_bytes", [0, 1, 300_000])
def test_a_cut_connection_breaks_the_read(filled, s3, after_bytes):
    filled.faults.add(FaultRule(CutConnection(after_bytes)))
    with pytest.raises(BotoCoreError):
        get(s3)
    assert get(s3) == BODY


def test_a_truncated_body_looks_complete_to_http_but_not_to_gzip(filled, s3):
    filled.faults.add(FaultRule(TruncateBody(1000)))
    body = get(s3)
    assert body == BODY[:1000]
    with pytest.raises(EOFError):
        gzip.decompress(body)


def test_a_slow_body_is_slow_and_whole(filled, s3):
    filled.faults.add(FaultRule(SlowBody(chunk_bytes=300_000, pause_seconds=0.1)))
    started = time.monotonic()
    assert get(s3) == BODY
    assert time.monotonic() - started >= 0.3


def test_a_promise_of_more_bytes_breaks_the_read(filled, s3):
    filled.faults.add(FaultRule(WrongLength(+10)))
    with pytest.raises(BotoCoreError):
        get(s3)


def test_a_promise_of_fewer_bytes_ends_early(filled, s3):
    filled.faults.add(FaultRule(WrongLength(-10)))
    assert get(s3) == BODY[:-10]


def test_head_may_lie_about_the_length(filled, s3):
    filled.faults.add(FaultRule(WrongLength(+10), operations=HEAD))
    assert s3.head_object(Bucket="flatfiles", Key=KEY)["ContentLength"] == len(BODY) + 10


def test_an_object_republished_between_two_ranges_fails_the_download(filled, s3, tmp_path):
    filled.bucket.put(KEY, bytes(20 << 20))
    rule = filled.faults.add(FaultRule(Republish(b"\1" * (20 << 20)), nth=2))
    with pytest.raises(S3DownloadFailedError, match="did not match expected ETag"):
        s3.download_file("flatfiles", KEY, str(tmp_path / "copy"))
    assert rule.fired == 1
    s3.download_file("flatfiles", KEY, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == b"\1" * (20 << 20)


def test_listed_but_not_to_be_fetched(filled, s3):
    filled.faults.add(refuse_listed_keys("*/2026-05-22.csv.gz"))
    assert s3.list_objects_v2(Bucket="flatfiles")["KeyCount"] == 2
    for _ in range(3):
        with pytest.raises(ClientError, match="AccessDenied"):
            get(s3)
    assert get(s3, OTHER) == BODY


def test_a_late_object_appears_when_its_time_comes(tmp_path, client_of):
    now = [datetime(2026, 5, 23, 14, 0, tzinfo=UTC)]
    faults = FaultScript([make_late("*/2026-05-22.csv.gz", until=now[0] + timedelta(hours=2))], clock=lambda: now[0])
    with SandboxServer(tmp_path, faults=faults) as server:
        server.bucket.put(KEY, BODY)
        server.bucket.put(OTHER, BODY)
        s3 = client_of(server)
        listed = s3.list_objects_v2(Bucket="flatfiles")
        assert [entry["Key"] for entry in listed["Contents"]] == [OTHER]
        with pytest.raises(ClientError, match="404"):
            s3.head_object(Bucket="flatfiles", Key=KEY)
        with pytest.raises(ClientError, match="NoSuchKey"):
            get(s3)
        now[0] += timedelta(hours=2)
        assert s3.list_objects_v2(Bucket="flatfiles")["KeyCount"] == 2
        assert get(s3) == BODY


def test_a_rule_fires_from_its_nth_call_as_often_as_it_says(filled, s3):
    rule = filled.faults.add(FaultRule(Refuse(503), nth=2, times=2))
    outcomes = []
    for _ in range(5):
        try:
            outcomes.append(get(s3) == BODY)
        except ClientError:
            outcomes.append("refused")
    assert outcomes == [True, "refused", "refused", True, True]
    assert (rule.calls, rule.fired) == (5, 2)


def test_a_rule_touches_only_its_key(filled, s3):
    filled.faults.add(FaultRule(Refuse(404), key=OTHER))
    assert get(s3) == BODY
    filled.faults.clear()
    assert get(s3, OTHER) == BODY


def test_a_fault_that_a_request_cannot_show_is_refused_when_written():
    with pytest.raises(ValueError, match="HEAD requests cannot apply CutConnection"):
        FaultRule(CutConnection(5), operations=HEAD)
    with pytest.raises(ValueError, match="LIST requests cannot apply SlowBody"):
        FaultRule(SlowBody(), operations=frozenset({Operation.LIST}))
