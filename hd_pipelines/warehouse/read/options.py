"""Reads valued contracts, gamma, implied volatility, regime and yields as frames, for assets, analytics and charts."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from typing import Any

import numpy as np
import polars as pl
from psycopg import sql
from sqlalchemy import Connection, Table

from hd_pipelines.market.option_chains import STAMP, VALUED
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.column_reads import disable_jit, read_columns
from hd_pipelines.warehouse.read.frames import read_frame, to_polars_schema, to_select_list
from hd_pipelines.warehouse.schema.partitioned import GREEKS, Partition
from hd_pipelines.warehouse.schema.tables import (
    gamma_by_strike,
    gamma_exposure_snapshots,
    historical_greeks,
    iv_percentile_cache,
    market_regime_history,
    treasury_yields,
)

_Schema = dict[str, Any]
_RANKED: _Schema = {**VALUED, "iv_rank": pl.Float64, "iv_percentile": pl.Float64}
_ORDER = ("timestamp", "contract_ticker")
_READERS = 2
"""Connections that read at the same time; the server works on one range while another is decoded."""


def read_valued(
    connection: Connection,
    symbols: Collection[str],
    first: date,
    last: date,
    *,
    kind: str | None = None,
    columns: Collection[str] | None = None,
) -> pl.DataFrame:
    """Read valued contracts of the sessions `first` to `last`, both included: `option_chains.VALUED`, in its order.

    Args:
        connection: As reader or service.
        symbols: Plain symbols of the underlyings.
        first: First session.
        last: Last session.
        kind: A `vocabulary.SnapshotKind`; None for snapshots of every kind.
        columns: Only these, of `VALUED`, `iv_rank` and `iv_percentile`; None for exactly `VALUED`.

    Months of a symbol are read one after the other; a load that publishes meanwhile shows in those that are read after it.
    """
    schema = _select_schema(columns)
    ranges = _split_by_partition(symbols, first, last)
    disable_jit(connection)
    return _concatenate(ranges, [_read_range(connection, each, kind, schema) for each in ranges], schema)


def read_valued_in_parallel(
    database: Database,
    symbols: Collection[str],
    first: date,
    last: date,
    *,
    kind: str | None = None,
    columns: Collection[str] | None = None,
) -> pl.DataFrame:
    """Read what `read_valued` returns, as reader over two connections at a time: for hundreds of thousands of rows."""
    schema = _select_schema(columns)
    ranges = _split_by_partition(symbols, first, last)
    waiting = iter(enumerate(ranges))
    found: list[pl.DataFrame | None] = [None] * len(ranges)
    taking = Lock()

    def work() -> None:
        with database.connect() as connection:
            disable_jit(connection)
            while True:
                with taking:
                    position, window = next(waiting, (None, None))
                if position is None or window is None:
                    return
                found[position] = _read_range(connection, window, kind, schema)

    with ThreadPoolExecutor(_READERS, thread_name_prefix="read-valued") as readers:
        for done in [readers.submit(work) for _ in range(min(_READERS, len(ranges)))]:
            done.result()
    return _concatenate(ranges, [frame for frame in found if frame is not None], schema)


@dataclass(frozen=True, slots=True)
class _Range:
    """One symbol's sessions within one partition: at most a few million rows, stored together on disk."""

    symbol: str
    first: date
    last: date


def _split_by_partition(symbols: Collection[str], first: date, last: date) -> list[_Range]:
    bounds = []
    while first <= last:
        end = Partition.of(first, GREEKS).end - timedelta(days=1)
        bounds.append((first, min(end, last)))
        first = end + timedelta(days=1)
    return [_Range(symbol, *window) for symbol in sorted(set(symbols)) for window in bounds]


def _select_schema(columns: Collection[str] | None) -> _Schema:
    names = VALUED if columns is None else columns
    return {name: dtype for name, dtype in _RANKED.items() if name in names}


def _read_range(connection: Connection, window: _Range, kind: str | None, schema: _Schema) -> pl.DataFrame:
    conditions = [sql.SQL("symbol = {}").format(sql.Literal(window.symbol)), _match_sessions(window.first, window.last)]
    if kind is not None:
        conditions.append(sql.SQL("kind = {}").format(sql.Literal(kind)))
    # The symbol is known, and a check holds the session to be the instant's UTC date.
    sent = dict.fromkeys([*_ORDER, *(name for name in schema if name not in {"symbol", "session"})])
    return read_columns(connection, historical_greeks, sent, sql.SQL(" AND ").join(conditions), _RANKED)


def _concatenate(ranges: list[_Range], parts: list[pl.DataFrame], schema: _Schema) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame(schema=schema)
    rows = pl.concat(parts)
    symbols = pl.Series("symbol", [window.symbol for window in ranges], pl.String)
    range_of_row = np.repeat(np.arange(len(ranges)), [part.height for part in parts])
    rows = rows.with_columns(symbols.gather(range_of_row), session=pl.col("timestamp").dt.date())
    if not _is_ordered(rows):
        rows = rows.sort("symbol", *_ORDER)
    return rows.select(list(schema))


def _is_ordered(rows: pl.DataFrame) -> bool:
    # Rows are written in this order, so checking nearly always suffices; sorting texts is slow.
    symbol, at, ticker = (rows[name] for name in ("symbol", *_ORDER))
    is_next_symbol = symbol[1:] != symbol[:-1]
    rises = (at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (ticker[1:] > ticker[:-1]))
    return bool((is_next_symbol | rises).all())


def read_iv_history(connection: Connection, symbols: Collection[str], before: date) -> pl.DataFrame:
    """Read the observed 30-day volatilities of all sessions before `before`: symbol, date, iv30, iv_skew; ascending.

    Sessions without an observation are rows with a null, not gaps.
    """
    schema: _Schema = {"symbol": pl.String, "date": pl.Date, "iv30": pl.Float64, "iv_skew": pl.Float64}
    select = sql.SQL("SELECT {} FROM public.iv_percentile_cache WHERE {} AND date < {} ORDER BY symbol, date").format(
        to_select_list(schema), _match_symbols(symbols), sql.Literal(before)
    )
    return read_frame(connection, select, schema)


def read_iv_percentiles(connection: Connection, symbols: Collection[str], first: date, last: date) -> pl.DataFrame:
    """Read every column of `iv_percentile_cache` from `first` to `last`, both included; by symbol and date."""
    return _read_whole_rows(
        connection, iv_percentile_cache, [_match_symbols(symbols), _match_dates(first, last)], "symbol, date"
    )


def read_gamma_history(
    connection: Connection, symbols: Collection[str], before: date, *, kind: str | None = None
) -> pl.DataFrame:
    """Read the net gamma of all snapshots of sessions before `before`: symbol, timestamp, gex_usd_per_1pct; ascending.

    `kind` is a `vocabulary.SnapshotKind`; None for snapshots of every kind.
    """
    schema: _Schema = {"symbol": pl.String, "timestamp": STAMP, "gex_usd_per_1pct": pl.Float64}
    conditions: list[sql.Composable] = [
        _match_symbols(symbols),
        sql.SQL('"timestamp" < {}').format(sql.Literal(_to_midnight(before))),
    ]
    if kind is not None:
        conditions.append(sql.SQL("kind = {}").format(sql.Literal(kind)))
    select = sql.SQL('SELECT {} FROM public.gamma_exposure_snapshots WHERE {} ORDER BY symbol, "timestamp"').format(
        to_select_list(schema), sql.SQL(" AND ").join(conditions)
    )
    return read_frame(connection, select, schema)


def read_gamma_snapshots(connection: Connection, symbols: Collection[str], first: date, last: date) -> pl.DataFrame:
    """Read every column of `gamma_exposure_snapshots` from `first` to `last`, both included; JSON as text."""
    conditions = [_match_symbols(symbols), _match_sessions(first, last)]
    return _read_whole_rows(connection, gamma_exposure_snapshots, conditions, 'symbol, "timestamp"')


def read_gamma_strikes(connection: Connection, symbols: Collection[str], first: date, last: date) -> pl.DataFrame:
    """Read every column of `gamma_by_strike` from `first` to `last`, both included; by symbol, timestamp and strike."""
    conditions = [_match_symbols(symbols), _match_sessions(first, last)]
    return _read_whole_rows(connection, gamma_by_strike, conditions, 'symbol, "timestamp", strike')


def read_regime_history(connection: Connection, first: date, last: date) -> pl.DataFrame:
    """Read every column of `market_regime_history` from `first` to `last`, both included; by date."""
    return _read_whole_rows(connection, market_regime_history, [_match_dates(first, last)], "date")


def read_yields(connection: Connection, first: date, last: date) -> pl.DataFrame:
    """Read the curve points known from `first` to `last`, both included: date, years, rate; by date and years."""
    return _read_whole_rows(connection, treasury_yields, [_match_dates(first, last)], "date, years")


def _read_whole_rows(connection: Connection, table: Table, conditions: list[sql.Composed], order: str) -> pl.DataFrame:
    schema = to_polars_schema(table)
    select = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        to_select_list(schema),
        sql.Identifier("public", table.name),
        sql.SQL(" AND ").join(conditions),
        sql.SQL(order),
    )
    return read_frame(connection, select, schema)


def _match_symbols(symbols: Collection[str]) -> sql.Composed:
    return sql.SQL("symbol = ANY({}::text[])").format(sql.Literal(sorted(symbols)))


def _match_dates(first: date, last: date) -> sql.Composed:
    return sql.SQL("date BETWEEN {} AND {}").format(sql.Literal(first), sql.Literal(last))


def _match_sessions(first: date, last: date) -> sql.Composed:
    # By instant, the key of partitions and indexes, and as instants: bounds that depend on the session's time zone would
    # keep the planner from excluding partitions before the statement runs.
    return sql.SQL('"timestamp" >= {} AND "timestamp" < {}').format(
        sql.Literal(_to_midnight(first)), sql.Literal(_to_midnight(last + timedelta(days=1)))
    )


def _to_midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
