"""Write a market recording as the vendor's objects, split by dataset and date.

Defects are kept: a row on a holiday becomes an object on a holiday, a missing session stays missing, null stays an empty
field. The platform's checks must find them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from hd_pipelines.market.sessions import CHICAGO, compute_midnight_ns
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, AssetClass, FlatFileDataset, Interval
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.generation import GenerationReport, Progress, WrittenObject, fill, put_object
from hd_pipelines.sandbox.vendor_csv import compress, to_csv_bytes

WRITER_VERSION = "recording-1"
"""Part of every object's origin; raise it whenever the same recording would give other bytes."""
MINUTE_FILE = "minute_bars.parquet"
_FILES = {Interval.DAY: "day_bars.parquet", Interval.MINUTE: MINUTE_FILE}
_TICKER_PREFIX = {AssetClass.STOCK: "", AssetClass.INDEX: "I:", AssetClass.OPTION: "O:"}
"""What tickers of a class begin with; those of stocks have no prefix."""

_Frames = Mapping[date, Mapping[FlatFileDataset, pl.DataFrame]]


class RecordingError(ValueError):
    """A folder that is not a recording."""


def has_bars(recording: Path) -> bool:
    """Whether a recording has bars for `write_recording`; it may hold option chains only."""
    return any((recording / name).is_file() for name in _FILES.values())


def write_recording(
    bucket: Path,
    recording: Path,
    first: date | None = None,
    last: date | None = None,
    on_progress: Progress | None = None,
) -> GenerationReport:
    """Write the bars of `recording` from `first` to `last` (both included, None: all) into `bucket`.

    Volume and transactions that the recording lacks become empty fields; index files have no such columns. Use a bucket
    of its own: objects of other origins stay where they are. Raises `RecordingError`.
    """
    files = [recording / name for name in _FILES.values() if (recording / name).is_file()]
    if not files:
        raise RecordingError(f"{recording} has none of {', '.join(_FILES.values())}; give the recording's own folder")
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    frames = _read_frames_by_day(recording, first, last)
    if not frames:
        raise RecordingError(f"{recording} has no bars from {first or 'its start'} to {last or 'its end'}")
    keys = {day: [dataset.key(day) for dataset in by_dataset] for day, by_dataset in frames.items()}
    origin = f"{WRITER_VERSION} {recording.name} sha256={digest}"
    folder = Bucket(bucket)
    return fill(folder, keys, origin, partial(_write, folder, origin, frames), on_progress)


def _write(bucket: Bucket, origin: str, frames: _Frames, days: Sequence[date]) -> Iterator[list[WrittenObject]]:
    for day in days:
        yield [
            put_object(bucket, dataset.key(day), origin, len(frame), compress(to_csv_bytes(frame, dataset, day)))
            for dataset, frame in frames[day].items()
        ]


def _read_frames_by_day(recording: Path, first: date | None, last: date | None) -> _Frames:
    found: dict[date, dict[FlatFileDataset, pl.DataFrame]] = {}
    for interval, name in _FILES.items():
        if not (recording / name).is_file():
            continue
        bars = _add_session(pl.read_parquet(recording / name), interval)
        bars = bars.filter(pl.col("session") >= (first or date.min), pl.col("session") <= (last or date.max))
        for (day,), rows in bars.partition_by("session", as_dict=True).items():
            for dataset in DATASETS:
                selected = _select_rows(rows, dataset, day) if dataset.interval is interval else None
                if selected is not None and not selected.is_empty():
                    found.setdefault(day, {})[dataset] = selected
    return dict(sorted(found.items()))


def _add_session(bars: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    if interval is Interval.DAY:
        return bars
    new_york = pl.col("window_start").dt.convert_time_zone("America/New_York")
    return bars.with_columns(new_york.dt.date().alias("session"), pl.col("window_start").dt.timestamp("us") * 1000)


def _select_rows(rows: pl.DataFrame, dataset: FlatFileDataset, day: date) -> pl.DataFrame:
    """The rows of one object in the vendor's columns, sorted by ticker and time."""
    prefix = _TICKER_PREFIX[dataset.asset_class]
    ticker = pl.col("ticker")
    is_ours = ticker.str.starts_with(prefix) if prefix else ~ticker.str.contains(":", literal=True)
    selected = rows.filter(is_ours).with_columns(pl.lit(None, dtype=pl.Int64).alias("transactions"))
    if dataset.interval is Interval.DAY:
        stamp = (
            compute_midnight_ns(day, CHICAGO) if dataset.asset_class is AssetClass.INDEX else compute_midnight_ns(day)
        )
        selected = selected.with_columns(pl.lit(stamp, dtype=pl.Int64).alias("window_start"))
    return selected.select(dataset.columns).sort("ticker", "window_start")
