"""Reads what a scan needs: volatility, gamma, regimes, prints and chains. Bars and strikes are in `symbol_arrays`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
from psycopg import sql
from sqlalchemy import Connection

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.tables.vocabulary import Timeframe
from hd_pipelines.warehouse.engine import get_driver_connection
from hd_pipelines.warehouse.read.column_reads import disable_jit, read_columns
from hd_pipelines.warehouse.read.frames import read_frame, to_select_list
from hd_pipelines.warehouse.schema.tables import historical_greeks

_Schema = dict[str, Any]
_VOLATILITY: _Schema = {
    "symbol": pl.String,
    "date": pl.Date,
    "timestamp": STAMP,
    "iv30": pl.Float64,
    "iv_rank": pl.Float64,
    "iv_percentile": pl.Float64,
    "iv_regime": pl.String,
    "n_observations": pl.Int64,
    "iv_reason": pl.String,
    "percentile_reason": pl.String,
}
_GAMMA: _Schema = {
    "symbol": pl.String,
    "timestamp": STAMP,
    "session": pl.Date,
    "underlying_price": pl.Float64,
    "gex_usd_per_1pct": pl.Float64,
    "call_gex_usd_per_1pct": pl.Float64,
    "put_gex_usd_per_1pct": pl.Float64,
    "dealer_positioning": pl.String,
    "positioning_strength": pl.String,
    "expected_behavior": pl.String,
    "gamma_wall_resistance": pl.Float64,
    "gamma_wall_support": pl.Float64,
    "zero_gamma": pl.Float64,
    "absolute_gamma_strike": pl.Float64,
    "max_pain": pl.Float64,
    "max_pain_expiration": pl.Date,
    "total_open_interest": pl.Float64,
    "option_volume": pl.Float64,
    "zero_dte_share": pl.Float64,
}
_REGIME: _Schema = {
    "date": pl.Date,
    "market_regime": pl.String,
    "vix_regime": pl.String,
    "vix_level": pl.Float64,
    "confidence_score": pl.Float64,
    "regime_reason": pl.String,
}
_PRINTS: _Schema = {
    "symbol": pl.String,
    "timestamp": STAMP,
    "premium": pl.Float64,
    "size": pl.Float64,
    "option_type": pl.String,
    "sentiment": pl.String,
    "is_sweep": pl.Boolean,
    "is_block": pl.Boolean,
    "trade_type": pl.String,
}
_CHAIN: _Schema = {
    "contract_ticker": pl.String,
    "expiration": pl.Date,
    "option_type": pl.String,
    "strike": pl.Float64,
    "dte": pl.Int64,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "volume": pl.Int64,
    "open_interest": pl.Int64,
    "implied_volatility": pl.Float64,
    "delta": pl.Float64,
    "gamma": pl.Float64,
    "theta": pl.Float64,
    "vega": pl.Float64,
}
_SUMS = {
    "option_volume": "total_call_volume + total_put_volume",
    "total_open_interest": "total_call_oi + total_put_oi",
}
"""Columns that are sums of two; a sum with a missing part is missing."""
_ARRIVING = {"greeks": "historical_greeks", "gamma": "gamma_exposure_snapshots", "flow": "options_flow_history"}
"""Tables whose new rows trigger a scan, besides bars, by name."""
OLDEST_CHAIN = timedelta(days=5)
"""How far back a chain is searched for: a long weekend."""


def read_volatility(connection: Connection, symbols: Collection[str], first: date, last: date) -> pl.DataFrame:
    """Read rows of `iv_percentile_cache` from `first` to `last`, by symbol and date."""
    return _read_rows(
        connection,
        "iv_percentile_cache",
        _VOLATILITY,
        [_match_symbols(symbols), _match_dates(first, last)],
        "symbol, date",
    )


def read_gamma(connection: Connection, symbols: Collection[str], since: datetime, until: datetime) -> pl.DataFrame:
    """Read the gamma snapshots after `since` until `until`, and each symbol's newest one before.

    By symbol and time; `symbol_arrays.read_strike_arrays` reads their strikes. A snapshot older than `OLDEST_CHAIN` does
    not count as newest.
    """
    held = {name: kind for name, kind in _GAMMA.items() if name not in _SUMS}
    columns = sql.SQL(", ").join([to_select_list(held), *(sql.SQL(_SUMS[name]) for name in _GAMMA if name in _SUMS)])
    select = sql.SQL(
        "SELECT {columns} FROM unnest({symbols}::text[]) AS wanted (name) CROSS JOIN LATERAL ("
        " SELECT * FROM public.gamma_exposure_snapshots AS held WHERE held.symbol = wanted.name"
        ' AND held."timestamp" > {since} AND held."timestamp" <= {until} UNION ALL'
        " (SELECT * FROM public.gamma_exposure_snapshots AS held WHERE held.symbol = wanted.name"
        ' AND held."timestamp" <= {since} AND held."timestamp" > {oldest} ORDER BY held."timestamp" DESC LIMIT 1)'
        ') AS found ORDER BY symbol, "timestamp"'
    ).format(
        columns=columns,
        symbols=sql.Literal(sorted(symbols)),
        since=sql.Literal(since),
        until=sql.Literal(until),
        oldest=sql.Literal(since - OLDEST_CHAIN),
    )
    sent = {**held, **{name: kind for name, kind in _GAMMA.items() if name in _SUMS}}
    return read_frame(connection, select, sent).select(list(_GAMMA))


def read_regimes(connection: Connection, first: date, last: date) -> pl.DataFrame:
    """Read rows of `market_regime_history` from `first` to `last`, by date."""
    return _read_rows(connection, "market_regime_history", _REGIME, [_match_dates(first, last)], "date")


def read_prints(connection: Connection, symbols: Collection[str], first: date, last: date) -> pl.DataFrame | None:
    """Read option prints from `first` to `last`, by symbol and time; None if the warehouse never had a print."""
    if get_driver_connection(connection).execute("SELECT FROM public.options_flow_history LIMIT 1").fetchone() is None:
        return None
    conditions = [_match_symbols(symbols), _match_sessions(first, last)]
    return _read_rows(connection, "options_flow_history", _PRINTS, conditions, 'symbol, "timestamp"')


def find_newest_minute(connection: Connection, symbols: Collection[str], session: date) -> datetime | None:
    """Find when the newest one-minute bar of `session` began, or None."""
    select = sql.SQL(
        'SELECT max("timestamp") FROM public.historical_bars WHERE {} AND timeframe = {} AND session = {}'
    ).format(_match_symbols(symbols), sql.Literal(Timeframe.M1.value), sql.Literal(session))
    row = get_driver_connection(connection).execute(select).fetchone()
    return None if row is None else row[0]  # type: ignore[return-value]  # a timestamptz column


def find_newest_inputs(connection: Connection, symbols: Collection[str], session: date) -> dict[str, datetime | None]:
    """Find the start of the newest minute of `session` and the instants of its newest Greeks, gamma and prints, or None."""
    newest: dict[str, datetime | None] = {"bars": find_newest_minute(connection, symbols, session)}
    for name, table in _ARRIVING.items():
        select = sql.SQL('SELECT max("timestamp") FROM {} WHERE {} AND {}').format(
            sql.Identifier("public", table), _match_symbols(symbols), _match_sessions(session, session)
        )
        row = get_driver_connection(connection).execute(select).fetchone()
        newest[name] = None if row is None else row[0]  # type: ignore[assignment]  # a timestamptz column
    return newest


def find_newest_chain(connection: Connection, symbol: str, as_of: datetime) -> datetime | None:
    """Find when the newest valued chain before `as_of` was taken; None if there is none within `OLDEST_CHAIN`."""
    row = (
        get_driver_connection(connection)
        .execute(
            'SELECT "timestamp" FROM public.historical_greeks WHERE symbol = %s AND "timestamp" < %s'
            " AND \"timestamp\" > %s AND price_source IN ('chain_snapshot', 'chain_archive')"
            ' ORDER BY "timestamp" DESC LIMIT 1',
            (symbol, as_of, as_of - OLDEST_CHAIN),
        )
        .fetchone()
    )
    return None if row is None else row[0]  # type: ignore[return-value]  # a timestamptz column


def read_chain(connection: Connection, symbol: str, stamp: datetime) -> pl.DataFrame:
    """Read the valued contracts of one snapshot, by ticker."""
    disable_jit(connection)
    condition = sql.SQL('symbol = {} AND "timestamp" = {}').format(sql.Literal(symbol), sql.Literal(stamp))
    return read_columns(connection, historical_greeks, list(_CHAIN), condition, _CHAIN).sort("contract_ticker")


def _read_rows(
    connection: Connection, table: str, schema: _Schema, conditions: list[sql.Composed], order: str
) -> pl.DataFrame:
    held = {name: kind for name, kind in schema.items() if name not in _SUMS}
    sums = [sql.SQL(_SUMS[name]) for name in schema if name in _SUMS]
    columns = sql.SQL(", ").join([to_select_list(held), *sums])
    select = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        columns,
        sql.Identifier("public", table),
        sql.SQL(" AND ").join(conditions),
        sql.SQL(order),
    )
    sent = {**held, **{name: kind for name, kind in schema.items() if name in _SUMS}}
    return read_frame(connection, select, sent).select(list(schema))


def _match_symbols(symbols: Collection[str]) -> sql.Composed:
    return sql.SQL("symbol = ANY({}::text[])").format(sql.Literal(sorted(symbols)))


def _match_dates(first: date, last: date) -> sql.Composed:
    return sql.SQL("date BETWEEN {} AND {}").format(sql.Literal(first), sql.Literal(last))


def _match_sessions(first: date, last: date) -> sql.Composed:
    return sql.SQL('"timestamp" >= {} AND "timestamp" < {}').format(
        sql.Literal(_to_midnight(first)), sql.Literal(_to_midnight(last + timedelta(days=1)))
    )


def _to_midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
