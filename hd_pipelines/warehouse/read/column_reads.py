r"""Large reads: every column of a stretch of rows arrives as one value, not as many rows.

Belongs here: asking for columns and turning their bytes into a frame. Small reads, and those of documents, are `frames`.

COPY sends a message per row, and each costs the client more than the row's numbers are worth. Here the server joins a
column's values with string_agg: numbers and instants in PostgreSQL's binary form, 4 or 8 bytes each, so that numpy takes
them as they are; texts and exact decimals as lines. Nulls are sent as values that no check lets in (NaN, the smallest
integer, -infinity), or as `\N`. A value may have 1 GB, so the caller asks for stretches of at most some million rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
import polars as pl
from psycopg import sql
from sqlalchemy import BigInteger, Connection, Date, DateTime, Double, Integer, Numeric, Table, Text

from hd_pipelines.warehouse.engine import driver_connection
from hd_pipelines.warehouse.errors import RowsUnreadableError
from hd_pipelines.warehouse.publish.row_shape import NULL

_DAYS_TO_2000 = 10_957
_US_TO_2000 = 946_684_800_000_000
_LINE_BREAK = ord("\n")


@dataclass(frozen=True, slots=True)
class _Way:
    """How a column of one type travels: an expression with `{}` for the column, and what becomes of the bytes."""

    sent: LiteralString
    read: Callable[[bytes], pl.Series]


def _integers(wire: str, epoch: int = 0) -> Callable[[bytes], pl.Series]:
    def read(received: bytes) -> pl.Series:
        raw = np.frombuffer(received, wire).astype(wire.replace(">", "="))
        is_missing = raw == np.iinfo(raw.dtype).min
        values = pl.Series(raw + raw.dtype.type(epoch))
        return values.set(pl.Series(is_missing), None) if is_missing.any() else values

    return read


def _floats(received: bytes) -> pl.Series:
    return pl.Series(np.frombuffer(received, ">f8").astype("=f8"), nan_to_null=True)


def _texts(received: bytes) -> pl.Series:
    import pyarrow as pa  # only readers of many rows need it

    raw = np.frombuffer(received, np.uint8)
    is_end = raw == _LINE_BREAK
    ends = np.flatnonzero(is_end)
    offsets = np.zeros(ends.size + 1, np.int64)
    offsets[1:] = ends - np.arange(ends.size)
    lines = pa.LargeStringArray.from_buffers(ends.size, pa.py_buffer(offsets), pa.py_buffer(raw[~is_end]))
    values = pl.Series(pl.from_arrow(lines))
    return values.replace(NULL, None) if NULL.encode() in received else values


def _decimals(received: bytes) -> pl.Series:
    return _texts(received).cast(pl.Float64)


_JOINED_LINES = "convert_to(string_agg(coalesce({}::text, E'\\\\N'), E'\\n') || E'\\n', 'UTF8')"
_WAYS: dict[type[Any], _Way] = {
    Double: _Way("string_agg(float8send(coalesce({}, 'NaN')), '')", _floats),
    Integer: _Way("string_agg(int4send(coalesce({}, -2147483648)), '')", _integers(">i4")),
    BigInteger: _Way("string_agg(int8send(coalesce({}, -9223372036854775808)), '')", _integers(">i8")),
    Date: _Way("string_agg(date_send(coalesce({}, '-infinity')), '')", _integers(">i4", _DAYS_TO_2000)),
    DateTime: _Way("string_agg(timestamptz_send(coalesce({}, '-infinity')), '')", _integers(">i8", _US_TO_2000)),
    Numeric: _Way(_JOINED_LINES, _decimals),
    Text: _Way(_JOINED_LINES, _texts),
}


def disable_jit(connection: Connection) -> None:
    """Spare this transaction the compiling of its statements: joining columns looks dear enough to a server with JIT."""
    driver_connection(connection).execute("SET LOCAL jit = off")


def select_columns(
    table: Table, columns: Iterable[str], condition: sql.Composable, *, source: sql.Composable | None = None
) -> sql.Composed:
    """The statement of `read_columns`: how many rows there are, then each column joined."""
    asked = [sql.SQL(way.sent).format(sql.Identifier(name)) for name, way in _ways(table, columns).items()]
    return sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join([sql.SQL("count(*)"), *asked]), source or sql.Identifier("public", table.name), condition
    )


def _ways(table: Table, columns: Iterable[str]) -> dict[str, _Way]:
    return {name: _WAYS[type(table.c[name].type)] for name in columns}


def read_columns(
    connection: Connection,
    table: Table,
    columns: Collection[str],
    condition: sql.Composable,
    schema: Mapping[str, Any],
    *,
    source: sql.Composable | None = None,
) -> pl.DataFrame:
    """`columns` of the rows of `table` for which `condition` holds, in no order; typed as `schema` says.

    `source` is read in place of the table itself, if it has the same columns.

    Numerics come as float64: they were written from shortest decimals, so the floats that went in come out.
    Raises `RowsUnreadableError` for a text that contains a line break, `KeyError` for a type without a way.
    """
    ways = _ways(table, columns)
    select = select_columns(table, columns, condition, source=source)
    cursor = driver_connection(connection).cursor(binary=True)
    row: tuple[Any, ...] | None = cursor.execute(select).fetchone()
    rows = row[0] if row else 0
    if row is None or not rows:
        return pl.DataFrame(schema={name: schema[name] for name in ways})
    found = [
        way.read(values).cast(schema[name]).alias(name)
        for (name, way), values in zip(ways.items(), row[1:], strict=True)
    ]
    for values in found:
        if len(values) != rows:
            raise RowsUnreadableError(
                f"Column {values.name} of {table.name} came as {len(values)} lines for {rows} rows: one of its texts "
                "contains a line break. Cure: find it with LIKE E'%\\n%' and publish that row again."
            )
    return pl.DataFrame(found)
