"""Builds one partition in a staging table: copies new rows, keeps old rows out of scope, adds keys, runs the audit.

The table is filled on a connection of its own, in one transaction, so that COPY into the newly created table writes no WAL
at wal_level=minimal and its fsync is over before readers are blocked. `publication` attaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.warehouse.engine import Database, get_driver_connection
from hd_pipelines.warehouse.errors import RowsRefusedError, explain_refusal
from hd_pipelines.warehouse.publish.scope import scope_to_sql
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import Partition, Partitioned
from hd_pipelines.warehouse.schema.partitions import (
    build_staging_key_statements,
    close_staging_table,
    create_staging_table,
)

Audit = Callable[[psycopg.Cursor[Any], str], None]
"""Checks a relation before readers can see it; gets a cursor and the relation's name; raises to stop the load.

Two partitions are built at a time, so it may be called from two threads at once.
"""


class CopyRows(Protocol):
    """Copies rows into a table. `frozen` is for a table created in this transaction."""

    def __call__(
        self, cursor: psycopg.Cursor[Any], target: sql.Composable, rows: pl.DataFrame, *, frozen: bool
    ) -> None:
        """Raise `RowsRefusedError` naming the row that a check of the table refuses."""


@dataclass(frozen=True, slots=True)
class Content:
    """A partitioned table and how its rows are copied, sorted and refused."""

    table: Partitioned
    copy: CopyRows
    in_order: Callable[[pl.DataFrame], pl.DataFrame]
    error: type[RowsRefusedError]


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """The load of one partition: its new rows, and the scope that they replace."""

    content: Content
    partition: Partition
    rows: pl.DataFrame
    scope: pl.DataFrame
    is_present: bool

    @classmethod
    def cut(
        cls, content: Content, partition: Partition, rows: pl.DataFrame, scope: pl.DataFrame, *, is_present: bool
    ) -> PartitionLoad:
        """Return the part of a whole load that concerns `partition`."""
        is_inside = pl.col("session").is_between(partition.first, partition.end, closed="left")
        return cls(content, partition, rows.filter(is_inside), scope.filter(is_inside), is_present)


def build_staging_table(
    database: Database, load: PartitionLoad, audit: Audit | None, on_step: Callable[[str], None]
) -> Partition:
    """Build and commit the staging table of `load.partition`, hidden from readers. The caller holds the publish lock."""
    partition = load.partition
    with database.begin(Role.OWNER) as connection:
        cursor = get_driver_connection(connection).cursor()
        watch_client_connection(cursor)
        create_staging_table(cursor, partition)
        on_step(f"staging_created:{partition.name}")
        load.content.copy(cursor, partition.staging, load.content.in_order(load.rows), frozen=True)
        on_step(f"copied:{partition.name}")
        if load.is_present:
            _keep_rows_out_of_scope(cursor, load)
            on_step(f"kept:{partition.name}")
        for statement in build_staging_key_statements(partition):
            build_key(cursor, statement, load.content.error)
        # The planner needs statistics of the key; a small sample costs a tenth of the ANALYZE that autovacuum does later.
        cursor.execute("SET LOCAL default_statistics_target = 30")
        cursor.execute(sql.SQL("ANALYZE {} ({})").format(partition.staging, quote_columns(partition.of_table.key)))
        on_step(f"keyed:{partition.name}")
        if audit is not None:
            audit(cursor, partition.staging.as_string(cursor))
        close_staging_table(cursor, partition)
    on_step(f"built:{partition.name}")
    return partition


def _keep_rows_out_of_scope(cursor: psycopg.Cursor[Any], load: PartitionLoad) -> None:
    # The owner sees no rows under forced row-level security; the service does, through the parent.
    assume_role(cursor, Role.SERVICE)
    cursor.execute(
        sql.SQL(
            "INSERT INTO {staging} ({columns}) SELECT {columns} FROM {parent} AS held"
            " WHERE held.{by} >= {first} AND held.{by} < {end} AND NOT EXISTS (SELECT FROM {scope} WHERE {covers})"
        ).format(
            staging=load.partition.staging,
            columns=quote_columns(load.partition.of_table.kept_columns),
            **build_partition_literals(load),
        )
    )
    assume_role(cursor, Role.OWNER)


def build_key(cursor: psycopg.Cursor[Any], statement: sql.Composed, error: type[RowsRefusedError]) -> None:
    """Run a statement that builds a key or index over new rows. Raise `error` naming a duplicate."""
    try:
        cursor.execute(statement)
    except psycopg.errors.UniqueViolation as refusal:
        raise explain_refusal(refusal, error) from refusal


def watch_client_connection(cursor: psycopg.Cursor[Any]) -> None:
    """Make the server end this transaction soon after its client died, but never because the client is idle."""
    # Without it the server notices only when it next writes to the client, after a long key build.
    cursor.execute("SET LOCAL client_connection_check_interval = '2s'")
    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def assume_role(cursor: psycopg.Cursor[Any], role: Role) -> None:
    """Act as `role` until the transaction ends or another role is assumed."""
    cursor.execute("SELECT set_config('role', %s, true)", (role.value,))


def quote_columns(columns: Iterable[str]) -> sql.Composed:
    """Quote column names and join them by commas."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def build_partition_literals(load: PartitionLoad) -> dict[str, sql.Composable]:
    """Build the literals of statements about a partition and its scope: parent, by, first, end, scope, covers."""
    first, end = load.partition.bounds
    scope, covers = scope_to_sql(load.partition.of_table, load.scope)
    return {
        "parent": load.partition.of_table.parent,
        "by": sql.Identifier(load.partition.of_table.by),
        "first": first,
        "end": end,
        "scope": scope,
        "covers": covers,
    }
