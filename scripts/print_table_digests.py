"""Print a digest of every table of a warehouse, to show that a change of the code left the data as it was.

    python scripts/print_table_digests.py "$(.venv/bin/hd db url --show-password)" > before.txt

A digest covers every row, in no order, without columns that differ between two runs of the same code (`VOLATILE`). JSON
lists of objects are digested as rows, so that a list that moved to a table of its own compares by value. With `--columns`
each column has its own digest, to find the one that differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import psycopg
from psycopg import sql

VOLATILE = {"created_at", "updated_at", "loaded_at", "ingested_at", "landed_at", "run_id", "recorded_at", "id"}
"""Times of writing, run ids and serial numbers."""
VOLATILE_OF = {
    "data_findings": {"first_seen", "first_seen_at", "last_seen", "last_seen_at", "resolved_at"},
    "composite_signals": {"scan_id"},
    "signal_scans": {"scanned_at", "seconds", "scan_id", "duration_ms", "began_at"},
    "rpt_radar": {"built_at", "made_at"},
    "watchlist": {"added_at"},
    "historical_ingestion_queue": {"started_at", "finished_at"},
    "option_chain_snapshots": {"taken_at"},
}
LEFT_OUT = {"alembic_version"}
LISTS = {"gamma_by_strike", "gamma_by_expiration"}
"""JSON lists of objects, or tables that replaced such a list; digested as rows of symbol, timestamp and values."""
TABLES = """
    SELECT table_schema, table_name, array_agg(column_name::text ORDER BY ordinal_position)
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'marts') AND table_name NOT IN (
        SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
DIGEST = sql.SQL(
    "SELECT count(*), coalesce(sum(('x' || substr(md5({row}), 1, 15))::bit(60)::bigint::numeric), 0) FROM {source}"
)


def digest(connection: psycopg.Connection, row: sql.Composable, source: sql.Composable) -> str:
    """Rows and the sum of their hashes: the same for the same rows in any order."""
    rows, total = connection.execute(DIGEST.format(row=row, source=source)).fetchone() or (0, 0)
    return f"{rows:>9,} rows  {int(total) % 2**64:016x}"


def digest_list(connection: psycopg.Connection, table: sql.Identifier, column: str) -> str:
    """The elements of a JSON list as rows of their snapshot; keys of an element in the order of their names."""
    source = sql.SQL("{table} AS t, jsonb_array_elements(t.{column}::jsonb) AS e").format(
        table=table, column=sql.Identifier(column)
    )
    return digest(connection, sql.SQL("ROW(t.symbol, t.timestamp, e.value)::text"), source)


def print_digests(connection: psycopg.Connection, *, has_columns: bool) -> Iterator[str]:
    """A line for each table, and for each column if asked for."""
    for schema, name, columns in connection.execute(TABLES).fetchall():
        if name in LEFT_OUT:
            continue
        table = sql.Identifier(schema, name)
        left_out = VOLATILE | VOLATILE_OF.get(name, set()) | LISTS
        kept = sorted(column for column in columns if column not in left_out)
        if name in LISTS:
            values = [column for column in kept if column not in {"symbol", "timestamp", "session"}]
            pairs = sql.SQL(", ").join(sql.SQL("{}, {}").format(sql.Literal(c), sql.Identifier(c)) for c in values)
            row = sql.SQL("ROW(symbol, timestamp, jsonb_build_object({}))::text").format(pairs)
            yield f"{name:<32} {digest(connection, row, table)}"
            continue
        fields = sql.SQL(", ").join(sql.Identifier(column) for column in kept)
        yield f"{name:<32} {digest(connection, sql.SQL('ROW({})::text').format(fields), table)}"
        for column in sorted(LISTS.intersection(columns)):
            yield f"{column:<32} {digest_list(connection, table, column)}"
        for column in kept if has_columns else ():
            yield f"  {name}.{column:<40} {digest(connection, sql.SQL('{}::text').format(sql.Identifier(column)), table)}"


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("url", help="of the database, as a user who sees every row")
    parser.add_argument("--columns", action="store_true", help="a digest of each column too")
    arguments = parser.parse_args()
    with psycopg.connect(arguments.url) as connection:
        connection.execute("SET timezone = 'UTC'; SET extra_float_digits = 1")
        for line in print_digests(connection, has_columns=arguments.columns):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
