"""Runs Great Expectations on the rows of one table before they are published, and collects what breaks a rule.

The rules are in the suite of each table (`bar_suite`, `greeks_suite`, `iv_percentile_suite`, `gamma_suite`,
`regime_suite`, `chain_suite`), made of what `expectations` offers.

A suite computes facts in polars (extremes of a snapshot, number of rows that contradict themselves) and lets Great
Expectations compare them with the limits. So a session of 25,000 contracts costs it a few rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import dagster as dg
import polars as pl

ROW = "row_of_facts"
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class TableRules:
    """Rules for the rows of a table.

    table         name of the table
    scope         columns that identify what is withheld together when one of its rows breaks a rule
    facts         fact frames by name, computed from the rows and any context frames; each has the columns of `scope`
    expectations  expectations for each fact frame, by its name; imports Great Expectations when called
    """

    table: str
    scope: tuple[str, ...]
    facts: Callable[..., Mapping[str, pl.DataFrame]]
    expectations: Callable[[], Mapping[str, Sequence[Any]]]


class Verdict(NamedTuple):
    """Rows that may be published, and the rules that the others break.

    sound   rows of the scopes that break no rule
    broken  columns of the scope, `rule` and `detail`; one row per scope and rule
    """

    sound: pl.DataFrame
    broken: pl.DataFrame


@dataclass
class TableSuite:
    """Validates batches of a table's rows and accumulates what it found into one asset check result."""

    rules: TableRules
    evaluated: int = 0
    rows: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def validate(self, frame: pl.DataFrame, *context: pl.DataFrame) -> Verdict:
        """Check `frame`, rows as they are to be published. `context`: further frames that the facts are computed from."""
        scope = list(self.rules.scope)
        found = [_no_broken_rules(frame, scope)]
        if frame.height:
            self.rows += frame.height
            facts, expectations = self.rules.facts(frame, *context), self.rules.expectations()
            for name, part in facts.items():
                if part.is_empty():
                    continue
                evaluated, failed = _find_broken(name, part, expectations[name])
                self.evaluated += evaluated
                found += [self._record_failure(outcome, part) for outcome in failed]
        broken = pl.concat(found).unique(subset=[*scope, "rule"], maintain_order=True)
        return Verdict(frame.join(broken, on=scope, how="anti", nulls_equal=True, maintain_order="left"), broken)

    def _record_failure(self, outcome: dict[str, Any], part: pl.DataFrame) -> pl.DataFrame:
        configured, detail = outcome["expectation_config"], outcome["result"]
        scope = list(self.rules.scope)
        rule = _get_rule(outcome)
        found = {each[ROW]: each for each in detail.get("unexpected_index_list") or ()}
        error = "" if found else _error(outcome)
        # An expectation that could not be evaluated, or that cannot name rows, counts as broken by every row.
        rows = sorted(found) or list(range(part.height))
        texts = [_describe(found.get(row, {}), error) for row in rows]
        broken = part[rows].select(
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

    def build_result(
        self, check_name: str, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN
    ) -> dg.AssetCheckResult:
        """Build the result over all batches: a warning if the failed rows were withheld, `ERROR` if they are published."""
        return dg.AssetCheckResult(
            check_name=check_name,
            passed=not self.failures,
            severity=severity,
            metadata={
                "table": self.rules.table,
                "expectations_evaluated": self.evaluated,
                "rows_validated": self.rows,
                "failures": dg.MetadataValue.json(self.failures),
            },
        )


def _describe(found: dict[str, Any], error: str) -> str:
    return error or ", ".join(f"{name} {value}" for name, value in found.items() if name != ROW)


def _error(outcome: dict[str, Any]) -> str:
    raised = outcome.get("exception_info") or {}
    messages = [each["exception_message"] for each in (raised, *raised.values()) if _is_message(each)]
    return "; ".join(messages) or f"observed {outcome['result'].get('observed_value')}"


def _is_message(each: object) -> bool:
    return isinstance(each, dict) and bool(each.get("exception_message"))


def _no_broken_rules(frame: pl.DataFrame, scope: list[str]) -> pl.DataFrame:
    return frame.select(scope).clear().with_columns(rule=pl.lit(None, pl.String), detail=pl.lit(None, pl.String))


def _find_broken(name: str, facts: pl.DataFrame, expectations: Sequence[Any]) -> tuple[int, list[dict[str, Any]]]:
    """Return how many expectations were evaluated, and the outcomes of those that `facts` break, with the rows.

    All are first only asked whether they hold: the outcome that names rows costs three times as much.
    """
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

    def validate(chosen: Sequence[Any], result_format: str | dict[str, Any]) -> list[dict[str, Any]]:
        suite = gx.ExpectationSuite(name=name, expectations=list(chosen))
        outcomes: list[dict[str, Any]] = batch.validate(suite, result_format=result_format).to_json_dict()["results"]
        return outcomes

    asked = validate(expectations, "BOOLEAN_ONLY")
    broken = {_get_rule(outcome): outcome for outcome in asked if not outcome["success"]}
    if not broken:
        return len(asked), []
    named = {"unexpected_index_column_names": [ROW], "include_unexpected_rows": False}
    again = [expectation for expectation in expectations if expectation.meta["rule"] in broken]
    answered = [
        outcome for outcome in validate(again, {"result_format": "COMPLETE", **named}) if not outcome["success"]
    ]
    # What only the first pass saw names no row, so every row counts as breaking it.
    unexplained = broken.keys() - {_get_rule(outcome) for outcome in answered}
    return len(asked), [*answered, *(broken[rule] | {"result": {}} for rule in sorted(unexplained))]


def _get_rule(outcome: dict[str, Any]) -> str:
    return str(outcome["expectation_config"]["meta"]["rule"])
