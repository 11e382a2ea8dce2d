"""The sandbox in a process of its own: it answers, and never outlives the command that started it."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from hd_pipelines.cli.sandbox import serve_sandbox_in_process
from hd_pipelines.providers.source import read_announced_address
from hd_pipelines.sandbox.server import SandboxServer, SandboxStartError
from hd_pipelines.settings import Settings

SERVE_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from hd_pipelines.cli.sandbox import serve_sandbox_in_process
from hd_pipelines.settings import Settings
if __name__ == "__main__":
    with serve_sandbox_in_process(Settings(home=Path(sys.argv[1])), None) as url:
        print(url, flush=True)
        time.sleep(60)
"""


def listens(url: str) -> bool:
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port), timeout=2).close()
    except OSError:
        return False
    return True


def test_it_is_announced_and_ends_with_the_block(tmp_path):
    with serve_sandbox_in_process(Settings(home=tmp_path), None) as url:
        assert read_announced_address(tmp_path).url == url
        assert listens(url)
    assert not listens(url)
    assert read_announced_address(tmp_path) is None


def test_a_port_that_is_taken_is_named(tmp_path):
    with (
        SandboxServer(tmp_path / "bucket") as other,
        pytest.raises(SandboxStartError, match=f"port {other.port}"),
        serve_sandbox_in_process(Settings(home=tmp_path, sandbox_port=other.port), None),
    ):
        pass


def test_it_ends_when_the_command_is_killed(tmp_path):
    script = tmp_path / "serve.py"
    script.write_text(SERVE_UNTIL_KILLED)
    command = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        url = command.stdout.readline().strip()
        assert listens(url)
    finally:
        os.kill(command.pid, signal.SIGKILL)
        command.communicate(timeout=20)
    deadline = time.monotonic() + 20
    while listens(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(url)
    assert read_announced_address(tmp_path) is None
