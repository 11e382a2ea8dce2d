"""Great Expectations rules for option chains as the vendor quotes them.

Whether a chain is complete and fresh is measured in `market.chain_coverage`; rows that cannot be right were set aside
where they were read (`providers.chain_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.checks.expectations import (
    expect_at_least,
    expect_column_bounds,
    expect_enum_values,
    expect_finite,
    expect_known,
    expect_within,
    expect_zero,
    list_non_finite_columns,
)
from hd_pipelines.checks.table_suite import TableRules, TableSuite
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.tables.chains import OPTION_CHAINS as TABLE
from hd_pipelines.tables.vocabulary import OptionType

MAX_CROSSED_SHARE = 0.10
"""Share of two-sided quotes with the bid above the ask; more means that two columns are swapped."""
_ENUMS = TABLE.enums()
_BOUNDED = tuple(column.name for column in TABLE.columns if column.validated_bounds)


def build_chain_suite() -> TableSuite:
    """Build the suite for frames `CHAIN` with any number of snapshots."""
    return TableSuite(TableRules(TABLE.name, ("underlying", "snapshot_at"), _compute_facts, _build_expectations))


def _find_contradictions() -> Mapping[str, pl.Expr]:
    day = pl.col("snapshot_at").dt.convert_time_zone(NEW_YORK.key).dt.date()
    names = ("underlying", "ticker", "root")
    return {
        "contract_has_its_names": pl.any_horizontal(
            *(pl.col(name).is_null() | (pl.col(name) == "") for name in names),
            pl.col("strike", "expiration").is_null(),
        ),
        "contract_has_not_expired": pl.col("expiration") < day,
        "open_interest_is_of_an_earlier_session": pl.col("open_interest_as_of") >= day,
        "quote_is_not_of_the_future": pl.col("quote_at") > pl.col("snapshot_at") + pl.duration(minutes=1),
    }


def _compute_facts(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    two_sided = (pl.col("bid") > 0) & (pl.col("ask") > 0)
    crossed = two_sided & (pl.col("bid") > pl.col("ask"))
    snapshots = (
        frame.with_columns(list_non_finite_columns(frame.schema))
        .group_by("underlying", "snapshot_at", maintain_order=True)
        .agg(
            *(pl.col(name).min().alias(f"{name}_min") for name in _BOUNDED),
            pl.col("not_finite").drop_nulls().first(),
            contract_comes_once=pl.len() - pl.col("ticker").n_unique(),
            prices_of_the_underlying=pl.col("underlying_price").drop_nulls().n_unique(),
            crossed=crossed.sum() / pl.max_horizontal(two_sided.sum(), 1),
            calls=(pl.col("option_type") == OptionType.CALL.value).sum(),
            puts=(pl.col("option_type") == OptionType.PUT.value).sum(),
            **{rule: broken.fill_null(value=False).sum() for rule, broken in _find_contradictions().items()},
        )
    )
    values = frame.select("underlying", "snapshot_at", *_ENUMS).unique(maintain_order=True)
    return {"snapshots": snapshots, "enum_values": values}


def _build_expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "snapshots": [
            *expect_finite(),
            *expect_zero(["contract_comes_once", *_find_contradictions()]),
            *expect_column_bounds(TABLE, suffix="_min"),
            *expect_within("underlying_has_one_price", ["prices_of_the_underlying"], 0, 1),
            *expect_within("bids_are_below_asks", ["crossed"], 0, MAX_CROSSED_SHARE),
            *expect_at_least("chain_has_calls_and_puts", ["calls", "puts"], 1),
        ],
        "enum_values": [*expect_known("words_are_known", _ENUMS), *expect_enum_values(_ENUMS)],
    }
