"""Encodes bars for COPY: PostgreSQL's binary format where floats allow it exactly, else CSV.

The format itself is in `row_encoding`.
"""

from __future__ import annotations

import io

import polars as pl

from hd_pipelines.warehouse.publish import row_encoding
from hd_pipelines.warehouse.publish.row_encoding import BINARY_HEADER, BINARY_TRAILER, Exponents, Wire

__all__ = [
    "BINARY_HEADER",
    "BINARY_TRAILER",
    "NUMERIC_COLUMNS",
    "encode_binary",
    "encode_csv",
    "find_exact_exponents",
]

NUMERIC_COLUMNS = ("open", "high", "low", "close", "volume", "vwap")
_WIRES = {
    "symbol": Wire.TEXT,
    "timeframe": Wire.TEXT,
    "timestamp": Wire.INSTANT,
    "session": Wire.DATE,
    **dict.fromkeys(NUMERIC_COLUMNS, Wire.NUMERIC),
    "trades": Wire.INT8,
}


def find_exact_exponents(rows: pl.DataFrame) -> Exponents | None:
    """Find for each numeric column the k with which all its values are exact, or None if a column has no such k."""
    return row_encoding.find_exact_exponents(rows, NUMERIC_COLUMNS)


def encode_csv(rows: pl.DataFrame) -> bytes:
    """Encode `rows` as CSV lines without a header; floats as shortest decimals, null as an empty field."""
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
    return buffer.getvalue()


def encode_binary(rows: pl.DataFrame, exponents: Exponents) -> memoryview:
    """Encode `rows` (columns as the table, microsecond stamps) as binary tuples, without header and trailer."""
    return row_encoding.encode_binary(rows, _WIRES, exponents)
