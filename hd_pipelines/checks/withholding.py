"""Turns the verdict of a suite into findings, which keep a symbol's session, or a session, from being published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import polars as pl

from hd_pipelines.checks.table_suite import TableSuite
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.tables.vocabulary import Rule, Severity

MAX_RULES_NAMED = 5
"""Broken rules that one finding names."""
MARKET = "market"
"""Subject of a finding about a table without symbols."""


def make_validator(suite: TableSuite) -> Callable[..., Sequence[Finding]]:
    """Return the validator of a derived table's load: one `ERROR` per symbol and session whose rows break a rule.

    It is called with the rows and the frames of their parts.
    """

    def validate(rows: pl.DataFrame, *parts: pl.DataFrame) -> Sequence[Finding]:
        places: dict[tuple[str, date], list[str]] = {}
        for subject, session, row in _places(suite.validate(rows, *parts).broken):
            places.setdefault((subject, session), []).append(f"{row['rule']} ({row['detail']})")
        return [
            Finding(
                rule=Rule.EXPECTATION_BROKEN,
                severity=Severity.ERROR,
                dataset=suite.rules.table,
                session=session,
                subject=subject,
                detail=f"Great Expectations: {'; '.join(rules[:MAX_RULES_NAMED])}.",
                cure="Nothing of it was published, what was published before stays. Look at the chain it was made from.",
                rows=len(rules),
            )
            for (subject, session), rules in sorted(places.items())
        ]

    return validate


def make_bar_validator(suite: TableSuite) -> Callable[[pl.DataFrame, pl.DataFrame], Sequence[Finding]]:
    """Return the validator of bars and their coverage: one `ERROR` per symbol, session and rule of `market.bar_audit`."""

    def validate(bars: pl.DataFrame, coverage: pl.DataFrame) -> Sequence[Finding]:
        broken = suite.validate(bars, coverage).broken
        expectations = {failure["rule"]: failure["expectation"] for failure in suite.failures}
        return [
            Finding(
                rule=Rule(row["rule"]),
                severity=Severity.ERROR,
                dataset=suite.rules.table,
                session=session,
                subject=subject,
                detail=f"Great Expectations: {expectations[row['rule']]} is not met.",
                cure="See the other findings of this symbol and session; nothing of it was published.",
            )
            for subject, session, row in _places(broken)
        ]

    return validate


def _places(broken: pl.DataFrame) -> Iterator[tuple[str, date, dict[str, Any]]]:
    """Subject, session and row of each broken rule."""
    for row in broken.with_columns(_session(broken)).iter_rows(named=True):
        yield row.get("symbol", MARKET), row["session"], row


def _session(broken: pl.DataFrame) -> pl.Expr:
    """Session of a row, from whichever column holds it."""
    if "session" in broken.columns:
        return pl.col("session")
    if "date" in broken.columns:
        return pl.col("date").alias("session")
    return pl.col("timestamp").dt.convert_time_zone(NEW_YORK.key).dt.date().alias("session")
