"""Paths below `HD_HOME/postgres`, and the small files that processes exchange: records, written atomically, and locks."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from embedded_postgres.processes import ProcessIdentity

PRELOADED = ("LD_PRELOAD", "CLOCK_SHIFT")
"""Passed on to the server: a preloaded library, and by how many seconds the one for tests shifts the clock."""
DATABASE = "hd"
SUPERUSER = "postgres"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ClusterPaths:
    """All paths of one embedded cluster. `root` is `HD_HOME/postgres`."""

    root: Path

    @classmethod
    def of(cls, home: Path) -> ClusterPaths:
        """Paths of the cluster in `home`, absolute and free of symbolic links."""
        return cls(home.expanduser().resolve() / "postgres")

    @property
    def data(self) -> Path:
        """The PostgreSQL data directory."""
        return self.root / "data"

    def partial_data(self, attempt: str) -> Path:
        """Where one attempt at a new cluster works; renamed to `data` when complete. `*` matches all of them."""
        return self.root / f"data.partial-{attempt}"

    @property
    def logs(self) -> Path:
        """Folder of the server's own log files."""
        return self.root / "logs"

    @property
    def sockets(self) -> Path:
        """Private socket directory, unless the path is too long for a socket."""
        return self.root / "run"

    @property
    def server_copies(self) -> Path:
        """Copies of the programs, made only when the server's user cannot reach the installed ones."""
        return self.root / "server"

    @property
    def supervisor_lock(self) -> Path:
        """Locked exclusively by the supervisor for life; holds its identity."""
        return self.root / "supervisor.lock"

    @property
    def clients_lock(self) -> Path:
        """Locked shared by everybody who uses the server."""
        return self.root / "clients.lock"

    @property
    def connection(self) -> Path:
        """`Connection` of the running server; absent while it does not accept connections."""
        return self.root / "conn.json"

    @property
    def cluster(self) -> Path:
        """`Cluster`: what outlives a stop."""
        return self.root / "cluster.json"

    @property
    def progress(self) -> Path:
        """`Progress` of the supervisor's start, or why it failed."""
        return self.root / "progress.json"

    @property
    def permanent(self) -> Path:
        """Identity of the supervisor that must not stop when idle."""
        return self.root / "permanent.json"

    @property
    def server_config(self) -> Path:
        """Our settings, included by `postgresql.conf`. Outside `data`: root never writes where the server may."""
        return self.root / "hd.conf"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor did."""
        return self.root / "supervisor.log"

    @property
    def start_log(self) -> Path:
        """What the server printed before its log collector took over."""
        return self.root / "start.log"

    @property
    def postmaster_pid(self) -> Path:
        """PostgreSQL's own lock file."""
        return self.data / "postmaster.pid"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What must outlive a stop: the password that `initdb` set and the port once chosen (0: not chosen yet)."""

    password: str
    port: int


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the running server, and which supervisor answers for it."""

    host: str
    port: int
    user: str
    password: str
    socket_dir: str
    version: str
    supervisor_pid: int
    supervisor_started: int

    @property
    def supervisor(self) -> ProcessIdentity:
        """The process that published this record."""
        return ProcessIdentity(self.supervisor_pid, self.supervisor_started)

    @property
    def url(self) -> str:
        """`postgresql://` URL of the `hd` database over loopback TCP, with the password."""
        return f"postgresql://{self.user}:{quote(self.password, safe='')}@{self.host}:{self.port}/{DATABASE}"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a supervisor is doing. `failed_as`: class of the error that ended it. `is_slow`: people should hear it."""

    detail: str
    failed_as: str = ""
    is_slow: bool = False


Record = Cluster | Connection | Progress | ProcessIdentity
_Record = TypeVar("_Record")


def write_record(path: Path, record: Record) -> None:
    """Write a record as JSON, mode 0600, atomically: a reader sees the old or the new one, whole."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(asdict(record), stream)
        if isinstance(record, Cluster):  # the only one that must survive a power cut
            stream.flush()
            os.fsync(stream.fileno())
    partial.replace(path)


def read_record(path: Path, kind: type[_Record]) -> _Record | None:
    """Read what `write_record` wrote. None if the file is absent, truncated or of another shape."""
    try:
        return kind(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def open_lock_file(path: Path) -> int:
    """Open (creating, mode 0600) a file for `flock`. The descriptor is closed on exec."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def try_lock(descriptor: int, path: Path, operation: int) -> bool:
    """Take a `flock` without waiting. False if somebody holds it, or if `path` is another file by now."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if is_same_file(descriptor, path):
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether `path` still names the open file: false after it, or a folder above it, was deleted or moved."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    held = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def read_owner(paths: ClusterPaths) -> ProcessIdentity | None:
    """Read which process claims in `supervisor.lock` to own the cluster. The caller must verify it."""
    try:
        words = paths.supervisor_lock.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    return ProcessIdentity(int(words[0]), int(words[1])) if len(words) == 2 else None
