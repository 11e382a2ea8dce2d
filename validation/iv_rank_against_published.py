"""Compares IV rank and percentile with published and recomputed values.

The VIX since 1990 is compared with a published series, recorded chains with a plain recomputation. The formulas are in
`analytics`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from hd_pipelines.analytics.iv_percentile import (
    WINDOW,
    compute_percentile_rows,
    rank_and_percentile,
    select_session_observations,
)
from hd_pipelines.analytics.volatility.constant_maturity import observe
from hd_pipelines.analytics.volatility.model_free import compute_model_free_volatility
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.providers.archive.chains import read_chain
from hd_pipelines.providers.archive.files import list_archived_days, list_chain_files
from validation.vix_against_official import read_treasury_rates

DECIMALS = 6
"""Number of decimals of the published series."""


def compare_vix_rank(daily_history: Path) -> pl.DataFrame:
    """Compare each published day: date, vix_close, rank and percentile, published and ours, and their differences.

    `daily_history` holds `vix_daily.csv.gz` (date, close) and `derived_vix_rank_percentile.csv.gz` (date, vix_close,
    rank_252_incl, pctile_prev252_strictly_below). The published figures count rows of the file, holidays among them, and so
    does this function. `is_equal`: both agree to the last published decimal.
    """
    closes = pl.read_csv(daily_history / "vix_daily.csv.gz", try_parse_dates=True).sort("date")
    published = pl.read_csv(daily_history / "derived_vix_rank_percentile.csv.gz", try_parse_dates=True)
    ours = rank_and_percentile(closes["close"].to_numpy())
    table = published.join(
        closes.select(
            "date",
            pl.Series("rank", ours.rank, nan_to_null=True),
            pl.Series("percentile", ours.percentile, nan_to_null=True),
            pl.Series("n_observations", ours.n_observations),
        ),
        on="date",
        how="left",
        maintain_order="left",
    )
    return table.select(
        "date",
        "vix_close",
        "rank",
        published_rank="rank_252_incl",
        rank_difference=pl.col("rank") - pl.col("rank_252_incl"),
        percentile="percentile",
        published_percentile="pctile_prev252_strictly_below",
        percentile_difference=pl.col("percentile") - pl.col("pctile_prev252_strictly_below"),
        n_observations="n_observations",
        is_equal=(pl.col("rank").round(DECIMALS) == pl.col("rank_252_incl"))
        & (pl.col("percentile").round(DECIMALS) == pl.col("pctile_prev252_strictly_below")),
    )


def compute_recorded_percentiles(recording: Path, symbol: str, until: date | None = None) -> pl.DataFrame:
    """Compute rows of `iv_percentile_cache` of every recorded session of `symbol`: chains valued, observed, ranked.

    Needs `chains/<symbol>` and `treasury_yields.parquet`. With `until`, no later chain or yield is read.
    """
    last = until or date.max
    rates = read_treasury_rates(recording).filter(pl.col("date") <= last)
    days = [day for day in list_archived_days(recording)[symbol] if day <= last]
    chain = pl.concat(read_chain(file).validated.chain for file in list_chain_files(recording, [symbol], days))
    return compute_percentile_rows(
        select_session_observations(observe(value_chain(chain, rates)), compute_model_free_volatility(chain, rates))
    )


def compute_percentiles_without_future(recording: Path, symbol: str, every: int = 42) -> pl.DataFrame:
    """Compute percentiles from files that end at a session, for every `every`-th session and the last but one.

    until, rows, is_equal: whether all rows up to there, in all columns, equal those of the whole recording.
    """
    whole = compute_recorded_percentiles(recording, symbol)
    days = whole["date"].to_list()
    cuts = sorted({*days[every - 1 : -1 : every], days[-2]})
    found = []
    for cut in cuts:
        known = compute_recorded_percentiles(recording, symbol, cut)
        is_equal = known.equals(whole.filter(pl.col("date") <= cut))
        found.append({"until": cut, "rows": known.height, "is_equal": is_equal})
    return pl.DataFrame(found)


def compare_with_recomputation(rows: pl.DataFrame) -> pl.DataFrame:
    """Compare rank, percentile and count of `iv_percentile.compute_percentile_rows` with a recomputation in plain loops.

    `rows`: of one symbol, one for each session of the span without a gap in dates, `iv30` null where a session has no
    value. Returns date, iv30, both ranks, percentiles and counts, and `is_equal` (nulls equal nulls).
    """
    values = rows.sort("date")["iv30"].to_list()
    plain = [_recompute(values[max(0, at - WINDOW) : at], values[at]) for at in range(len(values))]
    table = rows.sort("date").select("date", "iv30", "iv_rank", "iv_percentile", "n_observations")
    table = table.with_columns(
        pl.Series("plain_rank", [rank for rank, _, _ in plain], dtype=pl.Float64),
        pl.Series("plain_percentile", [percentile for _, percentile, _ in plain], dtype=pl.Float64),
        pl.Series("plain_n_observations", [count for _, _, count in plain], dtype=pl.Int64),
    )
    return table.with_columns(
        is_equal=pl.col("iv_rank").eq_missing(pl.col("plain_rank"))
        & pl.col("iv_percentile").eq_missing(pl.col("plain_percentile"))
        & pl.col("n_observations").eq_missing(pl.col("plain_n_observations"))
    )


def _recompute(previous: list[float | None], today: float | None) -> tuple[float | None, float | None, int]:
    known = [value for value in previous if value is not None]
    if today is None or len(known) < WINDOW // 2:
        return None, None, len(known)
    below = sum(1 for value in known if value < today)
    year = [value for value in previous[-(WINDOW - 1) :] if value is not None] + [today]
    low, high = min(year), max(year)
    rank = None if high == low else (today - low) / (high - low)
    return rank, below / len(known), len(known)
