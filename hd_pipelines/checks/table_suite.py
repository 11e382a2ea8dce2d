"""Great Expectations on the rows of one table, before they are published.

Belongs here: running a table's rules and keeping back what breaks them; the vocabulary the rules are written in. The
rules stand in the suite of each table (`greeks_suite`, `iv_percentile_suite`, `gamma_suite`, `regime_suite`,
`chain_suite`). They are written from the table's definition and not from the code that fills it: a second judge.

A suite states *facts* in polars (extremes of a snapshot, number of rows that contradict themselves) and lets Great
Expectations hold the limits against them. So a session of 25,000 contracts costs it a few rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import dagster as dg
import polars as pl

ROW = "row_of_facts"
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class TableRules:
    """What a table's rows must meet.

    table         name of the table
    scope         columns that name what is withheld together when one of its rows is broken
    facts         portions of a frame of such rows; every portion has the columns of `scope`
    expectations  what is expected of each portion, by its name; imports Great Expectations when called
    """

    table: str
    scope: tuple[str, ...]
    facts: Callable[[pl.DataFrame], Mapping[str, pl.DataFrame]]
    expectations: Callable[[], Mapping[str, Sequence[Any]]]


class Judged(NamedTuple):
    """`sound`: the rows of scopes that break no rule. `broken`: columns of the scope, `rule` and `detail`, one per both."""

    sound: pl.DataFrame
    broken: pl.DataFrame


@dataclass
class TableSuite:
    """Judges portions of a table's rows and remembers what it found, for one asset check result."""

    rules: TableRules
    evaluated: int = 0
    rows: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, frame: pl.DataFrame) -> Judged:
        """Hold `frame`, rows as they are to be published, against the rules. A rule is named by what it demands."""
        scope = list(self.rules.scope)
        broken = [_nothing_broken(frame, scope)]
        if frame.height:
            self.rows += frame.height
            facts, expectations = self.rules.facts(frame), self.rules.expectations()
            for name, portion in facts.items():
                for outcome in _validate(name, portion, expectations[name])["results"]:
                    self.evaluated += 1
                    if not outcome["success"]:
                        broken.append(self._failed(outcome, portion))
        told = pl.concat(broken).unique(subset=[*scope, "rule"], maintain_order=True)
        return Judged(frame.join(told, on=scope, how="anti", nulls_equal=True, maintain_order="left"), told)

    def _failed(self, outcome: dict[str, Any], portion: pl.DataFrame) -> pl.DataFrame:
        configured, detail = outcome["expectation_config"], outcome["result"]
        scope = list(self.rules.scope)
        rule = configured["meta"]["rule"]
        found = {each[ROW]: each for each in detail.get("unexpected_index_list") or ()}
        error = "" if found else _error(outcome)
        # An expectation that could not be evaluated, or that cannot name rows, is met by no row.
        rows = sorted(found) or list(range(portion.height))
        texts = [_said(found.get(row, {}), error) for row in rows]
        broken = portion[rows].select(
            *scope, pl.lit(rule).alias("rule"), pl.Series("detail", texts, dtype=pl.String).alias("detail")
        )
        self.failures.append(
            {
                "rule": rule,
                "expectation": configured["type"],
                "scopes": broken.select(scope).n_unique(),
                "examples": [" ".join(map(str, row)) for row in broken.drop("rule").head(EXAMPLES).iter_rows()],
            }
        )
        return broken

    def result(
        self, check_name: str, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN
    ) -> dg.AssetCheckResult:
        """The verdict over all portions. A warning, if what failed was withheld; `ERROR` where it is already public."""
        return dg.AssetCheckResult(
            check_name=check_name,
            passed=not self.failures,
            severity=severity,
            metadata={
                "table": self.rules.table,
                "expectations_evaluated": self.evaluated,
                "rows_judged": self.rows,
                "failures": dg.MetadataValue.json(self.failures),
            },
        )


def at_least(rule: str, columns: Iterable[str], low: float, *, above: bool = False) -> list[Any]:
    """No known value below `low`; with `above` none at it either."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, strict_min=above, meta={"rule": rule})
        for name in columns
    ]


def at_most(rule: str, columns: Iterable[str], high: float) -> list[Any]:
    """No known value above `high`."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeBetween(column=name, max_value=high, meta={"rule": rule}) for name in columns]


def within(rule: str, columns: Iterable[str], low: float, high: float) -> list[Any]:
    """Every known value from `low` to `high`, both included."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high, meta={"rule": rule})
        for name in columns
    ]


def never(rules: Iterable[str]) -> list[Any]:
    """Facts that count contradictions and are named as the rule: all 0."""
    return [expectation for rule in rules for expectation in within(rule, [rule], 0, 0)]


def known(rule: str, columns: Iterable[str]) -> list[Any]:
    """No null."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column=name, meta={"rule": rule}) for name in columns]


def words(vocabulary: Mapping[str, type[StrEnum]]) -> list[Any]:
    """Known words of each column are values of its enum; the rule is `<column>_is_of_the_vocabulary`."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(
            column=name,
            value_set=[word.value for word in of],
            meta={"rule": f"{name}_is_of_the_vocabulary"},
        )
        for name, of in vocabulary.items()
    ]


def ordered(rule: str, *pairs: tuple[str, str], strictly: bool = False) -> list[Any]:
    """In each pair the first is the larger one, or as large, where both are known."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=larger,
            column_B=smaller,
            or_equal=not strictly,
            ignore_row_if="either_value_is_missing",
            meta={"rule": rule},
        )
        for larger, smaller in pairs
    ]


def unique(rule: str, columns: Sequence[str]) -> list[Any]:
    """No two rows with the same values in `columns`."""
    import great_expectations.expectations as gxe

    if len(columns) == 1:
        return [gxe.ExpectColumnValuesToBeUnique(column=columns[0], meta={"rule": rule})]
    return [gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns), meta={"rule": rule})]


def finite() -> list[Any]:
    """The fact `not_finite`, made by `not_finite(...)`, names no column."""
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeNull(column="not_finite", meta={"rule": "numbers_are_finite"})]


def not_finite(schema: Mapping[str, Any]) -> pl.Expr:
    """Names of the float columns that are NaN or infinite in a row; null if none is. NaN is no null and hides as one."""
    floats = [name for name, dtype in schema.items() if dtype == pl.Float64]
    names = [pl.when(~pl.col(name).is_finite()).then(pl.lit(name)) for name in floats]
    return pl.concat_str(names, separator=", ", ignore_nulls=True).replace("", None).alias("not_finite")


def contradictions(rules: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    """Each boolean expression as 0 or 1 under its rule's name; unknown is no contradiction."""
    return [broken.fill_null(value=False).cast(pl.Int64).alias(rule) for rule, broken in rules.items()]


def differ(one: pl.Expr, other: pl.Expr, relative: float = 1e-9) -> pl.Expr:
    """Whether two numbers that should be equal are further apart than rounding of the larger; null if one is unknown."""
    return (one - other).abs() > relative * pl.max_horizontal(one.abs(), other.abs(), 1e-12)


def _said(found: dict[str, Any], error: str) -> str:
    return error or ", ".join(f"{name} {value}" for name, value in found.items() if name != ROW)


def _error(outcome: dict[str, Any]) -> str:
    raised = outcome.get("exception_info") or {}
    messages = [each["exception_message"] for each in (raised, *raised.values()) if _is_message(each)]
    return "; ".join(messages) or f"observed {outcome['result'].get('observed_value')}"


def _is_message(each: object) -> bool:
    return isinstance(each, dict) and bool(each.get("exception_message"))


def _nothing_broken(frame: pl.DataFrame, scope: list[str]) -> pl.DataFrame:
    return frame.select(scope).clear().with_columns(rule=pl.lit(None, pl.String), detail=pl.lit(None, pl.String))


def _validate(name: str, facts: pl.DataFrame, expectations: Sequence[Any]) -> dict[str, Any]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas(name)
        .add_dataframe_asset(name)
        .add_batch_definition_whole_dataframe(name)
        .get_batch({"dataframe": facts.with_row_index(ROW).to_pandas()})
    )
    result_format = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": [ROW],
        "include_unexpected_rows": False,
    }
    verdict = batch.validate(
        gx.ExpectationSuite(name=name, expectations=list(expectations)), result_format=result_format
    )
    answer: dict[str, Any] = verdict.to_json_dict()
    return answer
