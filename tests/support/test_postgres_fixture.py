"""The test databases themselves: fresh, named so that nothing else can be meant, cloneable."""

import os
import subprocess
import time
from urllib.parse import urlsplit

import psycopg

from tests.support import postgres


def rows(url, statement):
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_a_test_database_is_empty_and_named_as_one(database_url):
    assert urlsplit(database_url).path.endswith("_test")
    assert rows(database_url, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


def test_each_call_makes_another_database(postgres_server, database_url):
    other = postgres_server.new_database()
    assert other != database_url
    postgres_server.drop_database(other)


def test_a_template_is_copied_with_its_rows(postgres_server, database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute("create table bars as select 42 as close")
    copy = postgres_server.new_database(template=database_url)
    assert rows(copy, "select close from bars") == [(42,)]
    postgres_server.drop_database(copy)


def test_only_old_folders_of_dead_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres, "MEMORY", tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    live, fresh, old = (
        tmp_path / f"hd-test-{name}" for name in (f"{os.getpid()}-a", f"{ended.pid}-b", f"{ended.pid}-c")
    )
    for folder in (live, fresh, old):
        folder.mkdir()
    for folder, second in ((live, 0), (fresh, time.time()), (old, 0)):
        os.utime(folder, (second, second))
    postgres._remove_leftovers()
    assert sorted(tmp_path.iterdir()) == sorted([live, fresh])
