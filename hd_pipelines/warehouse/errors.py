"""What can go wrong between the platform and its warehouse, each with its cure.

Belongs here: the typed refusals that callers catch or show. Driver errors that nobody can act on stay what they are.
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
    """Something about the warehouse needs a person or a retry. The message says what, where and the cure."""


class SchemaOutdatedError(WarehouseError):
    """The database is older than this code, or empty. Cure: `hd db upgrade`."""


class SchemaTooNewError(WarehouseError):
    """The database was migrated by newer code. Cure: update the code, never downgrade the data."""


class MigrationLockError(WarehouseError):
    """Another process has been migrating for longer than the deadline."""


class RoleSetupError(WarehouseError):
    """The login user may not create or use the platform's roles."""


class RowsRefusedError(WarehouseError):
    """A frame breaks a rule of the table it is meant for; nothing of it was published."""


class BarsRefusedError(RowsRefusedError):
    """The same of a frame of bars."""


class RowsUnreadableError(WarehouseError):
    """Published rows cannot be handed over as they are; the message says which."""


class MartMissingError(WarehouseError):
    """A mart is asked for before dbt has built it."""


class PublishBlockedError(WarehouseError):
    """A lock could not be had in time; nothing was published and the same call may be repeated."""


class QueryRefusedError(WarehouseError):
    """A statement given to the reader is not one plain query, or asks for more than the reader may see."""


def explain_refusal(refusal: psycopg.Error, error: type[RowsRefusedError]) -> RowsRefusedError:
    """The database's refusal of a row as one that names the rule and the row."""
    rule = refusal.diag.constraint_name or type(refusal).__name__
    detail = refusal.diag.message_detail or refusal.diag.message_primary or str(refusal)
    return error(
        f"Rows break {rule}: {detail} Nothing of this load was published. "
        "Cure: set the row aside with a finding, then load again."
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a little later without anybody doing anything: lost connections, lost races."""
    if isinstance(error, PublishBlockedError):
        return True
    told = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(told, psycopg.Error):
        return False
    if told.sqlstate is None:  # the server said nothing: it could not be reached, or went away
        return isinstance(told, psycopg.OperationalError)
    return told.sqlstate in _TRANSIENT_STATES or told.sqlstate.startswith(_CONNECTION_FAILURES)
