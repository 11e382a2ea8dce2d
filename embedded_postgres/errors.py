"""Errors of the embedded server. Each message says what was wrong, where, and the remedy."""

from __future__ import annotations


class EmbeddedPostgresError(RuntimeError):
    """Anything that keeps the embedded server from running."""


class BinariesMissingError(EmbeddedPostgresError):
    """No usable `postgres` and `initdb`."""


class HomeNotReachableError(EmbeddedPostgresError):
    """The server's system user may not enter the folder that should hold the data."""


class HomeOwnedByAnotherUserError(EmbeddedPostgresError):
    """The cluster belongs to another system user than the one that wants to start it."""


class PortHeldError(EmbeddedPostgresError):
    """The server's fixed port is taken by somebody else."""


class ClusterMismatchError(EmbeddedPostgresError):
    """The data directory does not fit the binaries, the port asked for or its own records."""


class StartFailedError(EmbeddedPostgresError):
    """The server or its supervisor did not come up."""


class StopFailedError(EmbeddedPostgresError):
    """A running server did not end in time."""
