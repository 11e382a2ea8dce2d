"""What can go wrong between the platform and its warehouse, each with its cure.

Belongs here: the typed refusals that callers catch or show. Driver errors that nobody can act on stay what they are.
"""

from __future__ import annotations


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


class BarsRefusedError(WarehouseError):
    """A frame of bars breaks a rule of the table; nothing of it was published."""


class PublishBlockedError(WarehouseError):
    """A lock could not be had in time; nothing was published and the same call may be repeated."""


class QueryRefusedError(WarehouseError):
    """A statement given to the reader is not one plain query, or asks for more than the reader may see."""
