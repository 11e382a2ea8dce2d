"""Reads the state of a home's embedded server, and masks passwords in its URL. Must not change anything.

A state is reported only of a supervisor whose identity was verified.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from embedded_postgres.layout import (
    ClusterPaths,
    Connection,
    Progress,
    read_owner,
    read_record,
)
from embedded_postgres.processes import is_alive


class State(StrEnum):
    """`RECOVERING` covers every start; `STALE` means that a crash left files behind, which the next start cleans up."""

    RUNNING = "running"
    STOPPED = "stopped"
    RECOVERING = "recovering"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Status:
    """State of the embedded server of a home. `pid` is the supervisor's; `url` hides the password."""

    state: State
    pid: int | None
    port: int | None
    version: str | None
    data_bytes: int
    url: str | None
    detail: str


def status(home: Path) -> Status:
    """Read the state of the server of `home`. Changes nothing; `data_bytes` walks the data directory."""
    paths = ClusterPaths.of(home)
    connection = read_record(paths.connection, Connection)
    owner = read_owner(paths)
    is_owned = owner is not None and is_alive(owner)
    if is_owned and connection is not None and connection.supervisor == owner:
        state = State.RUNNING
    elif is_owned:
        state = State.RECOVERING
    elif connection is not None or paths.postmaster_pid.exists():
        state = State.STALE
    else:
        state = State.STOPPED
    live = connection if state is State.RUNNING else None
    progress = read_record(paths.progress, Progress)
    return Status(
        state=state,
        pid=owner.pid if owner is not None and is_owned else None,
        port=live.port if live else None,
        version=live.version if live else None,
        data_bytes=_bytes_below(paths.data),
        url=masked(live.url) if live else None,
        detail=progress.detail if progress and (is_owned or progress.failed_as) else "",
    )


def masked(url: str) -> str:
    """The URL with `***` for every password in it, in the authority or as a parameter."""
    without = re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&]password=)[^&]*", r"\1***", without)


def _bytes_below(folder: Path) -> int:
    """Bytes in all files below `folder`; files that vanish meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - half the time of Path
            except FileNotFoundError:
                continue
    return total
