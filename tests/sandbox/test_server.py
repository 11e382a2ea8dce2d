"""Starting and stopping the sandbox."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from hd_pipelines.sandbox.server import SandboxServer, SandboxStartError


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_two_sandboxes_run_side_by_side_and_stop(tmp_path):
    with SandboxServer(tmp_path / "a") as first, SandboxServer(tmp_path / "b") as second:
        assert first.port != second.port
        assert answers(first.url)
        assert answers(second.url)
    assert not answers(first.url)
    first.stop()


def test_a_taken_port_is_named(tmp_path):
    with SandboxServer(tmp_path) as first, pytest.raises(SandboxStartError, match=f"port {first.port}"):
        SandboxServer(tmp_path, port=first.port).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_foreground_sandbox_ends_cleanly_on_a_signal(tmp_path, number):
    with SandboxServer(tmp_path) as probe:
        port = probe.port
    code = (
        "from pathlib import Path; from hd_pipelines.sandbox.server import run_sandbox; "
        f"run_sandbox(Path({str(tmp_path)!r}), {port}); print('ended')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not answers(f"http://127.0.0.1:{port}") and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "ended\n", "")
