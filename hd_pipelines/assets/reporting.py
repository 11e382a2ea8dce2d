"""What assets have in common when they tell: owners, retry rules, findings as a table.

Belongs here: presentation. Nothing here decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from hd_pipelines.market.findings import Finding, Severity

OWNERS = ["team:market-data"]
TRANSIENT_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that talk to the vendor or the database. Data faults are findings, not exceptions, and are not retried."""
SHOWN = 200


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
