"""Copies checked rows into a table, in the binary format of `row_encoding` or as CSV (`row_shape`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl
import psycopg
from psycopg import sql
from sqlalchemy import BigInteger, Date, DateTime, Double, Integer, Numeric, Table, Text

from hd_pipelines.warehouse.errors import RowsRefusedError, explain_refusal
from hd_pipelines.warehouse.prefetch import prefetch
from hd_pipelines.warehouse.publish.partition_build import CopyRows
from hd_pipelines.warehouse.publish.row_encoding import (
    BINARY_HEADER,
    BINARY_TRAILER,
    Wire,
    encode_binary,
    find_exact_exponents,
)
from hd_pipelines.warehouse.publish.row_shape import NULL, encode_csv, list_published_columns

_FIELDS_PER_BLOCK = 600_000
"""A block of bars has 54,000 rows, one of valued contracts 17,000."""
_WIRES: dict[type[Any], Wire] = {
    Text: Wire.TEXT,
    Numeric: Wire.NUMERIC,
    DateTime: Wire.INSTANT,
    Date: Wire.DATE,
    Integer: Wire.INT4,
    BigInteger: Wire.INT8,
    Double: Wire.FLOAT8,
}


def find_wires(table: Table) -> Mapping[str, Wire] | None:
    """Find the binary form of each published column of `table`, or None if a column has none (documents, arrays)."""
    kinds = {name: type(table.c[name].type) for name in list_published_columns(table)}
    return {name: _WIRES[kind] for name, kind in kinds.items()} if set(kinds.values()) <= _WIRES.keys() else None


def make_row_copier(table: Table, error: type[RowsRefusedError]) -> CopyRows:
    """Make the function that copies rows of `table`; columns as `list_published_columns`.

    Binary where every column has a binary form and numerics are exact decimals, else CSV. The next block is encoded while
    the server receives the one before.
    """
    columns = list_published_columns(table)
    wires = find_wires(table)

    def copy_rows(cursor: psycopg.Cursor[Any], target: sql.Composable, rows: pl.DataFrame, *, frozen: bool) -> None:
        numerics = [name for name, wire in (wires or {}).items() if wire is Wire.NUMERIC]
        exponents = find_exact_exponents(rows, numerics) if wires is not None and rows.height else None
        form = sql.SQL("binary") if exponents is not None else sql.SQL("csv, NULL {}").format(sql.Literal(NULL))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {}, FREEZE {})").format(
            target,
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            form,
            sql.SQL("true" if frozen else "false"),
        )
        blocks = rows.iter_slices(_FIELDS_PER_BLOCK // len(columns))
        try:
            with cursor.copy(statement) as copy:
                if wires is None or exponents is None:
                    for text in prefetch(encode_csv, blocks):
                        copy.write(text)
                else:
                    copy.write(BINARY_HEADER)
                    for block in prefetch(partial(encode_binary, wires=wires, exponents=exponents), blocks):
                        copy.write(block)
                    copy.write(BINARY_TRAILER)
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as refusal:
            raise explain_refusal(refusal, error) from refusal

    return copy_rows
