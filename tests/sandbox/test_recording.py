"""Recordings go through the bucket unchanged, defects included."""

import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hd_pipelines.providers.massive.flat_files.layout import (
    DATASETS,
    INDEX_DAY,
    INDEX_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    FlatFileDataset,
    parse_key,
)
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.recording import RecordingError, write_recording

NUMBERS = dict.fromkeys(("volume", "open", "close", "high", "low"), pl.Float64) | {"transactions": pl.Int64}
MEMORIAL_DAY = date(2019, 5, 27)


def read_back(root: Path, dataset: FlatFileDataset) -> pl.DataFrame:
    bucket = Bucket(root)
    parts = []
    for key in bucket.list_keys(dataset.prefix + "/"):
        parsed = parse_key(key)
        assert parsed is not None
        text = gzip.decompress(bucket.get(key))
        parts.append(
            pl.read_csv(io.BytesIO(text), schema_overrides=NUMBERS, null_values="").with_columns(session=parsed[1])
        )
    return pl.concat(parts)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    prices = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5}
    days = [date(2019, 5, 24), MEMORIAL_DAY, date(2019, 5, 29)]
    rows = [{"ticker": "SPY", "session": day, **prices, "volume": 100.0} for day in (days[0], days[2])]
    rows += [{"ticker": "I:VIX", "session": day, **prices, "volume": None} for day in days]
    rows += [{"ticker": "AAPL", "session": days[0], **prices, "volume": None}]
    pl.DataFrame(rows, schema_overrides={"volume": pl.Float64}).write_parquet(folder / "day_bars.parquet")
    start = datetime(2019, 5, 24, 23, 59, tzinfo=UTC)
    pl.DataFrame([{"ticker": "SPY", "window_start": start, **prices, "volume": 7.0}]).write_parquet(
        folder / "minute_bars.parquet"
    )
    return folder


def test_a_holiday_row_becomes_an_object_on_the_holiday(recording, tmp_path):
    write_recording(tmp_path / "bucket", recording)
    assert Bucket(tmp_path / "bucket").list_keys() == [
        INDEX_DAY.key(date(2019, 5, 24)),
        INDEX_DAY.key(MEMORIAL_DAY),
        INDEX_DAY.key(date(2019, 5, 29)),
        STOCK_DAY.key(date(2019, 5, 24)),
        STOCK_DAY.key(date(2019, 5, 29)),
        STOCK_MINUTE.key(date(2019, 5, 24)),
    ]


def test_a_missing_volume_stays_empty_and_indices_have_no_such_column(recording, tmp_path):
    write_recording(tmp_path / "bucket", recording)
    bucket = Bucket(tmp_path / "bucket")
    lines = gzip.decompress(bucket.get(STOCK_DAY.key(date(2019, 5, 24)))).decode().splitlines()
    assert lines == [
        "ticker,volume,open,close,high,low,window_start,transactions",
        "AAPL,,10.0,10.5,11.0,9.0,1558670400000000000,",
        "SPY,100,10.0,10.5,11.0,9.0,1558670400000000000,",
    ]
    lines = gzip.decompress(bucket.get(INDEX_DAY.key(MEMORIAL_DAY))).decode().splitlines()
    assert lines == ["ticker,open,close,high,low,window_start", "I:VIX,10.0,10.5,11.0,9.0,1558933200000000000"]


def test_a_part_of_a_recording(recording, tmp_path):
    report = write_recording(tmp_path / "bucket", recording, date(2019, 5, 25), date(2019, 5, 28))
    assert (report.sessions, report.objects_written, report.rows) == (1, 1, 1)
    with pytest.raises(RecordingError, match="no bars from 2020-01-01"):
        write_recording(tmp_path / "bucket", recording, date(2020, 1, 1))


def test_writing_again_writes_nothing_and_a_changed_recording_writes_anew(recording, tmp_path):
    assert write_recording(tmp_path / "bucket", recording).objects_written == 6
    assert write_recording(tmp_path / "bucket", recording).objects_skipped == 6
    bars = pl.read_parquet(recording / "day_bars.parquet")
    bars.with_columns(pl.col("close") + 0.25).write_parquet(recording / "day_bars.parquet")
    assert write_recording(tmp_path / "bucket", recording).objects_written == 6


def test_a_folder_without_bars_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"day_bars\.parquet"):
        write_recording(tmp_path / "bucket", tmp_path)


@pytest.mark.parametrize("name", ["minutes-2019-02", "spx-2019q2"])
def test_real_recordings_come_back_value_by_value(shared_folder, tmp_path, name):
    folder = shared_folder / "recordings" / name
    report = write_recording(tmp_path, folder)
    assert {key[: key.index("/2")] for key in Bucket(tmp_path).list_keys()} <= {dataset.prefix for dataset in DATASETS}
    days = pl.read_parquet(folder / "day_bars.parquet")
    back = pl.concat([read_back(tmp_path, STOCK_DAY), read_back(tmp_path, INDEX_DAY)], how="diagonal")
    order = ["ticker", "session"]
    assert_frame_equal(back.select(days.columns).sort(order), days.sort(order), check_exact=True)
    rows = len(days)
    if (folder / "minute_bars.parquet").exists():
        minutes = pl.read_parquet(folder / "minute_bars.parquet").with_columns(
            pl.col("window_start").dt.timestamp("us") * 1000
        )
        rows += len(minutes)
        for dataset, is_index in ((STOCK_MINUTE, False), (INDEX_MINUTE, True)):
            wanted = minutes.filter(pl.col("ticker").str.starts_with("I:") == is_index)
            columns = [column for column in wanted.columns if column in dataset.columns]
            assert_frame_equal(
                read_back(tmp_path, dataset).select(columns),
                wanted.select(columns).sort("ticker", "window_start").pipe(_by_session),
                check_exact=True,
            )
    assert report.rows == rows


def _by_session(minutes: pl.DataFrame) -> pl.DataFrame:
    day = pl.from_epoch("window_start", time_unit="ns").dt.date()
    return minutes.sort(day, maintain_order=True)
