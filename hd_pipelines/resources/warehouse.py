"""The Postgres warehouse as a resource."""

from __future__ import annotations

import dagster as dg
from pydantic import PrivateAttr

from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.address import database_url
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.schema.revision import require_head


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The desk's database, checked to be at this code's schema before anything reads or writes."""

    _database: Database | None = PrivateAttr(default=None)

    @property
    def database(self) -> Database:
        """Connections by role. Raises `SchemaOutdatedError` when migrations are due."""
        if self._database is None:
            url = database_url(load_settings())
            require_head(url)
            self._database = Database(url)
        return self._database

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Give connections back when the run is over."""
        if self._database is not None:
            self._database.close()
            self._database = None
