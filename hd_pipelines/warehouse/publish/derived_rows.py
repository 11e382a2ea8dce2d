"""Publishes the small derived tables: replaces the rows of a scope in one transaction and does not touch unchanged rows.

The tables are `iv_percentile_cache`, `gamma_exposure_snapshots`, `market_regime_history` and `treasury_yields`. Rows are
staged, then merged: rows of the scope that no longer exist are deleted, changed ones updated, new ones inserted. So a
repeated load writes nothing, `created_at` stays, and `updated_at` is when a row last changed. Large loads are in `greeks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.engine import Database, get_driver_connection
from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.publish.partition_build import (
    assume_role,
    build_key,
    quote_columns,
    watch_client_connection,
)
from hd_pipelines.warehouse.publish.publication import ignore_step
from hd_pipelines.warehouse.publish.row_copy import make_row_copier
from hd_pipelines.warehouse.publish.row_shape import check_rows, list_published_columns
from hd_pipelines.warehouse.publish.scope import require_fingerprints, require_within
from hd_pipelines.warehouse.records.derivations import MARKET, record_derivations
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import GAMMA, IV_PERCENTILES, PARTITIONED, REGIME, Partition
from hd_pipelines.warehouse.schema.partitions import add_empty_partition, partition_exists, take_lock
from hd_pipelines.warehouse.schema.tables import metadata, treasury_yields

_KEYS = {
    IV_PERCENTILES.name: ("symbol", "date"),
    GAMMA.name: ("symbol", "timestamp"),
    REGIME.name: ("date",),
    treasury_yields.name: ("date", "years"),
}
"""The tables that are published here, and the unique key that matches a new row to the one it replaces."""


@dataclass(frozen=True, slots=True)
class RowsReport:
    """Counts of a load: rows given, rows inserted or changed, rows of the scope deleted because they no longer exist."""

    rows: int
    written: int
    deleted: int
    seconds: float


def publish_rows(
    database: Database,
    table_name: str,
    frame: pl.DataFrame,
    *,
    scope: pl.DataFrame,
    fingerprints: Mapping[tuple[str, date], str],
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    checked: Sequence[CheckedScope] = (),
    on_step: Callable[[str], None] = ignore_step,
) -> RowsReport:
    """Replace exactly the rows of `scope` in a small derived table by those of `frame`, or change nothing.

    Args:
        database: The warehouse.
        table_name: `iv_percentile_cache`, `gamma_exposure_snapshots`, `market_regime_history` or `treasury_yields`.
        frame: The table's columns without `created_at` and `updated_at`, any order, every row inside `scope`.
        scope: What to replace: column `session` (the `date` of tables that have one), `symbol` unless the table is
            about the market, and `timestamp` where single gamma snapshots are replaced.
        fingerprints: For every (symbol, session) of `scope`, the fingerprint of its inputs; symbol is
            `derivations.MARKET` for a table without symbols.
        findings: What is wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        run_id: The run that loads, kept with manifest and findings.
        on_step: Called with the name of each step as it is reached.

    Raises `RowsRefusedError` for rows that break a rule, `PublishBlockedError` if another load holds the lock for too long,
    `KeyError` for a table that is not published here.
    """
    started = time.perf_counter()
    load = _Load(table_name, frame, scope)
    require_fingerprints(load.pairs.iter_rows(), fingerprints, RowsRefusedError)
    with database.begin(Role.OWNER) as connection:
        cursor = get_driver_connection(connection).cursor()
        watch_client_connection(cursor)
        take_lock(cursor, table_name)
        on_step("locked")
        load.add_partitions(cursor)
        assume_role(cursor, Role.SERVICE)
        load.stage(cursor)
        on_step("staged")
        deleted = load.delete(cursor)
        on_step("deleted")
        written = load.merge(cursor)
        on_step("merged")
        record_derivations(cursor, table_name, load.count_rows(cursor), fingerprints, run_id)
        settle_findings(connection, findings, checked, run_id=run_id)
        on_step("before_commit")
    on_step("after_commit")
    return RowsReport(load.rows.height, written, deleted, time.perf_counter() - started)


class _Load:
    """One running load."""

    def __init__(self, table_name: str, frame: pl.DataFrame, scope: pl.DataFrame) -> None:
        if table_name not in _KEYS:
            raise KeyError(f"{table_name} is not published row by row; there are {', '.join(_KEYS)}")
        self.table = metadata.tables[table_name]
        self.partitioned = PARTITIONED.get(table_name)
        self.key = _KEYS[table_name]
        self.session = "session" if "session" in self.table.c else "date"
        self.columns = list_published_columns(self.table)
        wanted = [name for name in ("symbol", "session", "timestamp") if name in scope.columns]
        self.scope = scope.select(wanted).unique().sort(wanted)
        self._require_scope_columns(scope)
        self.rows = check_rows(frame, self.table)
        require_within(self.rows, self.scope, RowsRefusedError, session=self.session)

    def _require_scope_columns(self, scope: pl.DataFrame) -> None:
        needed = {"session"} | ({"symbol"} & set(self.table.c.keys()))
        may = needed | ({"timestamp"} & set(self.key))
        if not needed <= set(scope.columns) <= may:
            raise RowsRefusedError(
                f"A scope of {self.table.name} has the columns {sorted(needed)}, may have {sorted(may)}, and this one has "
                f"{sorted(scope.columns)}."
            )

    @property
    def pairs(self) -> pl.DataFrame:
        """`symbol`, `session` of the scope; the market's name where there is no symbol."""
        symbol = pl.col("symbol") if "symbol" in self.scope.columns else pl.lit(MARKET).alias("symbol")
        return self.scope.select(symbol, "session").unique().sort("symbol", "session")

    def add_partitions(self, cursor: psycopg.Cursor[Any]) -> None:
        """Create the partitions that the new rows need, as hd_owner."""
        if self.partitioned is None:
            return
        for first in sorted({Partition.of(day, self.partitioned).first for day in self.rows[self.session].unique()}):
            partition = Partition(first, self.partitioned)
            if not partition_exists(cursor, partition):
                add_empty_partition(cursor, partition)

    def stage(self, cursor: psycopg.Cursor[Any]) -> None:
        """Copy new rows and scope into temporary tables, whose checks and key refuse invalid rows."""
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE new_rows (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
            ).format(self._parent)
        )
        make_row_copier(self.table, RowsRefusedError)(
            cursor, sql.Identifier("pg_temp", "new_rows"), self.rows, frozen=False
        )
        key = sql.SQL("ALTER TABLE pg_temp.new_rows ADD PRIMARY KEY ({})").format(quote_columns(self.key))
        build_key(cursor, key, RowsRefusedError)
        kinds = {"symbol": "text", "session": "date", "timestamp": "timestamptz"}
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kinds[name])) for name in self.scope.columns
        )
        cursor.execute(sql.SQL("CREATE TEMPORARY TABLE scope ({}) ON COMMIT DROP").format(columns))
        with cursor.copy("COPY pg_temp.scope FROM STDIN") as copy:
            for row in self.scope.iter_rows():
                copy.write_row(row)
        cursor.execute("ANALYZE pg_temp.new_rows")
        cursor.execute("ANALYZE pg_temp.scope")

    def delete(self, cursor: psycopg.Cursor[Any]) -> int:
        """Delete the rows of the scope that no longer exist; return how many."""
        cursor.execute(
            sql.SQL(
                "DELETE FROM {parent} AS held USING pg_temp.scope WHERE {covers} AND {in_window}"
                " AND NOT EXISTS (SELECT FROM pg_temp.new_rows WHERE {same})"
            ).format(
                parent=self._parent,
                covers=self._covers,
                in_window=self._in_window,
                same=_match_columns("new_rows", self.key),
            )
        )
        return cursor.rowcount

    def merge(self, cursor: psycopg.Cursor[Any]) -> int:
        """Insert new rows and update changed ones; return how many."""
        others = [name for name in self.columns if name not in self.key]
        cursor.execute(
            sql.SQL(
                "INSERT INTO {parent} AS held ({columns}) SELECT {columns} FROM pg_temp.new_rows"
                " ON CONFLICT ({key}) DO UPDATE SET {assigned}"
                " WHERE ({ours}) IS DISTINCT FROM ({theirs})"
            ).format(
                parent=self._parent,
                columns=quote_columns(self.columns),
                key=quote_columns(self.key),
                assigned=sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("excluded", name)) for name in others
                ),
                ours=sql.SQL(", ").join(sql.Identifier("held", name) for name in others),
                theirs=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in others),
            )
        )
        return cursor.rowcount

    def count_rows(self, cursor: psycopg.Cursor[Any]) -> pl.DataFrame:
        """Count the rows that the table now holds for each pair: `symbol`, `session`, `rows`."""
        has_symbol = "symbol" in self.scope.columns
        pair = ("symbol", "session") if has_symbol else ("session",)
        statement = sql.SQL(
            "SELECT {shown}, count(held.*) FROM (SELECT DISTINCT {pair} FROM pg_temp.scope) AS scope"
            " LEFT JOIN {parent} AS held ON {covers} AND {in_window} GROUP BY {grouped}"
        ).format(
            shown=sql.SQL(", ").join(sql.Identifier("scope", name) for name in pair),
            grouped=sql.SQL(", ").join(sql.Identifier("scope", name) for name in pair),
            pair=quote_columns(pair),
            parent=self._parent,
            covers=self._pair_covers,
            in_window=self._in_window,
        )
        found = [row if has_symbol else (MARKET, *row) for row in cursor.execute(statement).fetchall()]
        schema = {"symbol": pl.String, "session": pl.Date, "rows": pl.Int64}
        return pl.DataFrame(found, schema=schema, orient="row").sort("symbol", "session")

    @property
    def _parent(self) -> sql.Identifier:
        return sql.Identifier("public", self.table.name)

    @property
    def _pair_covers(self) -> sql.Composed:
        conditions = [sql.SQL("{} = scope.session").format(sql.Identifier("held", self.session))]
        if "symbol" in self.scope.columns:
            conditions.append(sql.SQL("{} = scope.symbol").format(sql.Identifier("held", "symbol")))
        return sql.SQL(" AND ").join(conditions)

    @property
    def _covers(self) -> sql.Composed:
        if "timestamp" not in self.scope.columns:
            return self._pair_covers
        same_instant = sql.SQL('held."timestamp" = scope."timestamp"')
        return sql.SQL(" AND ").join([self._pair_covers, same_instant])

    @property
    def _in_window(self) -> sql.Composed:
        """Bounds of the scope as literals, so that the planner excludes the partitions outside."""
        sessions = self.scope["session"]
        first, last = sessions.min(), sessions.max()
        if self.partitioned is not None and self.partitioned.is_by_instant:
            return sql.SQL('held."timestamp" >= {}::date AND held."timestamp" < {}::date + 1').format(
                sql.Literal(first), sql.Literal(last)
            )
        return sql.SQL("{} BETWEEN {} AND {}").format(
            sql.Identifier("held", self.session), sql.Literal(first), sql.Literal(last)
        )


def _match_columns(relation: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(relation, name), sql.Identifier("held", name)) for name in columns
    )
