"""The embedded server after accidents: killed processes, files with wrong contents, work cut short."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import embedded_postgres as embedded
from embedded_postgres import State
from embedded_postgres.account import find_server_account
from embedded_postgres.layout import ClusterPaths
from tests.support.embedded import ask, eventually, exists, kill, postmaster_pid, supervisor_pid


def crash(home):
    """Kill supervisor and server together, the server first: nothing is shut down, `postmaster.pid` stays."""
    supervisor, server = supervisor_pid(home), postmaster_pid(home)
    os.kill(supervisor, signal.SIGSTOP)  # or it would start the server again
    kill(server)
    kill(supervisor)
    paths = ClusterPaths.of(home)
    assert paths.postmaster_pid.exists()
    assert paths.connection.exists()
    return paths


def server_of(supervisor):
    """The server process below a supervisor, if there is one now."""
    try:
        children = (Path("/proc") / f"{supervisor}/task/{supervisor}/children").read_text().split()
        names = {int(pid): (Path("/proc") / pid / "comm").read_text().strip() for pid in children}
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((pid for pid, name in names.items() if name == "postgres"), None)


@pytest.fixture
def bystander():
    """A process that has nothing to do with PostgreSQL and must survive everything.

    It belongs to the server's user: PostgreSQL itself shrugs off a number that it may not signal.
    """
    process = subprocess.Popen(["sleep", "300"], **find_server_account("hd_pg").switch)
    yield process
    assert process.poll() is None, "an unrelated process was ended"
    process.kill()
    process.wait()


def test_a_process_with_the_number_in_a_stale_pid_file_survives(home, bystander):
    embedded.up(home)
    paths = crash(home)
    lines = paths.postmaster_pid.read_text().splitlines()
    paths.postmaster_pid.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    assert embedded.status(home).state is State.STALE
    with embedded.running(home) as url:
        assert ask(url) == 1
        assert postmaster_pid(home) != bystander.pid
    assert embedded.stop(home)


def test_stop_does_not_signal_a_process_with_the_number_of_a_dead_supervisor(home, bystander):
    embedded.up(home)
    paths = crash(home)
    started = paths.supervisor_lock.read_text().split()[1]
    paths.supervisor_lock.write_text(f"{bystander.pid} {started}\n")
    assert embedded.status(home).state is State.STALE
    embedded.stop(home)
    with embedded.running(home) as url:
        assert ask(url) == 1


@pytest.mark.parametrize("content", ["", "4", "not a number\n", "1\n"], ids=["empty", "cut", "text", "init"])
def test_a_damaged_pid_file_does_not_matter(home, content):
    embedded.up(home)
    paths = crash(home)
    paths.postmaster_pid.write_text(content)
    with embedded.running(home) as url:
        assert ask(url) == 1


def test_a_zombie_in_the_pid_file_does_not_count_as_running(home):
    embedded.up(home)
    paths = crash(home)
    zombie = os.fork()
    if zombie == 0:
        os._exit(0)
    try:
        assert eventually(lambda: not exists(zombie))
        os.kill(zombie, 0)  # it still has its number: that is the trap
        lines = paths.postmaster_pid.read_text().splitlines()
        paths.postmaster_pid.write_text("\n".join([str(zombie), *lines[1:]]) + "\n")
        with embedded.running(home) as url:
            assert ask(url) == 1
    finally:
        os.waitpid(zombie, 0)


def test_a_killed_supervisor_leaves_no_server_behind(home):
    url = embedded.up(home)
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 11 as close")
    server = postmaster_pid(home)
    kill(supervisor_pid(home))
    assert eventually(lambda: not exists(server))
    with embedded.running(home) as url:
        assert ask(url, "select close from kept") == 11
        assert postmaster_pid(home) != server


def test_a_start_right_after_the_supervisor_was_killed_waits_for_the_old_server(home):
    embedded.up(home)
    server = postmaster_pid(home)
    os.kill(server, signal.SIGSTOP)  # it cannot obey the kernel's signal yet
    try:
        kill(supervisor_pid(home))
        threading.Timer(1.0, os.kill, (server, signal.SIGCONT)).start()
        with embedded.running(home) as url:
            assert not exists(server)
            assert ask(url) == 1
    finally:
        if exists(server):
            os.kill(server, signal.SIGCONT)


def test_stop_ends_a_server_whose_supervisor_was_killed(home):
    embedded.up(home)
    server = postmaster_pid(home)
    os.kill(server, signal.SIGSTOP)
    kill(supervisor_pid(home))
    threading.Timer(0.5, os.kill, (server, signal.SIGCONT)).start()
    assert embedded.stop(home) is True
    assert not exists(server)
    assert embedded.status(home).state is State.STOPPED


def test_a_killed_server_is_started_again_with_what_was_committed(home):
    with embedded.running(home) as url:
        with psycopg.connect(url) as connection:
            connection.execute("create table kept_too as select 13 as close")
        server, supervisor = postmaster_pid(home), supervisor_pid(home)
        kill(server)
        assert eventually(lambda: embedded.status(home).state is State.RUNNING and postmaster_pid(home) != server)
        assert supervisor_pid(home) == supervisor
        assert ask(url, "select close from kept_too") == 13


def test_a_client_that_comes_during_recovery_waits_for_it(home):
    url = embedded.up(home)
    with psycopg.connect(url) as connection:
        connection.execute("create table many as select generate_series(1, 300000) as close")
    kill(postmaster_pid(home))
    with embedded.running(home) as url:
        assert ask(url, "select count(*) from many") == 300_000


def test_a_server_that_is_killed_again_while_it_recovers_is_started_again(home):
    url = embedded.up(home)
    with psycopg.connect(url) as connection:
        connection.execute("create table busy as select generate_series(1, 500000) as close")
        connection.execute("update busy set close = close + 1")
    first, supervisor = postmaster_pid(home), supervisor_pid(home)
    kill(first)

    def killed_in_recovery():
        # The pid file comes and goes with the servers; the supervisor's child is there, or it is not there any more.
        server = server_of(supervisor)
        if server in {None, first} or embedded.status(home).state is not State.RECOVERING:
            return False
        with suppress(ProcessLookupError):
            kill(server)
            return True
        return False

    assert eventually(killed_in_recovery)
    with embedded.running(home) as url:
        assert ask(url, "select min(close) from busy") == 2


def test_a_server_that_is_killed_over_and_over_is_given_up(fresh_home):
    embedded.up(fresh_home)
    supervisor, paths = supervisor_pid(fresh_home), ClusterPaths.of(fresh_home)
    killed = set()
    while exists(supervisor):
        server = server_of(supervisor)
        if server is not None and server not in killed:
            killed.add(server)
            kill(server)
    assert len(killed) >= 6
    assert "died 6 times" in paths.progress.read_text()


def test_a_server_that_keeps_dying_is_given_up_with_its_last_log_lines(fresh_home):
    home = fresh_home
    embedded.up(home)
    supervisor, paths = supervisor_pid(home), ClusterPaths.of(home)
    (paths.data / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    kill(postmaster_pid(home))
    assert eventually(lambda: not exists(supervisor))
    seen = embedded.status(home)
    assert "ended while starting" in seen.detail
    assert "auto.conf" in seen.detail
    with pytest.raises(embedded.EmbeddedPostgresError, match=r"auto\.conf"):
        embedded.attach(home)


def test_a_start_interrupted_in_initdb_is_started_again(hd_home):
    paths = ClusterPaths.of(hd_home)
    starting = f"from pathlib import Path; import embedded_postgres; embedded_postgres.up(Path('{hd_home}'))"
    client = subprocess.Popen([sys.executable, "-c", starting], cwd=Path(__file__).parents[2])
    assert eventually(lambda: any(paths.root.glob("data.partial-*/base")))
    kill(supervisor_pid(hd_home))
    client.kill()
    client.wait()
    assert not paths.data.exists()
    with embedded.running(hd_home) as url:
        assert ask(url, "select current_database()") == "hd"
    embedded.stop(hd_home)
    with embedded.running(hd_home) as url:
        assert ask(url) == 1


def test_backends_of_a_killed_server_pass_to_the_supervisor_and_are_waited_for(home):
    with embedded.running(home) as url, psycopg.connect(url) as connection:
        backend, server = connection.info.backend_pid, postmaster_pid(home)
        os.kill(backend, signal.SIGSTOP)  # it cannot notice the end of its server
        try:
            kill(server)
            status = Path("/proc") / str(backend) / "status"
            assert eventually(lambda: f"PPid:\t{supervisor_pid(home)}\n" in status.read_text())
            assert embedded.status(home).state is not State.RUNNING
        finally:
            os.kill(backend, signal.SIGCONT)
        assert eventually(lambda: embedded.status(home).state is State.RUNNING)
        assert not status.exists()


def test_a_truncated_connection_file_is_replaced_not_believed(home):
    embedded.up(home)
    paths = crash(home)
    paths.connection.write_text('{"host": "127.0.0.1", "po')
    with embedded.running(home) as url:
        assert urlsplit(url).hostname == "127.0.0.1"
        assert ask(url) == 1
