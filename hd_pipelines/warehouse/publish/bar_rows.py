"""Checks a frame of bars for its shape, sorts it, and copies it into the database.

Wrong frames are refused early, with the row named. Values are checked by the table's check constraints.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.warehouse.errors import BarsRefusedError, explain_refusal
from hd_pipelines.warehouse.publish.bar_encoding import (
    BINARY_HEADER,
    BINARY_TRAILER,
    NUMERIC_COLUMNS,
    encode_binary,
    encode_csv,
    find_exact_exponents,
)
from hd_pipelines.warehouse.publish.prefetch import prefetch
from hd_pipelines.warehouse.publish.scope import Scope, require_within
from hd_pipelines.warehouse.schema.tables import BAR_COLUMNS, BAR_KEY

__all__ = ["Scope", "check_bars", "copy_bars", "sort_by_key"]

_ROWS_PER_BLOCK = 50_000
_REQUIRED = ("symbol", "timeframe", "timestamp", "session", "open", "high", "low", "close")


def check_bars(frame: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Return `frame` with exactly the table's columns and microsecond stamps.

    Raises `BarsRefusedError` for a missing or foreign column, a wrong type, a null in a required column, a stamp finer
    than a microsecond, or a bar outside `scope`.
    """
    if set(frame.columns) != set(BAR_COLUMNS):
        missing, extra = set(BAR_COLUMNS) - set(frame.columns), set(frame.columns) - set(BAR_COLUMNS)
        raise BarsRefusedError(
            f"A frame of bars has the columns {', '.join(BAR_COLUMNS)}; missing: {sorted(missing)}, foreign: "
            f"{sorted(extra)}. Remedy: select exactly these before publishing."
        )
    _check_types(frame)
    for column in _REQUIRED:
        if frame[column].null_count():
            row = frame[column].is_null().arg_max()
            raise BarsRefusedError(f"Column {column} is null in row {row} of the frame. Remedy: set such bars aside.")
    stamps = frame["timestamp"].cast(pl.Datetime("us", "UTC"))
    if frame.schema["timestamp"] == pl.Datetime("ns", "UTC"):
        inexact = stamps.cast(pl.Datetime("ns", "UTC")) != frame["timestamp"]
        if inexact.any():
            raise BarsRefusedError(
                f"timestamp of row {inexact.arg_max()} is finer than a microsecond, which the database cannot hold. "
                "Remedy: a bar starts on a whole second."
            )
    require_within(frame, scope.frame, BarsRefusedError)
    return frame.select(BAR_COLUMNS).with_columns(stamps, pl.col("symbol", "timeframe").cast(pl.String))


def sort_by_key(rows: pl.DataFrame) -> pl.DataFrame:
    """Sort `rows` by the table's key: building the key is then faster, and equal rows make equal tables."""
    if _is_in_key_order(rows):
        return rows
    # Sorting by the ranks of the few distinct names takes half the time of sorting by the names.
    ranks = {name: pl.Enum(rows[name].unique().sort()) for name in ("symbol", "timeframe")}
    ranked = rows.with_columns(
        pl.col(name).cast(names).to_physical().alias(f"#{name}") for name, names in ranks.items()
    )
    return ranked.sort("#symbol", "#timeframe", "timestamp", "session").drop("#symbol", "#timeframe")


def _is_in_key_order(rows: pl.DataFrame) -> bool:
    # A tenth of the cost of sorting, and derived bars usually arrive in order.
    key = [pl.col(name) for name in BAR_KEY]
    is_before, is_same = pl.lit(value=False), pl.lit(value=True)
    for column in key:
        is_before = is_before | (is_same & (column.shift(1) < column))
        is_same = is_same & (column.shift(1) == column)
    return bool(rows.select((is_before | is_same).slice(1).all()).item())


def _check_types(frame: pl.DataFrame) -> None:
    def refuse(column: str, wanted: str) -> None:
        raise BarsRefusedError(f"Column {column} is {frame.schema[column]}, {wanted} is needed. Remedy: cast it.")

    for column in ("symbol", "timeframe"):
        if not isinstance(frame.schema[column], pl.String | pl.Categorical | pl.Enum):
            refuse(column, "String")
    if frame.schema["timestamp"] not in {pl.Datetime("us", "UTC"), pl.Datetime("ns", "UTC")}:
        refuse("timestamp", "Datetime(us or ns, UTC)")
    if frame.schema["session"] != pl.Date:
        refuse("session", "Date")
    for column in NUMERIC_COLUMNS:
        if not (frame.schema[column] in {pl.Float64, pl.Int64} or isinstance(frame.schema[column], pl.Decimal)):
            refuse(column, "Float64 or Decimal")
    if not frame.schema["trades"].is_integer():
        refuse("trades", "Int64")


def copy_bars(cursor: psycopg.Cursor[Any], target: sql.Composable, rows: pl.DataFrame, *, frozen: bool) -> None:
    """Copy `rows` into `target`; the next block is encoded while the server receives the one before.

    `frozen` is for a table created in this transaction: vacuum need not visit its rows later.
    Raises `BarsRefusedError` naming the bar that a check of the table refuses.
    """
    exponents = find_exact_exponents(rows)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {}, FREEZE {})").format(
        target,
        sql.SQL(", ").join(map(sql.Identifier, BAR_COLUMNS)),
        sql.SQL("csv" if exponents is None else "binary"),
        sql.SQL("true" if frozen else "false"),
    )
    try:
        with cursor.copy(statement) as copy:
            if exponents is None:
                for text in prefetch(encode_csv, rows.iter_slices(_ROWS_PER_BLOCK)):
                    copy.write(text)
            else:
                copy.write(BINARY_HEADER)
                for block in prefetch(partial(encode_binary, exponents=exponents), rows.iter_slices(_ROWS_PER_BLOCK)):
                    copy.write(block)
                copy.write(BINARY_TRAILER)
    except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as refusal:
        raise explain_refusal(refusal, BarsRefusedError) from refusal
