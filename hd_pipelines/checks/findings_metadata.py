"""Data findings as Dagster metadata: counts by severity and a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Severity

MOST_ROWS = 200
_COLUMNS = {"severity": "string", "rule": "string", "session": "string", "subject": "string", "rows": "int"}
_COLUMNS |= {"detail": "string", "cure": "string"}


def describe_findings(findings: Sequence[Finding]) -> dict[str, dg.MetadataValue]:
    """Count findings by severity and list them in a table, errors first, at most 200 rows."""
    severities = Counter(finding.severity for finding in findings)
    errors_first = sorted(findings, key=lambda f: (f.severity is not Severity.ERROR, str(f.session), f.subject))
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
            for finding in errors_first[:MOST_ROWS]
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in _COLUMNS.items()]),
    )
    return {
        "errors": dg.MetadataValue.int(severities[Severity.ERROR]),
        "warnings": dg.MetadataValue.int(severities[Severity.WARNING]),
        **({"findings": table} if findings else {}),
    }
