"""Write, audit, publish: replaces the rows of a scope in one transaction, all or nothing.

Two methods, chosen partition by partition. *Rebuild*: a staging table takes the new rows by COPY, then the rows of the old
partition that are out of scope, then its key. Two months are built at a time, and all are exchanged with their partitions
in the publishing transaction. Best when much of a month is new: no dead rows, the key built once, readers blocked only for
an instant. *Replace rows*: delete and insert inside the partition. Best when little of it is new.

A process killed at any point leaves the old state: staging tables are in a schema of their own that nobody reads, and the
next load drops those that it finds, since only the holder of the publish lock can use them.
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
from hd_pipelines.warehouse.engine import Database, get_driver_connection
from hd_pipelines.warehouse.publish.partition_build import (
    Audit,
    Content,
    PartitionLoad,
    assume_role,
    build_key,
    build_partition_literals,
    build_staging_table,
    quote_columns,
    watch_client_connection,
)
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
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
"""How long a load waits for another one before it fails."""
_REBUILD_FROM_ROWS = 20_000
_REBUILD_UP_TO_SHARE = 3
"""A partition is rebuilt if it holds at most this many times the new rows."""
_BUILDERS = 2
"""Months built at the same time: the server works on one while the key of another is built or its rows are encoded."""


class Method(StrEnum):
    """How the new rows of a partition are written."""

    REBUILD = "rebuild"
    REPLACE_ROWS = "replace_rows"


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Result of a load: rows written, sessions and symbols of its scope, duration, and the method of each partition."""

    rows: int
    sessions: int
    symbols: int
    seconds: float
    method: str
    partitions: Mapping[str, Method]


def ignore_step(_: str) -> None:
    """Do nothing; the default callback."""


Record = Callable[[psycopg.Cursor[Any], pl.DataFrame], None]
"""Writes the manifest: gets the cursor of the publishing transaction, as hd_service, and the row count of each pair."""


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
        content: The table and how its rows are copied.
        rows: Checked rows, every one inside `scope`; columns as the table publishes them.
        scope: Columns `symbol`, `session`, and `timestamp` if single snapshots are replaced.
        record: Writes the fingerprints of the inputs.
        run_id: The run that loads.
        findings: What is wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        audit: Called with every relation that holds the new rows before they can be read; raising stops the load.
        method: Forces one method for all partitions; None chooses by size.
        on_step: Called with the name of each step as it is reached.

    Raises `content.error` for rows that break a rule, `PublishBlockedError` if locks cannot be acquired in time.
    """
    started = time.perf_counter()
    publication = _Publication(database, content, rows=rows, scope=scope, audit=audit, on_step=on_step)
    try:
        with database.begin(Role.OWNER) as connection:
            cursor = get_driver_connection(connection).cursor()
            used = publication.write(cursor, method)
            record(cursor, publication.count_rows())
            settle_findings(connection, findings, checked, run_id=run_id)
            on_step("recorded")
            publication.exchange(cursor)
            on_step("before_commit")
    except BaseException:
        with suppress(SQLAlchemyError, psycopg.Error):  # optional: the next load drops them too
            discard_staging_tables(database, content.table)
        raise
    on_step("after_commit")
    return PublishReport(
        rows=rows.height,
        sessions=scope["session"].n_unique(),
        symbols=scope["symbol"].n_unique(),
        seconds=time.perf_counter() - started,
        method="+".join(sorted(set(used.values()))) or "nothing",
        partitions=used,
    )


class _Publication:
    """One running load; `cursor` is always that of the publishing transaction."""

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
        """Write the new rows of every partition in scope, not visible yet; the cursor then acts as hd_service."""
        watch_client_connection(cursor)
        take_publish_lock(cursor, self.content.table, wait_seconds=LOCK_WAIT_SECONDS)
        with self.database.begin(Role.OWNER) as cleaning:  # committed at once: builders may need the same names
            drop_staging_tables(get_driver_connection(cleaning).cursor(), self.content.table)
        self.on_step("locked")
        loads = self._list_partition_loads(cursor)
        ways = {load.partition: forced or _choose_method(cursor, load) for load in loads}
        self._build([load for load in loads if ways[load.partition] is Method.REBUILD])
        for load in loads:
            if ways[load.partition] is Method.REPLACE_ROWS:
                self._replace_rows(cursor, load)
        assume_role(cursor, Role.SERVICE)
        return {partition.name: way for partition, way in ways.items()}

    def _list_partition_loads(self, cursor: psycopg.Cursor[Any]) -> list[PartitionLoad]:
        firsts = sorted({Partition.of(session, self.content.table).first for session in self.scope["session"].unique()})
        touched = [Partition(first, self.content.table) for first in firsts]
        loads = [
            PartitionLoad.cut(
                self.content, partition, self.rows, self.scope, is_present=partition_exists(cursor, partition)
            )
            for partition in touched
        ]
        return [load for load in loads if load.is_present or load.rows.height]

    def _build(self, loads: Sequence[PartitionLoad]) -> None:
        with ThreadPoolExecutor(_BUILDERS, thread_name_prefix="build-partition") as builders:
            longest_first = sorted(loads, key=lambda load: load.rows.height, reverse=True)
            building = [
                builders.submit(build_staging_table, self.database, load, self.audit, self.on_step)
                for load in longest_first
            ]
            try:
                self.built = [partition.result() for partition in building]
            except BaseException:
                builders.shutdown(wait=False, cancel_futures=True)
                raise

    def _replace_rows(self, cursor: psycopg.Cursor[Any], load: PartitionLoad) -> None:
        partition = load.partition
        if not load.is_present:
            assume_role(cursor, Role.OWNER)
            add_empty_partition(cursor, partition)
        assume_role(cursor, Role.SERVICE)
        staged = sql.Identifier("pg_temp", f"{partition.name}_rows")
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
            ).format(sql.Identifier(f"{partition.name}_rows"), partition.of_table.parent)
        )
        self.content.copy(cursor, staged, self.content.in_order(load.rows), frozen=False)
        # The partition's own key would refuse a duplicate too, but row-level security hides which row it is.
        key = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(staged, quote_columns(partition.of_table.key))
        build_key(cursor, key, self.content.error)
        self.on_step(f"copied:{partition.name}")
        if self.audit is not None:
            self.audit(cursor, staged.as_string(cursor))
        cursor.execute(
            sql.SQL(
                "DELETE FROM {parent} AS held USING {scope} WHERE held.{by} >= {first} AND held.{by} < {end} AND {covers}"
            ).format(**build_partition_literals(load))
        )
        self.on_step(f"deleted:{partition.name}")
        cursor.execute(
            sql.SQL("INSERT INTO {parent} ({columns}) SELECT {columns} FROM {staged}").format(
                parent=partition.of_table.parent, columns=quote_columns(partition.of_table.columns), staged=staged
            )
        )
        self.on_step(f"inserted:{partition.name}")

    def count_rows(self) -> pl.DataFrame:
        """Count the new rows of each pair in scope: `symbol`, `session`, `rows`."""
        counts = self.rows.group_by(pl.col("symbol").cast(pl.String), "session").len("rows")
        pairs = self.scope.select("symbol", "session").unique().sort("symbol", "session")
        return pairs.join(counts, on=["symbol", "session"], how="left", maintain_order="left").with_columns(
            pl.col("rows").fill_null(0).cast(pl.Int64)
        )

    def exchange(self, cursor: psycopg.Cursor[Any]) -> None:
        """Attach the built partitions; if one replaces another, readers are blocked from here to the commit."""
        if self.built:
            assume_role(cursor, Role.OWNER)
            exchange_partitions(cursor, self.built)
            self.on_step("exchanged")


def _choose_method(cursor: psycopg.Cursor[Any], load: PartitionLoad) -> Method:
    if not load.is_present:
        return Method.REBUILD
    row = cursor.execute(
        "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = %s::regclass", (f"public.{load.partition.name}",)
    ).fetchone()
    held, new_rows = float(row[0]) if row else 0.0, load.rows.height
    is_large = new_rows >= _REBUILD_FROM_ROWS and held <= new_rows * _REBUILD_UP_TO_SHARE
    return Method.REBUILD if is_large else Method.REPLACE_ROWS
