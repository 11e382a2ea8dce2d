"""What assets have in common when they tell: owners, retry rules, findings as a table.

Belongs here: presentation, and which errors are worth another attempt. Nothing here decides about data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

import dagster as dg

from hd_pipelines.lake import ChainsUnsettledError, LakeUnsettledError
from hd_pipelines.loading.derivation import DerivedReport
from hd_pipelines.market.findings import Finding
from hd_pipelines.providers.errors import VendorError
from hd_pipelines.tables.vocabulary import Severity
from hd_pipelines.warehouse.errors import is_transient

OWNERS = ["team:market-data"]
TRANSIENT_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that talk to the vendor or the database; `retrying_only_transient_errors` takes it from all other errors."""
SHOWN = 200


@contextmanager
def retrying_only_transient_errors() -> Iterator[None]:
    """Around an asset's work: an error that a second attempt would meet again fails the step at once.

    Data faults are findings, not exceptions, and never get here.
    """
    try:
        yield
    except Exception as error:
        if _may_pass(error):
            raise
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error


def _may_pass(error: Exception) -> bool:
    if isinstance(error, VendorError):
        return error.is_transient
    return isinstance(error, LakeUnsettledError | ChainsUnsettledError) or is_transient(error)


def show(
    context: dg.AssetExecutionContext, sessions: Sequence[date], pictures: Mapping[str, dg.MarkdownMetadataValue]
) -> None:
    """Attach pictures to the newest of `sessions` (ascending) only: a run over a year would store each 252 times."""
    context.add_asset_metadata(pictures, partition_key=str(sessions[-1]))


def derived_metadata(report: DerivedReport) -> dict[str, dg.MetadataValue]:
    """What a refresh of a derived table did."""
    return {
        "rows_written": dg.MetadataValue.int(report.rows),
        "published_symbol_sessions": dg.MetadataValue.int(report.published),
        "up_to_date_symbol_sessions": dg.MetadataValue.int(report.up_to_date),
        "withheld_symbol_sessions": dg.MetadataValue.int(report.withheld),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        **findings_metadata(report.findings),
    }


def findings_metadata(findings: Sequence[Finding]) -> dict[str, dg.MetadataValue]:
    """Numbers by severity and a table of the findings, worst first; at most 200 rows."""
    severities = Counter(finding.severity for finding in findings)
    worst_first = sorted(findings, key=lambda f: (f.severity is not Severity.ERROR, str(f.session), f.subject))
    table = dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "severity": finding.severity.value,
                    "rule": finding.rule.value,
                    "session": str(finding.session or ""),
                    "subject": finding.subject,
                    "rows": finding.rows,
                    "detail": finding.detail,
                    "cure": finding.cure,
                }
            )
            for finding in worst_first[:SHOWN]
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn("severity"),
                dg.TableColumn("rule"),
                dg.TableColumn("session"),
                dg.TableColumn("subject"),
                dg.TableColumn("rows", "int"),
                dg.TableColumn("detail"),
                dg.TableColumn("cure"),
            ]
        ),
    )
    return {
        "errors": dg.MetadataValue.int(severities[Severity.ERROR]),
        "warnings": dg.MetadataValue.int(severities[Severity.WARNING]),
        **({"findings": table} if findings else {}),
    }
