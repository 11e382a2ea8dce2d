"""Write, audit, publish: the rows of a scope replaced in one transaction, all or nothing.

Two ways, chosen leaf by leaf. *Rebuild*: a side table takes the new rows by COPY, then the old leaf's rows that are
out of scope, then its key; two months are built at a time, and all change places with their leaves in the publishing
transaction. Right when much of a month is new: no dead rows, the key built once, readers kept out for an instant.
*Replace rows*: delete and insert inside the leaf. Right when little of it is new, because the rest is not touched.

A process killed at any point leaves the old state: side tables are in a schema of their own that nobody reads, and the
next load drops what it finds there, since only the holder of the publish lock can have a use for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl
import psycopg
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.engine import Database, driver_connection
from hd_pipelines.warehouse.publish.partition_build import (
    Audit,
    Content,
    PartitionLoad,
    assume_role,
    build_key,
    build_staging_table,
    partition_literals,
    quote_columns,
    watch_client_connection,
)
from hd_pipelines.warehouse.records.findings import CheckedScope, settle
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import Partition
from hd_pipelines.warehouse.schema.partitions import (
    add_empty_partition,
    discard_staging_tables,
    drop_staging_tables,
    exchange_partitions,
    partition_exists,
    take_publish_lock,
)

LOCK_WAIT_SECONDS = 600
"""How long a load waits for another one before it gives up."""
_REBUILD_FROM_ROWS = 20_000
_REBUILD_UP_TO_SHARE = 3
"""A leaf is rebuilt if it holds at most this many times the new rows."""
_BUILDERS = 2
"""Months built at the same time: the server works on one while the key of another is built or its rows are encoded."""


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


def ignore_step(_: str) -> None:
    """Nobody wants to know."""


Record = Callable[[psycopg.Cursor[Any], pl.DataFrame], None]
"""Writes the manifest: gets the publishing transaction's cursor, as the service, and the rows of each pair in scope."""


def publish(
    database: Database,
    content: Content,
    rows: pl.DataFrame,
    scope: pl.DataFrame,
    *,
    record: Record,
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    checked: Sequence[CheckedScope] = (),
    audit: Audit | None = None,
    method: Method | None = None,
    on_step: Callable[[str], None] = ignore_step,
) -> PublishReport:
    """Replace exactly the rows of `scope` by `rows`, with manifest and findings, or change nothing.

    Args:
        database: The warehouse.
        content: The table and how its rows get in.
        rows: Checked rows, every one inside `scope`; columns as the table publishes them.
        scope: Columns `symbol`, `session`, and `timestamp` if single snapshots are replaced.
        record: Writes what the rows were made from.
        run_id: The run that loads.
        findings: What was wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        audit: Called with every relation that holds the new rows before they can be read; raising stops the load.
        method: Forces one way for all leaves; None chooses by size.
        on_step: Told the name of each step as it is reached.

    Raises `content.error` for rows that break a rule, `PublishBlockedError` if locks cannot be had in time.
    """
    started = time.perf_counter()
    publication = _Publication(database, content, rows=rows, scope=scope, audit=audit, on_step=on_step)
    try:
        with database.begin(Role.OWNER) as connection:
            cursor = driver_connection(connection).cursor()
            used = publication.write(cursor, method)
            record(cursor, publication.counts())
            settle(connection, findings, checked, run_id=run_id)
            on_step("recorded")
            publication.put_in_place(cursor)
            on_step("before_commit")
    except BaseException:
        with suppress(SQLAlchemyError, psycopg.Error):  # tidiness only: the next load drops them too
            discard_staging_tables(database, content.table)
        raise
    on_step("after_commit")
    return PublishReport(
        rows=rows.height,
        sessions=scope["session"].n_unique(),
        symbols=scope["symbol"].n_unique(),
        seconds=time.perf_counter() - started,
        method="+".join(sorted(set(used.values()))) or "nothing",
        leaves=used,
    )


class _Publication:
    """One load under way; `cursor` is always the publishing transaction's."""

    def __init__(
        self,
        database: Database,
        content: Content,
        *,
        rows: pl.DataFrame,
        scope: pl.DataFrame,
        audit: Audit | None,
        on_step: Callable[[str], None],
    ) -> None:
        self.database = database
        self.content = content
        self.rows = rows
        self.scope = scope
        self.audit = audit
        self.on_step = on_step
        self.built: list[Partition] = []

    def write(self, cursor: psycopg.Cursor[Any], forced: Method | None) -> dict[str, Method]:
        """Write the new rows of every leaf in scope; nothing of it is visible yet. Leaves the cursor as the service."""
        watch_client_connection(cursor)
        take_publish_lock(cursor, self.content.table, wait_seconds=LOCK_WAIT_SECONDS)
        with self.database.begin(Role.OWNER) as tidying:  # committed at once: builders may need the same names
            drop_staging_tables(driver_connection(tidying).cursor(), self.content.table)
        self.on_step("locked")
        loads = self._leaf_loads(cursor)
        ways = {load.leaf: forced or _choose(cursor, load) for load in loads}
        self._build([load for load in loads if ways[load.leaf] is Method.REBUILD])
        for load in loads:
            if ways[load.leaf] is Method.REPLACE_ROWS:
                self._replace_rows(cursor, load)
        assume_role(cursor, Role.SERVICE)
        return {leaf.name: way for leaf, way in ways.items()}

    def _leaf_loads(self, cursor: psycopg.Cursor[Any]) -> list[PartitionLoad]:
        firsts = sorted({Partition.of(session, self.content.table).first for session in self.scope["session"].unique()})
        touched = [Partition(first, self.content.table) for first in firsts]
        loads = [
            PartitionLoad.cut(self.content, leaf, self.rows, self.scope, is_present=partition_exists(cursor, leaf))
            for leaf in touched
        ]
        return [load for load in loads if load.is_present or load.rows.height]

    def _build(self, loads: Sequence[PartitionLoad]) -> None:
        with ThreadPoolExecutor(_BUILDERS, thread_name_prefix="build-leaf") as builders:
            longest_first = sorted(loads, key=lambda load: load.rows.height, reverse=True)
            building = [
                builders.submit(build_staging_table, self.database, load, self.audit, self.on_step)
                for load in longest_first
            ]
            try:
                self.built = [leaf.result() for leaf in building]
            except BaseException:
                builders.shutdown(wait=False, cancel_futures=True)
                raise

    def _replace_rows(self, cursor: psycopg.Cursor[Any], load: PartitionLoad) -> None:
        leaf = load.leaf
        if not load.is_present:
            assume_role(cursor, Role.OWNER)
            add_empty_partition(cursor, leaf)
        assume_role(cursor, Role.SERVICE)
        staged = sql.Identifier("pg_temp", f"{leaf.name}_rows")
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
            ).format(sql.Identifier(f"{leaf.name}_rows"), leaf.of_table.parent)
        )
        self.content.copy(cursor, staged, self.content.in_order(load.rows), frozen=False)
        # The leaf's own key would refuse a duplicate too, but under row-level security without naming it.
        key = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(staged, quote_columns(leaf.of_table.key))
        build_key(cursor, key, self.content.error)
        self.on_step(f"copied:{leaf.name}")
        if self.audit is not None:
            self.audit(cursor, staged.as_string(cursor))
        cursor.execute(
            sql.SQL(
                "DELETE FROM {parent} AS held USING {scope} WHERE held.{by} >= {first} AND held.{by} < {end} AND {covers}"
            ).format(**partition_literals(load))
        )
        self.on_step(f"deleted:{leaf.name}")
        cursor.execute(
            sql.SQL("INSERT INTO {parent} ({columns}) SELECT {columns} FROM {staged}").format(
                parent=leaf.of_table.parent, columns=quote_columns(leaf.of_table.columns), staged=staged
            )
        )
        self.on_step(f"inserted:{leaf.name}")

    def counts(self) -> pl.DataFrame:
        """How many new rows each pair in scope has: `symbol`, `session`, `rows`."""
        counts = self.rows.group_by(pl.col("symbol").cast(pl.String), "session").len("rows")
        pairs = self.scope.select("symbol", "session").unique().sort("symbol", "session")
        return pairs.join(counts, on=["symbol", "session"], how="left", maintain_order="left").with_columns(
            pl.col("rows").fill_null(0).cast(pl.Int64)
        )

    def put_in_place(self, cursor: psycopg.Cursor[Any]) -> None:
        """Put the built leaves in place; readers are kept out from here to the commit, if a leaf was there."""
        if self.built:
            assume_role(cursor, Role.OWNER)
            exchange_partitions(cursor, self.built)
            self.on_step("exchanged")


def _choose(cursor: psycopg.Cursor[Any], load: PartitionLoad) -> Method:
    if not load.is_present:
        return Method.REBUILD
    row = cursor.execute(
        "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = %s::regclass", (f"public.{load.leaf.name}",)
    ).fetchone()
    held, new_rows = float(row[0]) if row else 0.0, load.rows.height
    is_large = new_rows >= _REBUILD_FROM_ROWS and held <= new_rows * _REBUILD_UP_TO_SHARE
    return Method.REBUILD if is_large else Method.REPLACE_ROWS
