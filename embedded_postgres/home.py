"""Checks before a start whether a home can hold a cluster, and creates `HD_HOME/postgres`.

Permissions of folders that this package did not make must never be changed.
"""

from __future__ import annotations

import os
import pwd
import sys

from embedded_postgres.account import ROOT_UID, Account, find_first_closed
from embedded_postgres.errors import (
    EmbeddedPostgresError,
    HomeNotReachableError,
    HomeOwnedByAnotherUserError,
)
from embedded_postgres.layout import ClusterPaths


def make_root(paths: ClusterPaths) -> None:
    """Create `HD_HOME/postgres`. Root's can be entered, not listed, by the server's user; anybody else's is private."""
    if sys.platform != "linux":
        raise EmbeddedPostgresError(
            f"the embedded server runs on Linux only, not on {sys.platform}. Point HD_DATABASE_URL at a server."
        )
    refuse_foreign_owner(paths)
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise HomeNotReachableError(
            f"{paths.root} cannot be made by uid {os.geteuid()}: {error.strerror} ({error.filename}). "
            f"Choose an HD_HOME that you may write to."
        ) from error
    paths.root.chmod(0o711 if os.geteuid() == ROOT_UID else 0o700)


def refuse_foreign_owner(paths: ClusterPaths) -> None:
    """Raise `HomeOwnedByAnotherUserError` if an existing cluster was made by another user than this process's."""
    try:
        owner = paths.root.stat().st_uid
    except (FileNotFoundError, PermissionError):
        return
    if owner == os.geteuid():
        return
    name = next((entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == owner), f"uid {owner}")
    raise HomeOwnedByAnotherUserError(
        f"{paths.root} belongs to {name}, and this process runs as uid {os.geteuid()}. "
        f"Run as {name}, or choose another HD_HOME."
    )


def refuse_unreachable(paths: ClusterPaths, account: Account) -> None:
    """Raise `HomeNotReachableError` unless the server's user may enter `HD_HOME/postgres`."""
    closed = find_first_closed(account, paths.root)
    if closed is None:
        return
    raise HomeNotReachableError(
        f"PostgreSQL cannot run as root, so it runs as system user {account.name!r}, and that user may not enter "
        f"{closed}, on the way to {paths.root}. Permissions of your folders are not changed for you. Choose a home "
        f"that every user may enter, for example HD_HOME=/var/lib/hd; or run as a normal user; or open the way "
        f"yourself: chmod o+x {closed}"
    )
