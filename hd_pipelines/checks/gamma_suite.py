"""Great Expectations rules for `gamma_exposure_snapshots` and its rows by strike and expiration, run before publishing.

Signs are those of `SignModel.NAIVE_CALLS_LONG`. Totals are summed again from their parts, by strike and by expiration. A
snapshot is withheld together with its strikes and expirations, whichever of them breaks a rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.checks.expectations import (
    differ,
    expect_at_least,
    expect_at_most,
    expect_column_bounds,
    expect_enum_values,
    expect_finite,
    expect_known,
    expect_order,
    expect_unique,
    expect_zero,
    flag_contradictions,
    list_non_finite_columns,
)
from hd_pipelines.checks.table_suite import TableRules, TableSuite
from hd_pipelines.tables.gamma import GAMMA_EXPOSURE_SNAPSHOTS as TABLE
from hd_pipelines.tables.gamma_rows import GAMMA_BY_EXPIRATION, GAMMA_BY_STRIKE
from hd_pipelines.tables.model import FROM_ZERO, POSITIVE, ROUNDED_SHARE, Type
from hd_pipelines.tables.vocabulary import DealerPositioning

SEARCH = 0.15
"""Zero gamma is searched for within this share of the underlying price."""
KEY = ["symbol", "timestamp"]
_DOCUMENTS = tuple(column.name for column in TABLE.columns if column.type is Type.JSON)
_DOLLARS_PER_PART = 0.01
"""Parts are rounded to a cent."""
_BOUNDED_OF_STRIKES = GAMMA_BY_STRIKE.bounded_by(POSITIVE, FROM_ZERO)
_ROUNDING = ROUNDED_SHARE.high - 1


def build_gamma_suite() -> TableSuite:
    """Build the suite for frames `SNAPSHOT_COLUMNS`, with `STRIKE_COLUMNS` and `EXPIRATION_COLUMNS` as context."""
    return TableSuite(TableRules(TABLE.name, ("symbol", "timestamp"), _compute_facts, _build_expectations))


def _find_contradictions() -> Mapping[str, pl.Expr]:
    gex, spot, zero = pl.col("gex_usd_per_1pct"), pl.col("underlying_price"), pl.col("zero_gamma")
    call, put = pl.col("call_gex_usd_per_1pct").fill_null(0.0), pl.col("put_gex_usd_per_1pct").fill_null(0.0)
    gross = call.abs() + put.abs()
    shares = pl.col("call_gamma").fill_null(0.0), pl.col("put_gamma").fill_null(0.0)
    position = pl.col("dealer_positioning")
    return {
        "snapshot_is_named": pl.col("symbol").is_null() | (pl.col("symbol") == ""),
        "session_is_the_day_of_the_timestamp": pl.col("timestamp").dt.date() != pl.col("session"),
        "calls_and_puts_add_up": (gex - call - put).abs() > 1e-9 * gross + 1e-6,
        "shares_of_calls_and_puts_add_up": (pl.col("total_gamma") - shares[0] - shares[1]).abs()
        > 1e-9 * (shares[0].abs() + shares[1].abs()) + 1e-6,
        "strikes_add_up": _parts_differ(gex, "strikes"),
        "expirations_add_up": _parts_differ(gex, "expirations"),
        "notional_is_100_times_the_exposure": differ(pl.col("total_gamma_notional"), 100 * gex, 1e-6),
        "dealer_net_gamma_is_the_exposure": pl.col("dealer_net_gamma").ne_missing(gex),
        "positioning_has_the_sign_of_the_exposure": ((position == DealerPositioning.LONG_GAMMA.value) & (gex <= 0))
        | ((position == DealerPositioning.SHORT_GAMMA.value) & (gex >= 0)),
        "no_positioning_or_strength_has_a_reason": (position.is_null() | pl.col("positioning_strength").is_null())
        != pl.col("positioning_reason").is_not_null(),
        "behavior_goes_with_positioning": position.is_null() != pl.col("expected_behavior").is_null(),
        "no_zero_gamma_has_a_reason": zero.is_null() & pl.col("zero_gamma_reason").is_null(),
        "a_zero_gamma_has_no_reason": zero.is_not_null() & pl.col("zero_gamma_reason").is_not_null(),
        "zero_gamma_is_one_of_the_crossings": zero.is_null() != (pl.col("zero_gamma_crossings") == "[]"),
        "zero_gamma_is_near_the_spot": (zero / spot - 1).abs() > SEARCH + _ROUNDING,
        "resistance_is_above_the_spot": pl.col("gamma_wall_resistance") <= spot,
        "support_is_below_the_spot": pl.col("gamma_wall_support") >= spot,
        "distances_are_those_of_the_levels": pl.any_horizontal(
            ((pl.col(level) / spot - 1) * 100 - pl.col(f"distance_to_{name}_pct")).abs() > _ROUNDING
            for level, name in (
                ("gamma_wall_resistance", "resistance"),
                ("gamma_wall_support", "support"),
                ("zero_gamma", "zero_gamma"),
            )
        ),
        "coverage_is_the_share_of_valued_contracts": (
            pl.col("contracts_valued") - pl.col("oi_coverage") * pl.col("contracts")
        ).abs()
        > _ROUNDING * pl.col("contracts"),
        "open_interest_is_of_an_earlier_session": pl.col("open_interest_as_of") >= pl.col("session"),
        "pain_and_focus_are_not_past": pl.min_horizontal("max_pain_expiration", "expiration_focus") < pl.col("session"),
        "documents_are_lists": pl.any_horizontal(
            ~(pl.col(name).str.starts_with("[") & pl.col(name).str.ends_with("]")) for name in _DOCUMENTS
        ),
    }


def _parts_differ(total: pl.Expr, parts: str) -> pl.Expr:
    """Return whether the parts that `_sum_parts` summed, each rounded to a cent, differ from the total."""
    tolerance = _DOLLARS_PER_PART * pl.col(f"n_{parts}").fill_null(0) + 1e-9 * total.abs()
    return (pl.col(f"{parts}_gex").fill_null(0.0) - total).abs() > tolerance


def _sum_parts(rows: pl.DataFrame, parts: str) -> pl.DataFrame:
    gex = pl.col("gex_usd_per_1pct")
    return rows.group_by(KEY).agg(gex.sum().alias(f"{parts}_gex"), gex.count().alias(f"n_{parts}"))


def _compute_facts(
    snapshots: pl.DataFrame, strikes: pl.DataFrame, expirations: pl.DataFrame
) -> Mapping[str, pl.DataFrame]:
    """Each snapshot with its contradictions; and of its strikes and expirations the extremes and contradictions."""
    summed = snapshots
    for rows, parts in ((strikes, "strikes"), (expirations, "expirations")):
        summed = summed.join(_sum_parts(rows, parts), on=KEY, how="left", maintain_order="left")
    facts = summed.with_columns(list_non_finite_columns(snapshots.schema), *flag_contradictions(_find_contradictions()))
    return {
        "snapshots": facts.drop(*_DOCUMENTS, "expirations_included", strict=False),
        "strikes": _summarize_parts(strikes, "strike", _BOUNDED_OF_STRIKES),
        "expirations": _summarize_parts(expirations, "expiration", ()),
    }


def _summarize_parts(rows: pl.DataFrame, name: str, bounded: Sequence[str]) -> pl.DataFrame:
    """Per snapshot: the lowest of the bounded numbers, and counts of parts that come twice or contradict themselves."""
    call, put = pl.col("call_gex_usd_per_1pct"), pl.col("put_gex_usd_per_1pct")
    tolerance = 2 * _DOLLARS_PER_PART + 1e-9 * (call.abs() + put.abs())
    differ_from_sum = (pl.col("gex_usd_per_1pct") - call - put).abs() > tolerance
    return (
        rows.with_columns(list_non_finite_columns(rows.schema))
        .group_by(KEY, maintain_order=True)
        .agg(
            *(pl.col(each).min().alias(f"{each}_min") for each in bounded),
            pl.col("not_finite").drop_nulls().first(),
            (pl.len() - pl.col(name).n_unique()).alias(f"{name}_comes_once"),
            differ_from_sum.fill_null(value=False).sum().alias(f"calls_and_puts_add_up_by_{name}"),
        )
    )


def _build_expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "snapshots": [
            *expect_unique("symbol_has_one_row_per_snapshot", ["symbol", "timestamp"]),
            *expect_unique("id_comes_once", ["id"]),
            *expect_known("snapshot_is_known", ["id", "timestamp", "session", "contracts", "contracts_valued"]),
            *expect_finite(),
            *expect_zero(_find_contradictions()),
            *expect_column_bounds(TABLE),
            *expect_at_least("calls_are_not_negative", ["call_gex_usd_per_1pct", "call_gamma"], 0),
            *expect_at_most("puts_are_not_positive", ["put_gex_usd_per_1pct", "put_gamma"], 0),
            *expect_order("no_more_valued_than_there_are", ("contracts", "contracts_valued")),
            *expect_known("words_are_known", ["kind", "sign_model"]),
            *expect_enum_values(TABLE.enums()),
        ],
        "strikes": [
            *expect_finite(),
            *expect_zero(["strike_comes_once", "calls_and_puts_add_up_by_strike"]),
            *expect_column_bounds(GAMMA_BY_STRIKE, suffix="_min"),
        ],
        "expirations": [
            *expect_finite(),
            *expect_zero(["expiration_comes_once", "calls_and_puts_add_up_by_expiration"]),
            *expect_column_bounds(GAMMA_BY_EXPIRATION, suffix="_min"),
        ],
    }
