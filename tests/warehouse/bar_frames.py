"""Small believable bars for warehouse tests, and reading back what the table holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import psycopg

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.bar_rows import Scope
from hd_pipelines.warehouse.publish.bars import PublishReport, publish_bars

MONDAY = date(2025, 11, 3)
TUESDAY = date(2025, 11, 4)
LAST_OF_OCTOBER = date(2025, 10, 31)
SCHEMA = {
    "symbol": pl.String,
    "timeframe": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "session": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "vwap": pl.Float64,
    "trades": pl.Int64,
}


def bars(
    symbols: Iterable[str], sessions: Iterable[date], *, minutes: int = 3, price: float = 100.0, day_bar: bool = True
) -> pl.DataFrame:
    """`minutes` one-minute bars and a day bar of each pair; equal arguments give equal bars."""
    rows = []
    for symbol in symbols:
        shift = int(hashlib.sha256(symbol.encode()).hexdigest()[:4], 16) % 50
        for session in sessions:
            opens = datetime.combine(session, time(14, 30), UTC)
            for minute in range(minutes):
                base = round(price + shift + session.day / 10 + minute / 100, 2)
                prices = (base, round(base + 0.05, 2), round(base - 0.04, 2), round(base + 0.01, 2))
                volume = float(1000 + minute)
                rows.append((symbol, "1m", opens + timedelta(minutes=minute), session, *prices, volume, None, 7))
            if day_bar:
                base = round(price + shift + session.day / 10, 2)
                rows.append((symbol, "day", opens, session, base, base + 1, base - 1, base, 5e6, base + 0.123456, 99))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def week_bar(symbol: str, monday: date, last: date) -> pl.DataFrame:
    """The week bar of `symbol`: begins on Monday's open, belongs to the week's last session."""
    opens = datetime.combine(monday, time(14, 30), UTC)
    row = (symbol, "week", opens, last, 100.0, 110.0, 90.0, 105.0, 1e7, 101.5, 12345)
    return pl.DataFrame([row], schema=SCHEMA, orient="row")


def publish(database: Database, frame: pl.DataFrame, scope: Scope | None = None, **options: object) -> PublishReport:
    """Publish `frame`; its own pairs are the scope unless one is given, fingerprints are arbitrary."""
    pairs = scope or Scope(frozenset(frame.select("symbol", "session").unique().iter_rows()))
    marks = options.pop("fingerprints", None) or dict.fromkeys(pairs.pairs, "made-from-this")
    return publish_bars(database, frame, scope=pairs, fingerprints=marks, **options)  # type: ignore[arg-type]


def stored(url: str, columns: str = "*") -> list[tuple[object, ...]]:
    """Every bar in key order, as superuser (sees through row-level security); numerics as the database shows them."""
    shown = (
        'symbol, timeframe, "timestamp", session, open::text, high::text, low::text, close::text, volume::text,'
        " vwap::text, trades"
        if columns == "*"
        else columns
    )
    with psycopg.connect(url) as connection:
        return connection.execute(
            f'SELECT {shown} FROM historical_bars ORDER BY symbol, timeframe, "timestamp", session'
        ).fetchall()


def one(url: str, query: str, *values: object) -> object:
    """First column of the first row of `query`, as superuser."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query, values or None).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None
