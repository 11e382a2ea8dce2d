"""The monthly leaves of `historical_bars`: names, bounds, making, exchanging, dropping.

Belongs here: partition DDL. Every change takes one advisory lock, so that two loads never exchange leaves at once.
A leaf in place has forced row-level security, no policies and no grants: rows are reached through the parent only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from hd_pipelines.warehouse.engine import Database, driver_connection
from hd_pipelines.warehouse.errors import PublishBlockedError
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.tables import BAR_KEY, BARS_TABLE

PUBLISH_LOCK = f"hd_pipelines:{BARS_TABLE}"

_PARENT = sql.Identifier("public", BARS_TABLE)
SIDE_SCHEMA = "staging"
"""Where leaves are built. Nobody but the owner and the service may enter; whatever is there is unfinished."""
_EXCHANGE_LOCK_TIMEOUT = "2s"
"""Readers that arrive while an exchange waits queue behind it, so each wait is short and repeated."""


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """One month of bars; holds the sessions from `first` up to, not including, `end`."""

    first: date

    @classmethod
    def of(cls, session: date) -> Leaf:
        """The leaf that holds `session`."""
        return cls(session.replace(day=1))

    @property
    def end(self) -> date:
        """First day of the next month."""
        return (self.first + timedelta(days=31)).replace(day=1)

    @property
    def name(self) -> str:
        """`historical_bars_y2025m11`."""
        return f"{BARS_TABLE}_y{self.first:%Y}m{self.first:%m}"

    @property
    def table(self) -> sql.Identifier:
        """The leaf in SQL."""
        return sql.Identifier("public", self.name)

    @property
    def side(self) -> sql.Identifier:
        """The table that is built to become this leaf."""
        return sql.Identifier(SIDE_SCHEMA, self.name)


def ensure_partition(database: Database, session: date) -> bool:
    """Make the leaf that holds `session` unless it exists; whether it was made. Safe under concurrent calls."""
    leaf = Leaf.of(session)
    with database.begin(Role.OWNER) as connection:
        cursor = driver_connection(connection).cursor()
        take_publish_lock(cursor)
        if leaf_exists(cursor, leaf):
            return False
        add_empty_leaf(cursor, leaf)
        return True


def leaves(database: Database) -> list[str]:
    """Names of all attached leaves, oldest first."""
    statement = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
        " WHERE inhparent = 'public.historical_bars'::regclass ORDER BY child.relname"
    )
    with database.connect() as connection:
        return list(connection.execute(statement).scalars())


def drop_leaves_older_than(database: Database, keep: timedelta = timedelta(days=365)) -> int:
    """Drop the leaves that lie wholly before now - `keep`; returns the rows that went with them."""
    statement = text("SELECT cleanup_old_historical_bars(:keep)")
    with database.begin(Role.SERVICE) as connection:
        return int(connection.execute(statement, {"keep": keep}).scalar_one())


def take_publish_lock(cursor: psycopg.Cursor[Any], *, wait_seconds: int = 600) -> None:
    """Be the only one who changes `historical_bars` until the transaction ends.

    One lock for the whole table, not one per leaf: a load that reads the parent holds a lock on it which another
    load's exchange waits for, so two loads of different months would block each other for ever.
    Raises `PublishBlockedError` after `wait_seconds`.
    """
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{wait_seconds}s",))
    try:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (PUBLISH_LOCK,))
    except psycopg.errors.LockNotAvailable as refusal:
        raise PublishBlockedError(
            f"Another load has been publishing to {BARS_TABLE} for over {wait_seconds} s. Cure: repeat this load when "
            "it is done; pg_stat_activity shows it under application_name hd_pipelines."
        ) from refusal


def drop_sides(cursor: psycopg.Cursor[Any]) -> None:
    """Drop what a killed or failed load left in the side schema. The caller holds the publish lock and is hd_owner."""
    left = cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", (SIDE_SCHEMA,)
    ).fetchall()
    for (name,) in left:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SIDE_SCHEMA, name)))


def discard_sides(database: Database) -> None:
    """Drop unfinished side tables, unless another load is publishing: then it has done so already."""
    with database.begin(Role.OWNER) as connection:
        cursor = driver_connection(connection).cursor()
        row = cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (PUBLISH_LOCK,)).fetchone()
        if row and row[0]:
            drop_sides(cursor)


def leaf_exists(cursor: psycopg.Cursor[Any], leaf: Leaf) -> bool:
    """Whether `leaf` is in place."""
    row = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{leaf.name}",)).fetchone()
    return bool(row and row[0])


def add_empty_leaf(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    """Put an empty `leaf` in place as hd_owner. ATTACH, unlike CREATE … PARTITION OF, keeps nobody from reading."""
    create_side(cursor, leaf)
    cursor.execute(side_key(leaf))
    close_side(cursor, leaf)
    exchange(cursor, [leaf])


def create_side(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    """Make the empty side table of `leaf`: the parent's columns and checks and the leaf's bounds, no key yet.

    The service may insert into it until `close_side`.
    """
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {side} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE,"
            " CONSTRAINT {bounds} CHECK (session >= {first} AND session < {end}))"
        ).format(
            side=leaf.side,
            parent=_PARENT,
            bounds=sql.Identifier(f"{leaf.name}_bounds"),
            first=sql.Literal(leaf.first),
            end=sql.Literal(leaf.end),
        )
    )
    cursor.execute(sql.SQL("GRANT INSERT ON {} TO hd_service").format(leaf.side))


def side_key(leaf: Leaf) -> sql.Composed:
    """The statement that builds the primary key of the side table; duplicate bars fail in it."""
    return sql.SQL("ALTER TABLE {side} ADD CONSTRAINT {name} PRIMARY KEY ({key})").format(
        side=leaf.side,
        name=sql.Identifier(f"{leaf.name}_pkey"),
        key=sql.SQL(", ").join(map(sql.Identifier, BAR_KEY)),
    )


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
        _keep_readers_out(cursor, wait_seconds)
    for leaf in replaced:
        cursor.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(_PARENT, leaf.table))
        cursor.execute(sql.SQL("DROP TABLE {}").format(leaf.table))
    for leaf in built:
        _attach_side(cursor, leaf)


def _attach_side(cursor: psycopg.Cursor[Any], leaf: Leaf) -> None:
    cursor.execute(sql.SQL("ALTER TABLE {} SET SCHEMA public").format(leaf.side))
    cursor.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            _PARENT, leaf.table, sql.Literal(leaf.first), sql.Literal(leaf.end)
        )
    )
    # The bounds are the partition's own from here on; the check had only spared ATTACH the scan.
    cursor.execute(
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(leaf.table, sql.Identifier(f"{leaf.name}_bounds"))
    )


def _keep_readers_out(cursor: psycopg.Cursor[Any], wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_EXCHANGE_LOCK_TIMEOUT,))
    while True:
        cursor.execute("SAVEPOINT keep_readers_out")
        try:
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_PARENT))
        except psycopg.errors.LockNotAvailable as refusal:
            cursor.execute("ROLLBACK TO SAVEPOINT keep_readers_out")
            if time.monotonic() > deadline:
                raise PublishBlockedError(_blockers(cursor, wait_seconds)) from refusal
            time.sleep(0.2)
        else:
            cursor.execute("RELEASE SAVEPOINT keep_readers_out")
            return


def _blockers(cursor: psycopg.Cursor[Any], wait_seconds: float) -> str:
    rows = cursor.execute(
        "SELECT DISTINCT pid FROM pg_locks WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()",
        (f"public.{BARS_TABLE}",),
    ).fetchall()
    pids = ", ".join(str(row[0]) for row in rows) or "unknown"
    return (
        f"Readers (server pids {pids}) have held {BARS_TABLE} for over {wait_seconds:.0f} s, so nothing was published. "
        "Cure: end those transactions, often a backup or an open psql session, and repeat the load."
    )
