"""Alembic's entry point: runs the revisions on the connection that `warehouse.schema.revision` passes in.

Which database is migrated, by whom and under which lock is decided in `schema.revision`.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from hd_pipelines.warehouse.schema.tables import metadata

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise TypeError("migrations run through hd_pipelines.warehouse.schema.revision.upgrade(url), or `hd db upgrade`")

context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
