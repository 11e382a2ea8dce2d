"""The process that owns the server: starts it, publishes how to reach it, restarts it after a crash, stops it.

It holds `supervisor.lock` for life, is the direct parent of PostgreSQL (`server`) and reaps all orphans below it; the
kernel stops PostgreSQL if it dies. All other processes are clients (`client`) and read `conn.json`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from embedded_postgres.account import find_server_account
from embedded_postgres.binaries import locate
from embedded_postgres.cluster import PreparedCluster, prepare
from embedded_postgres.errors import EmbeddedPostgresError, StartFailedError
from embedded_postgres.home import refuse_unreachable
from embedded_postgres.layout import (
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
from embedded_postgres.leftovers import end_leftovers
from embedded_postgres.processes import ProcessIdentity, adopt_orphans, own_identity
from embedded_postgres.reach import remove_short_socket_folder
from embedded_postgres.server import (
    HANDLED_SIGNALS,
    KilledError,
    Server,
    StopRequestedError,
    wait_for_signal,
)

MOST_DEATHS, DEATHS_WINDOW_SECONDS = 5, 60.0
CHILDREN_SECONDS = 30.0
log = logging.getLogger("hd_pipelines.embedded")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the process that started the supervisor. `linger_seconds` None: never stop for want of clients."""

    home: Path
    os_user: str
    port: int | None = None
    bindir: Path | None = None
    linger_seconds: float | None = None


def serve(options: Options, lock: int) -> int:
    """Own the server until a stop is requested; `lock` is the descriptor of the held `supervisor.lock`.

    Returns the exit code. The reason of a failure is left for the clients that wait, who raise it as their own.
    """
    paths = ClusterPaths.of(options.home)
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    adopt_orphans()
    identity = own_identity()
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{identity.pid} {identity.started}\n".encode(), 0)
    try:
        Supervisor(options, paths, lock, identity).run()
    except EmbeddedPostgresError as error:
        log.critical("%s", error)
        _record_failure(paths, Progress(str(error), failed_as=type(error).__name__))
        return 1
    except Exception as error:
        reason = f"the supervisor failed: {type(error).__name__}: {error} (see {paths.supervisor_log})"
        _record_failure(paths, Progress(reason, failed_as=StartFailedError.__name__))
        raise
    return 0


def _record_failure(paths: ClusterPaths, progress: Progress) -> None:
    if paths.root.is_dir():
        write_record(paths.progress, progress)


class Supervisor:
    """Owns one cluster from start to stop."""

    def __init__(self, options: Options, paths: ClusterPaths, lock: int, identity: ProcessIdentity) -> None:
        self.options = options
        self.paths = paths
        self.lock = lock
        self.identity = identity
        self.deaths: list[float] = []
        self.clients = Clients(paths, identity, options.linger_seconds)

    def run(self) -> None:
        """Prepare, start, watch, stop. Raises a subclass of `EmbeddedPostgresError`."""
        self.paths.connection.unlink(missing_ok=True)
        self._report("looking at the cluster on disk")
        account = find_server_account(self.options.os_user)
        refuse_unreachable(self.paths, account)
        binaries = locate(self.options.bindir)
        end_leftovers(self.paths)
        if not self.paths.data.exists():
            self._report("making a new cluster")
        cluster = prepare(self.paths, account, binaries, self.options.port)
        server = Server(cluster)
        ending = signal.SIGINT
        try:
            self._start(server)
            self._watch(server)
        except StopRequestedError as reason:
            log.info("stopping: %s", reason)
        finally:
            self.paths.connection.unlink(missing_ok=True)
            if not self._has_home():
                ending = signal.SIGQUIT  # a clean shutdown would fail on the missing files
            server.stop(ending)
            remove_short_socket_folder(self.paths)

    def _start(self, server: Server) -> None:
        """Start until it answers, again if it is killed meanwhile, and publish the connection."""
        while True:
            self._report("starting PostgreSQL")
            try:
                server.start(lambda delay: self._report(delay, is_slow=True))
                break
            except KilledError:
                self._handle_crash(server)
        write_record(self.paths.cluster, Cluster(server.cluster.password, server.cluster.port))
        write_record(self.paths.connection, self._connection(server.cluster))
        self._report(f"PostgreSQL {server.cluster.binaries.version} answers on {LOOPBACK}:{server.cluster.port}")

    def _handle_crash(self, server: Server) -> None:
        """Clean up after PostgreSQL exited unexpectedly. Raises `StartFailedError` if that happens too often."""
        self.paths.connection.unlink(missing_ok=True)
        words = server.read_last_errors()
        self.deaths = [*self.deaths[-MOST_DEATHS:], time.monotonic()]
        if len(self.deaths) > MOST_DEATHS and self.deaths[-1] - self.deaths[0] < DEATHS_WINDOW_SECONDS:
            raise StartFailedError(
                f"PostgreSQL died {len(self.deaths)} times within {DEATHS_WINDOW_SECONDS:.0f} s: {words}"
            )
        log.warning("PostgreSQL died and is started again; its last words: %s", words)
        server.wait_for_children(CHILDREN_SECONDS)
        end_leftovers(self.paths)

    def _connection(self, cluster: PreparedCluster) -> Connection:
        return Connection(
            host=LOOPBACK,
            port=cluster.port,
            user=SUPERUSER,
            password=cluster.password,
            socket_dir=str(cluster.socket_dir),
            version=cluster.binaries.version,
            supervisor_pid=self.identity.pid,
            supervisor_started=self.identity.started,
        )

    def _watch(self, server: Server) -> None:
        """Wait for a reason to stop; start PostgreSQL again when it died. Raises `StopRequestedError`."""
        while True:
            if wait_for_signal(self.clients.tick_seconds) in (signal.SIGTERM, signal.SIGINT):
                raise StopRequestedError("asked to")
            if not self._has_home():
                raise StopRequestedError(f"{self.paths.root} was removed or moved")
            if not server.is_running():
                self._handle_crash(server)
                self._start(server)
            if self.clients.are_gone_for_good(time.monotonic()):
                raise StopRequestedError(f"no client for {self.options.linger_seconds:g} s")

    def _has_home(self) -> bool:
        return is_same_file(self.lock, self.paths.supervisor_lock)

    def _report(self, detail: str, *, is_slow: bool = False) -> None:
        log.info("%s", detail)
        write_record(self.paths.progress, Progress(detail, is_slow=is_slow))


class Clients:
    """Whether any client still uses the server, as the shared lock that each client holds shows."""

    def __init__(self, paths: ClusterPaths, owner: ProcessIdentity, linger_seconds: float | None) -> None:
        self._paths = paths
        self._owner = owner
        self._linger = linger_seconds
        self._lock = open_lock_file(paths.clients_lock)
        self._gone_since: float | None = None

    @property
    def tick_seconds(self) -> float:
        """How often to check."""
        return 1.0 if self._linger is None else min(1.0, max(0.02, self._linger / 4))

    def are_gone_for_good(self, now: float) -> bool:
        """Whether nobody has held the lock for the linger time. When true, it stays locked: newcomers wait for our end.

        A permanent server (`hd db up`) never says so. Its flag is read under the lock, which `up` holds while writing.
        """
        if self._linger is None or not try_lock(self._lock, self._paths.clients_lock, fcntl.LOCK_EX):
            self._gone_since = None
            return False
        if read_record(self._paths.permanent, ProcessIdentity) == self._owner:
            self._linger = None
        elif self._gone_since is None:
            self._gone_since = now
        elif now - self._gone_since >= self._linger:
            return True
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        return False
