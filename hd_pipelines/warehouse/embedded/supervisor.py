"""The one process that owns the server: starts it, publishes how to reach it, restarts it, stops it.

Belongs here: the life of the server. It is a single-threaded process of its own, holds `supervisor.lock` for life, is the
direct parent of PostgreSQL and the reaper of everything below it; the kernel stops PostgreSQL if this process dies.
Everybody else is a client (`client`) and reads `conn.json`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hd_pipelines.warehouse.embedded.account import Account, refuse_unreachable, server_account
from hd_pipelines.warehouse.embedded.binaries import locate
from hd_pipelines.warehouse.embedded.cluster import (
    PreparedCluster,
    prepare,
    program_environment,
    remove_short_socket_dir,
)
from hd_pipelines.warehouse.embedded.errors import EmbeddedPostgresError, StartFailedError, StopFailedError
from hd_pipelines.warehouse.embedded.layout import (
    DATABASE,
    LOOPBACK,
    SUPERUSER,
    Cluster,
    ClusterPaths,
    Connection,
    Progress,
    is_same_file,
    open_lock_file,
    read_record,
    try_lock,
    write_record,
)
from hd_pipelines.warehouse.embedded.processes import (
    ProcessIdentity,
    adopt_orphans,
    die_with_parent,
    is_alive,
    own_identity,
    postgres_processes_in,
    send_signal,
)

START_SECONDS = 300.0
STOP_SECONDS = 60.0
MOST_RESTARTS, RESTART_WINDOW_SECONDS = 5, 60.0
_HANDLED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_STOPPING = {signal.SIGTERM, signal.SIGINT}
log = logging.getLogger("hd_pipelines.embedded")


@dataclass(frozen=True, slots=True)
class Options:
    """What the starter asked for. `linger_seconds` None: never stop for want of clients."""

    home: Path
    os_user: str
    port: int | None = None
    bindir: Path | None = None
    linger_seconds: float | None = None


class _StopRequestedError(Exception):
    """A stop signal, or the home is gone."""


def serve(options: Options, lock: int) -> int:
    """Own the server until told to stop; `lock` is the descriptor of the held `supervisor.lock`. Returns an exit code."""
    paths = ClusterPaths.of(options.home)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # libpq would let them change how we connect
    adopt_orphans()
    os.ftruncate(lock, 0)
    identity = own_identity()
    os.pwrite(lock, f"{identity.pid} {identity.started}\n".encode(), 0)
    supervisor = _Supervisor(options, paths, lock, identity)
    try:
        supervisor.run()
    except EmbeddedPostgresError as error:
        log.error("%s", error)
        _leave_reason(paths, error, type(error).__name__)
        return 1
    except Exception as error:
        _leave_reason(paths, f"{type(error).__name__}: {error} ({paths.supervisor_log})", StartFailedError.__name__)
        raise
    return 0


def _leave_reason(paths: ClusterPaths, reason: object, failed_as: str) -> None:
    """For the clients that wait: their call raises the same class of error with the same text."""
    if paths.root.is_dir():
        write_record(paths.progress, Progress(str(reason), failed_as))


class _Supervisor:
    """State of a running supervisor; see the module."""

    def __init__(self, options: Options, paths: ClusterPaths, lock: int, identity: ProcessIdentity) -> None:
        self.options = options
        self.paths = paths
        self.lock = lock
        self.identity = identity
        self.server: subprocess.Popen[bytes] | None = None
        self.clients_lock = open_lock_file(paths.clients_lock)
        self.idle_since: float | None = None

    def run(self) -> None:
        """Start, watch, stop."""
        self.paths.connection.unlink(missing_ok=True)
        self._tell("looking at the cluster on disk")
        account = server_account(self.options.os_user)
        refuse_unreachable(account, self.paths.root)
        binaries = locate(self.options.bindir)
        end_leftovers(self.paths, account)
        if not self.paths.data.exists():
            self._tell("making a new cluster")
        cluster = prepare(self.paths, account, binaries, self.options.port)
        try:
            self._start(cluster)
            self._watch(cluster)
        except _StopRequestedError as reason:
            log.info("stopping: %s", reason)
        finally:
            self.paths.connection.unlink(missing_ok=True)
            self._stop()
            remove_short_socket_dir(cluster)

    def _tell(self, detail: str) -> None:
        log.info("%s", detail)
        write_record(self.paths.progress, Progress(detail))

    def _start(self, cluster: PreparedCluster) -> None:
        """Start PostgreSQL and publish the connection once it answers. Raises `StartFailedError` after 300 s."""
        self._tell("starting PostgreSQL")
        parent = self.identity.pid

        def before_exec() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            die_with_parent(parent, signal.SIGINT)  # SIGINT is PostgreSQL's fast, clean shutdown

        with self.paths.start_log.open("wb") as output:
            self.server = subprocess.Popen(
                [cluster.binaries.postgres, "-D", self.paths.data],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=program_environment(),
                preexec_fn=before_exec,
                **cluster.account.switch,
            )
        version = self._wait_until_ready(cluster)
        write_record(self.paths.cluster, Cluster(cluster.password, cluster.port))
        connection = Connection(
            host=LOOPBACK,
            port=cluster.port,
            user=SUPERUSER,
            password=cluster.password,
            socket_dir=str(cluster.socket_dir),
            version=version,
            supervisor_pid=self.identity.pid,
            supervisor_started=self.identity.started,
        )
        write_record(self.paths.connection, connection)
        self._tell(f"PostgreSQL {version} answers on {LOOPBACK}:{cluster.port}")

    def _wait_until_ready(self, cluster: PreparedCluster) -> str:
        """Connect until it works; create the database at the first start. Returns the server's version."""
        import psycopg  # while PostgreSQL is starting: it takes as long

        begun = told = time.monotonic()
        target: dict[str, Any] = {"host": LOOPBACK, "port": cluster.port, "user": SUPERUSER, "dbname": "postgres"}
        while True:
            if self._next_signal(0.01) in _STOPPING:
                raise _StopRequestedError("asked to stop during the start")
            if self._reap():
                raise StartFailedError(f"PostgreSQL ended while starting: {self._last_words()}")
            try:
                with psycopg.connect(
                    **target, password=cluster.password, connect_timeout=5, autocommit=True
                ) as connection:
                    found = connection.execute("select 1 from pg_database where datname = %s", [DATABASE])
                    if found.fetchone() is None:
                        connection.execute(f"create database {DATABASE}")
                    return connection.info.parameter_status("server_version") or cluster.binaries.version
            except psycopg.OperationalError as error:
                now, reason = time.monotonic(), str(error).strip().splitlines()[-1]
            if now - begun > START_SECONDS:
                raise StartFailedError(f"PostgreSQL did not accept connections within {START_SECONDS:.0f} s: {reason}")
            if now - told > 1.0:
                told = now
                self._tell(f"PostgreSQL is recovering after a crash, {now - begun:.0f} s so far ({reason})")

    def _watch(self, cluster: PreparedCluster) -> None:
        """Wait for a reason to stop; start PostgreSQL again when it died. Raises `_StopRequestedError`."""
        deaths: list[float] = []
        linger = self.options.linger_seconds
        tick = 1.0 if linger is None else min(1.0, max(0.02, linger / 4))
        while True:
            if self._next_signal(tick) in _STOPPING:
                raise _StopRequestedError("asked to")
            if not is_same_file(self.lock, self.paths.supervisor_lock):
                raise _StopRequestedError(f"{self.paths.root} is gone")
            if self._reap():
                self.paths.connection.unlink(missing_ok=True)
                now = time.monotonic()
                deaths = [moment for moment in deaths if now - moment < RESTART_WINDOW_SECONDS] + [now]
                log.warning("PostgreSQL ended unasked: %s", self._last_words())
                if len(deaths) > MOST_RESTARTS:
                    raise StartFailedError(
                        f"PostgreSQL ended {len(deaths)} times within {RESTART_WINDOW_SECONDS:.0f} s: "
                        f"{self._last_words()}"
                    )
                self._wait_for_children(STOP_SECONDS)
                self._start(cluster)
            if linger is not None and self._idle_seconds() >= linger:
                raise _StopRequestedError(f"no client for {linger:g} s")

    def _idle_seconds(self) -> float:
        """How long nobody has held `clients.lock`. Once past the linger time the lock is kept: late clients wait."""
        linger = self.options.linger_seconds
        if linger is None or read_record(self.paths.permanent, ProcessIdentity) == self.identity:
            self.options = replace(self.options, linger_seconds=None)
            return 0.0
        if not try_lock(self.clients_lock, self.paths.clients_lock, fcntl.LOCK_EX):
            self.idle_since = None
            return 0.0
        now = time.monotonic()
        self.idle_since = self.idle_since or now
        idle = now - self.idle_since
        if idle < linger:
            fcntl.flock(self.clients_lock, fcntl.LOCK_UN)
        return idle

    def _next_signal(self, seconds: float) -> int | None:
        """Wait for a signal that we handle, at most `seconds`."""
        received = signal.sigtimedwait(_HANDLED, seconds)
        return None if received is None else received.si_signo

    def _reap(self) -> bool:
        """Collect every ended child. True if PostgreSQL itself is not running."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if self.server is not None and pid == self.server.pid:
                    self.server.returncode = os.waitstatus_to_exitcode(status)
        return self.server is None or self.server.returncode is not None

    def _wait_for_children(self, seconds: float) -> bool:
        """Wait until no child is left, ours or adopted. False if some remain after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            self._reap()
            try:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return True
            if time.monotonic() > deadline:
                return False
            self._next_signal(0.05)

    def _stop(self) -> None:
        """End PostgreSQL: fast and clean, at once if that takes over a minute. Its number is ours until we reap it."""
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 20.0)):
            if self._reap():
                break
            if self.server is not None:
                os.kill(self.server.pid, number)
            if self._wait_for_children(seconds):
                break
            log.warning("PostgreSQL did not end within %.0f s of %s", seconds, number.name)
        if not self._wait_for_children(5.0):
            raise StopFailedError(f"processes of the cluster in {self.paths.data} did not end")

    def _last_words(self) -> str:
        """The end of what PostgreSQL printed or logged last."""
        logs = [self.paths.start_log, *self.paths.logs.glob("postgresql-*.log")]
        for newest in sorted(logs, key=lambda path: path.stat().st_mtime, reverse=True):
            lines = newest.read_text(errors="replace").strip().splitlines()
            if lines:
                return f"{' | '.join(lines[-3:])} ({newest})"
        return f"it left no message in {self.paths.start_log}"


def end_leftovers(paths: ClusterPaths, account: Account) -> None:
    """End a server that outlived its supervisor, and remove a `postmaster.pid` that nobody stands behind.

    The caller holds `supervisor.lock`. Processes are found by executable and working directory; what is written in
    `postmaster.pid` is not believed. Raises `StopFailedError`.
    """
    for number, seconds in ((None, 0.5), (signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 20.0)):
        deadline = time.monotonic() + seconds
        while leftovers := _leftovers(paths, account):
            if number is not None:
                log.warning("ending a server left by an earlier supervisor: pid %d, %s", leftovers[0].pid, number.name)
                send_signal(leftovers[0], number)
                number = None
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            paths.postmaster_pid.unlink(missing_ok=True)
            return
    pids = ", ".join(str(process.pid) for process in leftovers)
    raise StopFailedError(
        f"a server that nobody owns runs in {paths.data} and does not end: pid {pids}. End it by hand."
    )


def _leftovers(paths: ClusterPaths, account: Account) -> list[ProcessIdentity]:
    found = account.call(lambda: [(p.pid, p.started) for p in postgres_processes_in(paths.data)])
    return [process for pid, started in found if is_alive(process := ProcessIdentity(pid, started))]
