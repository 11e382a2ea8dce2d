"""Small believable rows of the option tables for warehouse tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from hd_pipelines.market.option_chains import VALUED
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.derived_rows import RowsReport, publish_rows
from hd_pipelines.warehouse.publish.greeks import PublishReport, Scope, publish_greeks
from hd_pipelines.warehouse.read.frames import to_polars_schema
from hd_pipelines.warehouse.records.derivations import MARKET
from hd_pipelines.warehouse.schema.tables import (
    gamma_by_expiration,
    gamma_by_strike,
    gamma_exposure_snapshots,
    iv_percentile_cache,
    market_regime_history,
    treasury_yields,
)

RANKED = {**VALUED, "iv_rank": pl.Float64, "iv_percentile": pl.Float64}


def at(session: date, hour: int = 21, minute: int = 0) -> datetime:
    """An instant of the session, UTC."""
    return datetime.combine(session, time(hour, minute), UTC)


def valued(
    symbols: Iterable[str],
    sessions: Iterable[date],
    *,
    contracts: int = 4,
    hours: Iterable[int] = (21,),
    iv: float = 0.2,
) -> pl.DataFrame:
    """`contracts` valued contracts per symbol and snapshot, one of them without an answer; equal arguments, equal rows."""
    rows = []
    for symbol in symbols:
        for session in sessions:
            for hour in hours:
                for number in range(contracts):
                    expiration = session + timedelta(days=7 * (1 + number // 2))
                    has_answer = number != 3
                    row = {
                        "symbol": symbol,
                        "contract_ticker": f"O:{symbol}{expiration:%y%m%d}{'CP'[number % 2]}{(100 + number) * 1000:08}",
                        "timestamp": at(session, hour),
                        "session": session,
                        "kind": "close" if hour == 21 else "intraday",
                        "root": symbol,
                        "expiration": expiration,
                        "strike": 100.0 + number,
                        "option_type": ("call", "put")[number % 2],
                        "exercise_style": "american",
                        "shares_per_contract": 100.0,
                        "settles_at": at(expiration),
                        "dte": (expiration - session).days,
                        "years": (expiration - session).days / 365,
                        "underlying_price": 101.25,
                        "forward": 101.27 + 1 / 3,
                        "discount": 0.9987,
                        "bid": 1.05 if has_answer else 0.0,
                        "ask": 1.1 if has_answer else None,
                        "last": 1.07,
                        "mid_price": (1.05 + 1.1) / 2 if has_answer else None,
                        "volume": 10 + number,
                        "open_interest": 100 * number if has_answer else None,
                        "open_interest_as_of": session - timedelta(days=1),
                        "implied_volatility": iv + number / 1000 if has_answer else None,
                        "iv_reason": None if has_answer else "no_quote",
                        "delta": 0.5 - number / 10 if has_answer else None,
                        "gamma": 2.3e-9 if has_answer else None,
                        "theta": -0.03 if has_answer else None,
                        "vega": 0.11 if has_answer else None,
                        "rho": 0.01 if has_answer else None,
                        "price_source": "chain_snapshot",
                        "price_age_seconds": 3 if has_answer else None,
                        "model": "black_76",
                        "iv_rank": 0.4 if has_answer else None,
                        "iv_percentile": 0.6 if has_answer else None,
                    }
                    rows.append(row)
    return pl.DataFrame(rows, schema=RANKED).sort("symbol", "timestamp", "contract_ticker")


def put_greeks(
    database: Database,
    frame: pl.DataFrame,
    scope: Scope | pl.DataFrame | None = None,
    mark: str = "x",
    **options: object,
) -> PublishReport:
    """Publish `frame`; its own pairs are the scope unless one is given."""
    wanted = scope if scope is not None else Scope(frozenset(frame.select("symbol", "session").unique().iter_rows()))
    pairs = wanted.pairs if isinstance(wanted, Scope) else set(wanted.select("symbol", "session").iter_rows())
    marks = dict.fromkeys(pairs, mark)
    return publish_greeks(database, frame, scope=wanted, fingerprints=marks, **options)  # type: ignore[arg-type]


def iv_rows(symbols: Iterable[str], days: Iterable[date], iv: float = 0.2) -> pl.DataFrame:
    """One row per symbol and day, ranks unknown."""
    rows = [
        {
            "symbol": symbol,
            "date": day,
            "timestamp": at(day),
            "current_iv": iv,
            "iv30": iv,
            "n_observations": 1,
            "data_points_52w": 1,
            "percentile_reason": "too_few_observations",
            "price_source": "chain_archive",
        }
        for symbol in symbols
        for day in days
    ]
    return pl.DataFrame(rows, schema=to_polars_schema(iv_percentile_cache))


def gamma_rows(
    symbols: Iterable[str], days: Iterable[date], hours: Iterable[int] = (21,), gex: float = 1e9
) -> pl.DataFrame:
    """One snapshot per symbol, day and hour."""
    schema = to_polars_schema(gamma_exposure_snapshots)
    rows = [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{symbol} {day} {hour}")),
            "symbol": symbol,
            "timestamp": at(day, hour),
            "session": day,
            "kind": "close" if hour == 21 else "intraday",
            "underlying_price": 101.25,
            "total_gamma": gex / 101.25,
            "total_gamma_notional": gex * 100,
            "gex_usd_per_1pct": gex,
            "dealer_net_gamma": gex,
            "call_wall": 105.0,
            "put_wall": 95.0,
            "gamma_wall_resistance": 105.0,
            "gamma_wall_support": 95.0,
            "zero_gamma": 99.5,
            "zero_gamma_crossings": "[99.5]",
            "dealer_positioning": "LONG_GAMMA",
            "expected_behavior": "PINNING",
            "expirations_included": [f"{day}", f"{day + timedelta(days=7)}"],
            "sign_model": "naive_calls_long",
            "contracts": 4,
            "contracts_valued": 3,
        }
        for symbol in symbols
        for day in days
        for hour in hours
    ]
    return pl.DataFrame(rows, schema=schema)


def gamma_parts(snapshots: pl.DataFrame, strikes: Iterable[float] = (95.0, 100.0, 105.5)) -> dict[str, pl.DataFrame]:
    """Strikes and expirations of each snapshot; the exposure of the lowest strike is unknown."""
    key = snapshots.select("symbol", "timestamp", "session", "gex_usd_per_1pct")
    wanted = sorted(strikes)
    shares = pl.DataFrame({"strike": wanted, "share": [None, *[1 / max(len(wanted) - 1, 1)] * (len(wanted) - 1)]})
    net = (pl.col("gex_usd_per_1pct") * pl.col("share")).round(2)
    exposures = {"call_gex_usd_per_1pct": net + 1.25, "put_gex_usd_per_1pct": net * 0 - 1.25, "gex_usd_per_1pct": net}
    by_strike = key.join(shares, how="cross").with_columns(
        **exposures, call_oi=pl.lit(10), put_oi=pl.lit(None, pl.Int64), call_volume=pl.lit(0), put_volume=pl.lit(7)
    )
    by_expiration = key.with_columns(expiration=pl.col("session").dt.offset_by("7d"), share=1.0).with_columns(
        **exposures
    )
    return {
        table.name: rows.select(pl.col(name).cast(kind) for name, kind in to_polars_schema(table).items())
        for table, rows in ((gamma_by_strike, by_strike), (gamma_by_expiration, by_expiration))
    }


def regime_rows(days: Iterable[date], vix: float = 15.5) -> pl.DataFrame:
    """One row per day."""
    rows = [
        {
            "date": day,
            "vix_level": vix,
            "vix_regime": "LOW",
            "market_regime": "RANGE_BOUND",
            "raw_regime": "RANGE_BOUND",
            "regime_since": day,
            "regime_reason": "no_rule_before",
            "confidence_score": 60.0,
            "breadth_reason": "no_stocks",
        }
        for day in days
    ]
    return pl.DataFrame(rows, schema=to_polars_schema(market_regime_history))


def yield_rows(days: Iterable[date], rate: float = 0.05) -> pl.DataFrame:
    """A flat curve of two points per day."""
    rows = [{"date": day, "years": years, "rate": rate} for day in days for years in (0.25, 1.0)]
    return pl.DataFrame(rows, schema=to_polars_schema(treasury_yields))


def put_rows(
    database: Database,
    table: str,
    frame: pl.DataFrame,
    scope: pl.DataFrame | None = None,
    mark: str = "x",
    **options: object,
) -> RowsReport:
    """Publish `frame`; its own pairs are the scope, and its parts those of `gamma_parts`, unless given."""
    if table == "gamma_exposure_snapshots":
        options = {"parts": gamma_parts(frame), **options}
    session = "session" if "session" in frame.columns else "date"
    symbols = ["symbol"] if "symbol" in frame.columns else []
    wanted = scope if scope is not None else frame.select(*symbols, pl.col(session).alias("session")).unique()
    pairs = wanted.select(pl.col("symbol") if symbols else pl.lit(MARKET).alias("symbol"), "session")
    marks = dict.fromkeys(pairs.iter_rows(), mark)
    return publish_rows(database, table, frame, scope=wanted, fingerprints=marks, **options)  # type: ignore[arg-type]
