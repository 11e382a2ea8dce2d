"""The expectations that suites are made of, each with the name of the rule that it checks.

Bounds and enums come from the table's definition in `tables`; relations between columns are written from the definition
and not from the code that fills the table, so that they are an independent check. Great Expectations is imported when a
function is called. `table_suite` evaluates them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import polars as pl

from hd_pipelines.tables.model import FINITE, FROM_ZERO, POSITIVE, Bounds, Table


def expect_column_bounds(table: Table, *, suffix: str = "", without: Collection[str] = ()) -> list[Any]:
    """Expect the bounds of every column of `table`, one rule per column; `expect_finite()` checks for finite numbers.

    `suffix`: fact frames that hold the extremes of a scope name them `<column>_min` and `<column>_max`; a suite that
    has such facts checks the lower bounds on `_min` here and upper bounds by itself.
    """
    expectations = []
    for column in table.columns:
        bounds, name = column.validated_bounds, f"{column.name}{suffix}"
        if bounds is None or bounds == FINITE or column.name in without:
            continue
        if bounds == POSITIVE:
            expectations += expect_at_least(f"{column.name}_is_positive", [name], 0, above=True)
        elif bounds == FROM_ZERO:
            expectations += expect_at_least(f"{column.name}_is_not_negative", [name], 0)
        else:
            expectations += expect_within(f"{column.name}_{_describe_range(bounds)}", [name], bounds.low, bounds.high)
    return expectations


def _describe_range(bounds: Bounds) -> str:
    # A rounding error beyond a whole number does not belong in the rule's name.
    named = {(0, 1): "is_from_0_to_1", (-1, 1): "is_from_minus_1_to_1"}
    return named.get((round(bounds.low), round(bounds.high)), "is_plausible")


def expect_at_least(rule: str, columns: Iterable[str], low: float, *, above: bool = False) -> list[Any]:
    """Expect no known value below `low`; with `above`, none equal to it either."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, strict_min=above, meta={"rule": rule})
        for name in columns
    ]


def expect_at_most(rule: str, columns: Iterable[str], high: float) -> list[Any]:
    """Expect no known value above `high`."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeBetween(column=name, max_value=high, meta={"rule": rule}) for name in columns]


def expect_within(rule: str, columns: Iterable[str], low: float, high: float) -> list[Any]:
    """Expect every known value from `low` to `high`, both included."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high, meta={"rule": rule})
        for name in columns
    ]


def expect_zero(rules: Iterable[str]) -> list[Any]:
    """Expect 0 in the facts that count contradictions; each is named like its rule."""
    return [expectation for rule in rules for expectation in expect_within(rule, [rule], 0, 0)]


def expect_known(rule: str, columns: Iterable[str]) -> list[Any]:
    """Expect no null."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column=name, meta={"rule": rule}) for name in columns]


def expect_enum_values(vocabulary: Mapping[str, type[StrEnum]]) -> list[Any]:
    """Expect known values of each column to be values of its enum; the rule is `<column>_is_of_the_vocabulary`."""
    return [
        expectation
        for name, enum in vocabulary.items()
        for expectation in expect_values_in(f"{name}_is_of_the_vocabulary", name, [member.value for member in enum])
    ]


def expect_values_in(rule: str, column: str, values: Sequence[str]) -> list[Any]:
    """Expect every known value of `column` to be one of `values`."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values), meta={"rule": rule})]


def expect_order(
    rule: str, *pairs: tuple[str, str], strictly: bool = False, unless_missing: str = "either_value_is_missing"
) -> list[Any]:
    """Expect the first of each pair to be the larger one, or as large, where both are known.

    With `unless_missing="both_values_are_missing"` a pair with one null breaks the rule too.
    """
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=larger,
            column_B=smaller,
            or_equal=not strictly,
            ignore_row_if=unless_missing,
            meta={"rule": rule},
        )
        for larger, smaller in pairs
    ]


def expect_unique(rule: str, columns: Sequence[str]) -> list[Any]:
    """Expect no two rows with the same values in `columns`."""
    import great_expectations.expectations as gxe

    if len(columns) == 1:
        return [gxe.ExpectColumnValuesToBeUnique(column=columns[0], meta={"rule": rule})]
    return [gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns), meta={"rule": rule})]


def expect_finite() -> list[Any]:
    """Expect the fact `not_finite`, computed by `list_non_finite_columns`, to name no column."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeNull(column="not_finite", meta={"rule": "numbers_are_finite"})]


def list_non_finite_columns(schema: Mapping[str, Any]) -> pl.Expr:
    """List the float columns that are NaN or infinite in a row; null if none is. In pandas NaN would count as null."""
    floats = [name for name, dtype in schema.items() if dtype == pl.Float64]
    names = [pl.when(~pl.col(name).is_finite()).then(pl.lit(name)) for name in floats]
    return pl.concat_str(names, separator=", ", ignore_nulls=True).replace("", None).alias("not_finite")


def flag_contradictions(rules: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    """Convert each boolean expression to 0 or 1 under its rule's name; null counts as no contradiction."""
    return [broken.fill_null(value=False).cast(pl.Int64).alias(rule) for rule, broken in rules.items()]


def differ(one: pl.Expr, other: pl.Expr, relative: float = 1e-9) -> pl.Expr:
    """Return whether two numbers that should be equal differ by more than rounding; null if one is unknown."""
    return (one - other).abs() > relative * pl.max_horizontal(one.abs(), other.abs(), 1e-12)
