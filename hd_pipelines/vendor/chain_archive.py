"""A folder of archived option chains: one Parquet file per underlying and session.

Belongs here: what the archive contains, against the exchange calendar. No vendor sells chains of the past, so a gap in
the archive stays one, and has to be known before anybody computes with it. Layout: docs/vendor.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from hd_pipelines.market.findings import Finding, Rule, Severity
from hd_pipelines.market.sessions import is_session, sessions_between

DATASET = "option_chains"
ARCHIVE_RULES = frozenset({Rule.OBJECT_ON_CLOSED_DAY, Rule.SESSION_MISSING})


def archived_days(archive: Path) -> dict[str, list[date]]:
    """Days that have a file, by underlying, ascending; empty if `archive` has no chains."""
    found: dict[str, list[date]] = {}
    for file in sorted((archive / "chains").glob("*/*.parquet")):
        found.setdefault(file.parent.name, []).append(date.fromisoformat(file.stem))
    return found


def archive_findings(days: Mapping[str, Sequence[date]]) -> list[Finding]:
    """Files on days without a session, and sessions between the first and last file that have none."""
    findings = []
    for underlying, have in sorted(days.items()):
        findings += [
            Finding(
                rule=Rule.OBJECT_ON_CLOSED_DAY,
                severity=Severity.WARNING,
                dataset=DATASET,
                session=day,
                subject=underlying,
                detail=f"chains/{underlying}/{day}.parquet is dated on a day on which the exchange was closed.",
                cure="Leave it out: its quotes are those of the session before, or of nobody.",
            )
            for day in have
            if not is_session(day)
        ]
        findings += [
            Finding(
                rule=Rule.SESSION_MISSING,
                severity=Severity.ERROR,
                dataset=DATASET,
                session=day,
                subject=underlying,
                detail=f"The exchange was open and there is no chains/{underlying}/{day}.parquet.",
                cure="Nothing can bring it back; what is computed from chains has a gap here.",
            )
            for day in sessions_between(have[0], have[-1])
            if day not in set(have)
        ]
    return findings
