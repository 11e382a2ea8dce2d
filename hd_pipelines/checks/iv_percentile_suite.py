"""Great Expectations rules for `iv_percentile_cache`, run before rows are published.

Rank and z-score are computed again from the window's own statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.analytics.volatility.iv_classes import PercentileReason
from hd_pipelines.checks.expectations import (
    differ,
    expect_at_least,
    expect_enum_values,
    expect_finite,
    expect_known,
    expect_order,
    expect_unique,
    expect_within,
    expect_zero,
    flag_contradictions,
    list_non_finite_columns,
)
from hd_pipelines.checks.table_suite import TableRules, TableSuite
from hd_pipelines.tables.model import POSITIVE, SHARE
from hd_pipelines.tables.volatility import IV_PERCENTILE_CACHE as TABLE
from hd_pipelines.tables.volatility import PLAUSIBLE_VOLATILITY

WINDOW, FEWEST = 252, 126
_OBSERVED = TABLE.bounded_by(PLAUSIBLE_VOLATILITY)
_STATISTICS = ("iv_52w_high", "iv_52w_low", "iv_52w_mean", "iv_52w_median", "iv_52w_stddev")
_ROUNDING = 1e-9


def build_iv_percentile_suite() -> TableSuite:
    """Build the suite for frames with the columns that `iv_percentile.compute_percentile_rows` returns."""
    return TableSuite(TableRules(TABLE.name, ("symbol", "date"), _compute_facts, _build_expectations))


def _find_contradictions() -> Mapping[str, pl.Expr]:
    iv, rank, percentile = pl.col("iv30"), pl.col("iv_rank"), pl.col("iv_percentile")
    low, high, deviation = pl.col("iv_52w_low"), pl.col("iv_52w_high"), pl.col("iv_52w_stddev")
    either_is_null = rank.is_null() | percentile.is_null()
    counted = pl.col("n_observations")
    past = [rank, percentile, *(pl.col(name) for name in _STATISTICS)]
    return {
        "current_iv_is_iv30": ~pl.col("current_iv").eq_missing(iv),
        "no_iv30_has_a_reason": iv.is_null() & pl.col("iv_reason").is_null(),
        "an_iv30_has_no_reason": iv.is_not_null() & pl.col("iv_reason").is_not_null(),
        "no_percentile_has_a_reason": either_is_null & pl.col("percentile_reason").is_null(),
        "a_percentile_has_no_reason": ~either_is_null & pl.col("percentile_reason").is_not_null(),
        "a_percentile_needs_126_observations": (counted < FEWEST) & pl.any_horizontal(e.is_not_null() for e in past),
        "126_observations_give_a_percentile": (counted >= FEWEST) & iv.is_not_null() & percentile.is_null(),
        "a_percentile_needs_an_iv30": iv.is_null() & ~(rank.is_null() & percentile.is_null()),
        "both_counts_agree": pl.col("data_points_52w").ne_missing(counted),
        "today_is_inside_the_window": (iv > high + _ROUNDING) | (iv < low - _ROUNDING),
        "mean_is_inside_the_window": ~pl.col("iv_52w_mean").is_between(low - _ROUNDING, high + _ROUNDING),
        "rank_is_todays_place_in_the_window": differ(rank, (iv - low) / (high - low), 1e-6),
        "zscore_counts_deviations": (
            (pl.col("iv_zscore") * deviation - (iv - pl.col("iv_52w_mean"))).abs() > _ROUNDING
        ),
        "regime_goes_with_the_percentile": pl.col("iv_regime").is_null() != percentile.is_null(),
        "recommendation_goes_with_the_percentile": pl.col("iv_recommendation").is_null() != percentile.is_null(),
        "trend_goes_with_the_change": pl.col("iv_trend").is_null() != pl.col("iv_change_20d").is_null(),
        "an_iv30_tells_its_snapshot": iv.is_not_null() & pl.col("timestamp").is_null(),
        "date_is_the_day_of_the_timestamp": pl.col("timestamp").dt.date() != pl.col("date"),
        "symbol_is_named": pl.col("symbol").is_null() | (pl.col("symbol") == ""),
    }


def _compute_facts(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    return {
        "sessions": frame.with_columns(
            list_non_finite_columns(frame.schema), *flag_contradictions(_find_contradictions())
        )
    }


def _build_expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "sessions": [
            *expect_unique("symbol_has_one_row_per_session", ["symbol", "date"]),
            *expect_known("session_is_known", ["date", "n_observations"]),
            *expect_finite(),
            *expect_at_least("volatility_is_positive", (*_OBSERVED, *TABLE.bounded_by(POSITIVE)), 0, above=True),
            *expect_within("volatility_is_plausible", _OBSERVED, PLAUSIBLE_VOLATILITY.low, PLAUSIBLE_VOLATILITY.high),
            *expect_at_least("deviation_is_not_negative", ["iv_52w_stddev"], 0),
            *(
                each
                for name in TABLE.bounded_by(SHARE)
                for each in expect_within(f"{name}_is_from_0_to_1", [name], 0, 1)
            ),
            *expect_within("observations_are_of_252_sessions", ["n_observations"], 0, WINDOW),
            *expect_order(
                "median_is_inside_the_window", ("iv_52w_high", "iv_52w_median"), ("iv_52w_median", "iv_52w_low")
            ),
            *expect_zero(_find_contradictions()),
            *expect_enum_values({**TABLE.enums(), "percentile_reason": PercentileReason}),
        ]
    }
