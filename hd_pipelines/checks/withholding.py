"""From a suite's verdict to findings: what keeps a symbol's session, or a session, from being published.

Belongs here: putting a broken rule into the words of `data_findings`. Rules and verdicts are `table_suite`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import polars as pl

from hd_pipelines.checks.table_suite import TableSuite
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.tables.vocabulary import Rule, Severity

MOST_NAMED = 5
"""Broken rules that one finding names."""
MARKET = "market"
"""Subject of a finding about a table without symbols."""


def judge_of(suite: TableSuite) -> Callable[[pl.DataFrame], Sequence[Finding]]:
    """A judge for the loads of derived tables: one `ERROR` per symbol and session whose rows break a rule."""

    def judge(rows: pl.DataFrame) -> Sequence[Finding]:
        broken = suite.judge(rows).broken
        places: dict[tuple[str, date], list[str]] = {}
        for row in broken.with_columns(_session(broken)).iter_rows(named=True):
            place = row.get("symbol", MARKET), row["session"]
            places.setdefault(place, []).append(f"{row['rule']} ({row['detail']})")
        return [
            Finding(
                rule=Rule.EXPECTATION_BROKEN,
                severity=Severity.ERROR,
                dataset=suite.rules.table,
                session=session,
                subject=subject,
                detail=f"Great Expectations: {'; '.join(rules[:MOST_NAMED])}.",
                cure="Nothing of it was published, what was published before stays. Look at the chain it was made from.",
                rows=len(rules),
            )
            for (subject, session), rules in sorted(places.items())
        ]

    return judge


def _session(broken: pl.DataFrame) -> pl.Expr:
    """The session of a row, whichever column tells it."""
    if "session" in broken.columns:
        return pl.col("session")
    if "date" in broken.columns:
        return pl.col("date").alias("session")
    return pl.col("timestamp").dt.convert_time_zone(NEW_YORK.key).dt.date().alias("session")
