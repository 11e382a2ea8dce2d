"""Dropping what the warehouse has kept long enough; the lake keeps everything.

Belongs here: calling the database's own function. How long each table is kept is its default (docs/data-dictionary.md).
"""

from __future__ import annotations

from sqlalchemy import text

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.roles import Role


def drop_old_rows(database: Database) -> dict[str, int]:
    """Drop every leaf that lies wholly before its table's retention; rows dropped by table. One transaction."""
    with database.begin(Role.SERVICE) as connection:
        dropped = connection.execute(text("SELECT table_name, rows_deleted FROM public.cleanup_all_historical_data()"))
        return {row.table_name: row.rows_deleted for row in dropped}
