"""Alembic's entry: runs the revisions on the connection that `warehouse.schema.revision` hands over.

Not here: where the database is, who may migrate and how eight processes take turns; that is `schema`.
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
