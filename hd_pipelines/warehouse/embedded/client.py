"""Using the embedded server: start it if need be, hold it while it is used, stop it, ask how it is.

Belongs here: everything a process does that does not own the server. It only reads `conn.json` and holds a shared lock,
so that nothing has to be cleaned up when it is killed. Importing this loads neither psycopg nor SQLAlchemy.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hd_pipelines.warehouse.embedded import errors
from hd_pipelines.warehouse.embedded.account import refuse_foreign_owner
from hd_pipelines.warehouse.embedded.cluster import make_root
from hd_pipelines.warehouse.embedded.layout import (
    ClusterPaths,
    Connection,
    Progress,
    open_lock_file,
    read_record,
    try_lock,
    write_record,
)
from hd_pipelines.warehouse.embedded.processes import ProcessIdentity, is_alive, send_signal

MODULE = "hd_pipelines.warehouse.embedded"
MOST_SPAWNS = 3
WAIT_SECONDS = 360.0
"""Longer than the supervisor itself waits for crash recovery, so that its reason arrives here."""
log = logging.getLogger(MODULE)


class State(StrEnum):
    """`RECOVERING` covers every start; `STALE` means that a crash left files behind, which the next start cleans up."""

    RUNNING = "running"
    STOPPED = "stopped"
    RECOVERING = "recovering"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Status:
    """How the embedded server of a home is. `url` hides the password; `pid` is the supervisor's."""

    state: State
    pid: int | None
    port: int | None
    version: str | None
    data_bytes: int
    url: str | None
    detail: str


class Lease:
    """The right to use the server until `release` or the end of the process, however it ends."""

    def __init__(self, url: str, lock: int) -> None:
        self.url = url
        self._lock: int | None = lock

    def release(self) -> None:
        """Give it back. Doing so twice is harmless."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def running(
    home: Path,
    *,
    port: int | None = None,
    os_user: str = "hd_pg",
    bindir: Path | None = None,
    linger_seconds: float = 30.0,
) -> Iterator[str]:
    """The URL of the embedded server of `home`, which runs at least until the block ends.

    Starts it if nobody has. A server started here stops `linger_seconds` after its last client is gone; the value of
    whoever started it counts. Raises a subclass of `EmbeddedPostgresError`.
    """
    lease = attach(home, port=port, os_user=os_user, bindir=bindir, linger_seconds=linger_seconds)
    try:
        yield lease.url
    finally:
        lease.release()


def attach(
    home: Path,
    *,
    port: int | None = None,
    os_user: str = "hd_pg",
    bindir: Path | None = None,
    linger_seconds: float = 30.0,
) -> Lease:
    """Like `running`, for a process that uses the server for as long as it lives."""
    paths, lock = _enter(home)
    try:
        connection = _connection(paths, _command(home, port, os_user, bindir, linger_seconds), port)
    except BaseException:
        os.close(lock)
        raise
    return Lease(connection.url, lock)


def up(home: Path, *, port: int | None = None, os_user: str = "hd_pg", bindir: Path | None = None) -> str:
    """Start the server to stay until `stop`, or keep a running one from stopping when idle. Returns its URL."""
    paths, lock = _enter(home)
    try:
        connection = _connection(paths, _command(home, port, os_user, bindir, None), port)
        write_record(paths.permanent, connection.supervisor)  # read by exactly that supervisor, while our lock is held
    finally:
        os.close(lock)
    return connection.url


def stop(home: Path) -> bool:
    """Stop the server, its clients with it. False if it was not running. Raises `StopFailedError`."""
    paths = ClusterPaths.of(home)
    if not paths.supervisor_lock.exists():
        return False
    refuse_foreign_owner(paths.root)
    lock = open_lock_file(paths.supervisor_lock)
    stopped = False
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while not try_lock(lock, paths.supervisor_lock, fcntl.LOCK_EX):
            owner = _owner(paths)
            if owner is not None and not stopped:
                stopped = send_signal(owner, signal.SIGTERM)
            if time.monotonic() > deadline:
                raise errors.StopFailedError(
                    f"the supervisor of {paths.root} ({owner or 'unknown process'}) did not end within "
                    f"{WAIT_SECONDS:.0f} s; its log is {paths.supervisor_log}"
                )
            time.sleep(0.01)
    finally:
        os.close(lock)
    return stopped


def status(home: Path) -> Status:
    """How the server of `home` is. Changes nothing."""
    paths = ClusterPaths.of(home)
    connection = read_record(paths.connection, Connection)
    owner = _owner(paths)
    owned = owner is not None and is_alive(owner)
    if connection is not None and owned and connection.supervisor == owner:
        state = State.RUNNING
    elif owned:
        state, connection = State.RECOVERING, None
    else:
        is_stale = connection is not None or paths.postmaster_pid.exists()
        state, connection = (State.STALE if is_stale else State.STOPPED), None
    progress = read_record(paths.progress, Progress)
    return Status(
        state=state,
        pid=owner.pid if owned and owner is not None else None,
        port=connection.port if connection else None,
        version=connection.version if connection else None,
        data_bytes=_size(paths.data),
        url=masked(connection.url) if connection else None,
        detail=progress.detail if progress else "",
    )


def masked(url: str) -> str:
    """The URL with `***` for every password in it."""
    without = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&]password=)[^&]*", r"\1***", without)


def _enter(home: Path) -> tuple[ClusterPaths, int]:
    """Make sure of the folder and take the shared client lock. A supervisor on its way out is waited for."""
    paths = ClusterPaths.of(home)
    refuse_foreign_owner(paths.root)
    make_root(paths)
    lock = open_lock_file(paths.clients_lock)
    deadline = time.monotonic() + WAIT_SECONDS
    while not try_lock(lock, paths.clients_lock, fcntl.LOCK_SH):
        if time.monotonic() > deadline:
            os.close(lock)
            raise errors.StopFailedError(f"the supervisor of {paths.root} has been stopping for {WAIT_SECONDS:.0f} s")
        time.sleep(0.005)
    return paths, lock


def _command(home: Path, port: int | None, os_user: str, bindir: Path | None, linger: float | None) -> list[str]:
    command = [sys.executable, "-m", MODULE, "--detach", f"--home={home.expanduser().resolve()}"]
    command.append(f"--os-user={os_user}")
    command += [f"--port={port}"] if port is not None else []
    command += [f"--bindir={bindir.resolve()}"] if bindir is not None else []
    command += [f"--linger={linger}"] if linger is not None else []
    return command


def _connection(paths: ClusterPaths, command: list[str], port: int | None) -> Connection:
    """Wait for a running server, starting a supervisor when nobody owns the cluster."""
    deadline, heard = time.monotonic() + WAIT_SECONDS, ""
    saw_owner, spawned = False, 0
    while True:
        lock = open_lock_file(paths.supervisor_lock)
        try:
            if try_lock(lock, paths.supervisor_lock, fcntl.LOCK_EX):
                if saw_owner:
                    _raise_failure(paths, is_final=spawned == MOST_SPAWNS)
                paths.progress.unlink(missing_ok=True)
                _spawn(command, lock)
                saw_owner, spawned = True, spawned + 1
        finally:
            os.close(lock)
        connection = read_record(paths.connection, Connection)
        owner = _owner(paths)
        saw_owner = saw_owner or owner is not None
        if connection is not None and connection.supervisor == owner and is_alive(connection.supervisor):
            _refuse_other_port(paths, connection, port)
            return connection
        heard = _pass_on_progress(paths, heard)
        if time.monotonic() > deadline:
            raise errors.StartFailedError(
                f"the server of {paths.root} did not come up within {WAIT_SECONDS:.0f} s; see {paths.supervisor_log}"
            )
        time.sleep(0.01)


def _spawn(command: list[str], lock: int) -> None:
    """Start a supervisor that inherits the held lock: there is no moment without an owner."""
    source = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*command, f"--lock-fd={lock}"],
        pass_fds=[lock],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode != 0:
        raise errors.StartFailedError(f"the supervisor could not be started: {done.stderr.strip()}")


def _raise_failure(paths: ClusterPaths, *, is_final: bool) -> None:
    """Raise what a supervisor that ended during our wait wrote down, as the same class of error.

    One that left no reason was told to stop, or killed: worth another try, unless `is_final`.
    """
    progress = read_record(paths.progress, Progress)
    if progress is not None and progress.failed_as:
        kind = getattr(errors, progress.failed_as, errors.StartFailedError)
        raise kind(progress.detail)
    if is_final:
        raise errors.StartFailedError(
            f"{MOST_SPAWNS} supervisors of {paths.root} ended before the server was up; see {paths.supervisor_log}"
        )


def _pass_on_progress(paths: ClusterPaths, heard: str) -> str:
    """Log what the supervisor is doing, once each; recovery loudly, because it may take minutes."""
    progress = read_record(paths.progress, Progress)
    if progress is None or progress.detail == heard:
        return heard
    log.log(logging.WARNING if "recovering" in progress.detail else logging.INFO, "%s", progress.detail)
    return progress.detail


def _refuse_other_port(paths: ClusterPaths, connection: Connection, port: int | None) -> None:
    if port is not None and port != connection.port:
        raise errors.ClusterMismatchError(
            f"the server of {paths.root} already runs on port {connection.port}, not {port}. "
            f"Stop it first (hd db stop), or leave HD_PG_PORT at {connection.port}."
        )


def _owner(paths: ClusterPaths) -> ProcessIdentity | None:
    """Who says in `supervisor.lock` that it owns the cluster. To be verified before it is believed."""
    try:
        words = paths.supervisor_lock.read_text().split()
    except FileNotFoundError:
        return None
    return ProcessIdentity(int(words[0]), int(words[1])) if len(words) == 2 else None


def _size(folder: Path) -> int:
    """Bytes in all files below `folder`; files that vanish meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - half the time of Path
            except FileNotFoundError:
                continue
    return total
