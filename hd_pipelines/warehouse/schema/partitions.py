"""Leaves of the partitioned tables: making, exchanging, dropping.

Belongs here: partition DDL. Every change takes one advisory lock per table, so that two loads never exchange leaves at
once. A leaf in place has forced row-level security, no policies and no grants: rows are reached through the parent only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from hd_pipelines.warehouse.engine import Database, driver_connection
from hd_pipelines.warehouse.errors import PublishBlockedError
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import BARS, SIDE_SCHEMA, Leaf, Partitioned

_EXCHANGE_LOCK_TIMEOUT = "2s"
"""Readers that arrive while an exchange waits queue behind it, so each wait is short and repeated."""


def ensure_partition(database: Database, session: date, table: Partitioned = BARS) -> bool:
    """Make the leaf that holds `session` unless it exists; whether it was made. Safe under concurrent calls."""
    leaf = Leaf.of(session, table)
    with database.begin(Role.OWNER) as connection:
        cursor = driver_connection(connection).cursor()
        take_publish_lock(cursor, table)
        if leaf_exists(cursor, leaf):
            return False
        add_empty_leaf(cursor, leaf)
        return True


def leaves(database: Database, table: Partitioned = BARS) -> list[str]:
    """Names of all attached leaves, oldest first."""
    statement = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
        " WHERE inhparent = cast(:parent AS regclass) ORDER BY child.relname"
    )
    with database.connect() as connection:
        return list(connection.execute(statement, {"parent": f"public.{table.name}"}).scalars())


def drop_leaves_older_than(database: Database, keep: timedelta = timedelta(days=365)) -> int:
    """Drop the leaves of bars that lie wholly before now - `keep`; returns the rows that went with them."""
    statement = text("SELECT cleanup_old_historical_bars(:keep)")
    with database.begin(Role.SERVICE) as connection:
        return int(connection.execute(statement, {"keep": keep}).scalar_one())


def drop_everything_old(database: Database) -> dict[str, int]:
    """Drop the leaves of every table that are past their retention; rows deleted, by table."""
    with database.begin(Role.SERVICE) as connection:
        found = connection.execute(text("SELECT table_name, rows_deleted FROM cleanup_all_historical_data()"))
        return {row.table_name: int(row.rows_deleted) for row in found}


def take_publish_lock(cursor: psycopg.Cursor[Any], table: Partitioned = BARS, *, wait_seconds: int = 600) -> None:
    """Be the only one who changes `table` until the transaction ends.

    One lock for the whole table, not one per leaf: a load that reads the parent holds a lock on it which another
    load's exchange waits for, so two loads of different months would block each other for ever.
    Raises `PublishBlockedError` after `wait_seconds`.
    """
    take_lock(cursor, table.name, wait_seconds=wait_seconds)


def take_lock(cursor: psycopg.Cursor[Any], table_name: str, *, wait_seconds: int = 600) -> None:
    """The lock of `take_publish_lock`, also for a table without leaves."""
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{wait_seconds}s",))
    try:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"hd_pipelines:{table_name}",))
    except psycopg.errors.LockNotAvailable as refusal:
        raise PublishBlockedError(
            f"Another load has been publishing to {table_name} for over {wait_seconds} s. Cure: repeat this load when "
            "it is done; pg_stat_activity shows it under application_name hd_pipelines."
        ) from refusal


def drop_sides(cursor: psycopg.Cursor[Any], table: Partitioned = BARS) -> None:
    """Drop what a killed or failed load of `table` left in the side schema.

    The caller holds the publish lock and is hd_owner.
    """
    left = cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND relname ~ %s",
        (SIDE_SCHEMA, f"^{table.name}_y[0-9]"),
    ).fetchall()
    for (name,) in left:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SIDE_SCHEMA, name)))


def discard_sides(database: Database, table: Partitioned = BARS) -> None:
    """Drop unfinished side tables, unless another load is publishing: then it has done so already."""
    with database.begin(Role.OWNER) as connection:
        cursor = driver_connection(connection).cursor()
        row = cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (table.lock,)).fetchone()
        if row and row[0]:
            drop_sides(cursor, table)


def leaf_exists(cursor: psycopg.Cursor[Any], leaf: Leaf) -> bool:
    """Whether `leaf` is in place."""
    row = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{leaf.name}",)).fetchone()
    return bool(row and row[0])


def add_empty_leaf(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    """Put an empty `leaf` in place as hd_owner. ATTACH, unlike CREATE … PARTITION OF, keeps nobody from reading."""
    create_side(cursor, leaf)
    for statement in side_keys(leaf):
        cursor.execute(statement)
    close_side(cursor, leaf)
    exchange(cursor, [leaf])


def create_side(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    """Make the empty side table of `leaf`: the parent's columns and checks and the leaf's bounds, no key yet.

    The service may insert into it until `close_side`.
    """
    first, end = leaf.bounds
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {side} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE,"
            " CONSTRAINT {bounds} CHECK ({by} >= {first} AND {by} < {end}))"
        ).format(
            side=leaf.side,
            parent=leaf.of_table.parent,
            bounds=sql.Identifier(f"{leaf.name}_bounds"),
            by=sql.Identifier(leaf.of_table.by),
            first=first,
            end=end,
        )
    )
    cursor.execute(sql.SQL("GRANT INSERT ON {} TO hd_service").format(leaf.side))


def side_keys(leaf: Leaf) -> list[sql.Composed]:
    """The statements that build the keys and indexes of the side table; duplicate rows fail in them.

    The same as the parent's, so that ATTACH takes them over and builds none while readers wait.
    """
    primary = sql.SQL("ALTER TABLE {side} ADD CONSTRAINT {name} PRIMARY KEY ({key})").format(
        side=leaf.side, name=sql.Identifier(f"{leaf.name}_pkey"), key=_listed(leaf.of_table.key)
    )
    unique = [
        sql.SQL("ALTER TABLE {side} ADD UNIQUE ({key})").format(side=leaf.side, key=_listed(key))
        for key in leaf.of_table.unique_keys
    ]
    indexes = [
        sql.SQL("CREATE INDEX ON {side} ({columns})").format(side=leaf.side, columns=_listed(columns))
        for columns in leaf.of_table.indexes
    ]
    return [primary, *unique, *indexes]


def _listed(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def close_side(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    """Close the side table as every leaf is closed; from here on not even its owner sees its rows."""
    cursor.execute(sql.SQL("REVOKE ALL ON {} FROM hd_service").format(leaf.side))
    cursor.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").format(leaf.side))


def exchange(cursor: psycopg.Cursor[Any], built: list[Leaf], *, wait_seconds: float = 120.0) -> None:
    """Put the side tables of `built` in the place of their leaves, as hd_owner; the old leaves are dropped.

    Only where an old leaf goes are readers kept out, from here to the commit. Raises `PublishBlockedError` if readers
    do not let go within `wait_seconds`.
    """
    replaced = [leaf for leaf in built if leaf_exists(cursor, leaf)]
    if replaced:
        _keep_readers_out(cursor, replaced[0].of_table, wait_seconds)
    for leaf in replaced:
        cursor.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(leaf.of_table.parent, leaf.table))
        cursor.execute(sql.SQL("DROP TABLE {}").format(leaf.table))
    for leaf in built:
        _attach_side(cursor, leaf)


def _attach_side(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    first, end = leaf.bounds
    cursor.execute(sql.SQL("ALTER TABLE {} SET SCHEMA public").format(leaf.side))
    cursor.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            leaf.of_table.parent, leaf.table, first, end
        )
    )
    # The bounds are the partition's own from here on; the check had only spared ATTACH the scan.
    cursor.execute(
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(leaf.table, sql.Identifier(f"{leaf.name}_bounds"))
    )


def _keep_readers_out(cursor: psycopg.Cursor[Any], table: Partitioned, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_EXCHANGE_LOCK_TIMEOUT,))
    while True:
        cursor.execute("SAVEPOINT keep_readers_out")
        try:
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table.parent))
        except psycopg.errors.LockNotAvailable as refusal:
            cursor.execute("ROLLBACK TO SAVEPOINT keep_readers_out")
            if time.monotonic() > deadline:
                raise PublishBlockedError(_blockers(cursor, table, wait_seconds)) from refusal
            time.sleep(0.2)
        else:
            cursor.execute("RELEASE SAVEPOINT keep_readers_out")
            return


def _blockers(cursor: psycopg.Cursor[Any], table: Partitioned, wait_seconds: float) -> str:
    rows = cursor.execute(
        "SELECT DISTINCT pid FROM pg_locks WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()",
        (f"public.{table.name}",),
    ).fetchall()
    pids = ", ".join(str(row[0]) for row in rows) or "unknown"
    return (
        f"Readers (server pids {pids}) have held {table.name} for over {wait_seconds:.0f} s, so nothing was published. "
        "Cure: end those transactions, often a backup or an open psql session, and repeat the load."
    )
