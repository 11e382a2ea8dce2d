"""Stores and reads data findings: opened when first seen, refreshed when repeated, resolved when a later check is clean.

A finding itself is defined in `market.findings`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.warehouse.schema.tables import data_findings


@dataclass(frozen=True, slots=True)
class CheckedScope:
    """What a stage has checked: open findings of this dataset, sessions and rules that it did not repeat are resolved.

    `rules` None means every rule; a stage lists its own rules, so that it does not resolve findings of another stage.
    `subjects` None means every subject. `includes_undated`: findings without a session are covered too.
    """

    dataset: str
    sessions: frozenset[date]
    rules: frozenset[Rule] | None = None
    subjects: frozenset[str] | None = None
    includes_undated: bool = False


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding that no later load has resolved."""

    finding_id: str
    rule: str
    severity: str
    dataset: str
    session: date | None
    subject: str
    detail: str
    cure: str
    rows: int
    first_row: int | None
    first_seen_at: datetime
    last_seen_at: datetime
    run_id: str | None


def record_findings(connection: Connection, findings: Sequence[Finding], *, run_id: str | None = None) -> int:
    """Open new findings, refresh and reopen known ones; return how many. Equal findings of one call count once."""
    by_id = {finding.finding_id: finding for finding in findings}
    if not by_id:
        return 0
    statement = insert(data_findings)
    changed = {name: statement.excluded[name] for name in ("severity", "detail", "cure", "rows", "first_row", "run_id")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["finding_id"], set_={**changed, "resolved_at": None}),
        [
            {
                "finding_id": finding_id,
                "rule": finding.rule.value,
                "severity": finding.severity.value,
                "dataset": finding.dataset,
                "session": finding.session,
                "subject": finding.subject,
                "detail": finding.detail,
                "cure": finding.cure,
                "rows": finding.rows,
                "first_row": finding.first_row,
                "run_id": run_id,
            }
            for finding_id, finding in sorted(by_id.items())
        ],
    )
    return len(by_id)


def resolve_findings(
    connection: Connection,
    dataset: str,
    sessions: Collection[date],
    except_ids: Collection[str] = (),
    *,
    rules: Collection[Rule] | None = None,
    subjects: Collection[str] | None = None,
    includes_undated: bool = False,
) -> int:
    """Mark open findings of `dataset` on `sessions` as resolved, except `except_ids`; return how many."""
    covered = data_findings.c.session.in_(sorted(sessions))
    statement = (
        update(data_findings)
        .where(data_findings.c.dataset == dataset)
        .where(or_(covered, data_findings.c.session.is_(None)) if includes_undated else covered)
        .where(data_findings.c.resolved_at.is_(None))
        .where(data_findings.c.finding_id.not_in(sorted(except_ids)))
        .values(resolved_at=func.now())
    )
    if rules is not None:
        statement = statement.where(data_findings.c.rule.in_(sorted(rule.value for rule in rules)))
    if subjects is not None:
        statement = statement.where(data_findings.c.subject.in_(sorted(subjects)))
    return connection.execute(statement).rowcount


def settle_findings(
    connection: Connection, findings: Sequence[Finding], checked: Sequence[CheckedScope], *, run_id: str | None = None
) -> None:
    """Record `findings`, then resolve what `checked` covers and they do not repeat."""
    record_findings(connection, findings, run_id=run_id)
    seen = [finding.finding_id for finding in findings]
    for scope in checked:
        resolve_findings(
            connection,
            scope.dataset,
            scope.sessions,
            seen,
            rules=scope.rules,
            subjects=scope.subjects,
            includes_undated=scope.includes_undated,
        )


def read_open_findings(
    connection: Connection,
    *,
    datasets: Collection[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> list[OpenFinding]:
    """Read the findings that are not resolved, errors first, then by dataset, session and subject.

    `first` and `last` restrict the findings to sessions in that window.
    """
    finding = data_findings.c
    columns: list[ColumnElement[Any]] = [finding[name] for name in OpenFinding.__dataclass_fields__]
    statement = select(*columns).where(finding.resolved_at.is_(None))
    if datasets is not None:
        statement = statement.where(finding.dataset.in_(sorted(datasets)))
    if first is not None:
        statement = statement.where(finding.session >= first)
    if last is not None:
        statement = statement.where(finding.session <= last)
    ordered = statement.order_by(finding.severity, finding.dataset, finding.session, finding.subject, finding.rule)
    return [OpenFinding(**row) for row in connection.execute(ordered).mappings()]
