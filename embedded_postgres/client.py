"""What a process does to use the embedded server: start it if needed, hold it while it is used, stop it.

A client reads `conn.json` and holds a shared lock, so that nothing has to be cleaned up when it is killed. Importing this
loads neither psycopg nor SQLAlchemy.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_postgres import errors
from embedded_postgres.home import make_root, refuse_foreign_owner
from embedded_postgres.layout import (
    PRELOADED,
    ClusterPaths,
    Connection,
    Progress,
    open_lock_file,
    read_owner,
    read_record,
    try_lock,
    write_record,
)
from embedded_postgres.processes import ProcessIdentity, is_alive, send_signal

MODULE = "embedded_postgres"
WAIT_SECONDS = 300.0
MOST_SPAWNS = 3
_PAUSE_SECONDS = 0.01
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", *PRELOADED)
log = logging.getLogger(MODULE)


class Lease:
    """The right to use the server until `release` or the end of the process, however it ends."""

    def __init__(self, url: str, lock: int) -> None:
        self.url = url
        self._lock: int | None = lock

    def release(self) -> None:
        """Release the server. Calling it twice is harmless."""
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
    whoever started it counts. `hd db stop` and a crash still end it. Raises a subclass of `EmbeddedPostgresError`.
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
        connection = _connection(paths, _command(paths, port, os_user, bindir, linger_seconds), port)
    except BaseException:
        os.close(lock)
        raise
    return Lease(connection.url, lock)


def up(home: Path, *, port: int | None = None, os_user: str = "hd_pg", bindir: Path | None = None) -> str:
    """Start the server to stay until `stop`, or keep a running one from stopping when idle. Returns its URL."""
    paths, lock = _enter(home)
    try:
        connection = _connection(paths, _command(paths, port, os_user, bindir, None), port)
        write_record(paths.permanent, connection.supervisor)  # for exactly that supervisor, which waits for our lock
    finally:
        os.close(lock)
    return connection.url


def stop(home: Path) -> bool:
    """Stop the server and cut its clients off. False if it was not running. Raises `StopFailedError`."""
    paths = ClusterPaths.of(home)
    if not paths.supervisor_lock.exists():
        return False
    refuse_foreign_owner(paths)
    asked: ProcessIdentity | None = None
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        lock = open_lock_file(paths.supervisor_lock)
        try:
            if try_lock(lock, paths.supervisor_lock, fcntl.LOCK_EX):
                return asked is not None or _end_leftovers(paths, lock)
        finally:
            os.close(lock)
        if asked is not None and not is_alive(asked):
            return True  # and somebody has started another one since
        owner = read_owner(paths)
        if asked is None and owner is not None and send_signal(owner, signal.SIGTERM):
            asked = owner
        if time.monotonic() > deadline:
            raise errors.StopFailedError(
                f"the supervisor of {paths.root} ({owner or 'of unknown pid'}) did not end within "
                f"{WAIT_SECONDS:.0f} s. Its log is {paths.supervisor_log}."
            )
        time.sleep(_PAUSE_SECONDS)


def _end_leftovers(paths: ClusterPaths, lock: int) -> bool:
    """End a server whose supervisor was killed. False if there is none; then there is no lock file of PostgreSQL."""
    if not paths.postmaster_pid.exists():
        return False
    done = _run([*_supervisor(paths), "--end-leftovers"], lock)
    if done.returncode != 0:
        raise errors.StopFailedError(done.stderr.strip())
    return True


def _enter(home: Path) -> tuple[ClusterPaths, int]:
    """Create the folder if needed and take the shared client lock, after waiting for a stopping supervisor."""
    paths = ClusterPaths.of(home)
    make_root(paths)
    lock = open_lock_file(paths.clients_lock)
    deadline = time.monotonic() + WAIT_SECONDS
    while not try_lock(lock, paths.clients_lock, fcntl.LOCK_SH):
        if time.monotonic() > deadline:
            os.close(lock)
            raise errors.StopFailedError(
                f"the supervisor of {paths.root} has been stopping for {WAIT_SECONDS:.0f} s. "
                f"Its log is {paths.supervisor_log}."
            )
        time.sleep(_PAUSE_SECONDS)
    return paths, lock


def _connection(paths: ClusterPaths, command: list[str], port: int | None) -> Connection:
    """Wait for a server that answers, starting a supervisor when nobody owns the cluster."""
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
                spawned += 1
            saw_owner = True
        finally:
            os.close(lock)
        connection = read_record(paths.connection, Connection)
        if connection is not None and connection.supervisor == read_owner(paths) and is_alive(connection.supervisor):
            _refuse_other_port(paths, connection, port)
            return connection
        heard = _log_progress(paths, heard)
        if time.monotonic() > deadline:
            raise errors.StartFailedError(
                f"the server of {paths.root} is not up after {WAIT_SECONDS:.0f} s ({heard or 'no word from it'}). "
                f"It goes on starting: try again later. Its log is {paths.supervisor_log}."
            )
        time.sleep(_PAUSE_SECONDS)


def _supervisor(paths: ClusterPaths) -> list[str]:
    """Its command line. `-P`: a module in the current directory must not pose as one of the standard library."""
    return [sys.executable, "-P", "-m", MODULE, f"--home={paths.root.parent}"]


def _command(
    paths: ClusterPaths, port: int | None, os_user: str, bindir: Path | None, linger: float | None
) -> list[str]:
    command = [*_supervisor(paths), "--detach", f"--os-user={os_user}"]
    command += [f"--port={port}"] if port is not None else []
    command += [f"--bindir={bindir.resolve()}"] if bindir is not None else []
    command += [f"--linger={linger}"] if linger is not None else []
    return command


def _spawn(command: list[str], lock: int) -> None:
    done = _run(command, lock)
    if done.returncode != 0:
        raise errors.StartFailedError(f"the supervisor could not be started: {done.stderr.strip()}")


def _run(command: list[str], lock: int) -> subprocess.CompletedProcess[str]:
    """Run a supervisor that inherits the held lock, so that there is no moment without an owner.

    Its environment holds no secret of ours: it may live for weeks.
    """
    return subprocess.run(
        [*command, f"--lock-fd={lock}"],
        pass_fds=[lock],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )


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
            f"{MOST_SPAWNS} supervisors of {paths.root} ended before the server was up. "
            f"Their log is {paths.supervisor_log}."
        )


def _log_progress(paths: ClusterPaths, heard: str) -> str:
    """Log what the supervisor is doing, once each; a slow start loudly, because it may take minutes."""
    progress = read_record(paths.progress, Progress)
    if progress is None or progress.detail == heard:
        return heard
    log.log(logging.WARNING if progress.is_slow else logging.INFO, "%s", progress.detail)
    return progress.detail


def _refuse_other_port(paths: ClusterPaths, connection: Connection, port: int | None) -> None:
    if port is not None and port != connection.port:
        raise errors.ClusterMismatchError(
            f"the server of {paths.root} already runs on port {connection.port}, not {port}. "
            f"Stop it first (hd db stop), or set HD_PG_PORT={connection.port}."
        )
