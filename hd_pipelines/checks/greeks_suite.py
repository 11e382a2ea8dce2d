"""Great Expectations rules for `historical_greeks`, run before rows are published.

A whole snapshot is withheld if one of its contracts breaks a rule: where one Greek has the wrong sign, the others are not
to be trusted either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import polars as pl

from hd_pipelines.checks.expectations import (
    expect_column_bounds,
    expect_enum_values,
    expect_finite,
    expect_known,
    expect_within,
    expect_zero,
    list_non_finite_columns,
)
from hd_pipelines.checks.table_suite import TableRules, TableSuite
from hd_pipelines.pricing.reasons import Reason
from hd_pipelines.tables.greeks import HISTORICAL_GREEKS as TABLE
from hd_pipelines.tables.model import FINITE, SHARE
from hd_pipelines.tables.vocabulary import OptionType

GREEKS = ("delta", "gamma", "theta", "vega", "rho")
HIGHEST_VOLATILITY = 50.0
"""Per year. Options in their last minutes reach 10; more is a price in another unit."""
DELTA_ROUNDING = 0.02
"""A spot delta is at most exp(-qT), and the carry that parity implies is good to a few tenths of a percent."""

_ENUMS: dict[str, type[StrEnum]] = {**TABLE.enums(), "iv_reason": Reason}
_BOUNDED = tuple(column.name for column in TABLE.columns if column.validated_bounds not in {None, FINITE})
_SHARES = TABLE.bounded_by(SHARE)
_NAMES = ("symbol", "contract_ticker", "timestamp", "session", "kind", "root", "expiration", "strike", "option_type")


def build_greeks_suite() -> TableSuite:
    """Build the suite for frames `VALUED`, with or without `iv_rank` and `iv_percentile`."""
    return TableSuite(TableRules(TABLE.name, ("symbol", "timestamp"), _compute_facts, _build_expectations))


def _find_contradictions() -> Mapping[str, pl.Expr]:
    volatility, delta = pl.col("implied_volatility"), pl.col("delta")
    is_call = pl.col("option_type") == OptionType.CALL.value
    has_greek = pl.any_horizontal(pl.col(GREEKS).is_not_null())
    lacks_greek = pl.any_horizontal(pl.col(GREEKS).is_null())
    return {
        "contract_has_its_names": pl.any_horizontal(
            *(pl.col(name).is_null() for name in _NAMES),
            *(pl.col(name) == "" for name in ("symbol", "contract_ticker", "root")),
        ),
        "session_is_the_day_of_the_timestamp": pl.col("timestamp").dt.date() != pl.col("session"),
        "dte_counts_days_to_expiration": pl.col("dte")
        != (pl.col("expiration") - pl.col("session")).dt.total_days().cast(pl.Int32),
        "no_volatility_has_a_reason": volatility.is_null() & pl.col("iv_reason").is_null(),
        "a_volatility_has_no_reason": volatility.is_not_null() & pl.col("iv_reason").is_not_null(),
        "greeks_need_a_volatility": volatility.is_null() & has_greek,
        "a_volatility_has_all_greeks": volatility.is_not_null() & lacks_greek,
        "a_volatility_comes_from_a_price": volatility.is_not_null() & ~(pl.col("mid_price") > 0).fill_null(value=False),
        "a_volatility_needs_time_left": volatility.is_not_null() & ~(pl.col("years") > 0).fill_null(value=False),
        "a_crossed_quote_is_not_valued": volatility.is_not_null() & (pl.col("bid") > pl.col("ask")),
        "call_delta_is_from_0_to_1": is_call & ~delta.is_between(0, 1 + DELTA_ROUNDING),
        "put_delta_is_from_minus_1_to_0": ~is_call & ~delta.is_between(-1 - DELTA_ROUNDING, 0),
        "open_interest_is_of_an_earlier_session": pl.col("open_interest_as_of") >= pl.col("session"),
    }


def _compute_facts(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    """Per snapshot: extremes of its numbers and counts of contracts that contradict themselves; and its enum values."""
    missing = [pl.lit(None, pl.Float64).alias(name) for name in _SHARES if name not in frame.columns]
    rows = frame.with_columns(*missing)
    contradictions = _find_contradictions()
    snapshots = (
        rows.with_columns(list_non_finite_columns(rows.schema))
        .group_by("symbol", "timestamp", maintain_order=True)
        .agg(
            *(pl.col(name).min().alias(f"{name}_min") for name in _BOUNDED),
            *(pl.col(name).max().alias(f"{name}_max") for name in ("implied_volatility", *_SHARES)),
            pl.col("not_finite").drop_nulls().first(),
            contract_comes_once=pl.len() - pl.col("contract_ticker").n_unique(),
            **{rule: broken.fill_null(value=False).sum() for rule, broken in contradictions.items()},
        )
    )
    values = rows.select("symbol", "timestamp", *_ENUMS).unique(maintain_order=True)
    return {"snapshots": snapshots, "enum_values": values}


def _build_expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "snapshots": [
            *expect_finite(),
            *expect_zero(["contract_comes_once", *_find_contradictions()]),
            *expect_column_bounds(TABLE, suffix="_min", without=_SHARES),
            *expect_within("implied_volatility_is_plausible", ["implied_volatility_max"], 0, HIGHEST_VOLATILITY),
            *(
                each
                for name in _SHARES
                for each in expect_within(f"{name}_is_from_0_to_1", [f"{name}_min", f"{name}_max"], 0, 1)
            ),
        ],
        "enum_values": [
            *expect_known("words_are_known", ("kind", "option_type", "exercise_style", "price_source")),
            *expect_enum_values(_ENUMS),
        ],
    }
