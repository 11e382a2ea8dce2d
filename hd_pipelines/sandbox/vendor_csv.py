"""Turn frames into the bytes of a vendor object: CSV in the vendor's number formats, compressed with gzip.

Stocks print plain numbers until `SIX_DECIMALS_SINCE` and six decimals from then on; options and indices are always
plain. Tests compare the output with lines of real vendor files.
"""

from __future__ import annotations

import zlib
from datetime import date

import polars as pl
from isal import igzip

from hd_pipelines.providers.massive.flat_files.layout import AssetClass, FlatFileDataset

SIX_DECIMALS_SINCE = date(2026, 2, 23)
"""From this session on stock volumes hold fractions, and stock prices are printed with six decimals."""
FAST, LIKE_THE_VENDOR = 1, 6
"""Compression levels: for many small sessions, and for sizes like the vendor's."""


def to_csv_bytes(frame: pl.DataFrame, dataset: FlatFileDataset, session: date) -> bytes:
    """Header and rows of one object. Needs every column of `dataset`; a null becomes an empty field."""
    columns = frame.select(dataset.columns)
    is_stock = dataset.asset_class is AssetClass.STOCK
    six_decimals = is_stock and session >= SIX_DECIMALS_SINCE
    if "volume" in dataset.columns and not six_decimals and _is_whole(columns["volume"]):
        columns = columns.with_columns(pl.col("volume").cast(pl.Int64))
    return columns.write_csv(None, float_precision=6 if six_decimals else None).encode()


def _is_whole(volume: pl.Series) -> bool:
    return bool((volume.drop_nulls() % 1 == 0).all())


def compress(text: bytes, level: int = FAST) -> bytes:
    """One gzip member without a time stamp: equal text gives equal bytes, hence an equal ETag."""
    if level == FAST:
        return igzip.compress(text, 1, mtime=0)
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(text) + packer.flush()
