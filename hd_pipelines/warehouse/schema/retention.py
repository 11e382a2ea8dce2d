"""Drop warehouse rows that are older than their table keeps; the lake keeps everything.

How long each table is kept is the default of its database function: docs/reference/data-dictionary.md.
"""

from __future__ import annotations

from sqlalchemy import text

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.roles import Role


def drop_old_rows(database: Database) -> dict[str, int]:
    """Drop every partition that lies wholly before its table's retention; return rows dropped by table. One transaction."""
    with database.begin(Role.SERVICE) as connection:
        dropped = connection.execute(text("SELECT table_name, rows_deleted FROM public.cleanup_all_historical_data()"))
        return {row.table_name: row.rows_deleted for row in dropped}
