"""Merges the new rows of a scope into one table inside a running transaction; unchanged rows are not touched.

Which tables belong together, and what else a load records, is in `derived_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.publish.partition_build import build_key, quote_columns
from hd_pipelines.warehouse.publish.row_copy import make_row_copier
from hd_pipelines.warehouse.publish.row_shape import check_rows, list_published_columns
from hd_pipelines.warehouse.publish.scope import require_within
from hd_pipelines.warehouse.records.derivations import MARKET
from hd_pipelines.warehouse.schema.partitioned import PARTITIONED, Partition
from hd_pipelines.warehouse.schema.partitions import add_empty_partition, partition_exists
from hd_pipelines.warehouse.schema.tables import metadata


class RowMerge:
    """The new rows of one table and the scope in which they replace the old ones.

    scope: `session`, and `symbol` and `timestamp` where they narrow it; unique rows.
    """

    def __init__(self, table_name: str, key: tuple[str, ...], frame: pl.DataFrame, scope: pl.DataFrame) -> None:
        self.table = metadata.tables[table_name]
        self.key = key
        self.scope = scope
        self.session = "session" if "session" in self.table.c else "date"
        self.columns = list_published_columns(self.table)
        self.partitioned = PARTITIONED.get(table_name)
        self.rows = check_rows(frame, self.table)
        require_within(self.rows, scope, RowsRefusedError, session=self.session)

    def add_partitions(self, cursor: psycopg.Cursor[Any]) -> None:
        """Create the partitions that the new rows need, as hd_owner."""
        if self.partitioned is None:
            return
        for first in sorted({Partition.of(day, self.partitioned).first for day in self.rows[self.session].unique()}):
            partition = Partition(first, self.partitioned)
            if not partition_exists(cursor, partition):
                add_empty_partition(cursor, partition)

    def stage(self, cursor: psycopg.Cursor[Any]) -> None:
        """Copy the new rows into a temporary table, whose checks and key refuse invalid rows."""
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
            ).format(sql.Identifier(self._new_name), self._parent)
        )
        make_row_copier(self.table, RowsRefusedError)(cursor, self._new, self.rows, frozen=False)
        key = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(self._new, quote_columns(self.key))
        build_key(cursor, key, RowsRefusedError)
        cursor.execute(sql.SQL("ANALYZE {}").format(self._new))

    def delete(self, cursor: psycopg.Cursor[Any]) -> int:
        """Delete the rows of the staged scope that no longer exist; return how many."""
        cursor.execute(
            sql.SQL(
                "DELETE FROM {parent} AS held USING pg_temp.scope WHERE {covers} AND {in_window}"
                " AND NOT EXISTS (SELECT FROM {new} AS new WHERE {same})"
            ).format(
                parent=self._parent,
                new=self._new,
                covers=self._covers,
                in_window=self._in_window,
                same=_match_columns("new", self.key),
            )
        )
        return cursor.rowcount

    def merge(self, cursor: psycopg.Cursor[Any]) -> int:
        """Insert new rows and update changed ones; return how many."""
        others = [name for name in self.columns if name not in self.key]
        cursor.execute(
            sql.SQL(
                "INSERT INTO {parent} AS held ({columns}) SELECT {columns} FROM {new}"
                " ON CONFLICT ({key}) DO UPDATE SET {assigned}"
                " WHERE ({ours}) IS DISTINCT FROM ({theirs})"
            ).format(
                parent=self._parent,
                new=self._new,
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
        """Count the rows that the table now holds for each pair of the staged scope: `symbol`, `session`, `rows`."""
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
    def _new_name(self) -> str:
        return f"new_{self.table.name}"

    @property
    def _new(self) -> sql.Identifier:
        return sql.Identifier("pg_temp", self._new_name)

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


def stage_scope(cursor: psycopg.Cursor[Any], scope: pl.DataFrame) -> None:
    """Copy `scope` into the temporary table that every merge of this transaction uses."""
    kinds = {"symbol": "text", "session": "date", "timestamp": "timestamptz"}
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kinds[name])) for name in scope.columns
    )
    cursor.execute(sql.SQL("CREATE TEMPORARY TABLE scope ({}) ON COMMIT DROP").format(columns))
    with cursor.copy("COPY pg_temp.scope FROM STDIN") as copy:
        for row in scope.iter_rows():
            copy.write_row(row)
    cursor.execute("ANALYZE pg_temp.scope")


def _match_columns(relation: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(relation, name), sql.Identifier("held", name)) for name in columns
    )
