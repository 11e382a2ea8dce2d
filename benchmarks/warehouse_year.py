"""Makes up and publishes a year of fifty symbols, the data of `warehouse_queries` and `signal_scan`.

Realistic rows in realistic numbers, through the same publishers as the assets'. The values mean nothing; widths, nulls,
order on disk and counts are what affects a query. Per symbol: 252 sessions of 400 valued contracts (ten weekly expirations,
twenty strikes, both rights) at the close; gamma at every close of the year and every 15 minutes of the last 90 days; two
years of IV percentiles; a day bar per session. Five years of regimes.
"""

import sys
from datetime import date, timedelta

SYMBOLS = [f"{first}{second}Q" for first in "ABCDE" for second in "KLMNOPRSTV"]
LAST_SESSION = date(2025, 11, 20)
SESSIONS = 252
EXPIRATIONS, STRIKES = 10, 20
CONTRACTS = 2 * EXPIRATIONS * STRIKES
FIGURES = "fingerprint of the benchmark"


def fill(database) -> dict[str, int]:
    """Publish everything. Returns the number of rows by table."""
    from hd_pipelines.warehouse.records.watchlist import add_to_watchlist

    with database.begin() as connection:
        add_to_watchlist(connection, SYMBOLS)
    filled = {}
    for table, fill_table in (
        ("historical_greeks", _fill_greeks),
        ("gamma_exposure_snapshots", _fill_gamma),
        ("iv_percentile_cache", _fill_percentiles),
        ("market_regime_history", _fill_regimes),
        ("historical_bars", _fill_bars),
    ):
        filled[table] = fill_table(database)
        print(f"{table}: {filled[table]:,} rows", file=sys.stderr, flush=True)
    return filled


def fill_context(database) -> dict[str, int]:
    """Publish what a scan reads besides intraday bars: everything of `fill`, but contracts of the last two closes only."""
    from hd_pipelines.warehouse.publish.greeks import Scope, publish_greeks
    from hd_pipelines.warehouse.records.watchlist import add_to_watchlist

    with database.begin() as connection:
        add_to_watchlist(connection, SYMBOLS)
    days = list_benchmark_sessions(2)
    scope = Scope.of(SYMBOLS, days)
    marks = dict.fromkeys(scope.pairs, FIGURES)
    return {
        "historical_greeks": publish_greeks(database, make_valued(days, seed=0), scope=scope, fingerprints=marks).rows,
        "gamma_exposure_snapshots": _fill_gamma(database),
        "iv_percentile_cache": _fill_percentiles(database),
        "market_regime_history": _fill_regimes(database),
        "historical_bars": _fill_bars(database),
    }


def list_benchmark_sessions(count: int = SESSIONS) -> list[date]:
    """The last `count` sessions, ascending."""
    from hd_pipelines.market.sessions import list_last_sessions

    return sorted(list_last_sessions(LAST_SESSION, count))


def _fill_greeks(database) -> int:
    from hd_pipelines.warehouse.publish.greeks import Scope, publish_greeks

    written = 0
    by_month: dict[tuple[int, int], list[date]] = {}
    for session in list_benchmark_sessions():
        by_month.setdefault((session.year, session.month), []).append(session)
    for number, days in enumerate(by_month.values()):
        frame = make_valued(days, seed=number)
        scope = Scope.of(SYMBOLS, days)
        report = publish_greeks(database, frame, scope=scope, fingerprints=dict.fromkeys(scope.pairs, FIGURES))
        written += report.rows
    return written


def make_valued(days: list[date], seed: int):
    """Make `VALUED` with ranks: closes of all symbols on `days`, in the table's order; every twelfth contract unanswered."""
    import numpy as np
    import polars as pl

    from hd_pipelines.market.option_chains import VALUED

    random = np.random.default_rng(seed)
    rows = len(SYMBOLS) * len(days) * CONTRACTS
    contract = np.tile(np.arange(CONTRACTS), len(SYMBOLS) * len(days))
    session = np.tile(np.repeat(np.array(days, "datetime64[D]"), CONTRACTS), len(SYMBOLS))
    to_friday = (4 - (session.astype("int64") + 3) % 7) % 7
    expiration = session + to_friday + 7 * (contract // (2 * STRIKES))
    bid = np.round(random.uniform(0.05, 20, rows), 2)
    answers = {name: random.uniform(-1, 1, rows) for name in ("delta", "gamma", "theta", "vega", "rho")}
    unanswered = random.random(rows) < 1 / 12
    known = {
        "symbol": pl.Series(np.repeat(SYMBOLS, len(days) * CONTRACTS)),
        "session": session,
        "expiration": expiration,
        "strike": 100 + 2.5 * (contract // 2 % STRIKES),
        "option_type": pl.Series(np.where(contract % 2 == 0, "call", "put")),
        "bid": bid,
        "ask": np.round(bid + 0.05, 2),
        "last": bid,
        "mid_price": np.round(bid + 0.025, 3),
        "volume": random.integers(0, 2_000, rows),
        "open_interest": random.integers(0, 20_000, rows),
        "implied_volatility": random.uniform(0.1, 0.9, rows),
        "forward": random.uniform(120, 130, rows),
        **answers,
    }
    constants = {
        "kind": "close",
        "exercise_style": "american",
        "shares_per_contract": 100.0,
        "underlying_price": 125.25,
        "discount": 0.99871234,
        "price_source": "chain_snapshot",
        "price_age_seconds": 3,
        "model": "black_76",
        "iv_rank": 0.41234,
        "iv_percentile": 0.61234,
    }
    right = pl.col("option_type").str.head(1).str.to_uppercase()
    digits = (pl.col("strike") * 1000).cast(pl.Int64).cast(pl.String).str.zfill(8)
    frame = (
        pl.DataFrame(known)
        .with_columns(unanswered=pl.Series(unanswered))
        .with_columns(
            *(
                pl.when("unanswered").then(None).otherwise(name).alias(name)
                for name in ("implied_volatility", *answers)
            ),
            **{name: pl.lit(value) for name, value in constants.items()},
            iv_reason=pl.when("unanswered").then(pl.lit("no_quote")),
            root=pl.col("symbol"),
            timestamp=_get_close_time("session"),
            settles_at=_get_close_time("expiration"),
            dte=(pl.col("expiration") - pl.col("session")).dt.total_days(),
            open_interest_as_of=pl.col("session") - pl.duration(days=1),
            contract_ticker=pl.concat_str(
                pl.lit("O:"), "symbol", pl.col("expiration").dt.strftime("%y%m%d"), right, digits
            ),
        )
        .with_columns(years=pl.col("dte") / 365)
    )
    kinds = {**VALUED, "iv_rank": pl.Float64, "iv_percentile": pl.Float64}
    return frame.select(pl.col(name).cast(kind) for name, kind in kinds.items())


def _get_close_time(day: str):
    import polars as pl

    return pl.col(day).cast(pl.Datetime("us")).dt.offset_by("21h").dt.replace_time_zone("UTC")


def _fill_gamma(database) -> int:
    """Insert directly: a hundred thousand snapshots with their strikes are the result of months of loads, not of one."""
    from sqlalchemy import text

    from hd_pipelines.warehouse.schema.partitioned import GAMMA, GAMMA_STRIKES
    from hd_pipelines.warehouse.schema.partitions import ensure_partition

    days = list_benchmark_sessions()
    for day in days:
        for table in (GAMMA, GAMMA_STRIKES):
            ensure_partition(database, day, table)
    statement = text(
        """
        INSERT INTO gamma_exposure_snapshots (
            id, symbol, "timestamp", session, kind, underlying_price, total_gamma, total_gamma_notional, gex_usd_per_1pct,
            call_gex_usd_per_1pct, put_gex_usd_per_1pct, dealer_net_gamma, put_call_oi_ratio, put_call_volume_ratio,
            call_wall, put_wall, absolute_gamma_strike, gamma_wall_resistance,
            gamma_wall_resistance_strength, gamma_wall_support, gamma_wall_support_strength, zero_gamma,
            zero_gamma_crossings, max_pain, max_pain_expiration, dealer_positioning, positioning_strength, n_history,
            expected_behavior, distance_to_resistance_pct, distance_to_support_pct, distance_to_zero_gamma_pct,
            zero_dte_share, expirations_included, sign_model, oi_coverage, contracts, contracts_valued)
        SELECT
            gen_random_uuid(), symbol, session + time '21:00' - quarters * interval '15 minutes', session,
            CASE quarters WHEN 0 THEN 'close' ELSE 'intraday' END, 125.25, gex / 125, gex * 100, gex, gex * 2, -gex, gex,
            1.1, 0.9, 130, 120, 125, 130, 0.3, 120, 0.2, 123.4, '[123.4]', 125, session + 7,
            'LONG_GAMMA', 'MODERATE', 60, 'PINNING', 3.8, -4.2, -1.5, 0.1, ARRAY[(session + 7)::text], 'naive_calls_long',
            0.97, 400, 390
        FROM unnest(CAST(:symbols AS text[])) AS symbol
        CROSS JOIN unnest(CAST(:sessions AS date[])) AS session
        CROSS JOIN generate_series(0, 26) AS quarters
        CROSS JOIN LATERAL (SELECT 1e9 * (1 + random()) AS gex OFFSET quarters * 0) AS amounts
        WHERE quarters = 0 OR session > :intraday_after
        ORDER BY session, symbol, quarters DESC
        """
    )
    strikes = text(
        """
        INSERT INTO gamma_by_strike (
            symbol, "timestamp", strike, session, call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct, call_oi,
            put_oi)
        SELECT symbol, "timestamp", 100 + 2.5 * n, session, 1.5e7 * n, -9e6 * n, 6e6 * n, 10 * n, 5 * n
        FROM gamma_exposure_snapshots CROSS JOIN generate_series(1, 40) AS n
        ORDER BY symbol, "timestamp", n
        """
    )
    asked = {"symbols": SYMBOLS, "sessions": days, "intraday_after": days[-1] - timedelta(days=90)}
    with database.begin() as connection:
        snapshots = connection.execute(statement, asked).rowcount
        connection.execute(strikes)
    return snapshots


def _fill_percentiles(database) -> int:
    import numpy as np
    import polars as pl

    from hd_pipelines.warehouse.schema.tables import iv_percentile_cache

    days = list_benchmark_sessions(2 * SESSIONS)
    random = np.random.default_rng(5)
    grid = pl.DataFrame({"symbol": SYMBOLS}).join(pl.DataFrame({"date": days}), how="cross")
    iv = random.uniform(0.1, 0.6, grid.height)
    shares = {name: random.random(grid.height) for name in ("iv_rank", "iv_percentile", "skew_percentile")}
    numbers = {name: random.uniform(0.1, 0.6, grid.height) for name in ("iv_52w_high", "iv_52w_low", "iv_52w_mean")}
    numbers |= {
        name: random.normal(0, 0.1, grid.height) for name in ("iv_zscore", "iv_change_5d", "iv_change_20d", "iv_skew")
    }
    frame = grid.with_columns(
        timestamp=_get_close_time("date"),
        current_iv=iv,
        iv30=iv,
        model_free_iv30=iv * 1.03,
        **{name: pl.Series(values) for name, values in (shares | numbers).items()},
        iv_regime=pl.lit("NORMAL"),
        iv_trend=pl.lit("STABLE"),
        iv_recommendation=pl.lit("NEUTRAL"),
        n_observations=252,
        data_points_52w=252,
        price_source=pl.lit("chain_snapshot"),
    )
    return _publish_rows(database, iv_percentile_cache, frame, "date")


def _fill_regimes(database) -> int:
    import numpy as np
    import polars as pl

    from hd_pipelines.warehouse.schema.tables import market_regime_history

    days = list_benchmark_sessions(5 * SESSIONS)
    random = np.random.default_rng(6)
    frame = pl.DataFrame({"date": days}).with_columns(
        vix_level=pl.Series(random.uniform(11, 40, len(days)).round(2)),
        vix_regime=pl.lit("NORMAL"),
        advancers=2_000,
        decliners=1_800,
        breadth_regime=pl.lit("NEUTRAL"),
        market_regime=pl.lit("RANGE_BOUND"),
        raw_regime=pl.lit("RANGE_BOUND"),
        regime_since=pl.col("date"),
        confidence_score=70.0,
        regime_reason=pl.lit("range_bound: nothing else decided"),
    )
    return _publish_rows(database, market_regime_history, frame, "date")


def _fill_bars(database) -> int:
    import numpy as np
    import polars as pl

    from hd_pipelines.market.bars import SCHEMA
    from hd_pipelines.warehouse.publish.bars import Scope, publish_bars

    days = list_benchmark_sessions()
    random = np.random.default_rng(8)
    grid = pl.DataFrame({"symbol": SYMBOLS}).join(pl.DataFrame({"session": days}), how="cross")
    close = random.uniform(90, 110, grid.height).round(2)
    frame = grid.with_columns(
        timeframe=pl.lit("day"),
        timestamp=pl.col("session").cast(pl.Datetime("ns")).dt.offset_by("14h30m").dt.replace_time_zone("UTC"),
        open=close,
        high=(close + 1).round(2),
        low=(close - 1).round(2),
        close=close,
        volume=1e6,
        vwap=close,
        trades=10_000,
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    scope = Scope.of(SYMBOLS, days)
    return publish_bars(database, frame, scope=scope, fingerprints=dict.fromkeys(scope.pairs, FIGURES)).rows


def _publish_rows(database, table, frame, session: str) -> int:
    """Publish the columns that `frame` has, null in the others."""
    import polars as pl

    from hd_pipelines.warehouse.publish.derived_rows import publish_rows
    from hd_pipelines.warehouse.read.frames import to_polars_schema
    from hd_pipelines.warehouse.records.derivations import MARKET

    rows = frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None).alias(name)).cast(kind)
        for name, kind in to_polars_schema(table).items()
    )
    symbols = ["symbol"] if "symbol" in frame.columns else []
    scope = frame.select(*symbols, pl.col(session).alias("session"))
    pairs = scope.select(pl.col("symbol") if symbols else pl.lit(MARKET).alias("symbol"), "session")
    marks = dict.fromkeys(pairs.iter_rows(), FIGURES)
    return publish_rows(database, table.name, rows, scope=scope, fingerprints=marks).rows
