"""Great Expectations rules for derived bars, run before they are published.

What the rules mean is defined in `market.bar_audit`; this suite is the independent second validator, and the one that
people see in the UI.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.checks.expectations import (
    expect_at_least,
    expect_at_most,
    expect_known,
    expect_order,
    expect_unique,
    expect_values_in,
    expect_within,
)
from hd_pipelines.checks.table_suite import TableRules, TableSuite
from hd_pipelines.market.bar_audit import USUAL_RATIO
from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.tables.model import POSITIVE
from hd_pipelines.tables.vocabulary import Rule

PRICES = HISTORICAL_BARS.bounded_by(POSITIVE)


def build_bar_suite() -> TableSuite:
    """Build the suite for frames `bars.SCHEMA`, validated together with `measure_coverage` of the same sessions."""
    return TableSuite(TableRules(HISTORICAL_BARS.name, ("symbol", "session"), _compute_facts, _build_expectations))


def _compute_facts(bars: pl.DataFrame, coverage: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    return {"bars": bars, "coverage": coverage}


def _build_expectations() -> Mapping[str, Sequence[Any]]:
    timeframe = HISTORICAL_BARS["timeframe"]
    return {
        "bars": [
            *expect_known(Rule.PRICE_NOT_FINITE, PRICES),
            *expect_at_least(Rule.PRICE_NOT_POSITIVE, PRICES, 0, above=True),
            *expect_at_most(Rule.PRICE_NOT_FINITE, PRICES, sys.float_info.max),
            *expect_at_least(Rule.VOLUME_NEGATIVE, ["volume"], 0),
            *expect_order(Rule.HIGH_BELOW_LOW, ("high", "low"), unless_missing="both_values_are_missing"),
            *expect_order(
                Rule.PRICE_OUTSIDE_RANGE,
                *(("high", "open"), ("high", "close"), ("open", "low"), ("close", "low")),
                unless_missing="both_values_are_missing",
            ),
            *expect_unique(Rule.ROW_DUPLICATED, ["symbol", "timeframe", "timestamp"]),
            *expect_values_in(Rule.VALUE_UNREADABLE, "timeframe", timeframe.values),
        ],
        "coverage": [
            *expect_within(Rule.ROW_COUNT_UNUSUAL, ["ratio"], *USUAL_RATIO),
            *expect_order(
                Rule.SESSION_INCOMPLETE,
                ("minutes_expected", "minutes_found"),
                unless_missing="both_values_are_missing",
            ),
        ],
    }
