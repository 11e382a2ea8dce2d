"""Creates the cluster on disk and configures it at every start: folders, owners, `initdb`, the password, compatibility.

Running the server is `server`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from embedded_postgres.account import Account
from embedded_postgres.binaries import Binaries, find_reachable_binaries
from embedded_postgres.configuration import build_server_configuration, read_memory_mb, read_shared_memory_mb
from embedded_postgres.errors import ClusterMismatchError, StartFailedError
from embedded_postgres.layout import (
    DATABASE,
    PRELOADED,
    SUPERUSER,
    Cluster,
    ClusterPaths,
    read_record,
    write_record,
)
from embedded_postgres.processes import bound_to_this_process
from embedded_postgres.reach import find_free_port, make_socket_folder, refuse_held_port


@dataclass(frozen=True, slots=True)
class PreparedCluster:
    """A cluster that is ready to be started."""

    paths: ClusterPaths
    account: Account
    binaries: Binaries
    password: str
    port: int
    socket_dir: Path


def prepare(paths: ClusterPaths, account: Account, binaries: Binaries, port: int | None) -> PreparedCluster:
    """Bring the cluster on disk to the point where `postgres -D` starts it. Idempotent, safe after a crash anywhere."""
    binaries = find_reachable_binaries(account, binaries, copies=paths.server_copies)
    _make_folder(paths.logs, account)
    cluster = _read_or_make_record(paths)
    for abandoned in paths.root.glob(paths.partial_data("*").name):
        shutil.rmtree(abandoned, ignore_errors=True)  # its initdb may be dying in there; the next start finds the rest
    if not (paths.data / "PG_VERSION").exists():
        _initialise(paths, account, binaries, cluster)
    _refuse_other_major(paths, binaries)
    _refuse_other_owner(paths, account)
    chosen = port or cluster.port or find_free_port(paths.root)
    refuse_held_port(chosen)
    socket_dir = make_socket_folder(paths, account)
    write_server_configuration(paths, chosen, socket_dir)
    return PreparedCluster(paths, account, binaries, cluster.password, chosen, socket_dir)


def _make_folder(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    account.own(folder)


def _read_or_make_record(paths: ClusterPaths) -> Cluster:
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
    """Make the cluster and its database beside the final place and rename: a crash never leaves half of one there."""
    if paths.data.exists():
        raise ClusterMismatchError(
            f"{paths.data} exists but is not a PostgreSQL data directory (no PG_VERSION). Move it away and start again."
        )
    partial_data = paths.partial_data(secrets.token_hex(4))
    _make_folder(partial_data, account)
    password_file = paths.logs / "initdb.password"
    password_file.unlink(missing_ok=True)
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(cluster.password + "\n")
            if not account.is_own:
                os.fchown(descriptor, account.uid, account.gid)
        command = [str(binaries.initdb), "-D", str(partial_data), f"--username={SUPERUSER}", "--encoding=UTF8"]
        command += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
        command += ["--data-checksums", "--locale=C.UTF-8", "--no-sync"]
        if binaries.major >= 17:  # the same order on every machine, whatever its libc
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        _run(command, account)
    finally:
        password_file.unlink(missing_ok=True)
    # Without the server: creating it over a connection would cost every later start the question whether it is there.
    single_user = [str(binaries.postgres), "--single", "-F", "-D", str(partial_data), "postgres"]
    _run(single_user, account, statement=f"create database {DATABASE}\n")
    with (partial_data / "postgresql.conf").open("a") as stream:
        stream.write(f"\ninclude '../{paths.server_config.name}'\n")
    # Everything was written without fsync, which is made up for once, before the cluster gets its name.
    _run([str(binaries.initdb), "--sync-only", "-D", str(partial_data)], account)
    partial_data.rename(paths.data)
    _sync_folder(paths.root)


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut: a cluster still called partial would be thrown away."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run(command: list[str], account: Account, statement: str = "") -> None:
    done = subprocess.run(
        command,
        input=statement,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=build_program_environment(),
        preexec_fn=bound_to_this_process(signal.SIGKILL),
        **account.switch,
    )
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise StartFailedError(f"{' '.join(command)} failed: {done.stderr.strip()}")


def build_program_environment() -> dict[str, str]:
    """Environment of the server programs: no variables of this process, no `PG*` that could change a setting, no secret."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def build_server_environment(cluster: PreparedCluster) -> dict[str, str]:
    """Environment of the server itself: that of its programs, and libraries that this process was started with.

    Tests start a process tree under a preloaded library that shifts the clock; `now()` in SQL must then be shifted too.
    The server's own account may be unable to read the library where it lies, so it gets a copy.
    """
    environment = build_program_environment()
    libraries = [Path(name) for name in re.split("[: ]+", os.environ.get("LD_PRELOAD", "")) if name]
    if not libraries:
        return environment
    if not cluster.account.is_own:
        folder = cluster.paths.server_copies / "preloaded"
        folder.mkdir(parents=True, exist_ok=True)
        libraries = [Path(shutil.copy(library, folder)) for library in libraries if library.is_file()]
        for path in (cluster.paths.server_copies, folder, *libraries):
            path.chmod(0o755)
    passed_on = {name: os.environ[name] for name in PRELOADED if name in os.environ}
    return environment | passed_on | {"LD_PRELOAD": ":".join(map(str, libraries))}


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


def write_server_configuration(paths: ClusterPaths, port: int, socket_dir: Path) -> None:
    """Write `hd.conf` anew, readable by the server's user."""
    text = build_server_configuration(
        port=port, socket_dir=socket_dir, memory_mb=read_memory_mb(), shared_memory_mb=read_shared_memory_mb()
    )
    partial = paths.server_config.with_suffix(".partial")
    partial.write_text(text)
    partial.chmod(0o644)
    partial.replace(paths.server_config)
