"""The one refresh of all derived tables: compute what is outdated, validate it, publish it, report it.

A table's own module finds what is outdated (`fingerprints.find_outdated`) and defines how rows are computed and
published. Nothing about a particular table may be added here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from hd_pipelines.loading.derived.fingerprints import Outdated, Pair
from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.derived_rows import publish_rows
from hd_pipelines.warehouse.records.findings import CheckedScope

Validator = Callable[..., Sequence[Finding]]
"""Checks rows before they are published; called with the rows and the frames of their parts, in order.

An `ERROR` withholds the rows of its symbol and session, parts included. It runs in the thread that publishes.
"""


@dataclass(frozen=True, slots=True)
class DerivedReport:
    """Result of a refresh. `published`, `up_to_date`, `withheld` count (symbol, session) pairs; withheld keep their rows."""

    rows: int = 0
    published: int = 0
    up_to_date: int = 0
    withheld: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Computed:
    """Rows of one batch, and the findings of computing them.

    `scope`: what the rows cover, if that is more than the batch; None for exactly the batch.
    `parts`: rows of tables whose rows belong to these, by table; published and withheld together with them.
    """

    rows: pl.DataFrame
    findings: Sequence[Finding] = ()
    scope: pl.DataFrame | None = None
    parts: Mapping[str, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publication:
    """One batch to publish: validated rows with their parts, the scope that they replace, and what was checked."""

    rows: pl.DataFrame
    parts: Mapping[str, pl.DataFrame]
    scope: pl.DataFrame
    fingerprints: Mapping[Pair, str]
    findings: Sequence[Finding]
    checked: Sequence[CheckedScope]


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """What is particular to one derived table.

    Args:
        name: The table.
        compute: Rows of one batch, a part of the outdated scope.
        publish: Replaces the scope of a publication by its rows in one transaction; returns the number of rows written.
        batches: Splits the outdated scope; each batch is one transaction. By default everything is one batch.
        session: The column of the rows that holds the session.
        rules: The rules that this refresh checks, whose earlier findings it may resolve; None for all,
            an empty set for none.
        is_about_market: The table has no symbols, so a finding withholds its whole session, whatever its subject is.
        computes_ahead: The next batch is computed while one is validated and published. Only for tables whose rows do
            not depend on rows of earlier batches in the table itself.
    """

    name: str
    compute: Callable[[pl.DataFrame], Computed]
    publish: Callable[[Publication], int]
    batches: Callable[[pl.DataFrame], Iterable[pl.DataFrame]] = lambda scope: [scope]
    session: str = "session"
    rules: frozenset[Rule] | None = None
    is_about_market: bool = False
    computes_ahead: bool = False


@dataclass
class _Totals:
    rows: int = 0
    published: int = 0
    withheld: int = 0
    findings: list[Finding] = field(default_factory=list)


def refresh(
    table: DerivedTable,
    due: Outdated,
    stored: Mapping[Pair, str],
    *,
    validate: Validator | None = None,
    began: float | None = None,
) -> DerivedReport:
    """Bring everything that is `due` up to date, batch by batch in the order of `table.batches`.

    Args:
        table: How rows are computed and published.
        due: What is outdated.
        stored: Published fingerprints, for pairs whose rows are published again although they are not outdated.
        validate: Checks the rows of each batch; None publishes them unchecked.
        began: `time.perf_counter()` when the refresh began to look for what is outdated; None for now.

    If the process dies, only the current batch is lost: earlier ones are published, the next refresh finds the rest.
    """
    began = time.perf_counter() if began is None else began
    fingerprints = {**stored, **due.fingerprints}
    totals = _Totals()

    def publish(batch: pl.DataFrame, computed: Computed) -> None:
        findings = _validate(computed, validate)
        scope = batch if computed.scope is None else computed.scope
        withheld = _select_withheld(table, scope, findings)
        rows, kept = _drop_pairs(computed.rows, withheld, table.session), _drop_pairs(scope, withheld)
        parts = {name: _drop_pairs(part, withheld) for name, part in computed.parts.items()}
        checked = _to_checked_scopes(table, scope)
        replaced = kept.drop("symbol") if table.is_about_market else kept
        totals.rows += table.publish(Publication(rows, parts, replaced, fingerprints, findings, checked))
        totals.published += len(due.fingerprints.keys() & set(kept.select("symbol", "session").iter_rows()))
        totals.withheld += withheld.height
        totals.findings += findings

    with ThreadPoolExecutor(1, thread_name_prefix=f"publish-{table.name}") as publisher:
        before: Future[None] | None = None
        for batch in table.batches(due.scope) if due.scope.height else ():
            computed = table.compute(batch)
            if not table.computes_ahead:
                publish(batch, computed)
                continue
            if before is not None:
                before.result()
            before = publisher.submit(publish, batch, computed)
        if before is not None:
            before.result()
    return DerivedReport(
        rows=totals.rows,
        published=totals.published,
        up_to_date=due.up_to_date,
        withheld=totals.withheld,
        findings=tuple(totals.findings),
        seconds=time.perf_counter() - began,
    )


def publish_small_rows(database: Database, table_name: str, *, run_id: str | None) -> Callable[[Publication], int]:
    """Make the `publish` function of a small table. Unchanged rows are not written, so it counts changed rows only."""

    def publish(publication: Publication) -> int:
        report = publish_rows(
            database,
            table_name,
            publication.rows,
            parts=publication.parts,
            scope=publication.scope,
            fingerprints=publication.fingerprints,
            findings=publication.findings,
            checked=publication.checked,
            run_id=run_id,
        )
        return report.written

    return publish


def _validate(computed: Computed, validate: Validator | None) -> list[Finding]:
    """Merge the findings of computing and validating; a duplicate is kept once, with the text of the computation."""
    found = list(computed.findings)
    if validate is not None and not computed.rows.is_empty():
        found += validate(computed.rows, *computed.parts.values())
    return list({finding.finding_id: finding for finding in reversed(found)}.values())[::-1]


def _select_withheld(table: DerivedTable, scope: pl.DataFrame, findings: Iterable[Finding]) -> pl.DataFrame:
    """Select the pairs of `scope` that an `ERROR` withholds: `symbol`, `session`, or `session` alone for the market."""
    errors = {(f.subject, f.session) for f in findings if f.severity is Severity.ERROR and f.session is not None}
    pairs = pl.DataFrame(sorted(errors), schema={"symbol": pl.String, "session": pl.Date}, orient="row")
    on = ["session"] if table.is_about_market else ["symbol", "session"]
    return scope.select(on).unique().join(pairs, on=on, how="semi")


def _drop_pairs(frame: pl.DataFrame, pairs: pl.DataFrame, session: str = "session") -> pl.DataFrame:
    """Return `frame` without the rows of `pairs`; `session` names its column with the session."""
    if pairs.is_empty():
        return frame
    own = [session if name == "session" else name for name in pairs.columns]
    return frame.join(pairs, left_on=own, right_on=pairs.columns, how="anti")


def _to_checked_scopes(table: DerivedTable, scope: pl.DataFrame) -> list[CheckedScope]:
    """Cover exactly the pairs of `scope`: earlier findings about other symbols of the same sessions stay open."""
    if table.rules == frozenset():
        return []
    if table.is_about_market:
        sessions: Iterable[date] = scope["session"]
        return [CheckedScope(table.name, frozenset(sessions), table.rules)]
    return [
        CheckedScope(table.name, frozenset({session}), table.rules, frozenset(of_session["symbol"]))
        for (session,), of_session in scope.group_by("session")
    ]
