"""Reads about published bars for the bar loader, its checks and its charts.

General reads are in `queries`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select, text

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.tables.vocabulary import Timeframe
from hd_pipelines.warehouse.publish.live_bars import LIVE
from hd_pipelines.warehouse.records.derivations import read_derived_state
from hd_pipelines.warehouse.schema.tables import bars_manifest, historical_bars

_PAIR = {"symbol": pl.String, "session": pl.Date}


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
