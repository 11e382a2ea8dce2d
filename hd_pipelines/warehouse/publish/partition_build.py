"""One leaf built beside its place: rows in, old rows out of scope kept, keys, audit.

Belongs here: filling a side table on a connection of its own, in one transaction, so that COPY into the table it made
writes no WAL at wal_level=minimal and its fsync is over before readers are kept out. Putting it in place is `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.warehouse.engine import Database, driver_connection
from hd_pipelines.warehouse.errors import RowsRefusedError, explain_refusal
from hd_pipelines.warehouse.publish.scope import scope_to_sql
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import Partition, Partitioned
from hd_pipelines.warehouse.schema.partitions import close_staging_table, create_staging_table, staging_key_statements

Audit = Callable[[psycopg.Cursor[Any], str], None]
"""Looks at a relation before readers can; gets a cursor and the relation's name; raises to stop the load.

Two leaves are built at a time, so it may be called from two threads at once.
"""


class CopyRows(Protocol):
    """COPY of rows into a table. `frozen` is for a table made in this transaction."""

    def __call__(
        self, cursor: psycopg.Cursor[Any], target: sql.Composable, rows: pl.DataFrame, *, frozen: bool
    ) -> None:
        """Raise `RowsRefusedError` naming the row that a check of the table refuses."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a load needs to know about the rows of a partitioned table, beside the table itself."""

    table: Partitioned
    copy: CopyRows
    in_order: Callable[[pl.DataFrame], pl.DataFrame]
    error: type[RowsRefusedError]


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """What is to be done to one leaf: its new rows, and the scope that they replace."""

    content: Content
    leaf: Partition
    rows: pl.DataFrame
    scope: pl.DataFrame
    is_present: bool

    @classmethod
    def cut(
        cls, content: Content, leaf: Partition, rows: pl.DataFrame, scope: pl.DataFrame, *, is_present: bool
    ) -> PartitionLoad:
        """The part of a whole load that concerns `leaf`."""
        in_leaf = pl.col("session").is_between(leaf.first, leaf.end, closed="left")
        return cls(content, leaf, rows.filter(in_leaf), scope.filter(in_leaf), is_present)


def build_staging_table(
    database: Database, load: PartitionLoad, audit: Audit | None, on_step: Callable[[str], None]
) -> Partition:
    """Build and commit the side table of `load.leaf`; nobody can read it. The caller holds the publish lock."""
    leaf = load.leaf
    with database.begin(Role.OWNER) as connection:
        cursor = driver_connection(connection).cursor()
        watch_client_connection(cursor)
        create_staging_table(cursor, leaf)
        on_step(f"side_created:{leaf.name}")
        load.content.copy(cursor, leaf.staging, load.content.in_order(load.rows), frozen=True)
        on_step(f"copied:{leaf.name}")
        if load.is_present:
            _keep_rows_out_of_scope(cursor, load)
            on_step(f"kept:{leaf.name}")
        for statement in staging_key_statements(leaf):
            build_key(cursor, statement, load.content.error)
        # The planner asks about the key; a small sample of it costs a tenth of the usual ANALYZE, which autovacuum does.
        cursor.execute("SET LOCAL default_statistics_target = 30")
        cursor.execute(sql.SQL("ANALYZE {} ({})").format(leaf.staging, quote_columns(leaf.of_table.key)))
        on_step(f"keyed:{leaf.name}")
        if audit is not None:
            audit(cursor, leaf.staging.as_string(cursor))
        close_staging_table(cursor, leaf)
    on_step(f"built:{leaf.name}")
    return leaf


def _keep_rows_out_of_scope(cursor: psycopg.Cursor[Any], load: PartitionLoad) -> None:
    # The owner sees no rows under forced row-level security; the service does, through the parent.
    assume_role(cursor, Role.SERVICE)
    cursor.execute(
        sql.SQL(
            "INSERT INTO {side} ({columns}) SELECT {columns} FROM {parent} AS held"
            " WHERE held.{by} >= {first} AND held.{by} < {end} AND NOT EXISTS (SELECT FROM {scope} WHERE {covers})"
        ).format(
            side=load.leaf.staging, columns=quote_columns(load.leaf.of_table.kept_columns), **partition_literals(load)
        )
    )
    assume_role(cursor, Role.OWNER)


def build_key(cursor: psycopg.Cursor[Any], statement: sql.Composed, error: type[RowsRefusedError]) -> None:
    """Run a statement that builds a key or index over new rows. Raises `error` naming a duplicate."""
    try:
        cursor.execute(statement)
    except psycopg.errors.UniqueViolation as refusal:
        raise explain_refusal(refusal, error) from refusal


def watch_client_connection(cursor: psycopg.Cursor[Any]) -> None:
    """Let the server end this transaction soon after its client died, and never because it is busy elsewhere."""
    # Without it the server notices only when it next writes to the client, after a long key build.
    cursor.execute("SET LOCAL client_connection_check_interval = '2s'")
    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def assume_role(cursor: psycopg.Cursor[Any], role: Role) -> None:
    """Act as `role` until the transaction ends or another is taken."""
    cursor.execute("SELECT set_config('role', %s, true)", (role.value,))


def quote_columns(columns: Iterable[str]) -> sql.Composed:
    """Column names, quoted and comma separated."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def partition_literals(load: PartitionLoad) -> dict[str, sql.Composable]:
    """What statements about a leaf and its scope are filled with: parent, by, first, end, scope, covers."""
    first, end = load.leaf.bounds
    scope, covers = scope_to_sql(load.leaf.of_table, load.scope)
    return {
        "parent": load.leaf.of_table.parent,
        "by": sql.Identifier(load.leaf.of_table.by),
        "first": first,
        "end": end,
        "scope": scope,
        "covers": covers,
    }
