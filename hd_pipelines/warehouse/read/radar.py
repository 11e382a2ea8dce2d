"""Reads `marts.rpt_radar` as a frame for the terminal, with its ages counted up to the present."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import psycopg
from sqlalchemy import Connection

from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.warehouse.engine import get_driver_connection
from hd_pipelines.warehouse.errors import MartMissingError

_KINDS: dict[str, Any] = {
    "bool": pl.Boolean,
    "date": pl.Date,
    "float8": pl.Float64,
    "int4": pl.Int64,
    "int8": pl.Int64,
    "numeric": pl.Float64,
    "text": pl.String,
    "text[]": pl.List(pl.String),
    "timestamptz": pl.Datetime("us", "UTC"),
}


def read_radar(connection: Connection, *, last_session: date) -> pl.DataFrame:
    """Read every column of `rpt_radar`, one row per active watchlist symbol, by symbol. As reader or service.

    The mart counts ages from the newest session that it has data of. `last_session` is the newest that has ended: the
    sessions between the two are added to every `*_age_sessions`, and named in `reasons`, so that a warehouse without new
    data does not look fresh. Raises `MartMissingError` before the first build.
    """
    cursor = get_driver_connection(connection).cursor()
    try:
        rows = cursor.execute("SELECT * FROM marts.rpt_radar ORDER BY symbol").fetchall()
    except psycopg.errors.UndefinedTable as refusal:
        raise MartMissingError(
            "The warehouse has no marts.rpt_radar. Remedy: build the marts (materialize the dbt models, or run `hd demo`)."
        ) from refusal
    schema = {column.name: _KINDS[column.type_display] for column in cursor.description or ()}
    radar = pl.DataFrame(rows, schema=schema, orient="row", strict=False)
    newest = radar["newest_session"].max() if radar.height else None
    if not isinstance(newest, date) or newest >= last_session:
        return radar
    behind = len(list_sessions_between(newest, last_session)) - 1
    reason = pl.lit(f"everything: nothing newer than {newest}, {behind} sessions ago")
    return radar.with_columns(
        pl.col("^.*_age_sessions$") + behind,
        reasons=pl.concat_list(reason, "reasons") if behind else pl.col("reasons"),
    )
