"""Connects to PostgreSQL: URLs for each driver, small pools, and transactions in a role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DataError, ProgrammingError

from hd_pipelines.warehouse.errors import LockHeldError, SchemaOutdatedError
from hd_pipelines.warehouse.roles import Role

CONNECT_TIMEOUT_SECONDS = 10
LOCK_WAIT_SECONDS = 600
"""How long a process waits for another one that does the same, before it fails."""


def to_sqlalchemy_url(url: str) -> str:
    """Return the URL for SQLAlchemy over psycopg 3, whichever PostgreSQL scheme was given."""
    return _with_driver(url, "postgresql+psycopg")


def to_psycopg2_url(url: str) -> str:
    """Return the URL for dagster-postgres: its storages need psycopg2 named, or event watching fails on NOTIFY."""
    return _with_driver(url, "postgresql+psycopg2")


def to_libpq_url(url: str) -> str:
    """Return the URL for psycopg, psql and pg_dump: no SQLAlchemy driver in the scheme."""
    return _with_driver(url, "postgresql")


def mask_url(url: str) -> str:
    """Return the URL for display, with the password replaced by `***`."""
    return make_url(url).render_as_string(hide_password=True)


def _with_driver(url: str, drivername: str) -> str:
    parsed: URL = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError(
            f"{mask_url(url)} is not a PostgreSQL URL; give one like postgresql://user:password@host:5432/database"
        )
    return parsed.set(drivername=drivername).render_as_string(hide_password=False)


class Database:
    """One warehouse: a small connection pool over its URL. Close it, or use it as a context manager."""

    def __init__(self, url: str, *, pool_size: int = 2, max_overflow: int = 6) -> None:
        self.url = to_libpq_url(url)
        self.engine: Engine = create_engine(
            to_sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "hd_pipelines"},
        )

    @contextmanager
    def begin(self, role: Role = Role.SERVICE) -> Iterator[Connection]:
        """Open a transaction as `role`, in UTC; commits at the end of the block, rolls back on an exception."""
        with self.engine.begin() as connection:
            set_local_role(connection, role)
            yield connection

    @contextmanager
    def connect(self, role: Role = Role.READER) -> Iterator[Connection]:
        """Open a read-only transaction as `role`, in UTC; all of its statements see the same state of the database."""
        with self.engine.begin() as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            set_local_role(connection, role)
            yield connection

    @contextmanager
    def hold_lock(self, name: str, *, wait_seconds: int = LOCK_WAIT_SECONDS) -> Iterator[None]:
        """Keep every other process out of blocks under the same `name`, on all machines that use this database.

        It ends with the block, with the process, or with the connection. Raises `LockHeldError` after `wait_seconds`.
        """
        with self.begin(Role.SERVICE) as connection:
            driver = get_driver_connection(connection)
            # Nothing happens on this connection while the block works, for however long.
            driver.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            driver.execute("SELECT set_config('lock_timeout', %s, true)", (f"{wait_seconds}s",))
            try:
                driver.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"hd_pipelines:{name}",))
            except psycopg.errors.LockNotAvailable as refusal:
                raise LockHeldError(
                    f"Another process has held the lock {name} for over {wait_seconds} s. Remedy: repeat this when it is "
                    "done; pg_stat_activity shows it under application_name hd_pipelines."
                ) from refusal
            yield

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({mask_url(self.url)})"


def set_local_role(connection: Connection, role: Role) -> None:
    """Become `role` until the transaction ends. Raises `SchemaOutdatedError` where the login user cannot take the role."""
    try:
        connection.execute(
            text("SELECT set_config('role', :role, true), set_config('timezone', 'UTC', true)"), {"role": role.value}
        )
    except (DataError, ProgrammingError) as refusal:  # the role does not exist, or is not the user's to take
        raise SchemaOutdatedError(
            f"The login user cannot act as {role} in this database ({refusal.orig}). Remedy: run `hd db upgrade`."
        ) from refusal


def get_driver_connection(connection: Connection) -> psycopg.Connection[tuple[object, ...]]:
    """Return the psycopg connection under a SQLAlchemy one, in the same transaction: for COPY and partition DDL."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"expected a psycopg 3 connection, got {type(driver).__name__}")
    return driver
