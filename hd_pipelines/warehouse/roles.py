"""Creates the platform's four database roles and makes the login user a member of each; repeated calls change nothing.

Several databases of one cluster may be set up at once (roles belong to the cluster, advisory locks to one database).
Grants on tables belong to the migrations.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import LiteralString

import psycopg
from psycopg import sql

from hd_pipelines.warehouse.errors import RoleSetupError

_ATTEMPTS = 20


class Role(StrEnum):
    """Roles of the warehouse. None can log in; the login user assumes one per transaction."""

    OWNER = "hd_owner"
    SERVICE = "hd_service"
    READER = "hd_reader"
    WEBHOOK = "hd_webhook"


_PURPOSE: dict[Role, LiteralString] = {
    Role.OWNER: "hd_pipelines: owns the schema, sees no rows of its own (forced row-level security)",
    Role.SERVICE: "hd_pipelines: reads and writes rows for the pipelines",
    Role.READER: "hd_pipelines: reads published tables",
    Role.WEBHOOK: "hd_pipelines: hands in alerts, reads nothing",
}


def ensure_roles(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Create the roles, make the login user a member and let the owner build in this database.

    `connection` is in autocommit and acts as the login user: a superuser, or the database's owner with CREATEROLE.
    Raises `RoleSetupError` with the statements that a superuser has to run.
    """
    try:
        for role in Role:
            _create(connection, role)
            _join(connection, role)
        _allow_owner_to_create(connection)
    except psycopg.errors.InsufficientPrivilege as refusal:
        raise RoleSetupError(_describe_remedy(connection, refusal)) from refusal


def can_use_roles(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Return whether the login user can already assume all four roles."""
    return all(_exists(connection, role) and _may_become(connection, role) for role in Role)


def _create(connection: psycopg.Connection[tuple[object, ...]], role: Role) -> None:
    if _exists(connection, role):
        return
    name = sql.Identifier(role)
    try:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS").format(name))
        connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(name, sql.Literal(_PURPOSE[role])))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # another database of this cluster created it at the same moment


def _join(connection: psycopg.Connection[tuple[object, ...]], role: Role) -> None:
    grant = sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role))
    for attempt in range(_ATTEMPTS):
        if _may_become(connection, role):
            return
        try:
            connection.execute(grant)
        except psycopg.errors.UniqueViolation:
            time.sleep(0.05)  # the same membership was granted from another database at the same moment
        except psycopg.errors.InternalError_:  # "tuple concurrently updated": the same race, seen later
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05)


def _allow_owner_to_create(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    if not _ask(connection, "SELECT has_database_privilege('hd_owner', current_database(), 'CREATE')"):
        _on_database(connection, "GRANT CREATE ON DATABASE {} TO hd_owner")
    if not _ask(connection, "SELECT has_database_privilege('hd_service', current_database(), 'TEMPORARY')"):
        _on_database(connection, "GRANT TEMPORARY ON DATABASE {} TO hd_service")
    if not _ask(connection, "SELECT has_schema_privilege('hd_owner', 'public', 'CREATE WITH GRANT OPTION')"):
        connection.execute("GRANT USAGE, CREATE ON SCHEMA public TO hd_owner WITH GRANT OPTION")
    if not _ask(connection, "SELECT has_schema_privilege('hd_owner', 'public', 'CREATE WITH GRANT OPTION')"):
        # Without the right to grant, PostgreSQL only warns. Typical: a schema carried over from before version 15.
        raise psycopg.errors.InsufficientPrivilege("the login user does not own schema public")


def _on_database(connection: psycopg.Connection[tuple[object, ...]], statement: LiteralString) -> None:
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL(statement).format(name))


def _exists(connection: psycopg.Connection[tuple[object, ...]], role: Role) -> bool:
    return _ask(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", role.value)


def _may_become(connection: psycopg.Connection[tuple[object, ...]], role: Role) -> bool:
    # From 16 on a CREATEROLE user administers a role it made without being able to SET ROLE to it.
    if connection.info.server_version >= 160000:
        return _ask(connection, "SELECT pg_has_role(current_user, %s, 'SET')", role.value)
    return _ask(connection, "SELECT pg_has_role(current_user, %s, 'MEMBER')", role.value)


def _ask(connection: psycopg.Connection[tuple[object, ...]], query: LiteralString, *values: str) -> bool:
    row = connection.execute(query, values).fetchone()
    return bool(row and row[0])


def _describe_remedy(connection: psycopg.Connection[tuple[object, ...]], refusal: Exception) -> str:
    user, database = connection.info.user, connection.info.dbname
    roles = ", ".join(Role)
    return (
        f"The login user {user!r} may not set up the roles {roles} in database {database!r} ({refusal}). "
        f'Remedy, as a superuser: ALTER ROLE "{user}" CREATEROLE; ALTER DATABASE "{database}" OWNER TO "{user}"; '
        "ALTER SCHEMA public OWNER TO pg_database_owner; and, where the roles exist already, "
        f'GRANT {roles} TO "{user}" WITH ADMIN OPTION; then'
        " run `hd db upgrade` again."
    )
