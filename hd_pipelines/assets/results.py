"""What assets report after their work: findings in the log, pictures, and the result of a refreshed table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import dagster as dg

from hd_pipelines.assets.pictures import Drawing, show_pictures
from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.loading.derived.refresh import DerivedReport
from hd_pipelines.market.findings import Finding


def log_findings(context: dg.AssetExecutionContext, findings: Iterable[Finding]) -> None:
    """Write each finding to the run's log as a warning."""
    for finding in findings:
        context.log.warning(str(finding))


def describe_refresh(report: DerivedReport, unit: str = "symbol_sessions") -> dict[str, dg.MetadataValue]:
    """Describe what a refresh of a derived table did. `unit`: what it publishes or withholds as a whole."""
    return {
        "rows_written": dg.MetadataValue.int(report.rows),
        f"published_{unit}": dg.MetadataValue.int(report.published),
        f"up_to_date_{unit}": dg.MetadataValue.int(report.up_to_date),
        f"withheld_{unit}": dg.MetadataValue.int(report.withheld),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        **describe_findings(report.findings),
    }


def report_refresh(
    context: dg.AssetExecutionContext,
    sessions: Sequence[date],
    report: DerivedReport,
    check: dg.AssetCheckResult,
    drawing: Drawing,
    *,
    unit: str = "symbol_sessions",
) -> dg.MaterializeResult:
    """Log the findings of a refreshed table, show its pictures and build the asset's result."""
    log_findings(context, report.findings)
    show_pictures(context, sessions, drawing)
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **describe_refresh(report, unit)}, check_results=[check]
    )
