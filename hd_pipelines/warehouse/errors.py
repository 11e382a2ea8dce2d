"""Errors of the warehouse that callers catch or show, each with its remedy.

Driver errors that nobody can act on are not wrapped.
"""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError

_CONNECTION_FAILURES = "08"
_TRANSIENT_STATES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "57P01",  # admin_shutdown: the server is restarted
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now: it is starting
    }
)


class WarehouseError(Exception):
    """A failure that needs a person or a retry. The message names what failed, where, and the remedy."""


class SchemaOutdatedError(WarehouseError):
    """The database is older than this code, or empty. Remedy: `hd db upgrade`."""


class SchemaTooNewError(WarehouseError):
    """The database was migrated by newer code. Remedy: update the code, never downgrade the data."""


class MigrationLockError(WarehouseError):
    """Another process has been migrating for longer than the deadline."""


class RoleSetupError(WarehouseError):
    """The login user may not create or use the platform's roles."""


class RowsRefusedError(WarehouseError):
    """A frame breaks a rule of its table; none of it was published."""


class BarsRefusedError(RowsRefusedError):
    """A frame of bars breaks a rule of its table; none of it was published."""


class RowsUnreadableError(WarehouseError):
    """Published rows cannot be read in the requested form; the message names them."""


class MartMissingError(WarehouseError):
    """A mart was requested before dbt built it."""


class PublishBlockedError(WarehouseError):
    """A lock could not be acquired in time; nothing was published and the call may be repeated."""


class LockHeldError(WarehouseError):
    """Another process holds a lock for longer than this one waits."""


class QueryRefusedError(WarehouseError):
    """A statement is not one plain query, or needs rights that the reader role does not have."""


def explain_refusal(refusal: psycopg.Error, error: type[RowsRefusedError]) -> RowsRefusedError:
    """Turn the database's refusal of a row into an error that names the rule and the row."""
    rule = refusal.diag.constraint_name or type(refusal).__name__
    detail = refusal.diag.message_detail or refusal.diag.message_primary or str(refusal)
    return error(
        f"Rows break {rule}: {detail} Nothing of this load was published. "
        "Remedy: set the row aside with a finding, then load again."
    )


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed on a retry: lost connections, lost races."""
    if isinstance(error, PublishBlockedError):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate is None:  # no answer: the server could not be reached, or the connection broke
        return isinstance(cause, psycopg.OperationalError)
    return cause.sqlstate in _TRANSIENT_STATES or cause.sqlstate.startswith(_CONNECTION_FAILURES)
