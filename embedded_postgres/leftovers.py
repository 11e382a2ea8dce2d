"""Ends a server that outlived its supervisor, and removes its stale lock files. The caller holds `supervisor.lock`.

`postmaster.pid` and the socket's lock file are never trusted: they may be truncated, name a zombie, or name a number that
an unrelated process has by now.
"""

from __future__ import annotations

import logging
import signal
import time

from embedded_postgres.account import find_owner
from embedded_postgres.errors import StopFailedError
from embedded_postgres.layout import ClusterPaths
from embedded_postgres.processes import ProcessIdentity, list_postgres_processes, send_signal
from embedded_postgres.reach import is_socket_answered, remove_sockets

FAST_SECONDS, IMMEDIATE_SECONDS = 60.0, 20.0
log = logging.getLogger("hd_pipelines.embedded")


def end_leftovers(paths: ClusterPaths) -> bool:
    """End every server in the data directory. True if there was one. Raises `StopFailedError` if one stays."""
    found = _processes(paths)
    was_occupied = bool(found)
    for number, seconds in ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
        if not found:
            break
        log.warning("ending the server of an earlier supervisor: pid %d, %s", found[0].pid, number.name)
        send_signal(found[0], number)
        found = _wait(paths, seconds)
    if found:
        pids = ", ".join(str(process.pid) for process in found)
        raise StopFailedError(f"a server that nobody owns stays in {paths.data}. End these by hand: pid {pids}.")
    if is_socket_answered(paths):
        raise StopFailedError(
            f"no process of this machine works in {paths.data}, yet its socket is answered: another container or "
            f"machine uses the same folder. Stop the server there."
        )
    paths.postmaster_pid.unlink(missing_ok=True)
    remove_sockets(paths)
    return was_occupied


def _wait(paths: ClusterPaths, seconds: float) -> list[ProcessIdentity]:
    deadline = time.monotonic() + seconds
    while (found := _processes(paths)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _processes(paths: ClusterPaths) -> list[ProcessIdentity]:
    if not paths.data.exists():
        return []
    # As the owner: in a container even root may lack the right to look at another user's processes.
    found = find_owner(paths.data).call(
        lambda: [(each.pid, each.started) for each in list_postgres_processes(paths.data)]
    )
    return [ProcessIdentity(pid, started) for pid, started in found]
