"""What `hd up` promises whatever happens to it: one at a time, on a free port, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from hd_pipelines.cli import services
from hd_pipelines.cli.terminal import Refusal
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions
from tests.support.hd_up import list_processes, starting_services, wait_until_ended

CHILD = """
import sys, threading, time
from hd_pipelines.cli import child
sys.argv = ["child", "sleeper"]
child._serve_page = child._run_daemon = None
threading.Thread(target=child._end_with_parent, daemon=True).start()
print("started", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:  # noqa: PTH123
            return status.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_ends_with_its_parent_even_if_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_a_second_one_is_refused_and_the_lock_ends_with_its_process(tmp_path):
    hold = """
import sys, time
from pathlib import Path
from hd_pipelines.cli import services
with services._hold_installation(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
    first = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    with pytest.raises(Refusal, match="already, and is starting"), services._hold_installation(tmp_path):
        pytest.fail("two of them run")
    page = services.PageAddress("http://127.0.0.1:3000", "token-of-a-test", first.pid)
    with (
        services._announce_page(tmp_path, page),
        pytest.raises(Refusal, match=rf"process {first.pid}: http://127.0.0.1:3000/\?token=token-of-a-test"),
        services._hold_installation(tmp_path),
    ):
        pytest.fail("two of them run")
    first.kill()
    first.wait()
    (tmp_path / services.PAGE_FILE).write_text('{"url": "x", "token": "of a killed one", "process": 1}')
    with services._hold_installation(tmp_path):
        assert services.read_page_address(tmp_path) is None


def test_a_taken_port_is_refused_before_anything_starts():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match=rf"port {port} .* set HD_UI_PORT"):
            services._listen(port)
    with services._listen(port), pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))  # nobody takes it while the page's process starts


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"url": "x"}', json.dumps({"other": 1})])
def test_a_broken_address_is_none(tmp_path, text):
    (tmp_path / services.PAGE_FILE).write_text(text)
    assert services.read_page_address(tmp_path) is None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "terminal closed"])
def test_nothing_stays_behind_when_it_is_ended(module_database_url, tmp_path, number):
    sessions = list_last_sessions(find_last_completed_session(datetime.now(UTC)), 2)
    with starting_services(tmp_path / "home", module_database_url, sessions) as service:
        assert len(list_processes(tmp_path / "home")) >= 3
        os.kill(service.pid, number)
        service.wait(60)
        assert wait_until_ended(tmp_path / "home") == {}
        assert services.read_page_address(tmp_path / "home") is None or number is signal.SIGKILL
