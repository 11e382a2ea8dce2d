"""The Postgres warehouse as a resource."""

from __future__ import annotations

import dagster as dg
from pydantic import PrivateAttr

from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.address import get_database_url
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.watchlist import read_active_symbols
from hd_pipelines.warehouse.schema.revision import require_head


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The installation's database. Checks that its schema matches this code before anything reads or writes."""

    _database: Database | None = PrivateAttr(default=None)

    @property
    def database(self) -> Database:
        """Connections by role. Raises `SchemaOutdatedError` if migrations are pending."""
        if self._database is None:
            url = get_database_url(load_settings())
            require_head(url)
            self._database = Database(url)
        return self._database

    def read_active_symbols(self) -> list[str]:
        """Read the symbols on the watchlist."""
        with self.database.connect() as connection:
            return read_active_symbols(connection)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close the connections when the run ends."""
        if self._database is not None:
            self._database.close()
            self._database = None
