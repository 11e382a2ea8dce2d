"""Compares the model-free volatility of recorded SPX chains with the official close of the VIX.

The formula is in `analytics.volatility.model_free`.

A chain saved during the session shows the volatility of that hour, and the official figure is the close's. How much of a
difference this causes is estimated from the way the VIX moves with the S&P 500: `carried` adds to the chain's figure the
move of the underlying between snapshot and close times the slope of the VIX's daily changes on the index's daily returns
over the 252 sessions before (never the session itself). Nothing else is fitted. One comparison needs no estimate: the
official index has a lowest and a highest value of each day, and a figure of any hour lies between them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from hd_pipelines.analytics.volatility.model_free import compute_model_free_volatility, derive_rates
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.providers.archive.chains import read_chain
from hd_pipelines.providers.archive.files import list_archived_days, list_chain_files

SLOPE_SESSIONS = 252
MATURITIES = {
    "DGS1MO": 1 / 12,
    "DGS3MO": 0.25,
    "DGS6MO": 0.5,
    "DGS1": 1.0,
    "DGS2": 2.0,
    "DGS3": 3.0,
    "DGS5": 5.0,
    "DGS7": 7.0,
    "DGS10": 10.0,
    "DGS20": 20.0,
    "DGS30": 30.0,
}
"""Column of the Federal Reserve's H.15 constant-maturity yields, and its years."""


def read_treasury_rates(recording: Path) -> pl.DataFrame:
    """Read the recording's Treasury yields as `discounting.RATES`.

    H.15 quotes percent, compounded twice a year; the continuous rate is 2 ln(1 + y / 200).
    """
    yields = pl.read_parquet(recording / "treasury_yields.parquet")
    return (
        yields.unpivot([name for name in MATURITIES if name in yields.columns], index="date")
        .drop_nulls("value")
        .select(
            "date",
            years=pl.col("variable").replace_strict(MATURITIES, return_dtype=pl.Float64),
            rate=2 * (1 + pl.col("value") / 200).log(),
        )
        .sort("date", "years")
    )


def compare_with_official_vix(recording: Path) -> pl.DataFrame:
    """Compare each session of the recording's SPX chains; volatilities in VIX points.

    session, is_close (the snapshot is the session's close, as the recording says), underlying_move_pct (from snapshot to
    close), recomputed, official, difference (recomputed - official), official_low and official_high of the day,
    is_inside_day (recomputed lies between them), slope (points per percent), carried (recomputed, moved to the close),
    carried_difference, recording_difference (of the recording's own recomputation), near_expiration, next_expiration,
    reason (why recomputed is null). Needs `chains/SPX`, `day_bars.parquet` with `I:SPX` and `I:VIX`,
    `treasury_yields.parquet`, `day_quality.csv.gz`.
    """
    files = list_chain_files(recording, ["SPX"], list_archived_days(recording)["SPX"])
    rates = read_treasury_rates(recording)
    recomputed = pl.concat(compute_model_free_volatility(read_chain(file).validated.chain, rates) for file in files)
    quality = pl.read_csv(recording / "day_quality.csv.gz", try_parse_dates=True).select(
        session="quote_date",
        is_close="snapshot_is_close",
        snapshot="snapshot_underlying",
        official="vix_official_close",
        of_recording="vix_recomputed_from_chain",
    )
    closes = _read_closes(recording)
    table = (
        recomputed.join(quality, on="session", how="left")
        .join(closes.select("session", "spx", "official_low", "official_high"), on="session", how="left")
        .join(_estimate_slopes(closes), on="session", how="left")
        .with_columns(
            recomputed=pl.col("model_free_iv30") * 100,
            underlying_move_pct=100 * (pl.col("spx") / pl.col("snapshot")).log(),
        )
        .with_columns(carried=pl.col("recomputed") + pl.col("slope") * pl.col("underlying_move_pct"))
    )
    return table.select(
        "session",
        "is_close",
        "underlying_move_pct",
        "recomputed",
        "official",
        (pl.col("recomputed") - pl.col("official")).alias("difference"),
        "official_low",
        "official_high",
        pl.col("recomputed").is_between("official_low", "official_high").alias("is_inside_day"),
        "slope",
        "carried",
        (pl.col("carried") - pl.col("official")).alias("carried_difference"),
        (pl.col("of_recording") - pl.col("official")).alias("recording_difference"),
        "near_expiration",
        "next_expiration",
        "reason",
    ).sort("session")


def compare_saved_closes(recording: Path, daily_history: Path) -> pl.DataFrame:
    """Compare SPX chains saved after the close, of a recording without yields, with the VIX of `vix_daily.csv.gz`.

    session, recomputed, official (null after the series ends), difference, reason. Rates are those that put-call parity of
    the same chain shows.
    """
    rows = []
    for file in list_chain_files(recording, ["SPX"], list_archived_days(recording)["SPX"]):
        chain = read_chain(file).validated.chain
        rows.append(compute_model_free_volatility(chain, derive_rates(value_chain(chain))))
    official = pl.read_csv(daily_history / "vix_daily.csv.gz", try_parse_dates=True)
    return (
        pl.concat(rows)
        .join(official.select(session="date", official="close"), on="session", how="left")
        .with_columns(recomputed=pl.col("model_free_iv30") * 100)
        .select(
            "session",
            "recomputed",
            "official",
            (pl.col("recomputed") - pl.col("official")).alias("difference"),
            "reason",
        )
        .sort("session")
    )


def summarize(differences: pl.DataFrame) -> pl.DataFrame:
    """Sessions of `compare_with_official_vix`, mean absolute errors, and number of figures within the range of their day.

    `closes_within_5_hundredths`: of the sessions whose chain is that of the close.
    """
    closes = differences.filter("is_close")
    return pl.DataFrame(
        {
            "sessions": differences["difference"].count(),
            "mean_absolute_error": differences["difference"].abs().mean(),
            "median_absolute_error": differences["difference"].abs().median(),
            "carried_mean_absolute_error": differences["carried_difference"].abs().mean(),
            "recording_mean_absolute_error": differences["recording_difference"].abs().mean(),
            "sessions_inside_day": differences["is_inside_day"].sum(),
            "close_sessions": closes["difference"].count(),
            "closes_within_5_hundredths": (closes["difference"].abs() <= 0.05).sum(),
            "close_mean_absolute_error": closes["difference"].abs().mean(),
        }
    )


def _read_closes(recording: Path) -> pl.DataFrame:
    """Both indexes on sessions that both have: closes `spx` and `vix`, the VIX's `official_low` and `official_high`."""
    bars = pl.read_parquet(recording / "day_bars.parquet", columns=["ticker", "session", "low", "high", "close"])
    spx = bars.filter(pl.col("ticker") == "I:SPX").select("session", spx="close")
    vix = bars.filter(pl.col("ticker") == "I:VIX").select(
        "session", vix="close", official_low="low", official_high="high"
    )
    return spx.join(vix, on="session").sort("session")


def _estimate_slopes(closes: pl.DataFrame) -> pl.DataFrame:
    """Slope of the VIX's changes (points) on the index's log returns (percent), from the sessions before each one."""
    returns = 100 * np.diff(np.log(closes["spx"].to_numpy()))
    changes = np.diff(closes["vix"].to_numpy())
    # Change i belongs to session i + 1, so changes up to t - 2 are those of the sessions before t.
    slopes = [
        float(np.polyfit(returns[t - 1 - SLOPE_SESSIONS : t - 1], changes[t - 1 - SLOPE_SESSIONS : t - 1], 1)[0])
        if t > SLOPE_SESSIONS
        else None
        for t in range(closes.height)
    ]
    return closes.select("session").with_columns(pl.Series("slope", slopes, dtype=pl.Float64))
