"""An installation as commands see it: its settings and a database with the current schema. `runs` runs jobs in it."""

from __future__ import annotations

from dataclasses import dataclass

from hd_pipelines.settings import Settings
from hd_pipelines.warehouse.address import get_database_url
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist, read_active_symbols
from hd_pipelines.warehouse.schema.revision import upgrade


@dataclass(frozen=True, slots=True)
class Installation:
    """One HD_HOME, ready: its database is at this code's schema and has a watchlist."""

    settings: Settings
    database: Database


def open_installation(settings: Settings) -> Installation:
    """Start or find the database, migrate it, and give an empty watchlist the configured symbols."""
    settings.home.mkdir(parents=True, exist_ok=True)
    url = get_database_url(settings)
    upgrade(url)
    database = Database(url)
    with database.begin() as connection:
        if not read_active_symbols(connection):
            add_to_watchlist(connection, settings.watchlist, note="default watchlist")
    return Installation(settings, database)
