"""Measures the regime's inputs from bars of the whole market, one row per session. Does not classify.

The rows are all exchange sessions from the first to the last session given. A session without bars is a row of nulls, so
that a change always spans one session and a return twenty, regardless of gaps in the file. Where an index is missing,
correlations and trend axes use its fund (QQQ for NDX, IWM for RUT, SPY for SPX); closes and changes of an index never do.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from hd_pipelines.analytics.regime.breadth import BREADTH, compute_breadth
from hd_pipelines.analytics.regime.breadth_splits import adjust_for_splits
from hd_pipelines.analytics.regime.correlation import (
    average_pairwise_correlation,
    classify_correlation,
    compute_rolling_correlation,
)
from hd_pipelines.analytics.regime.put_call import PUT_CALL, compute_put_call
from hd_pipelines.analytics.regime.sectors import SECTOR_FUNDS, SECTORS, find_sector_leadership
from hd_pipelines.analytics.regime.volatility_index import (
    VIX,
    VIX3M,
    VIX9D,
    VOLATILITY_INDEX,
    SecondMaturities,
    measure_volatility_index,
)
from hd_pipelines.market.sessions import list_sessions_between

TREND = {
    "return_20d": pl.Float64,
    "return_20d_before": pl.Float64,
    "trend_sigmas": pl.Float64,
    "distance_50d": pl.Float64,
    "distance_200d": pl.Float64,
    "move_sigmas": pl.Float64,
    "beyond_high_20d": pl.Float64,
    "beyond_low_20d": pl.Float64,
}
"""See `rules.MEASURES`; fractions, move_sigmas in standard deviations."""

INDEX_CLOSES = {
    "spy_close": pl.Float64,
    "spy_change_pct": pl.Float64,
    "spy_volume": pl.Float64,
    "spy_volume_ratio": pl.Float64,
    "ndx_close": pl.Float64,
    "ndx_change_pct": pl.Float64,
    "rut_close": pl.Float64,
    "rut_change_pct": pl.Float64,
}
CORRELATIONS = {
    "spy_ndx_correlation": pl.Float64,
    "spy_rut_correlation": pl.Float64,
    "average_pairwise_correlation": pl.Float64,
    "correlation_regime": pl.String,
    "correlation_source": pl.String,
}
"""correlation_source says which instruments stood in for NDX and RUT; null where neither was there."""

INPUTS = {
    **VOLATILITY_INDEX,
    **{name: kind for name, kind in BREADTH.items() if name != "date"},
    **TREND,
    **CORRELATIONS,
    **{name: kind for name, kind in SECTORS.items() if name != "date"},
    **{name: kind for name, kind in PUT_CALL.items() if name != "date"},
    **INDEX_CLOSES,
    "tick_index": pl.Float64,
}
"""One row per session; null where not measured. tick_index (NYSE TICK) is in none of the vendor's files, so it is null."""

FUNDS_NEEDED = ("SPY", "QQQ", "IWM", *SECTOR_FUNDS)
INDICES_NEEDED = ("I:SPX", "I:NDX", "I:RUT", VIX, VIX3M, VIX9D)
WARM_UP_SESSIONS = 252
"""Number of sessions before the first wanted one that make every measure complete."""
_TOLERATED_HOLES = 0.1
_SQRT_YEAR = 252**0.5


def measure_inputs(
    day_bars: pl.DataFrame,
    index_bars: pl.DataFrame,
    option_volumes: pl.DataFrame | None = None,
    *,
    universe: Collection[str] | None = None,
    splits: pl.DataFrame | None = None,
    second_maturities: SecondMaturities | None = None,
) -> pl.DataFrame:
    """Measure the inputs of every session from the first to the last of `index_bars` and `day_bars`: `INPUTS`, ascending.

    `day_bars`: the stock file's day bars of the whole market, unadjusted: ticker, session, open, high, low, close, volume.
    `index_bars`: ticker (`I:…`), session, close. `option_volumes`: `put_call.VOLUMES`; None or an absent session leaves the
    ratios null with a reason. `universe`, `splits`: as in `compute_breadth`. The first `WARM_UP_SESSIONS` rows lack what
    needs a longer history. Rows on closed days are dropped. A row depends on its own and earlier sessions only: cutting the
    bars off at t leaves the rows up to t unchanged.
    """
    sessions = _build_axis(day_bars, index_bars)
    on_session = pl.col("session").is_in(sessions["date"].implode())
    stocks, indices = day_bars.filter(on_session), index_bars.filter(on_session)
    closes, volumes = _select_closes(sessions, stocks, indices, splits)
    parts = [
        measure_volatility_index(closes, second_maturities),
        _measure_breadth(sessions, stocks, universe, splits),
        compute_trend_axes(closes),
        _measure_correlations(closes),
        find_sector_leadership(closes.drop(VIX, VIX3M, VIX9D)).drop("date"),
        _measure_put_call(sessions, option_volumes),
        _select_index_closes(sessions, closes, stocks, volumes),
    ]
    return add_missing_columns(pl.concat(parts, how="horizontal"))


def add_missing_columns(measured: pl.DataFrame) -> pl.DataFrame:
    """Add every missing column of `INPUTS` to `measured`, as null."""
    absent = [pl.lit(None, kind).alias(name) for name, kind in INPUTS.items() if name not in measured.columns]
    return measured.with_columns(absent).select(list(INPUTS)).cast(INPUTS)  # type: ignore[arg-type]


def compute_trend_axes(closes: pl.DataFrame) -> pl.DataFrame:
    """Compute `TREND` of `I:SPX`, or of SPY where the index has no value. One row per row of `closes`.

    `closes` has `I:VIX` too. Standard deviations are those that the VIX implied when the move began. An average of n
    sessions needs nine tenths of their closes, and today's.
    """
    daily_sigma = pl.col(VIX) / 100 / _SQRT_YEAR
    columns = [ticker for ticker in ("I:SPX", "SPY") if ticker in closes.columns]
    measured = {
        name: pl.coalesce([_build_trend(pl.col(ticker), daily_sigma)[name] for ticker in columns] or [pl.lit(None)])
        for name in TREND
    }
    return closes.select(**measured).cast(TREND)  # type: ignore[arg-type]


def _build_trend(close: pl.Expr, daily_sigma: pl.Expr) -> dict[str, pl.Expr]:
    before = close.shift(1)
    return_20d = close / close.shift(20) - 1
    return {
        "return_20d": return_20d,
        "return_20d_before": return_20d.shift(1),
        "distance_50d": close / _build_average(close, 50) - 1,
        "distance_200d": close / _build_average(close, 200) - 1,
        "trend_sigmas": return_20d / (daily_sigma.shift(20) * 20**0.5),
        "move_sigmas": (close / before - 1) / daily_sigma.shift(1),
        "beyond_high_20d": close / before.rolling_max(20, min_samples=18) - 1,
        "beyond_low_20d": close / before.rolling_min(20, min_samples=18) - 1,
    }


def _build_average(close: pl.Expr, sessions: int) -> pl.Expr:
    return close.rolling_mean(sessions, min_samples=round(sessions * (1 - _TOLERATED_HOLES)))


def _build_axis(day_bars: pl.DataFrame, index_bars: pl.DataFrame) -> pl.DataFrame:
    ends = pl.concat([day_bars.select("session"), index_bars.select("session")])["session"]
    first, last = ends.min(), ends.max()
    dates = list_sessions_between(first, last) if first is not None and last is not None else []  # type: ignore[arg-type]
    return pl.DataFrame({"date": dates}, schema={"date": pl.Date})


def _select_closes(
    sessions: pl.DataFrame, stocks: pl.DataFrame, indices: pl.DataFrame, splits: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Closes adjusted to one scale and share volumes, date × ticker, of the instruments that the measures need."""
    columns = ["ticker", "session", "open", "close", "volume"]
    funds = adjust_for_splits(stocks.filter(pl.col("ticker").is_in(FUNDS_NEEDED)).select(columns), splits)
    of_funds = funds.select(
        "ticker", "session", close=pl.col("close") * pl.col("factor"), volume=pl.col("volume") / pl.col("factor")
    )
    of_indices = indices.filter(
        pl.col("ticker").is_in(INDICES_NEEDED) & pl.col("close").is_finite() & (pl.col("close") > 0)
    ).select("ticker", "session", "close")
    closes = pl.concat([of_funds.drop("volume"), of_indices.cast({"close": pl.Float64})])
    return _pivot(sessions, closes, "close"), _pivot(sessions, of_funds, "volume")


def _pivot(sessions: pl.DataFrame, long: pl.DataFrame, value: str) -> pl.DataFrame:
    wanted = (*FUNDS_NEEDED, *INDICES_NEEDED)
    wide = long.pivot(on="ticker", on_columns=list(wanted), index="session", values=value)
    return sessions.join(wide, left_on="date", right_on="session", how="left", maintain_order="left")


def _measure_breadth(
    sessions: pl.DataFrame, stocks: pl.DataFrame, universe: Collection[str] | None, splits: pl.DataFrame | None
) -> pl.DataFrame:
    counted = compute_breadth(stocks, sessions=sessions["date"].to_list(), universe=universe, splits=splits)
    return (
        sessions.join(counted, on="date", how="left", maintain_order="left")
        .with_columns(
            breadth_reason=pl.when(pl.lit(stocks.is_empty()))
            .then(pl.lit("no day bars of stocks"))
            .otherwise("breadth_reason")
        )
        .drop("date")
    )


def _measure_correlations(closes: pl.DataFrame) -> pl.DataFrame:
    returns = closes.select((pl.col(c) / pl.col(c).shift(1) - 1) for c in closes.columns if c != "date")
    array = {name: returns[name].cast(pl.Float64).to_numpy() for name in returns.columns}
    by_pair = {
        name: compute_rolling_correlation(array["SPY"], array[name]) for name in ("I:NDX", "QQQ", "I:RUT", "IWM")
    }
    sectors = average_pairwise_correlation(np.column_stack([array[fund] for fund in SECTOR_FUNDS]))
    found = pl.DataFrame({**by_pair, "average_pairwise_correlation": sectors}).fill_nan(None)
    ndx, rut = (pl.coalesce(index, proxy) for index, proxy in (("I:NDX", "QQQ"), ("I:RUT", "IWM")))
    named = [
        pl.when(pl.col(index).is_not_null())
        .then(pl.lit(index.removeprefix("I:")))
        .when(pl.col(proxy).is_not_null())
        .then(pl.lit(f"{proxy} for {index.removeprefix('I:')}"))
        for index, proxy in (("I:NDX", "QQQ"), ("I:RUT", "IWM"))
    ]
    return found.select(
        spy_ndx_correlation=ndx,
        spy_rut_correlation=rut,
        average_pairwise_correlation="average_pairwise_correlation",
        correlation_regime=classify_correlation(pl.col("average_pairwise_correlation"), ndx, rut),
        correlation_source=pl.concat_str(named, separator=", ", ignore_nulls=True).replace("", None),
    )


def _measure_put_call(sessions: pl.DataFrame, volumes: pl.DataFrame | None) -> pl.DataFrame:
    ratios = compute_put_call(volumes) if volumes is not None else pl.DataFrame(schema=PUT_CALL)
    has_bars = pl.col("put_call_ratio_total").is_not_null() | pl.col("put_call_reason").is_not_null()
    return (
        sessions.join(ratios, on="date", how="left", maintain_order="left")
        .with_columns(put_call_reason=pl.when(has_bars).then("put_call_reason").otherwise(pl.lit("no option day bars")))
        .drop("date")
    )


def _select_index_closes(
    sessions: pl.DataFrame, closes: pl.DataFrame, stocks: pl.DataFrame, volumes: pl.DataFrame
) -> pl.DataFrame:
    # Levels as printed. Changes and the volume ratio on one scale, so that a split of SPY looks like neither fall nor surge.
    printed = sessions.join(
        stocks.filter((pl.col("ticker") == "SPY") & pl.col("close").is_finite() & (pl.col("close") > 0)).select(
            "session", spy_close="close", spy_volume="volume"
        ),
        left_on="date",
        right_on="session",
        how="left",
        maintain_order="left",
    )
    spy_volume = volumes["SPY"]
    usual = spy_volume.shift(1).rolling_mean(20, min_samples=18)
    changes = closes.select(
        spy_change_pct=(pl.col("SPY") / pl.col("SPY").shift(1) - 1) * 100,
        ndx_close="I:NDX",
        ndx_change_pct=(pl.col("I:NDX") / pl.col("I:NDX").shift(1) - 1) * 100,
        rut_close="I:RUT",
        rut_change_pct=(pl.col("I:RUT") / pl.col("I:RUT").shift(1) - 1) * 100,
    )
    ratio = (
        pl.Series("spy_volume_ratio", spy_volume / usual)
        .to_frame()
        .select(pl.when(pl.col("spy_volume_ratio").is_finite()).then("spy_volume_ratio"))
    )
    return pl.concat([printed.drop("date"), changes, ratio], how="horizontal")
