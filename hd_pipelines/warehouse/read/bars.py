"""Reads published bars, how much of them there is, and what they were made from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from psycopg import sql
from sqlalchemy import Connection, func, select, text

from hd_pipelines.market.frames import build_frame_schema
from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.tables.vocabulary import Timeframe
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.live_bars import LIVE
from hd_pipelines.warehouse.read.frames import read_frame, to_select_list
from hd_pipelines.warehouse.records.derivations import read_derived_state
from hd_pipelines.warehouse.schema.tables import TIMEFRAMES, bars_manifest, historical_bars

BAR_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = build_frame_schema(HISTORICAL_BARS)
"""Types of a frame of bars as read, and as `publish_bars` takes it."""
_PAIR = {"symbol": pl.String, "session": pl.Date}


@dataclass(frozen=True, slots=True)
class TimeframeSummary:
    """How much of one timeframe is published."""

    timeframe: str
    bars: int
    symbols: int
    sessions: int
    first_session: date
    last_session: date


def read_bars(
    database: Database, symbols: Collection[str] | None, timeframe: str | None, first: date, last: date
) -> pl.DataFrame:
    """Read bars of the sessions `first` to `last`, both included, in key order; None means every symbol or timeframe.

    Prices come as float64: numerics are written from shortest decimals, so the floats that went in come out.
    """
    conditions: list[sql.Composable] = [
        sql.SQL("session BETWEEN {} AND {}").format(sql.Literal(first), sql.Literal(last))
    ]
    if symbols is not None:
        conditions.append(sql.SQL("symbol = ANY({}::text[])").format(sql.Literal(sorted(symbols))))
    if timeframe is not None:
        conditions.append(sql.SQL("timeframe = {}").format(sql.Literal(timeframe)))
    select = sql.SQL(
        'SELECT {} FROM public.historical_bars WHERE {} ORDER BY symbol, timeframe, "timestamp", session'
    ).format(to_select_list(BAR_SCHEMA), sql.SQL(" AND ").join(conditions))
    with database.connect() as connection:
        return read_frame(connection, select, BAR_SCHEMA)


def read_bar_fingerprints(
    connection: Connection, symbols: Collection[str], first: date, last: date
) -> dict[tuple[str, date], str]:
    """Read the fingerprints of the inputs of published bars, by (symbol, session); absent where none are published."""
    manifest = bars_manifest.c
    statement = select(manifest.symbol, manifest.session, manifest.fingerprint).where(
        manifest.symbol.in_(sorted(symbols)), manifest.session.between(first, last)
    )
    return {(row.symbol, row.session): row.fingerprint for row in connection.execute(statement)}


def read_published_pairs(connection: Connection, symbols: Collection[str], first: date, last: date) -> pl.DataFrame:
    """Read the pairs (symbol, session) that have at least one bar, from `first` to `last`."""
    manifest = bars_manifest.c
    statement = select(manifest.symbol, manifest.session).where(
        manifest.symbol.in_(sorted(symbols)), manifest.session.between(first, last), manifest.rows > 0
    )
    return pl.DataFrame(connection.execute(statement).all(), schema=_PAIR, orient="row")


def read_minute_shares(connection: Connection, symbols: Collection[str], sessions: Collection[date]) -> pl.DataFrame:
    """Read the share of regular minutes that have a bar: symbol, session, share; only sessions that have any."""
    bar = historical_bars.c
    statement = (
        select(bar.symbol, bar.session, func.count())
        .where(bar.symbol.in_(sorted(symbols)), bar.session.in_(sorted(sessions)))
        .where(bar.timeframe == Timeframe.M1.value)
        .group_by(bar.symbol, bar.session)
    )
    rows: Sequence[Any] = connection.execute(statement).all()
    counted = [(symbol, day, count / get_regular_hours(day).minutes) for symbol, day, count in rows]
    return pl.DataFrame(counted, schema=_PAIR | {"share": pl.Float64}, orient="row")


def count_bars_by_session(connection: Connection, first: date, last: date) -> list[tuple[date, int]]:
    """Count the published bars of all symbols and timeframes by session, ascending."""
    manifest = bars_manifest.c
    statement = (
        select(manifest.session, func.sum(manifest.rows))
        .where(manifest.session.between(first, last))
        .group_by(manifest.session)
        .order_by(manifest.session)
    )
    rows: Sequence[Any] = connection.execute(statement).all()
    return [(session, int(count)) for session, count in rows]


def read_day_closes(connection: Connection, symbol: str, first: date, last: date) -> list[tuple[date, float]]:
    """Read the closes of the day bars of `symbol`, ascending, as floats for charts only."""
    bar = historical_bars.c
    statement = (
        select(bar.session, bar.close)
        .where(bar.symbol == symbol, bar.timeframe == Timeframe.DAY.value, bar.session.between(first, last))
        .order_by(bar.session)
    )
    rows: Sequence[Any] = connection.execute(statement).all()
    return [(session, float(close)) for session, close in rows]


def read_published_state(connection: Connection) -> str:
    """Return a text that changes whenever bars or derived rows, the inputs of dbt, are published."""
    manifest = bars_manifest.c
    pairs, rows, newest = connection.execute(
        select(func.count(), func.sum(manifest.rows), func.max(manifest.loaded_at))
    ).one()
    return f"{pairs} pairs, {rows} bars, {newest}, {read_derived_state(connection)}"


def count_mart_relations(connection: Connection) -> int:
    """Count the tables, views and indexes that dbt has built; the number falls if one was dropped."""
    return int(
        connection.execute(
            text("select count(*) from pg_class where relnamespace = 'marts'::regnamespace")
        ).scalar_one()
    )


def find_newest_session(connection: Connection) -> date | None:
    """Find the newest session with any bar made from files, or None. Bars of the running session do not count."""
    manifest = bars_manifest.c
    from_files = ~manifest.fingerprint.startswith(LIVE)
    return connection.execute(select(func.max(manifest.session)).where(manifest.rows > 0, from_files)).scalar_one()


def summarize_bars(connection: Connection, timeframes: Sequence[str] | None = None) -> list[TimeframeSummary]:
    """Summarize the published bars by timeframe, shortest first. Reads every bar: about a second per ten million."""
    bar = historical_bars.c
    statement = select(
        bar.timeframe,
        func.count().label("bars"),
        func.count(bar.symbol.distinct()).label("symbols"),
        func.count(bar.session.distinct()).label("sessions"),
        func.min(bar.session).label("first_session"),
        func.max(bar.session).label("last_session"),
    ).group_by(bar.timeframe)
    if timeframes is not None:
        statement = statement.where(bar.timeframe.in_(list(timeframes)))
    found = [TimeframeSummary(**row) for row in connection.execute(statement).mappings()]
    return sorted(found, key=lambda row: TIMEFRAMES.index(row.timeframe))
