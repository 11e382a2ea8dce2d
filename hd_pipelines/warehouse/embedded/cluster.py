"""The cluster on disk: made once, configured at every start.

Belongs here: folders and their owners, `initdb`, password, port, socket directory, and the copy of the programs for a
server user that cannot reach the installed ones. Not here: running anything that stays (`supervisor`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hd_pipelines.warehouse.embedded.account import Account, first_closed_folder
from hd_pipelines.warehouse.embedded.binaries import Binaries
from hd_pipelines.warehouse.embedded.configuration import memory_mb, server_configuration, shared_memory_mb
from hd_pipelines.warehouse.embedded.errors import (
    ClusterMismatchError,
    EmbeddedPostgresError,
    PortHeldError,
    StartFailedError,
)
from hd_pipelines.warehouse.embedded.layout import (
    LOOPBACK,
    SUPERUSER,
    Cluster,
    ClusterPaths,
    read_record,
    write_record,
)

LONGEST_SOCKET_DIR = 90
"""Bytes. The address of a socket holds 108, of which PostgreSQL's file name and the end take up to 16."""
FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below Linux's ephemeral ports (32768 up), so that no outgoing connection ever sits on ours."""


@dataclass(frozen=True, slots=True)
class PreparedCluster:
    """A cluster that is ready to be started."""

    paths: ClusterPaths
    account: Account
    binaries: Binaries
    password: str
    port: int
    socket_dir: Path


def make_root(paths: ClusterPaths) -> None:
    """Create `HD_HOME/postgres`. Root's can be entered, not listed, by the server's user; anybody else's is private."""
    paths.root.parent.mkdir(parents=True, exist_ok=True)
    paths.root.mkdir(exist_ok=True)
    paths.root.chmod(0o711 if os.geteuid() == 0 else 0o700)


def prepare(paths: ClusterPaths, account: Account, binaries: Binaries, port: int | None) -> PreparedCluster:
    """Bring the cluster on disk to the point where `postgres -D` starts it. Idempotent, safe after a crash anywhere."""
    binaries = reachable_binaries(paths, account, binaries)
    _make_folder(paths.logs, account)
    cluster = _cluster_record(paths)
    if not (paths.data / "PG_VERSION").exists():
        _initialise(paths, account, binaries, cluster)
    _refuse_other_major(paths, binaries)
    _refuse_other_owner(paths, account)
    chosen = port or cluster.port or free_port(paths.root)
    refuse_held_port(chosen)
    socket_dir = make_socket_dir(paths, account)
    write_server_configuration(paths, chosen, socket_dir)
    return PreparedCluster(paths, account, binaries, cluster.password, chosen, socket_dir)


def _make_folder(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    account.own(folder)


def _cluster_record(paths: ClusterPaths) -> Cluster:
    cluster = read_record(paths.cluster, Cluster)
    if cluster is not None:
        return cluster
    if paths.data.exists():
        raise ClusterMismatchError(
            f"{paths.cluster}, which holds the password of the cluster in {paths.data}, is missing or damaged. Restore "
            f"it from a backup, or move {paths.data} away to start with an empty database."
        )
    cluster = Cluster(password=secrets.token_urlsafe(24), port=0)
    write_record(paths.cluster, cluster)  # before initdb: a cluster without a known password must never exist
    return cluster


def _initialise(paths: ClusterPaths, account: Account, binaries: Binaries, cluster: Cluster) -> None:
    """Run `initdb` beside the final place and rename, so that a crash never leaves half a cluster there."""
    if paths.data.exists():
        raise ClusterMismatchError(
            f"{paths.data} exists but is not a PostgreSQL data directory (no PG_VERSION). Move it away and start again."
        )
    if paths.partial_data.exists():
        shutil.rmtree(paths.partial_data)
    _make_folder(paths.partial_data, account)
    password_file = paths.logs / "initdb.password"
    password_file.unlink(missing_ok=True)
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(cluster.password + "\n")
            if not account.is_own:
                os.fchown(descriptor, account.uid, account.gid)
        command = [str(binaries.initdb), "-D", str(paths.partial_data), f"--username={SUPERUSER}", "--encoding=UTF8"]
        command += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
        command += ["--data-checksums", "--locale=C.UTF-8"]
        if binaries.major >= 17:  # the same order on every machine, whatever its libc
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env=program_environment(), **account.switch
        )
    finally:
        password_file.unlink(missing_ok=True)
    if done.returncode != 0:
        raise StartFailedError(f"initdb in {paths.partial_data} failed: {done.stderr.strip()}")
    with (paths.partial_data / "postgresql.conf").open("a") as stream:
        stream.write(f"\ninclude '../{paths.server_config.name}'\n")
    paths.partial_data.rename(paths.data)


def program_environment() -> dict[str, str]:
    """Environment of the server programs: nothing of ours, no `PG*` that could turn a setting, no secret."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _refuse_other_major(paths: ClusterPaths, binaries: Binaries) -> None:
    made_by = (paths.data / "PG_VERSION").read_text().strip()
    if made_by != str(binaries.major):
        raise ClusterMismatchError(
            f"{paths.data} was made by PostgreSQL {made_by}, the programs in {binaries.folder} are {binaries.version}. "
            f"Use programs of version {made_by}, or dump with them and restore into another HD_HOME."
        )


def _refuse_other_owner(paths: ClusterPaths, account: Account) -> None:
    owner = paths.data.stat().st_uid
    if owner != account.uid:
        raise ClusterMismatchError(
            f"{paths.data} belongs to uid {owner}, the server would run as {account.name!r} (uid {account.uid}). "
            f"Set HD_PG_USER to its owner, or hand it over: chown -R {account.name} {paths.data} {paths.logs}"
        )


def free_port(root: Path) -> int:
    """A port of 127.0.0.1 that nobody holds. The search starts at a place given by the path: homes keep apart."""
    span = LAST_PORT - FIRST_PORT
    start = int.from_bytes(hashlib.sha256(os.fsencode(root)).digest()[:8], "big") % span
    for step in range(span):
        port = FIRST_PORT + (start + step) % span
        if is_port_free(port):
            return port
    raise PortHeldError(f"no port between {FIRST_PORT} and {LAST_PORT} of {LOOPBACK} is free; name one with HD_PG_PORT")


def is_port_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def refuse_held_port(port: int) -> None:
    """Raise `PortHeldError` unless `port` of 127.0.0.1 is free."""
    if not is_port_free(port):
        raise PortHeldError(
            f"port {port} of {LOOPBACK} is held by another program, and it is the port of this embedded server. "
            f"Stop that program (ss -ltnp 'sport = :{port}' names it), or choose another port with HD_PG_PORT."
        )


def make_socket_dir(paths: ClusterPaths, account: Account) -> Path:
    """The private folder of the socket: `run` in the cluster, or a short one in /tmp if that path is too long."""
    if len(os.fsencode(paths.sockets)) <= LONGEST_SOCKET_DIR:
        _make_folder(paths.sockets, account)
        return paths.sockets
    name = hashlib.sha256(os.fsencode(paths.root)).hexdigest()[:16]
    short = Path(f"/tmp/hd-pg-{name}")  # noqa: S108 - checked below: a folder that somebody else made is refused
    try:
        short.mkdir(mode=0o700)
        account.own(short)
    except FileExistsError:
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) != 0o700:
            raise EmbeddedPostgresError(
                f"{short}, the socket folder of {paths.root}, was made by somebody else (uid {found.st_uid}). "
                f"Remove it, or choose a home with a path below {LONGEST_SOCKET_DIR} bytes."
            ) from None
    return short


def remove_short_socket_dir(cluster: PreparedCluster) -> None:
    """Remove the socket folder in /tmp, if this cluster needed one and it is empty."""
    if cluster.socket_dir != cluster.paths.sockets and cluster.socket_dir.is_dir():
        cluster.socket_dir.rmdir()


def write_server_configuration(paths: ClusterPaths, port: int, socket_dir: Path) -> None:
    """Write `hd.conf` anew, readable by the server's user."""
    text = server_configuration(
        port=port, socket_dir=socket_dir, memory_mb=memory_mb(), shared_memory_mb=shared_memory_mb()
    )
    partial = paths.server_config.with_suffix(".partial")
    partial.write_text(text)
    partial.chmod(0o644)
    partial.replace(paths.server_config)


def reachable_binaries(paths: ClusterPaths, account: Account, binaries: Binaries) -> Binaries:
    """The same programs if `account` can reach them, else a copy inside the cluster (an environment below /root)."""
    if account.is_own or first_closed_folder(account, binaries.folder) is None:
        return binaries
    copy = paths.server_copy / binaries.version
    installation = binaries.folder.parent
    if not copy.exists():
        partial = paths.server_copy / f"{binaries.version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        # The same depth as in the wheel: its programs find their libraries relative to themselves.
        within = partial / installation.parent.name / installation.name
        shutil.copytree(installation, within, ignore=shutil.ignore_patterns("*.a", "include"), symlinks=True)
        libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        for folder in (paths.server_copy, partial, *(path for path in partial.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        partial.rename(copy)
    return Binaries(copy / installation.parent.name / installation.name / "bin", binaries.version, binaries.major)
