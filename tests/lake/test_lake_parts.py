"""The lake as readers see it: a session is there whole, replaced whole, or absent."""

import os
import threading
from datetime import date, timedelta

import polars as pl
import pyarrow.parquet
import pytest

from hd_pipelines.lake import Lake, LakeUnsettledError, PartSource, stores
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, STOCK_MINUTE
from hd_pipelines.providers.massive.flat_files.reading import BAR_SCHEMA
from tests.support.flat_files import SESSION, stamp
from tests.support.writable_s3 import writable_s3


def bars(tickers=("NA", "SPY"), count: int = 3, close: float = 2.0) -> pl.DataFrame:
    rows = [(name, stamp(minute=n), 2.0, 3.0, 1.0, close, 10.5, 4) for name in sorted(tickers) for n in range(count)]
    return pl.DataFrame(rows, schema=BAR_SCHEMA, orient="row")


def source(etag: str = "a", rows: int = 6) -> PartSource:
    return PartSource(STOCK_MINUTE.key(SESSION), etag, "f" * 64, 1234, rows, 0, 1)


@pytest.fixture(params=["folder", "s3"])
def lake(request, tmp_path, monkeypatch):
    if request.param == "folder":
        yield Lake(tmp_path / "lake")
        return
    with writable_s3() as (url, _objects):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield Lake("s3://desk/lake")


def test_an_empty_lake_has_no_sessions_and_scans_to_nothing(lake):
    assert lake.list_sessions(STOCK_MINUTE) == []
    assert lake.find_part(STOCK_MINUTE, SESSION) is None
    nothing = lake.scan(STOCK_MINUTE, date(2020, 1, 1), date(2026, 1, 1)).collect()
    assert nothing.height == 0
    assert nothing.schema == {**BAR_SCHEMA, "session": pl.Date()}
    lake.remove(STOCK_MINUTE, SESSION)


def test_what_was_published_is_what_is_scanned(lake):
    lake.publish(STOCK_MINUTE, SESSION, bars(), source())
    assert lake.scan(STOCK_MINUTE, SESSION, SESSION).drop("session").collect().equals(bars())
    assert lake.scan(STOCK_MINUTE, SESSION, SESSION).collect()["session"].unique().to_list() == [SESSION]


def test_a_scan_is_of_its_sessions_and_tickers(lake):
    days = [SESSION - timedelta(days=n) for n in (2, 1, 0)]
    for day in days:
        lake.publish(STOCK_MINUTE, day, bars(), source())
    lake.publish(INDEX_DAY, SESSION, bars(["I:SPX"]), source())
    assert lake.list_sessions(STOCK_MINUTE) == days
    found = lake.scan(STOCK_MINUTE, days[0], days[1], tickers=["NA", "absent"]).collect()
    assert found.select("session", "ticker").unique().sort("session").rows() == [(days[0], "NA"), (days[1], "NA")]


def test_a_part_records_its_source_and_its_order(lake):
    published = lake.publish(STOCK_MINUTE, SESSION, bars(), source("abc-4"))
    assert lake.find_part(STOCK_MINUTE, SESSION) == published
    assert published.source == source("abc-4")


def test_a_replaced_session_shows_only_the_new_rows(lake):
    lake.publish(STOCK_MINUTE, SESSION, bars(), source("a"))
    lake.publish(STOCK_MINUTE, SESSION, bars(["SPY"], close=2.5), source("b"))
    assert lake.find_part(STOCK_MINUTE, SESSION).source.etag == "b"
    assert lake.scan(STOCK_MINUTE, SESSION, SESSION).collect()["close"].to_list() == [2.5] * 3


def test_a_removed_session_is_gone(lake):
    lake.publish(STOCK_MINUTE, SESSION, bars(), source())
    lake.remove(STOCK_MINUTE, SESSION)
    assert lake.list_sessions(STOCK_MINUTE) == []
    assert lake.find_part(STOCK_MINUTE, SESSION) is None


def test_a_large_part_goes_through_s3_in_several_pieces(tmp_path, monkeypatch):
    wide = bars([f"T{number}" for number in range(900)], count=390)
    wide = wide.with_columns(close=pl.lit(1.0) + pl.int_range(pl.len()).hash(7) / 2**64, low=pl.lit(0.5))
    with writable_s3() as (url, objects):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        lake = Lake("s3://desk/lake")
        lake.publish(STOCK_MINUTE, SESSION, wide, source(rows=wide.height))
        assert [name for name, body in objects.items() if body] == [
            "desk/lake/stock_minute_aggs/session=2026-05-22/part.parquet"
        ]
        assert lake.scan(STOCK_MINUTE, SESSION, SESSION, tickers=["T77"]).collect().height == 390


def test_an_upload_that_is_interrupted_leaves_the_version_before(monkeypatch):
    with writable_s3() as (url, objects):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        lake = Lake("s3://desk/lake")
        lake.publish(STOCK_MINUTE, SESSION, bars(close=2.0), source("a"))
        before = {name: body for name, body in objects.items() if body}

        def interrupt(source_file, target, _size):
            target.write(source_file.read(100))
            raise ConnectionError("the line was cut")

        with monkeypatch.context() as cut:
            cut.setattr(stores.shutil, "copyfileobj", interrupt)
            with pytest.raises(ConnectionError):
                lake.publish(STOCK_MINUTE, SESSION, bars(close=3.0), source("b"))
            assert {name: body for name, body in objects.items() if body} == before

        def lose_the_end(source_file, target, _size):
            target.write(source_file.read()[:-7])

        with monkeypatch.context() as cut:
            cut.setattr(stores.shutil, "copyfileobj", lose_the_end)
            with pytest.raises(OSError, match="bytes of stock_minute_aggs/session"):
                lake.publish(STOCK_MINUTE, SESSION, bars(close=3.0), source("b"))
        assert {name: body for name, body in objects.items() if body} == before
        assert lake.find_part(STOCK_MINUTE, SESSION).source.etag == "a"


@pytest.mark.parametrize("name", ["session=2026-02-30", "session=2026-13-01", "session=someday"])
def test_a_folder_of_a_day_that_does_not_exist_is_not_read(tmp_path, name):
    lake = Lake(tmp_path)
    lake.publish(STOCK_MINUTE, SESSION, bars(), source())
    stray = tmp_path / "stock_minute_aggs" / name
    stray.mkdir()
    (stray / "part.parquet").write_bytes(b"anything")
    assert lake.list_sessions(STOCK_MINUTE) == [SESSION]
    assert lake.read(STOCK_MINUTE, date(2026, 1, 1), date(2026, 12, 31)).height == 6


def test_a_folder_lake_is_laid_out_for_every_engine(tmp_path):
    Lake(tmp_path).publish(STOCK_MINUTE, SESSION, bars(), source())
    path = tmp_path / "stock_minute_aggs/session=2026-05-22/part.parquet"
    footer = pyarrow.parquet.read_metadata(path)
    assert footer.row_group(0).column(0).compression == "ZSTD"
    assert footer.row_group(0).column(0).statistics.min == "NA"
    assert footer.metadata[b"hd.etag"] == b"a"
    assert pyarrow.parquet.read_schema(path).names == list(BAR_SCHEMA)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["stock_minute_aggs"]


def test_one_ticker_is_read_without_the_other_row_groups(tmp_path):
    lake = Lake(tmp_path)
    lake.publish(STOCK_MINUTE, SESSION, bars([f"T{n:04}" for n in range(1000)], count=390), source())
    footer = pyarrow.parquet.read_metadata(tmp_path / "stock_minute_aggs/session=2026-05-22/part.parquet")
    groups = [footer.row_group(n).column(0).statistics for n in range(footer.num_row_groups)]
    assert len(groups) >= 3
    assert sum(group.min <= "T0500" <= group.max for group in groups) == 1


def test_a_part_of_another_maker_is_not_taken_for_ours(tmp_path):
    lake = Lake(tmp_path)
    part = tmp_path / "stock_minute_aggs/session=2026-05-22/part.parquet"
    part.parent.mkdir(parents=True)
    bars().write_parquet(part)
    with pytest.raises(ValueError, match="not written by this lake"):
        lake.find_part(STOCK_MINUTE, SESSION)


def test_bars_of_another_shape_are_not_published(lake):
    with pytest.raises(ValueError, match="needs columns"):
        lake.publish(STOCK_MINUTE, SESSION, bars().drop("volume"), source())
    with pytest.raises(ValueError, match="needs columns"):
        lake.publish(STOCK_MINUTE, SESSION, bars().with_columns(pl.col("window_start").cast(pl.Float64)), source())
    assert lake.list_sessions(STOCK_MINUTE) == []


def test_a_failed_write_leaves_the_last_good_part(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    lake.publish(STOCK_MINUTE, SESSION, bars(), source("good"))

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        lake.publish(STOCK_MINUTE, SESSION, bars(close=1.5), source("bad"))
    assert lake.find_part(STOCK_MINUTE, SESSION).source.etag == "good"
    assert list((tmp_path / ".unpublished").iterdir()) == []


def test_readers_see_one_version_or_the_other_while_a_session_is_replaced(tmp_path):
    lake = Lake(tmp_path)
    lake.publish(STOCK_MINUTE, SESSION, bars(count=50, close=1.0), source())
    stop = threading.Event()

    def replace():
        version = 0
        while not stop.wait(0.01):
            version += 1
            lake.publish(STOCK_MINUTE, SESSION, bars(count=50, close=1.0 + version % 2), source(str(version)))

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(60):
            assert lake.read(STOCK_MINUTE, SESSION, SESSION)["close"].n_unique() == 1
    finally:
        stop.set()
        writer.join()


def test_a_lake_that_never_settles_is_reported(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    scanned = Lake._scan

    def replaced_meanwhile(self, *args):
        lake.publish(STOCK_MINUTE, SESSION, bars(), source())
        return scanned(self, *args)

    lake.publish(STOCK_MINUTE, SESSION, bars(), source())
    monkeypatch.setattr(Lake, "_scan", replaced_meanwhile)
    with pytest.raises(LakeUnsettledError, match="stock_minute_aggs"):
        lake.read(STOCK_MINUTE, SESSION, SESSION)


def test_a_damaged_part_is_not_mistaken_for_a_replaced_one(tmp_path):
    lake = Lake(tmp_path)
    lake.publish(STOCK_MINUTE, SESSION, bars(), source())
    part = tmp_path / "stock_minute_aggs/session=2026-05-22/part.parquet"
    part.write_bytes(part.read_bytes()[:-30])
    with pytest.raises(pl.exceptions.PolarsError):
        lake.read(STOCK_MINUTE, SESSION, SESSION)


def test_a_session_folder_without_a_part_is_no_session(tmp_path):
    (tmp_path / "stock_minute_aggs/session=2026-05-22").mkdir(parents=True)
    assert Lake(tmp_path).list_sessions(STOCK_MINUTE) == []
    assert Lake(tmp_path).read(STOCK_MINUTE, SESSION, SESSION).height == 0
