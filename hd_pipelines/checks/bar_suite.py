"""The Great Expectations suite on derived bars, run before they are published.

Belongs here: expectations, and turning what failed into findings that keep a symbol's session back. The rules' meaning is
in `market.bar_audit`; this is the independent second judge, and the one that people see in the UI.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from hd_pipelines.market.bar_audit import DATASET, USUAL_RATIO
from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity, Timeframe

PAIR = ["symbol", "session"]


@dataclass
class BarSuite:
    """Judges portions of derived bars and remembers what it found, for one asset check result."""

    evaluated: int = 0
    rows: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, bars: pl.DataFrame, coverage: pl.DataFrame) -> Sequence[Finding]:
        """Validate `bars` (`bars.SCHEMA`) and `coverage` (`bar_audit.measure_coverage`); failing pairs are errors."""
        findings: list[Finding] = []
        for name, frame, expectations in (
            ("bars", bars, _bar_expectations()),
            ("coverage", coverage, _coverage_expectations()),
        ):
            if frame.is_empty():
                continue
            result = _validate(name, frame, expectations)
            self.rows += frame.height if name == "bars" else 0
            for outcome in result["results"]:
                self.evaluated += 1
                if not outcome["success"]:
                    findings += self._failed(outcome, bars)
        return findings

    def _failed(self, outcome: dict[str, Any], bars: pl.DataFrame) -> list[Finding]:
        expectation, detail = outcome["expectation_config"]["type"], outcome["result"]
        rule = Rule(outcome["expectation_config"]["meta"]["rule"])
        index = detail.get("unexpected_index_list")
        pairs = {(row["symbol"], row["session"]) for row in index} if index else set(bars.select(PAIR).iter_rows())
        self.failures.append({"expectation": expectation, "rule": rule.value, "symbol_sessions": len(pairs)})
        return [
            Finding(
                rule=rule,
                severity=Severity.ERROR,
                dataset=DATASET,
                session=session if isinstance(session, date) else date.fromisoformat(str(session)[:10]),
                subject=symbol,
                detail=f"Great Expectations: {expectation} is not met.",
                cure="See the other findings of this symbol and session; nothing of it was published.",
            )
            for symbol, session in sorted(pairs, key=str)
        ]

    def result(self, check_name: str) -> dg.AssetCheckResult:
        """The verdict over all portions. Failures are isolated to symbol-sessions and so warn; readers see none of it."""
        return dg.AssetCheckResult(
            check_name=check_name,
            passed=not self.failures,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "expectations_evaluated": self.evaluated,
                "rows_judged": self.rows,
                "failures": dg.MetadataValue.json(self.failures),
            },
        )


def _bar_expectations() -> list[Any]:
    import great_expectations.expectations as gxe

    prices = ("open", "high", "low", "close")
    return [
        *(gxe.ExpectColumnValuesToNotBeNull(column=c, meta={"rule": Rule.PRICE_NOT_FINITE}) for c in prices),
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=column, min_value=0, strict_min=True, meta={"rule": Rule.PRICE_NOT_POSITIVE}
            )
            for column in prices
        ),
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=column, max_value=sys.float_info.max, meta={"rule": Rule.PRICE_NOT_FINITE}
            )
            for column in prices
        ),
        gxe.ExpectColumnValuesToBeBetween(column="volume", min_value=0, meta={"rule": Rule.VOLUME_NEGATIVE}),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="high", column_B="low", or_equal=True, meta={"rule": Rule.HIGH_BELOW_LOW}
        ),
        *(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=above, column_B=below, or_equal=True, meta={"rule": Rule.PRICE_OUTSIDE_RANGE}
            )
            for above, below in (("high", "open"), ("high", "close"), ("open", "low"), ("close", "low"))
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["symbol", "timeframe", "timestamp"], meta={"rule": Rule.ROW_DUPLICATED}
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="timeframe", value_set=[t.value for t in Timeframe], meta={"rule": Rule.VALUE_UNREADABLE}
        ),
    ]


def _coverage_expectations() -> list[Any]:
    import great_expectations.expectations as gxe

    low, high = USUAL_RATIO
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="ratio", min_value=low, max_value=high, meta={"rule": Rule.ROW_COUNT_UNUSUAL}
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="minutes_expected",
            column_B="minutes_found",
            or_equal=True,
            meta={"rule": Rule.SESSION_INCOMPLETE},
        ),
    ]


def _validate(name: str, frame: pl.DataFrame, expectations: list[Any]) -> dict[str, Any]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas(name)
        .add_dataframe_asset(name)
        .add_batch_definition_whole_dataframe(name)
        .get_batch({"dataframe": frame.to_pandas()})
    )
    result_format = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": PAIR,
        "include_unexpected_rows": False,
    }
    verdict = batch.validate(gx.ExpectationSuite(name=name, expectations=expectations), result_format=result_format)
    answer: dict[str, Any] = verdict.to_json_dict()
    return answer
