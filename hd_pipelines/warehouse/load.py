"""Write, audit, publish: bars of a scope replaced in one transaction, all or nothing.

Two ways, chosen leaf by leaf. *Rebuild*: a side table takes the new rows by COPY, then the old leaf's rows that are
out of scope, then its key; it changes places with the leaf at the very end. Right when much of a month is new: no
dead rows, the key built once, readers kept out only for the exchange. *Replace rows*: delete and insert inside the
leaf. Right when little of it is new, because the rest is not touched.

A process killed at any point leaves the old state: the server drops the transaction and its side tables with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.bar_rows import Scope, check_bars, copy_bars, in_key_order, refused
from hd_pipelines.warehouse.engine import Database, driver_connection
from hd_pipelines.warehouse.errors import BarsRefusedError
from hd_pipelines.warehouse.findings import Judged, settle
from hd_pipelines.warehouse.lookahead import one_ahead
from hd_pipelines.warehouse.partitions import (
    Leaf,
    add_empty_leaf,
    close_side,
    create_side,
    exchange,
    leaf_exists,
    side_key,
    take_publish_lock,
)
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.tables import BAR_COLUMNS, BAR_KEY, BARS_TABLE

LOCK_WAIT_SECONDS = 600
"""How long a load waits for another one before it gives up."""
_REBUILD_FROM_ROWS = 20_000
_REBUILD_UP_TO_SHARE = 3
"""A leaf is rebuilt if it holds at most this many times the new rows."""

Audit = Callable[[psycopg.Cursor[Any], str], None]
"""Looks at a relation before readers can; gets a cursor in the load's transaction and its name; raises to stop."""


class Method(StrEnum):
    """How a leaf takes its new rows."""

    REBUILD = "rebuild"
    REPLACE_ROWS = "replace_rows"


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a load did: bars written, how many sessions and symbols its scope had, how long, and how (per leaf)."""

    rows: int
    sessions: int
    symbols: int
    seconds: float
    method: str
    leaves: Mapping[str, Method]


def _ignore_step(_: str) -> None:
    return None


def publish_bars(
    database: Database,
    frame: pl.DataFrame,
    *,
    scope: Scope,
    fingerprints: Mapping[tuple[str, date], str],
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    judged: Sequence[Judged] = (),
    audit: Audit | None = None,
    method: Method | None = None,
    on_step: Callable[[str], None] = _ignore_step,
) -> PublishReport:
    """Replace exactly the bars of `scope` by those of `frame`, with their manifest and findings, or change nothing.

    Args:
        database: The warehouse.
        frame: Bars; columns as `tables.BAR_COLUMNS`, any order, every one inside `scope`.
        scope: Pairs to answer for; a pair without bars in `frame` ends up with none.
        fingerprints: For every pair of `scope`, what its bars were made from.
        run_id: The run that loads, kept with manifest and findings.
        findings: What was wrong with the input, recorded in the same transaction.
        judged: What the run has judged, so that earlier findings it does not repeat are resolved.
        audit: Called with every relation that holds the new bars before they can be read; raising stops the load.
        method: Forces one way for all leaves; None chooses by size.
        on_step: Told the name of each step as it is reached.

    Raises `BarsRefusedError` for bars that break a rule, `PublishBlockedError` if locks cannot be had in time.
    """
    started = time.perf_counter()
    lacking = scope.pairs - fingerprints.keys()
    if lacking:
        symbol, session = min(lacking)
        raise BarsRefusedError(
            f"{len(lacking)} pairs of the scope have no fingerprint, first {symbol} {session}. Cure: give one for each."
        )
    rows = check_bars(frame, scope)
    with database.begin(Role.SERVICE) as connection:
        cursor = driver_connection(connection).cursor()
        load = _Load(cursor, rows, scope.frame, audit, on_step)
        used = load.write(method)
        load.record(fingerprints, run_id)
        settle(connection, findings, judged, run_id=run_id)
        on_step("recorded")
        load.exchange_built()
        on_step("before_commit")
    on_step("after_commit")
    return PublishReport(
        rows=rows.height,
        sessions=len({session for _, session in scope.pairs}),
        symbols=len({symbol for symbol, _ in scope.pairs}),
        seconds=time.perf_counter() - started,
        method="+".join(sorted(set(used.values()))) or "nothing",
        leaves=used,
    )


class _Load:
    """One publishing transaction on one cursor."""

    def __init__(
        self,
        cursor: psycopg.Cursor[Any],
        rows: pl.DataFrame,
        scope: pl.DataFrame,
        audit: Audit | None,
        on_step: Callable[[str], None],
    ) -> None:
        self.cursor = cursor
        self.rows = rows
        self.scope = scope
        self.audit = audit
        self.on_step = on_step
        self.built: list[Leaf] = []

    def write(self, forced: Method | None) -> dict[str, Method]:
        """Write the new rows of every leaf in scope; nothing of it is visible yet."""
        # Without it the server notices a dead client only when it next writes to it, after the key build.
        self.cursor.execute("SET LOCAL client_connection_check_interval = '2s'")
        take_publish_lock(self.cursor, wait_seconds=LOCK_WAIT_SECONDS)
        self.on_step("locked")
        used: dict[str, Method] = {}
        leaves = sorted({Leaf.of(session) for session in self.scope["session"].unique()})
        for leaf, rows, scope in one_ahead(self._part, leaves):
            present = leaf_exists(self.cursor, leaf)
            if not present and rows.is_empty():
                continue
            way = forced or self._choose(leaf, rows.height, present=present)
            if way is Method.REBUILD:
                self._rebuild(leaf, rows, scope, present=present)
            else:
                self._replace_rows(leaf, rows, scope, present=present)
            used[leaf.name] = way
        return used

    def _part(self, leaf: Leaf) -> tuple[Leaf, pl.DataFrame, pl.DataFrame]:
        in_leaf = pl.col("session").is_between(leaf.first, leaf.end, closed="left")
        return leaf, in_key_order(self.rows.filter(in_leaf)), self.scope.filter(in_leaf)

    def _choose(self, leaf: Leaf, new_rows: int, *, present: bool) -> Method:
        if not present:
            return Method.REBUILD
        row = self.cursor.execute(
            "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = %s::regclass", (f"public.{leaf.name}",)
        ).fetchone()
        held = float(row[0]) if row else 0.0
        is_large = new_rows >= _REBUILD_FROM_ROWS and held <= new_rows * _REBUILD_UP_TO_SHARE
        return Method.REBUILD if is_large else Method.REPLACE_ROWS

    def _rebuild(self, leaf: Leaf, rows: pl.DataFrame, scope: pl.DataFrame, *, present: bool) -> None:
        self._become(Role.OWNER)
        create_side(self.cursor, leaf)
        self.on_step(f"side_created:{leaf.name}")
        copy_bars(self.cursor, leaf.side, rows, frozen=True)
        self.on_step(f"copied:{leaf.name}")
        if present:
            self._keep_rows_out_of_scope(leaf, scope)
            self.on_step(f"kept:{leaf.name}")
        self._key(side_key(leaf))
        # The key is what the planner asks about; the other columns wait for autovacuum, which saves a tenth of a load.
        self.cursor.execute(sql.SQL("ANALYZE {} ({})").format(leaf.side, _names(BAR_KEY)))
        self.on_step(f"keyed:{leaf.name}")
        self._audit(leaf.side)
        close_side(self.cursor, leaf)
        self.built.append(leaf)
        self._become(Role.SERVICE)

    def _keep_rows_out_of_scope(self, leaf: Leaf, scope: pl.DataFrame) -> None:
        # The owner sees no rows under forced row-level security; the service does, through the parent.
        self._become(Role.SERVICE)
        columns = _names((*BAR_COLUMNS, "created_at"))
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO {side} ({columns}) SELECT {columns} FROM {parent} AS held"
                " WHERE held.session >= {first} AND held.session < {end} AND NOT EXISTS ("
                "SELECT FROM unnest({symbols}::text[], {sessions}::date[]) AS scope (symbol, session)"
                " WHERE scope.symbol = held.symbol AND scope.session = held.session)"
            ).format(side=leaf.side, columns=columns, **_scope_literals(leaf, scope))
        )
        self._become(Role.OWNER)

    def _replace_rows(self, leaf: Leaf, rows: pl.DataFrame, scope: pl.DataFrame, *, present: bool) -> None:
        if not present:
            self._become(Role.OWNER)
            add_empty_leaf(self.cursor, leaf)
            self._become(Role.SERVICE)
        staged = sql.Identifier("pg_temp", f"{leaf.name}_rows")
        self.cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
            ).format(sql.Identifier(f"{leaf.name}_rows"), sql.Identifier("public", BARS_TABLE))
        )
        copy_bars(self.cursor, staged, rows, frozen=False)
        # The leaf's own key would refuse a duplicate too, but under row-level security without naming it.
        self._key(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(staged, _names(BAR_KEY)))
        self.on_step(f"copied:{leaf.name}")
        self._audit(staged)
        self.cursor.execute(
            sql.SQL(
                "DELETE FROM {parent} AS held"
                " USING unnest({symbols}::text[], {sessions}::date[]) AS scope (symbol, session)"
                " WHERE held.session >= {first} AND held.session < {end}"
                " AND scope.symbol = held.symbol AND scope.session = held.session"
            ).format(**_scope_literals(leaf, scope))
        )
        self.on_step(f"deleted:{leaf.name}")
        self.cursor.execute(
            sql.SQL("INSERT INTO {parent} ({columns}) SELECT {columns} FROM {staged}").format(
                parent=sql.Identifier("public", BARS_TABLE), columns=_names(BAR_COLUMNS), staged=staged
            )
        )
        self.on_step(f"inserted:{leaf.name}")

    def _key(self, statement: sql.Composed) -> None:
        try:
            self.cursor.execute(statement)
        except psycopg.errors.UniqueViolation as refusal:
            raise refused(refusal) from refusal

    def record(self, fingerprints: Mapping[tuple[str, date], str], run_id: str | None) -> None:
        """Say from which inputs the bars of every pair in scope were made."""
        counts = self.rows.group_by(pl.col("symbol").cast(pl.String), "session").len("rows")
        pairs = self.scope.join(counts, on=["symbol", "session"], how="left").with_columns(
            pl.col("rows").fill_null(0).cast(pl.Int64)
        )
        named = [fingerprints[(symbol, session)] for symbol, session, _ in pairs.iter_rows()]
        self.cursor.execute(
            "INSERT INTO public.bars_manifest AS held (symbol, session, fingerprint, rows, run_id, loaded_at)"
            " SELECT symbol, session, fingerprint, rows, %s, now()"
            " FROM unnest(%s::text[], %s::date[], %s::text[], %s::int[]) AS made (symbol, session, fingerprint, rows)"
            " ON CONFLICT (symbol, session) DO UPDATE SET fingerprint = excluded.fingerprint, rows = excluded.rows,"
            " run_id = excluded.run_id, loaded_at = excluded.loaded_at",
            (run_id, pairs["symbol"].to_list(), pairs["session"].to_list(), named, pairs["rows"].to_list()),
        )

    def exchange_built(self) -> None:
        """Put the rebuilt leaves in place; readers are kept out from here to the commit, if a leaf was there."""
        if self.built:
            self._become(Role.OWNER)
            exchange(self.cursor, self.built)
            self._become(Role.SERVICE)
            self.on_step("exchanged")

    def _audit(self, relation: sql.Identifier) -> None:
        if self.audit is not None:
            self.audit(self.cursor, relation.as_string(self.cursor))

    def _become(self, role: Role) -> None:
        self.cursor.execute("SELECT set_config('role', %s, true)", (role.value,))


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _scope_literals(leaf: Leaf, scope: pl.DataFrame) -> dict[str, sql.Composable]:
    return {
        "parent": sql.Identifier("public", BARS_TABLE),
        "first": sql.Literal(leaf.first),
        "end": sql.Literal(leaf.end),
        "symbols": sql.Literal(scope["symbol"].to_list()),
        "sessions": sql.Literal(scope["session"].to_list()),
    }
