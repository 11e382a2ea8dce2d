"""The sandbox answers a real boto3 client as the vendor's S3 does."""

import hashlib
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from hd_pipelines.sandbox.bucket import Bucket, UnsafeKeyError
from hd_pipelines.sandbox.faults import Operation
from hd_pipelines.sandbox.s3.app import Plan
from hd_pipelines.sandbox.server import SandboxServer

KEY = "us_stocks_sip/day_aggs_v1/2026/05/2026-05-22.csv.gz"


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(Bucket="flatfiles", **arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_head_tells_size_quoted_md5_and_time(sandbox, s3):
    sandbox.bucket.put(KEY, b"twelve bytes")
    head = s3.head_object(Bucket="flatfiles", Key=KEY)
    assert head["ContentLength"] == 12
    assert head["ETag"] == f'"{hashlib.md5(b"twelve bytes").hexdigest()}"'
    written = datetime.fromtimestamp(sandbox.bucket.path(KEY).stat().st_mtime, UTC)  # the file's clock need not be ours
    assert head["LastModified"] == written.replace(microsecond=0)


def test_get_returns_the_object(sandbox, s3):
    sandbox.bucket.put(KEY, b"twelve bytes")
    answer = s3.get_object(Bucket="flatfiles", Key=KEY)
    assert answer["Body"].read() == b"twelve bytes"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_option_minutes_carry_the_vendors_compression_mark(sandbox, s3):
    key = "us_options_opra/minute_aggs_v1/2026/05/2026-05-22.csv.gz"
    sandbox.bucket.put(key, b"x")
    assert s3.head_object(Bucket="flatfiles", Key=key)["Metadata"] == {"compression-level": "9"}


def test_a_replaced_object_gets_a_new_etag(sandbox, s3):
    sandbox.bucket.put(KEY, b"first")
    before = s3.head_object(Bucket="flatfiles", Key=KEY)["ETag"]
    sandbox.bucket.put(KEY, b"other")
    assert s3.head_object(Bucket="flatfiles", Key=KEY)["ETag"] != before


@pytest.mark.parametrize(
    ("wanted", "body", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_ranges(sandbox, s3, wanted, body, content_range):
    sandbox.bucket.put(KEY, b"0123456789")
    answer = s3.get_object(Bucket="flatfiles", Key=KEY, Range=wanted)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (answer["Body"].read(), answer["ContentRange"]) == (body, content_range)


def test_a_range_outside_the_object_is_refused(sandbox, s3):
    sandbox.bucket.put(KEY, b"0123456789")
    assert refusal(s3.get_object, Key=KEY, Range="bytes=10-12") == ("InvalidRange", 416)


def test_preconditions(sandbox, s3):
    sandbox.bucket.put(KEY, b"content")
    etag = s3.head_object(Bucket="flatfiles", Key=KEY)["ETag"]
    assert s3.get_object(Bucket="flatfiles", Key=KEY, IfMatch=etag)["Body"].read() == b"content"
    assert refusal(s3.get_object, Key=KEY, IfMatch='"0000"') == ("PreconditionFailed", 412)
    assert refusal(s3.get_object, Key=KEY, IfNoneMatch=etag) == ("304", 304)
    assert s3.get_object(Bucket="flatfiles", Key=KEY, IfNoneMatch='"0000"')["Body"].read() == b"content"


def test_missing_objects(s3):
    assert refusal(s3.get_object, Key=KEY) == ("NoSuchKey", 404)
    assert refusal(s3.head_object, Key=KEY) == ("404", 404)


def test_a_folder_is_no_object(sandbox, s3):
    sandbox.bucket.put(KEY, b"x")
    assert refusal(s3.get_object, Key="us_stocks_sip/day_aggs_v1") == ("NoSuchKey", 404)


def test_download_file_fetches_a_large_object_in_matching_ranges(sandbox, s3, tmp_path):
    body = b"".join(hashlib.sha256(bytes([i % 256, i // 256 % 256, i // 65536])).digest() for i in range(600_000))
    sandbox.bucket.put(KEY, body)
    s3.download_file("flatfiles", KEY, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == body
    assert sandbox.app.requests_served[Operation.GET] == 3


def test_listing_in_pages_is_complete_and_ordered(sandbox, s3):
    keys = sorted(f"us_stocks_sip/day_aggs_v1/2026/05/2026-05-{day:02}.csv.gz" for day in range(1, 30))
    for key in reversed(keys):
        sandbox.bucket.put(key, key.encode())
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket="flatfiles", Prefix="us_stocks_sip/", PaginationConfig={"PageSize": 7}
        )
    )
    listed = [entry for page in pages for entry in page["Contents"]]
    assert len(pages) == 5
    assert [entry["Key"] for entry in listed] == keys
    assert listed[0]["ETag"] == f'"{hashlib.md5(keys[0].encode()).hexdigest()}"'
    assert listed[0]["Size"] == len(keys[0])


def test_a_delimiter_folds_keys_into_prefixes_also_across_pages(sandbox, s3):
    for name in ("a/1", "a/2", "b/1", "c", "d/x/1", "d/x/2"):
        sandbox.bucket.put(name, b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="flatfiles", Delimiter="/", PaginationConfig={"PageSize": 2}
    )
    found = [[*(p["Prefix"] for p in page.get("CommonPrefixes", [])), *(c["Key"] for c in page.get("Contents", []))]
             for page in pages]  # fmt: skip
    assert found == [["a/", "b/"], ["d/", "c"]]
    inner = s3.list_objects_v2(Bucket="flatfiles", Prefix="d/", Delimiter="/")
    assert [p["Prefix"] for p in inner["CommonPrefixes"]] == ["d/x/"]


def test_listing_starts_after_a_key_and_inside_a_folder_name(sandbox, s3):
    for name in ("us_stocks_sip/a", "us_stocks_sip/b", "us_options_opra/c"):
        sandbox.bucket.put(name, b"")
    listed = s3.list_objects_v2(Bucket="flatfiles", Prefix="us_st", StartAfter="us_stocks_sip/a")
    assert [entry["Key"] for entry in listed["Contents"]] == ["us_stocks_sip/b"]
    assert s3.list_objects_v2(Bucket="flatfiles", Prefix="nothing/")["KeyCount"] == 0


def test_awkward_names_survive_signing_and_listing(sandbox, s3):
    key = "odd/a b+c&d=é%41.csv"
    sandbox.bucket.put(key, b"x")
    assert s3.get_object(Bucket="flatfiles", Key=key)["Body"].read() == b"x"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="flatfiles", Prefix="odd/a b")["Contents"]] == [key]


def test_the_sandboxs_own_files_are_not_objects(sandbox, s3):
    sandbox.bucket.put(KEY, b"x")
    (sandbox.bucket.root / ".sandbox-manifest.json").write_text("{}")
    assert s3.list_objects_v2(Bucket="flatfiles")["KeyCount"] == 1
    assert refusal(s3.get_object, Key=".sandbox-manifest.json") == ("NoSuchKey", 404)


@pytest.mark.parametrize("key", ["../x", "a/../b", "/etc/passwd", "a//b", "a\\b", ".hidden", "a\0b"])
def test_a_key_never_leaves_the_folder(tmp_path, key):
    with pytest.raises(UnsafeKeyError):
        Bucket(tmp_path).path(key)


def test_outside_the_plan_lists_but_refuses(tmp_path, client_of):
    old = "us_stocks_sip/day_aggs_v1/2020/01/2020-01-02.csv.gz"
    index = "us_indices/day_aggs_v1/2026/05/2026-05-22.csv.gz"
    plan = Plan(history_since=date(2024, 5, 22), prefixes=("us_stocks_sip/",))
    with SandboxServer(tmp_path, plan=plan) as server:
        for key in (old, index, KEY):
            server.bucket.put(key, b"x")
        s3 = client_of(server)
        assert s3.list_objects_v2(Bucket="flatfiles")["KeyCount"] == 3
        assert s3.get_object(Bucket="flatfiles", Key=KEY)["Body"].read() == b"x"
        assert refusal(s3.get_object, Key=old) == ("AccessDenied", 403)
        assert refusal(s3.head_object, Key=index) == ("403", 403)
        absent_and_old = "us_stocks_sip/day_aggs_v1/2019/01/2019-01-02.csv.gz"
        assert refusal(s3.head_object, Key=absent_and_old) == ("403", 403)


def test_a_wrong_secret_or_key_id_is_refused(sandbox, client_of):
    sandbox.bucket.put(KEY, b"x")
    assert refusal(client_of(sandbox, secret="wrong").get_object, Key=KEY) == ("SignatureDoesNotMatch", 403)
    assert refusal(client_of(sandbox, key_id="wrong").get_object, Key=KEY) == ("InvalidAccessKeyId", 403)
    assert refusal(client_of(sandbox, secret="wrong").list_objects_v2) == ("SignatureDoesNotMatch", 403)


def test_an_unsigned_request_is_refused_with_s3s_xml(sandbox):
    sandbox.bucket.put(KEY, b"x")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{sandbox.url}/flatfiles/{KEY}")
    assert caught.value.code == 403
    assert b"<Code>AccessDenied</Code>" in caught.value.read()


def test_an_old_signature_is_refused(sandbox, s3):
    sandbox.bucket.put(KEY, b"x")
    sandbox.app._clock = lambda: datetime.now(UTC) + timedelta(minutes=20)
    assert refusal(s3.get_object, Key=KEY) == ("RequestTimeTooSkewed", 403)


def test_other_buckets_and_operations_do_not_exist(s3):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_objects_v2(Bucket="elsewhere")
    assert refusal(s3.put_object, Key=KEY, Body=b"x") == ("NotImplemented", 501)
    assert refusal(s3.list_objects_v2, MaxKeys=-1) == ("InvalidArgument", 400)
