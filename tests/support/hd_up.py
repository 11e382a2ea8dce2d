"""`hd up` as a process of its own, over a database of the tests and a bucket of chosen sessions. It leaves no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from embedded_postgres.reach import find_free_port
from hd_pipelines.cli.services import PageAddress, read_page_address

SERVICE = """
import signal, sys
from datetime import date
from hd_pipelines.cli import services

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a suite under nohup hands down that it is ignored

services.list_last_sessions = lambda *_: [date.fromisoformat(text) for text in sys.argv[1:]]
services.run_services()
"""
"""`hd up`, but with a bucket of the sessions in its arguments instead of the last ninety."""
START_SECONDS, STOP_SECONDS = 300.0, 90.0


@dataclass(frozen=True)
class RunningServices:
    """Address of the page, the link that opens it, and the installation's folder."""

    url: str
    link: str
    home: Path


@contextmanager
def running_services(home: Path, database_url: str, sessions: Sequence[date]) -> Iterator[RunningServices]:
    """Start web server, daemon, code server and sandbox; afterwards stop them and fail if a process of theirs stays."""
    with starting_services(home, database_url, sessions) as service:
        page = read_page_address(home)
        assert page is not None
        yield RunningServices(page.url, page.link, home)
        service.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            service.wait(STOP_SECONDS)
        left = wait_until_ended(home)
        assert not left, f"hd up left processes behind: {left}"
        assert service.returncode == 0, (home / "up.log").read_text()[-3000:]


@contextmanager
def starting_services(home: Path, database_url: str, sessions: Sequence[date]) -> Iterator[subprocess.Popen[bytes]]:
    """Start `hd up` and wait for its page; afterwards kill whatever is left of it."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "up.log"
    environment = {
        **os.environ,
        "HD_HOME": str(home),
        "HD_DATABASE_URL": database_url,
        "HD_WATCHLIST": "SPX,AAPL",
        "HD_UI_PORT": str(find_free_port(home)),
        # Default 60: at a load of 18 on two cores the code server took longer to start a run, which then failed unstarted.
        "DAGSTER_GRPC_TIMEOUT_SECONDS": "300",
    }
    command = [sys.executable, "-c", SERVICE, *(str(session) for session in sessions)]
    with log.open("wb") as output:
        service = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_until_announced(home, service, log)
        yield service
    finally:
        for pid in list_processes(home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        service.wait(STOP_SECONDS)


def _wait_until_announced(home: Path, service: subprocess.Popen[bytes], log: Path) -> PageAddress:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert service.poll() is None, log.read_text()[-3000:]
        if (page := read_page_address(home)) is not None:
            return page
        time.sleep(0.5)
    raise AssertionError(f"the page is not announced: {log.read_text()[-3000:]}")


def wait_until_ended(home: Path) -> dict[int, str]:
    """Wait for the end of every process that was started for `home`; returns those that stay, with their commands."""
    deadline = time.monotonic() + STOP_SECONDS
    while (left := list_processes(home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


def list_processes(home: Path) -> dict[int, str]:
    # By environment, not by parent or group: code server and runs have sessions of their own, and orphans no parent.
    mark, found = f"HD_HOME={home}".encode(), {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return found
