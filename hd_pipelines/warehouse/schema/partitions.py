"""Creates, exchanges and drops partitions of the partitioned tables.

Every change takes one advisory lock per table, so that two loads never exchange partitions at once. An attached partition
has forced row-level security, no policies and no grants: rows are reached through the parent only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from hd_pipelines.warehouse.engine import Database, get_driver_connection
from hd_pipelines.warehouse.errors import PublishBlockedError
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import BARS, STAGING_SCHEMA, Partition, Partitioned

_EXCHANGE_LOCK_TIMEOUT = "2s"
"""Readers that arrive while an exchange waits queue behind it, so each wait is short and repeated."""


def ensure_partition(database: Database, session: date, table: Partitioned = BARS) -> bool:
    """Create the partition that holds `session` unless it exists; return whether it was created.

    Safe under concurrent calls.
    """
    partition = Partition.of(session, table)
    with database.begin(Role.OWNER) as connection:
        cursor = get_driver_connection(connection).cursor()
        take_publish_lock(cursor, table)
        if partition_exists(cursor, partition):
            return False
        add_empty_partition(cursor, partition)
        return True


def list_partitions(database: Database, table: Partitioned = BARS) -> list[str]:
    """List the names of all attached partitions, oldest first."""
    statement = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
        " WHERE inhparent = cast(:parent AS regclass) ORDER BY child.relname"
    )
    with database.connect() as connection:
        return list(connection.execute(statement, {"parent": f"public.{table.name}"}).scalars())


def take_publish_lock(cursor: psycopg.Cursor[Any], table: Partitioned = BARS, *, wait_seconds: int = 600) -> None:
    """Take the exclusive right to change `table` until the transaction ends.

    One lock for the whole table, not one per partition: a load that reads the parent holds a lock on it which another
    load's exchange waits for, so two loads of different months would block each other forever.
    Raises `PublishBlockedError` after `wait_seconds`.
    """
    take_lock(cursor, table.name, wait_seconds=wait_seconds)


def take_lock(cursor: psycopg.Cursor[Any], table_name: str, *, wait_seconds: int = 600) -> None:
    """Take the lock of `take_publish_lock`, also for a table without partitions."""
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{wait_seconds}s",))
    try:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"hd_pipelines:{table_name}",))
    except psycopg.errors.LockNotAvailable as refusal:
        raise PublishBlockedError(
            f"Another load has been publishing to {table_name} for over {wait_seconds} s. Remedy: repeat this load when "
            "it is done; pg_stat_activity shows it under application_name hd_pipelines."
        ) from refusal


def drop_staging_tables(cursor: psycopg.Cursor[Any], table: Partitioned = BARS) -> None:
    """Drop what a killed or failed load of `table` left in the staging schema.

    The caller holds the publish lock and is hd_owner.
    """
    left = cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND relname ~ %s",
        (STAGING_SCHEMA, f"^{table.name}_y[0-9]"),
    ).fetchall()
    for (name,) in left:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(STAGING_SCHEMA, name)))


def discard_staging_tables(database: Database, table: Partitioned = BARS) -> None:
    """Drop unfinished staging tables, unless another load is publishing: then it has done so already."""
    with database.begin(Role.OWNER) as connection:
        cursor = get_driver_connection(connection).cursor()
        row = cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (table.lock,)).fetchone()
        if row and row[0]:
            drop_staging_tables(cursor, table)


def partition_exists(cursor: psycopg.Cursor[Any], partition: Partition) -> bool:
    """Return whether `partition` is attached."""
    row = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{partition.name}",)).fetchone()
    return bool(row and row[0])


def add_empty_partition(cursor: psycopg.Cursor[Any], partition: Partition) -> None:
    """Attach an empty `partition` as hd_owner. ATTACH, unlike CREATE … PARTITION OF, does not block readers."""
    create_staging_table(cursor, partition)
    for statement in build_staging_key_statements(partition):
        cursor.execute(statement)
    close_staging_table(cursor, partition)
    exchange_partitions(cursor, [partition])


def create_staging_table(cursor: psycopg.Cursor[Any], partition: Partition) -> None:
    """Create the empty staging table of `partition`: the parent's columns and checks, the partition's bounds, no key yet.

    The service may insert into it until `close_staging_table`.
    """
    first, end = partition.bounds
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {staging} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE,"
            " CONSTRAINT {bounds} CHECK ({by} >= {first} AND {by} < {end}))"
        ).format(
            staging=partition.staging,
            parent=partition.of_table.parent,
            bounds=sql.Identifier(f"{partition.name}_bounds"),
            by=sql.Identifier(partition.of_table.by),
            first=first,
            end=end,
        )
    )
    cursor.execute(sql.SQL("GRANT INSERT ON {} TO hd_service").format(partition.staging))


def build_staging_key_statements(partition: Partition) -> list[sql.Composed]:
    """Build the statements that create the keys and indexes of the staging table; duplicate rows fail in them.

    They are the same as the parent's, so that ATTACH takes them over and builds none while readers wait.
    """
    primary = sql.SQL("ALTER TABLE {staging} ADD CONSTRAINT {name} PRIMARY KEY ({key})").format(
        staging=partition.staging,
        name=sql.Identifier(f"{partition.name}_pkey"),
        key=_join_identifiers(partition.of_table.key),
    )
    unique = [
        sql.SQL("ALTER TABLE {staging} ADD UNIQUE ({key})").format(
            staging=partition.staging, key=_join_identifiers(key)
        )
        for key in partition.of_table.unique_keys
    ]
    indexes = [
        sql.SQL("CREATE INDEX ON {staging} ({columns})").format(
            staging=partition.staging, columns=_join_identifiers(columns)
        )
        for columns in partition.of_table.indexes
    ]
    return [primary, *unique, *indexes]


def _join_identifiers(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def close_staging_table(cursor: psycopg.Cursor[Any], partition: Partition) -> None:
    """Restrict the staging table like every partition; from here on not even its owner sees its rows."""
    cursor.execute(sql.SQL("REVOKE ALL ON {} FROM hd_service").format(partition.staging))
    cursor.execute(
        sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").format(partition.staging)
    )


def exchange_partitions(cursor: psycopg.Cursor[Any], built: list[Partition], *, wait_seconds: float = 120.0) -> None:
    """Replace partitions by the staging tables of `built`, as hd_owner; the old partitions are dropped.

    Readers are blocked only if an old partition is dropped, from here to the commit. Raises `PublishBlockedError` if
    readers do not release the table within `wait_seconds`.
    """
    replaced = [partition for partition in built if partition_exists(cursor, partition)]
    if replaced:
        _block_readers(cursor, replaced[0].of_table, wait_seconds)
    for partition in replaced:
        cursor.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(partition.of_table.parent, partition.table))
        cursor.execute(sql.SQL("DROP TABLE {}").format(partition.table))
    for partition in built:
        _attach(cursor, partition)


def _attach(cursor: psycopg.Cursor[Any], partition: Partition) -> None:
    first, end = partition.bounds
    cursor.execute(sql.SQL("ALTER TABLE {} SET SCHEMA public").format(partition.staging))
    cursor.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            partition.of_table.parent, partition.table, first, end
        )
    )
    # The bounds are the partition's own from here on; the check had only spared ATTACH the scan.
    cursor.execute(
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(partition.table, sql.Identifier(f"{partition.name}_bounds"))
    )


def _block_readers(cursor: psycopg.Cursor[Any], table: Partitioned, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_EXCHANGE_LOCK_TIMEOUT,))
    while True:
        cursor.execute("SAVEPOINT block_readers")
        try:
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table.parent))
        except psycopg.errors.LockNotAvailable as refusal:
            cursor.execute("ROLLBACK TO SAVEPOINT block_readers")
            if time.monotonic() > deadline:
                raise PublishBlockedError(_describe_blockers(cursor, table, wait_seconds)) from refusal
            time.sleep(0.2)
        else:
            cursor.execute("RELEASE SAVEPOINT block_readers")
            return


def _describe_blockers(cursor: psycopg.Cursor[Any], table: Partitioned, wait_seconds: float) -> str:
    rows = cursor.execute(
        "SELECT DISTINCT pid FROM pg_locks WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()",
        (f"public.{table.name}",),
    ).fetchall()
    pids = ", ".join(str(row[0]) for row in rows) or "unknown"
    return (
        f"Readers (server pids {pids}) have held {table.name} for over {wait_seconds:.0f} s, so nothing was published. "
        "Remedy: end those transactions, often a backup or an open psql session, and repeat the load."
    )
