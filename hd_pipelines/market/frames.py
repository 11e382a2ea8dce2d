"""polars schemas generated from the table definitions in `tables`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import polars as pl

from hd_pipelines.tables.model import Table, Type

STAMP = pl.Datetime("us", "UTC")
"""Type of an instant in every frame except derived bars, which carry nanoseconds."""
_TYPES: dict[Type, Any] = {
    Type.TEXT: pl.String,
    Type.KEY_TEXT: pl.String,
    Type.DATE: pl.Date,
    Type.INSTANT: STAMP,
    Type.PRICE: pl.Float64,
    Type.NUMBER: pl.Float64,
    Type.INTEGER: pl.Int32,
    Type.COUNT: pl.Int64,
    Type.BOOLEAN: pl.Boolean,
    Type.UUID: pl.String,
    Type.JSON: pl.String,
    Type.TEXT_LIST: pl.List(pl.String),
    Type.BYTES: pl.Binary,
}


def build_frame_schema(
    table: Table, *, without: Collection[str] = (), instants: Literal["us", "ns"] = "us"
) -> dict[str, Any]:
    """Columns and polars types of a frame that holds rows of `table`, in its order.

    Columns that the database server fills are not part of it; neither are those in `without`. Prices are float64: they
    were written from shortest decimals, so the floats that went in come out. JSON and UUIDs are text.
    """
    types = {**_TYPES, Type.INSTANT: pl.Datetime(instants, "UTC")}
    return {column.name: types[column.type] for column in table.published if column.name not in without}
