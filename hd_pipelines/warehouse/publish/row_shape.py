"""Checks that a frame has the shape of a table of `tables`, and encodes rows as CSV.

Wrong frames are refused early, with the column or row named. Values are checked by the table's check constraints.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Double, Integer, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from hd_pipelines.tables.model import SERVER_COLUMNS
from hd_pipelines.warehouse.errors import RowsRefusedError

NULL = "\\N"
"""How null is written; an empty text is a value."""
_INSTANTS = (pl.Datetime("us", "UTC"), pl.Datetime("ns", "UTC"))


def list_published_columns(table: Table) -> tuple[str, ...]:
    """List the columns of a published frame, in the table's order."""
    return tuple(column.name for column in table.columns if column.name not in SERVER_COLUMNS)


def check_rows(frame: pl.DataFrame, table: Table, error: type[RowsRefusedError] = RowsRefusedError) -> pl.DataFrame:
    """Return `frame` with exactly the table's columns in its order; stamps in microseconds, documents and arrays as text.

    Raise `error` for a missing or foreign column, a wrong type, a null in a required column, or a stamp finer than a
    microsecond.
    """
    columns = list_published_columns(table)
    if set(frame.columns) != set(columns):
        missing, extra = set(columns) - set(frame.columns), set(frame.columns) - set(columns)
        raise error(
            f"A frame for {table.name} has the columns {', '.join(columns)}; missing: {sorted(missing)}, foreign: "
            f"{sorted(extra)}. Remedy: select exactly these before publishing."
        )
    return frame.select(_check_column(frame[name], table.c[name], error) for name in columns)


def _check_column(values: pl.Series, column: Column[Any], error: type[RowsRefusedError]) -> pl.Series:
    where = f"Column {column.name} of {column.table.name}"
    if not column.nullable and values.null_count():
        row = values.is_null().arg_max()
        raise error(f"{where} is null in row {row} of the frame. Remedy: set such rows aside.")
    if values.dtype == pl.Null:
        return values.cast(_WHEN_ALL_NULL.get(type(column.type), pl.String))
    accepts, wanted = _ACCEPTED[type(column.type)]
    if not accepts(values.dtype):
        raise error(f"{where} is {values.dtype}, {wanted} is needed. Remedy: cast it.")
    if isinstance(column.type, DateTime):
        return _to_microseconds(values, where, error)
    if isinstance(column.type, JSONB | ARRAY) and values.dtype != pl.String:
        write = _to_array_literal if isinstance(column.type, ARRAY) else _to_json
        try:
            return pl.Series(
                values.name, [None if each is None else write(each) for each in values.to_list()], pl.String
            )
        except ValueError as refusal:
            raise error(
                f"{where} holds a number that is not finite. Remedy: leave it out, missing is null."
            ) from refusal
    if isinstance(column.type, Integer):
        return _to_integer(values, pl.Int64 if isinstance(column.type, BigInteger) else pl.Int32, where, error)
    return values.cast(pl.String) if isinstance(values.dtype, pl.Categorical | pl.Enum) else values


def _to_microseconds(values: pl.Series, where: str, error: type[RowsRefusedError]) -> pl.Series:
    stamps = values.cast(pl.Datetime("us", "UTC"))
    inexact = stamps.cast(values.dtype) != values
    if inexact.any():
        raise error(f"{where}: row {inexact.arg_max()} is finer than a microsecond. Remedy: round the instant.")
    return stamps


def _to_integer(values: pl.Series, dtype: type[pl.DataType], where: str, error: type[RowsRefusedError]) -> pl.Series:
    fitting = values.cast(dtype, strict=False)
    if fitting.null_count() > values.null_count():
        row = (fitting.is_null() & values.is_not_null()).to_list().index(True)
        raise error(f"{where}: {values[row]} in row {row} is too large for the column. Remedy: look for what made it.")
    return fitting


def _to_json(value: object) -> str:
    return json.dumps(value, allow_nan=False, default=str)


def _to_array_literal(values: Iterable[object]) -> str:
    def quote(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    return "{" + ",".join("NULL" if value is None else quote(str(value)) for value in values) + "}"


def _is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def _is_number(dtype: pl.DataType) -> bool:
    return dtype == pl.Float64 or dtype.is_integer() or isinstance(dtype, pl.Decimal)


_ACCEPTED: dict[type[Any], tuple[Callable[[pl.DataType], bool], str]] = {
    Text: (_is_text, "String"),
    UUID: (lambda dtype: dtype == pl.String, "String"),
    DateTime: (lambda dtype: dtype in _INSTANTS, "Datetime(us or ns, UTC)"),
    Date: (lambda dtype: dtype == pl.Date, "Date"),
    Double: (lambda dtype: dtype == pl.Float64, "Float64"),
    Numeric: (_is_number, "Float64 or Decimal"),
    Integer: (lambda dtype: dtype.is_integer(), "an integer"),
    BigInteger: (lambda dtype: dtype.is_integer(), "an integer"),
    Boolean: (lambda dtype: dtype == pl.Boolean, "Boolean"),
    JSONB: (lambda dtype: dtype == pl.String or isinstance(dtype, pl.List), "JSON text or a list"),
    ARRAY: (lambda dtype: isinstance(dtype, pl.List), "a list"),
}


_WHEN_ALL_NULL: dict[type[Any], Any] = {
    DateTime: pl.Datetime("us", "UTC"),
    Date: pl.Date,
    Double: pl.Float64,
    Numeric: pl.Float64,
    Integer: pl.Int32,
    BigInteger: pl.Int64,
    Boolean: pl.Boolean,
}


def encode_csv(rows: pl.DataFrame) -> bytes:
    """Encode checked rows as CSV lines without a header; floats as shortest decimals, null as `NULL`."""
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00", null_value=NULL)
    return buffer.getvalue()
