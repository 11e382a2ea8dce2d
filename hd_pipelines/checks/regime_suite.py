"""Great Expectations rules for `market_regime_history`, run before rows are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.checks.expectations import (
    differ,
    expect_column_bounds,
    expect_enum_values,
    expect_finite,
    expect_known,
    expect_unique,
    expect_within,
    expect_zero,
    flag_contradictions,
    list_non_finite_columns,
)
from hd_pipelines.checks.table_suite import TableRules, TableSuite
from hd_pipelines.tables.regime import MARKET_REGIME_HISTORY as TABLE

_ALWAYS = (
    "vix_level",
    "vix_regime",
    "market_regime",
    "raw_regime",
    "regime_since",
    "regime_reason",
    "confidence_score",
)
_ROUNDING = 1e-6


def build_regime_suite() -> TableSuite:
    """Build the suite for frames with the columns that `classification.classify_regimes` returns."""
    return TableSuite(TableRules(TABLE.name, ("date",), _compute_facts, _build_expectations))


def _find_contradictions() -> Mapping[str, pl.Expr]:
    advancers, decliners = pl.col("advancers"), pl.col("decliners")
    since, regime = pl.col("regime_since"), pl.col("market_regime")
    before, is_old = regime.shift(1), since <= pl.col("date").shift(1)
    return {
        "regime_began_before": since > pl.col("date"),
        # Sessions may be missing between two rows, and a regime may have ended and begun again in between.
        "a_regime_that_goes_on_keeps_its_beginning": (regime == before) & (since != since.shift(1)) & is_old,
        "a_new_regime_begins_after_the_old_one": (regime != before) & is_old,
        "difference_is_advancers_less_decliners": pl.col("advance_decline_diff") != advancers - decliners,
        "ratio_is_advancers_over_decliners": differ(pl.col("advance_decline_ratio"), advancers / decliners),
        "counts_are_of_the_stocks_counted": advancers + decliners + pl.col("unchanged") > pl.col("n_stocks"),
        "spread_is_back_less_front": (
            pl.col("vix_term_spread") - pl.col("vix_back_month") + pl.col("vix_front_month")
        ).abs()
        > _ROUNDING,
        "no_breadth_has_a_reason": advancers.is_null() & pl.col("breadth_reason").is_null(),
        "no_term_structure_has_a_reason": pl.col("vix_term_structure").is_null()
        & pl.col("term_structure_reason").is_null(),
        "no_put_call_has_a_reason": pl.col("pc_regime").is_null() & pl.col("put_call_reason").is_null(),
        "tick_has_its_class": pl.col("tick_index").is_null() != pl.col("tick_regime").is_null(),
        "leader_and_laggard_differ": pl.col("leading_sector") == pl.col("lagging_sector"),
    }


def _compute_facts(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    return {
        "sessions": frame.sort("date").with_columns(
            list_non_finite_columns(frame.schema), *flag_contradictions(_find_contradictions())
        ),
    }


def _build_expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "sessions": [
            *expect_unique("session_has_one_row", ["date"]),
            *(each for name in ("date", *_ALWAYS) for each in expect_known(f"{name}_is_known", [name])),
            *expect_finite(),
            *expect_zero(_find_contradictions()),
            *expect_column_bounds(TABLE, without=["confidence_score"]),
            *expect_within("confidence_is_from_0_to_100", ["confidence_score"], 0, 100),
            *expect_enum_values(TABLE.enums()),
        ]
    }
