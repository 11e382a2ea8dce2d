"""Reads, requires and upgrades the schema's version, also when many processes try at once.

The steps themselves are in `migrations`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from hd_pipelines.warehouse.engine import CONNECT_TIMEOUT_SECONDS, mask_url, to_libpq_url, to_sqlalchemy_url
from hd_pipelines.warehouse.errors import MigrationLockError, SchemaOutdatedError, SchemaTooNewError
from hd_pipelines.warehouse.roles import Role, can_use_roles, ensure_roles

_LOCK = "hd_pipelines:migrations"
_POLL_SECONDS = 0.1
_ALEMBIC = threading.Lock()
"""Alembic keeps the running migration in a module variable, so two threads of one process must not migrate at once."""


@cache
def get_head_revision() -> str:
    """Return the newest revision that this code has."""
    revision = _scripts().get_current_head()
    if revision is None:
        raise RuntimeError("the package carries no migrations; reinstall hd-pipelines")
    return revision


def read_revision(url: str) -> str | None:
    """Read the revision of the database at `url`; None for an empty one."""
    with _autocommit(url) as connection:
        return _current(connection)


def upgrade(url: str, *, deadline_seconds: float = 120.0) -> str:
    """Upgrade the database at `url` to `get_head_revision()` and return that; do nothing if it is there already.

    Any number of processes may call it at once: one migrates, the others wait up to `deadline_seconds`.
    Raises `MigrationLockError`, `SchemaTooNewError`, `RoleSetupError`.
    """
    with _autocommit(url) as connection:
        if _is_current(connection):
            return get_head_revision()
        with _hold_migration_lock(connection, deadline_seconds):
            if _is_current(connection):
                return get_head_revision()
            _refuse_newer_schema(connection)
            ensure_roles(connection)
            _run_revisions(url)
    return get_head_revision()


def require_head(url: str) -> None:
    """Return if code and database have the same revision; services call this and never migrate by themselves.

    Raises `SchemaOutdatedError` (also for an empty database) or `SchemaTooNewError`.
    """
    with _autocommit(url) as connection:
        _refuse_newer_schema(connection)
        found = _current(connection)
    if found != get_head_revision():
        raise SchemaOutdatedError(
            f"The warehouse at {mask_url(url)} is at revision {found or 'none'}, this code needs {get_head_revision()}. "
            "Remedy: run `hd db upgrade`."
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(build_alembic_config())


def build_alembic_config() -> Config:
    """Build Alembic's configuration here, so that users need no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", "hd_pipelines.warehouse:migrations")
    return config


@contextmanager
def _autocommit(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(
        to_libpq_url(url), autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, application_name="hd_migrations"
    ) as connection:
        yield connection


def _current(connection: psycopg.Connection[tuple[object, ...]]) -> str | None:
    present = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchone()
    if not (present and present[0]):
        return None
    with connection.transaction():
        if can_use_roles(connection):
            connection.execute("SET LOCAL ROLE hd_owner")
        try:
            row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
        except psycopg.errors.InsufficientPrivilege as refusal:
            raise SchemaOutdatedError(
                f"The login user {connection.info.user!r} may not read the schema version ({refusal}). "
                "Remedy: run `hd db upgrade` as the user that the platform connects with."
            ) from refusal
    return str(row[0]) if row else None


def _is_current(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    return can_use_roles(connection) and _current(connection) == get_head_revision()


def _refuse_newer_schema(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    found = _current(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNewError(
            f"Database {connection.info.dbname!r} is at revision {found}, which this code does not know (its newest is "
            f"{get_head_revision()}). Remedy: update hd_pipelines to the version that migrated this database."
        )


@contextmanager
def _hold_migration_lock(connection: psycopg.Connection[tuple[object, ...]], deadline_seconds: float) -> Iterator[None]:
    # A session lock on a connection that does nothing else: a transaction lock would end with the first revision, and a
    # blocking wait could not report which process holds it.
    deadline = time.monotonic() + deadline_seconds
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (_LOCK,)).fetchone()
        if row and row[0]:
            break
        if time.monotonic() > deadline:
            holder = connection.execute(
                "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(%s, 0)"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (_LOCK,),
            ).fetchone()
            raise MigrationLockError(
                f"Another process (server pid {holder[0] if holder else 'unknown'}) has been migrating database "
                f"{connection.info.dbname!r} for over {deadline_seconds:.0f} s. Remedy: let it finish, or end it, then "
                "run `hd db upgrade` again."
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (_LOCK,))


def _run_revisions(url: str) -> None:
    engine = create_engine(to_sqlalchemy_url(url), poolclass=NullPool)
    config = build_alembic_config()
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('role', :role, false)"), {"role": Role.OWNER.value})
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.execute(text("SET search_path = public"))
        connection.commit()
        config.attributes["connection"] = connection
        with _ALEMBIC:
            command.upgrade(config, "head")
