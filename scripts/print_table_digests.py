"""Print a digest of every table of a warehouse, to show that a change of the code left the data as it was.

    python scripts/print_table_digests.py "$(.venv/bin/hd db url --show-password)" > before.txt

A digest covers every row, in no order, without columns that differ between two runs of the same code (`VOLATILE`). Numbers
compare by value: 95 and 95.0 are one. The JSON lists that gamma snapshots had before revision 0013 are digested as the rows
of the tables that replaced them. With `--columns` each column has its own digest, to find the one that differs.
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
TABLES = """
    SELECT table_schema, table_name, json_object_agg(
        column_name,
        CASE data_type WHEN 'numeric' THEN format('trim_scale(%I)', column_name) ELSE quote_ident(column_name) END
    )
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'marts') AND table_name NOT IN (
        SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
"""Each table, and the SQL of each of its columns by name."""
JSON_COLUMNS = {"gamma_by_strike", "gamma_by_expiration", "oi_by_strike", "volume_by_strike"}
EXPOSURES = {
    "call_gex_usd_per_1pct": "gamma.call",
    "put_gex_usd_per_1pct": "gamma.put",
    "gex_usd_per_1pct": "gamma.net",
}
KEY = {"symbol": "symbol", "timestamp": "timestamp", "session": "session"}
ROWS_OF_JSON = {
    "gamma_by_strike": (
        """
        gamma_exposure_snapshots CROSS JOIN (
            jsonb_to_recordset(gamma_by_strike) AS gamma (strike numeric, call float8, put float8, net float8)
            FULL JOIN jsonb_to_recordset(oi_by_strike) AS oi (strike numeric, call bigint, put bigint) USING (strike)
            FULL JOIN jsonb_to_recordset(volume_by_strike) AS volume (strike numeric, call bigint, put bigint)
            USING (strike)
        )
        """,
        KEY
        | EXPOSURES
        | {"strike": "trim_scale(strike)", "call_oi": "oi.call", "put_oi": "oi.put"}
        | {"call_volume": "volume.call", "put_volume": "volume.put"},
    ),
    "gamma_by_expiration": (
        """
        gamma_exposure_snapshots CROSS JOIN LATERAL
        jsonb_to_recordset(gamma_by_expiration) AS gamma (expiration date, call float8, put float8, net float8)
        """,
        KEY | EXPOSURES | {"expiration": "expiration"},
    ),
}
"""Source and columns of the rows that an old installation has as JSON, under the names of the tables that replaced it."""
DIGEST = sql.SQL(
    "SELECT count(*), coalesce(sum(('x' || substr(md5({row}), 1, 15))::bit(60)::bigint::numeric), 0) FROM {source}"
)


def digest(connection: psycopg.Connection, row: sql.Composable, source: sql.Composable) -> str:
    """Rows and the sum of their hashes: the same for the same rows in any order."""
    rows, total = connection.execute(DIGEST.format(row=row, source=source)).fetchone() or (0, 0)
    return f"{rows:>9,} rows  {int(total) % 2**64:016x}"


def list_relations(connection: psycopg.Connection) -> Iterator[tuple[str, sql.Composable, dict[str, str]]]:
    """Name, source and columns (SQL by name) of every table, and of the rows that are JSON in an old installation."""
    for schema, name, columns in connection.execute(TABLES).fetchall():
        if name in LEFT_OUT:
            continue
        if name == "gamma_exposure_snapshots" and columns.keys() >= JSON_COLUMNS:
            for part, (source, of_part) in ROWS_OF_JSON.items():
                yield part, sql.SQL(source), of_part
            left = {column: text for column, text in columns.items() if column not in JSON_COLUMNS}
            yield name, sql.Identifier(schema, name), left
        else:
            yield name, sql.Identifier(schema, name), columns


def print_digests(connection: psycopg.Connection, *, has_columns: bool) -> Iterator[str]:
    """A line for each table by name, and for each column if asked for."""
    for name, source, columns in sorted(list_relations(connection), key=lambda relation: relation[0]):
        left_out = VOLATILE | VOLATILE_OF.get(name, set())
        kept = {column: sql.SQL(columns[column]) for column in sorted(columns.keys() - left_out)}
        row = sql.SQL("ROW({})::text").format(sql.SQL(", ").join(kept.values()))
        yield f"{name:<32} {digest(connection, row, source)}"
        for column, value in kept.items() if has_columns else ():
            yield f"  {name}.{column:<40} {digest(connection, sql.SQL('({})::text').format(value), source)}"


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
