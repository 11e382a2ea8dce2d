r"""Reads many rows at once: the server joins each column into one value, instead of sending one message per row.

COPY sends a message per row, and each costs the client more than decoding the row's numbers. Here string_agg joins a
column's values: numbers and instants in PostgreSQL's binary form, 4 or 8 bytes each, which numpy reads directly; texts and
exact decimals as lines. Nulls are sent as values that no check constraint admits (NaN, the smallest integer, -infinity), or
as `\N`. A value may have 1 GB, so callers request ranges of at most a few million rows. Small reads, and reads of JSON
documents, are in `frames`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
import polars as pl
from psycopg import sql
from sqlalchemy import BigInteger, Connection, Date, DateTime, Double, Integer, Numeric, Table, Text

from hd_pipelines.warehouse.engine import get_driver_connection
from hd_pipelines.warehouse.errors import RowsUnreadableError
from hd_pipelines.warehouse.publish.row_shape import NULL

_DAYS_TO_2000 = 10_957
_US_TO_2000 = 946_684_800_000_000
_LINE_BREAK = ord("\n")


@dataclass(frozen=True, slots=True)
class _Codec:
    """How a column of one type is sent (an expression with `{}` for the column) and how its bytes are read."""

    sent: LiteralString
    read: Callable[[bytes], pl.Series]


def _make_integer_reader(wire: str, epoch: int = 0) -> Callable[[bytes], pl.Series]:
    def read(received: bytes) -> pl.Series:
        raw = np.frombuffer(received, wire).astype(wire.replace(">", "="))
        is_missing = raw == np.iinfo(raw.dtype).min
        values = pl.Series(raw + raw.dtype.type(epoch))
        return values.set(pl.Series(is_missing), None) if is_missing.any() else values

    return read


def _read_floats(received: bytes) -> pl.Series:
    return pl.Series(np.frombuffer(received, ">f8").astype("=f8"), nan_to_null=True)


def _read_texts(received: bytes) -> pl.Series:
    import pyarrow as pa  # only readers of many rows need it

    raw = np.frombuffer(received, np.uint8)
    is_end = raw == _LINE_BREAK
    ends = np.flatnonzero(is_end)
    offsets = np.zeros(ends.size + 1, np.int64)
    offsets[1:] = ends - np.arange(ends.size)
    lines = pa.LargeStringArray.from_buffers(ends.size, pa.py_buffer(offsets), pa.py_buffer(raw[~is_end]))
    values = pl.Series(pl.from_arrow(lines))
    return values.replace(NULL, None) if NULL.encode() in received else values


def _read_decimals(received: bytes) -> pl.Series:
    return _read_texts(received).cast(pl.Float64)


_JOINED_LINES = "convert_to(string_agg(coalesce({}::text, E'\\\\N'), E'\\n') || E'\\n', 'UTF8')"
_CODECS: dict[type[Any], _Codec] = {
    Double: _Codec("string_agg(float8send(coalesce({}, 'NaN')), '')", _read_floats),
    Integer: _Codec("string_agg(int4send(coalesce({}, -2147483648)), '')", _make_integer_reader(">i4")),
    BigInteger: _Codec("string_agg(int8send(coalesce({}, -9223372036854775808)), '')", _make_integer_reader(">i8")),
    Date: _Codec("string_agg(date_send(coalesce({}, '-infinity')), '')", _make_integer_reader(">i4", _DAYS_TO_2000)),
    DateTime: _Codec(
        "string_agg(timestamptz_send(coalesce({}, '-infinity')), '')", _make_integer_reader(">i8", _US_TO_2000)
    ),
    Numeric: _Codec(_JOINED_LINES, _read_decimals),
    Text: _Codec(_JOINED_LINES, _read_texts),
}


def disable_jit(connection: Connection) -> None:
    """Turn off JIT compilation for this transaction; the planner overestimates the cost of joining columns."""
    get_driver_connection(connection).execute("SET LOCAL jit = off")


def select_columns(
    table: Table, columns: Iterable[str], condition: sql.Composable, *, source: sql.Composable | None = None
) -> sql.Composed:
    """Build the statement of `read_columns`: the number of rows, then each column joined."""
    asked = [sql.SQL(codec.sent).format(sql.Identifier(name)) for name, codec in _find_codecs(table, columns).items()]
    return sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join([sql.SQL("count(*)"), *asked]), source or sql.Identifier("public", table.name), condition
    )


def _find_codecs(table: Table, columns: Iterable[str]) -> dict[str, _Codec]:
    return {name: _CODECS[type(table.c[name].type)] for name in columns}


def read_columns(
    connection: Connection,
    table: Table,
    columns: Collection[str],
    condition: sql.Composable,
    schema: Mapping[str, Any],
    *,
    source: sql.Composable | None = None,
) -> pl.DataFrame:
    """Read `columns` of the rows of `table` for which `condition` holds, in no order, with the types of `schema`.

    `source` is read in place of the table itself, if it has the same columns.

    Numerics come as float64: they were written from shortest decimals, so the floats that went in come out.
    Raises `RowsUnreadableError` for a text that contains a line break, `KeyError` for a type that cannot be read this way.
    """
    codecs = _find_codecs(table, columns)
    select = select_columns(table, columns, condition, source=source)
    cursor = get_driver_connection(connection).cursor(binary=True)
    row: tuple[Any, ...] | None = cursor.execute(select).fetchone()
    rows = row[0] if row else 0
    if row is None or not rows:
        return pl.DataFrame(schema={name: schema[name] for name in codecs})
    found = [
        codec.read(values).cast(schema[name]).alias(name)
        for (name, codec), values in zip(codecs.items(), row[1:], strict=True)
    ]
    for values in found:
        if len(values) != rows:
            raise RowsUnreadableError(
                f"Column {values.name} of {table.name} arrived as {len(values)} lines for {rows} rows: one of its texts "
                "contains a line break. Remedy: find it with LIKE E'%\\n%' and publish that row again."
            )
    return pl.DataFrame(found)
