"""The embedded server's configuration, as the server itself reports it."""

import time
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

import embedded_postgres as embedded
from embedded_postgres.cluster import build_server_environment
from embedded_postgres.configuration import build_server_configuration
from embedded_postgres.layout import ClusterPaths
from tests.support.embedded import ask, connection_record

SYSTEM_BINARIES = Path("/usr/lib/postgresql/15/bin")
EXPECTED = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "logging_collector": "on",
    "log_lock_waits": "on",
    "idle_in_transaction_session_timeout": "10min",
    "TimeZone": "UTC",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "server_encoding": "UTF8",
}
PROVIDER = "select datlocprovider from pg_database where datname = current_database()"


def settings(url):
    with psycopg.connect(url) as connection:
        return {name: connection.execute(f"show {name}").fetchone()[0] for name in EXPECTED}


def test_settings_are_in_force(home):
    with embedded.running(home) as url:
        assert settings(url) == EXPECTED
        assert ask(url, PROVIDER) == "b"
        assert ask(url, "select count(*) from pg_file_settings where error is not null") == 0


def test_the_server_logs_below_the_home(home):
    with embedded.running(home) as url:
        with pytest.raises(psycopg.errors.UndefinedTable):
            ask(url, "select * from there_is_no_such_table")
        # The collector is a process of its own and writes when it gets to it.
        for _ in range(100):
            logs = ClusterPaths.of(home).logs.glob("postgresql-*.log")
            if any("there_is_no_such_table" in log.read_text() for log in logs):
                return
            time.sleep(0.1)
        pytest.fail("the failed statement is in no log below the home")


def test_a_copy_into_a_table_of_the_same_transaction_writes_almost_no_wal(home):
    with embedded.running(home) as url, psycopg.connect(url) as connection:
        begun = connection.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
        connection.execute("create table loaded (line text)")
        with connection.cursor().copy("copy loaded from stdin") as copy:
            for _ in range(20_000):
                copy.write(b"x" * 100 + b"\n")
        connection.commit()
        written = connection.execute("select pg_current_wal_insert_lsn() - %s::pg_lsn", [begun]).fetchone()[0]
        stored = connection.execute("select pg_relation_size('loaded')").fetchone()[0]
    assert stored > 2_000_000
    assert written < stored / 10


@pytest.mark.skipif(not (SYSTEM_BINARIES / "postgres").exists(), reason="no PostgreSQL 15 on this machine")
def test_the_same_settings_hold_on_postgresql_15(hd_home):
    with embedded.running(hd_home, bindir=SYSTEM_BINARIES) as url:
        assert ask(url, "show server_version").startswith("15.")
        assert settings(url) == EXPECTED
        assert ask(url, "select datcollate from pg_database where datname = 'hd'") == "C.UTF-8"
        assert connection_record(hd_home)["version"].startswith("15.")


def text(memory_mb=16_000, shared_memory_mb=8_000, socket_dir="/home/hd/postgres/run"):
    return build_server_configuration(
        port=20_000, socket_dir=Path(socket_dir), memory_mb=memory_mb, shared_memory_mb=shared_memory_mb
    )


def test_memory_follows_the_machine_within_bounds():
    assert "shared_buffers = 128MB" in text(memory_mb=512)
    assert "shared_buffers = 500MB" in text(memory_mb=4_000)
    assert "shared_buffers = 1024MB" in text(memory_mb=256_000)


def test_a_container_with_little_shared_memory_uses_mapped_files():
    assert "dynamic_shared_memory_type = 'mmap'" in text(shared_memory_mb=64)
    assert "dynamic_shared_memory_type = 'posix'" in text(shared_memory_mb=2_000)


def test_a_quote_in_the_path_does_not_end_the_setting():
    assert "unix_socket_directories = '/home/o''hara/run'" in text(socket_dir="/home/o'hara/run")


def test_a_library_that_shifts_the_clock_reaches_the_server_also_when_its_account_cannot_read_it(tmp_path, monkeypatch):
    library = tmp_path / "closed" / "shift.so"
    library.parent.mkdir(mode=0o700)
    library.write_bytes(b"library")
    monkeypatch.setenv("CLOCK_SHIFT", "86400")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    paths = ClusterPaths.of(tmp_path)
    environments = [
        build_server_environment(SimpleNamespace(account=SimpleNamespace(is_own=is_own), paths=paths))
        for is_own in (True, False)
    ]
    assert [each["CLOCK_SHIFT"] for each in environments] == ["86400"] * 2
    assert environments[0]["LD_PRELOAD"] == str(library)
    copy = Path(environments[1]["LD_PRELOAD"])
    assert copy.is_relative_to(paths.server_copies)
    assert copy.read_bytes() == b"library"
    monkeypatch.delenv("LD_PRELOAD")
    assert "CLOCK_SHIFT" not in build_server_environment(SimpleNamespace())
