"""Homes with an embedded cluster, and ways to damage it, for the tests of the embedded server itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

import embedded_postgres as embedded
from embedded_postgres.layout import Cluster, ClusterPaths, read_record, write_record
from embedded_postgres.reach import find_free_port
from tests.support.postgres import enterable_folder

MakeHome = Callable[[], Path]


@pytest.fixture(scope="session")
def stopped_home() -> Iterator[Path]:
    """A home whose cluster was made once and stopped; copied, never used."""
    with enterable_folder() as home:
        with embedded.running(home):
            pass
        embedded.stop(home)
        yield home


@pytest.fixture
def make_home(stopped_home: Path) -> Iterator[MakeHome]:
    """Make homes with a stopped cluster, each with a port of its own. Saves a second per test over `initdb`."""
    with ExitStack() as folders:

        def make() -> Path:
            home = folders.enter_context(enterable_folder())
            _copy_cluster(stopped_home, home)
            folders.callback(embedded.stop, home)
            return home

        yield make


@pytest.fixture(scope="module")
def _shared_home(stopped_home: Path) -> Iterator[Path]:
    with enterable_folder() as home:
        _copy_cluster(stopped_home, home)
        yield home


@pytest.fixture
def home(_shared_home: Path) -> Iterator[Path]:
    """A home with a stopped cluster that the tests of one module share, one after the other. Do not break its files."""
    yield _shared_home
    embedded.stop(_shared_home)


@pytest.fixture
def fresh_home(make_home: MakeHome) -> Path:
    """A home with a stopped cluster of its own, to be broken."""
    return make_home()


def _copy_cluster(stopped_home: Path, home: Path) -> None:
    subprocess.run(["cp", "-a", f"{stopped_home}/postgres", str(home)], check=True)
    paths = ClusterPaths.of(home)
    cluster = read_record(paths.cluster, Cluster)
    assert cluster is not None
    write_record(paths.cluster, Cluster(cluster.password, port=0))


def ask(url: str, question: str = "select 1") -> object:
    """Read a single value from the server."""
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def connection_record(home: Path) -> dict[str, object]:
    """Read `conn.json`."""
    return dict(json.loads(ClusterPaths.of(home).connection.read_text()))


def postmaster_pid(home: Path) -> int:
    """Read the server's process number from its own file; only reliable right after a successful start."""
    return int(ClusterPaths.of(home).postmaster_pid.read_text().split()[0])


def supervisor_pid(home: Path) -> int:
    """Read the supervisor's verified process number."""
    pid = embedded.status(home).pid
    assert pid is not None
    return pid


def exists(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether `condition` comes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill(pid: int) -> None:
    """Send SIGKILL and wait until the process has ended."""
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not exists(pid))


@pytest.fixture
def unused_port() -> int:
    """Find an unused port of 127.0.0.1."""
    return find_free_port(Path(f"/{os.getpid()}/{time.monotonic_ns()}"))
