"""A process is distinguished from a later one with the same pid."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from embedded_postgres.processes import (
    ProcessIdentity,
    identify,
    is_alive,
    list_postgres_processes,
    own_identity,
    send_signal,
)
from tests.support.embedded import eventually, exists


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_itself(sleeper):
    identity = identify(sleeper.pid)
    assert is_alive(identity)
    assert is_alive(own_identity())
    assert identity != own_identity()


def test_a_signal_for_an_earlier_process_with_the_same_pid_is_not_sent(sleeper):
    earlier = ProcessIdentity(sleeper.pid, identify(sleeper.pid).started - 1)
    assert not is_alive(earlier)
    assert send_signal(earlier, signal.SIGTERM) is False
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.3)


def test_a_signal_for_the_very_process_arrives(sleeper):
    assert send_signal(identify(sleeper.pid), signal.SIGTERM) is True
    assert sleeper.wait(5) == -signal.SIGTERM


def test_a_zombie_is_not_alive_and_gets_no_signal(sleeper):
    identity = identify(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    assert eventually(lambda: not exists(sleeper.pid))
    os.kill(sleeper.pid, 0)  # its number is still taken
    assert identify(sleeper.pid) is None
    assert send_signal(identity, signal.SIGTERM) is False


def test_a_process_that_is_gone_is_not_alive(sleeper):
    identity = identify(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert identify(sleeper.pid) is None
    assert send_signal(identity, signal.SIGTERM) is False


def test_only_postgres_in_that_very_folder_is_taken_for_its_server(tmp_path):
    there, elsewhere = tmp_path / "data", tmp_path / "other"
    there.mkdir()
    elsewhere.mkdir()
    fake = tmp_path / "postgres"
    fake.write_bytes(Path("/bin/sleep").read_bytes())
    fake.chmod(0o755)
    running = [
        subprocess.Popen([fake, "300"], cwd=there),
        subprocess.Popen([fake, "300"], cwd=elsewhere),
        subprocess.Popen(["sleep", "300"], cwd=there),
    ]
    try:
        assert eventually(lambda: len(list_postgres_processes(there)) == 1)
        assert list_postgres_processes(there) == [identify(running[0].pid)]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert list_postgres_processes(there) == []
    assert list_postgres_processes(tmp_path / "nowhere") == []
