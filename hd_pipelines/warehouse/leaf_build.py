"""One month of bars built beside its place: rows in, old rows out of scope kept, key, audit.

Belongs here: filling a side table on a connection of its own, in one transaction, so that COPY into the table it made
writes no WAL at wal_level=minimal and its fsync is over before readers are kept out. Putting it in place is `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.warehouse.bar_rows import copy_bars, in_key_order, refused
from hd_pipelines.warehouse.engine import Database, driver_connection
from hd_pipelines.warehouse.partitions import Leaf, close_side, create_side, side_key
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.tables import BAR_COLUMNS, BAR_KEY, BARS_TABLE

Audit = Callable[[psycopg.Cursor[Any], str], None]
"""Looks at a relation before readers can; gets a cursor and the relation's name; raises to stop the load.

Two months are built at a time, so it may be called from two threads at once.
"""


@dataclass(frozen=True, slots=True)
class LeafLoad:
    """What is to be done to one leaf: its new rows, and the (symbol, session) pairs that they replace."""

    leaf: Leaf
    rows: pl.DataFrame
    scope: pl.DataFrame
    is_present: bool

    @classmethod
    def cut(cls, leaf: Leaf, rows: pl.DataFrame, scope: pl.DataFrame, *, is_present: bool) -> LeafLoad:
        """The part of a whole load that concerns `leaf`."""
        in_leaf = pl.col("session").is_between(leaf.first, leaf.end, closed="left")
        return cls(leaf, rows.filter(in_leaf), scope.filter(in_leaf), is_present)


def build_side(database: Database, load: LeafLoad, audit: Audit | None, on_step: Callable[[str], None]) -> Leaf:
    """Build and commit the side table of `load.leaf`; nobody can read it. The caller holds the publish lock."""
    leaf = load.leaf
    with database.begin(Role.OWNER) as connection:
        cursor = driver_connection(connection).cursor()
        notice_dead_clients(cursor)
        create_side(cursor, leaf)
        on_step(f"side_created:{leaf.name}")
        copy_bars(cursor, leaf.side, in_key_order(load.rows), frozen=True)
        on_step(f"copied:{leaf.name}")
        if load.is_present:
            _keep_rows_out_of_scope(cursor, load)
            on_step(f"kept:{leaf.name}")
        build_key(cursor, side_key(leaf))
        # The planner asks about the key; a small sample of it costs a tenth of the usual ANALYZE, which autovacuum does.
        cursor.execute("SET LOCAL default_statistics_target = 30")
        cursor.execute(sql.SQL("ANALYZE {} ({})").format(leaf.side, names(BAR_KEY)))
        on_step(f"keyed:{leaf.name}")
        if audit is not None:
            audit(cursor, leaf.side.as_string(cursor))
        close_side(cursor, leaf)
    on_step(f"built:{leaf.name}")
    return leaf


def _keep_rows_out_of_scope(cursor: psycopg.Cursor[Any], load: LeafLoad) -> None:
    # The owner sees no rows under forced row-level security; the service does, through the parent.
    become(cursor, Role.SERVICE)
    cursor.execute(
        sql.SQL(
            "INSERT INTO {side} ({columns}) SELECT {columns} FROM {parent} AS held"
            " WHERE held.session >= {first} AND held.session < {end} AND NOT EXISTS ("
            "SELECT FROM unnest({symbols}::text[], {sessions}::date[]) AS scope (symbol, session)"
            " WHERE scope.symbol = held.symbol AND scope.session = held.session)"
        ).format(side=load.leaf.side, columns=names((*BAR_COLUMNS, "created_at")), **scope_literals(load))
    )
    become(cursor, Role.OWNER)


def build_key(cursor: psycopg.Cursor[Any], statement: sql.Composed) -> None:
    """Run a statement that builds a primary key over new bars. Raises `BarsRefusedError` naming a duplicate."""
    try:
        cursor.execute(statement)
    except psycopg.errors.UniqueViolation as refusal:
        raise refused(refusal) from refusal


def notice_dead_clients(cursor: psycopg.Cursor[Any]) -> None:
    """Let the server end this transaction soon after its client died, and never because it is busy elsewhere."""
    # Without it the server notices only when it next writes to the client, after a long key build.
    cursor.execute("SET LOCAL client_connection_check_interval = '2s'")
    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def become(cursor: psycopg.Cursor[Any], role: Role) -> None:
    """Act as `role` until the transaction ends or another is taken."""
    cursor.execute("SELECT set_config('role', %s, true)", (role.value,))


def names(columns: Iterable[str]) -> sql.Composed:
    """Column names, quoted and comma separated."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def scope_literals(load: LeafLoad) -> dict[str, sql.Composable]:
    """What statements about a leaf and its scope are filled with: parent, first, end, symbols, sessions."""
    return {
        "parent": sql.Identifier("public", BARS_TABLE),
        "first": sql.Literal(load.leaf.first),
        "end": sql.Literal(load.leaf.end),
        "symbols": sql.Literal(load.scope["symbol"].to_list()),
        "sessions": sql.Literal(load.scope["session"].to_list()),
    }
