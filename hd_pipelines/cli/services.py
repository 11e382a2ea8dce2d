"""`hd up`: starts every service of an installation in one terminal, prints their addresses, and stops them together."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hd_pipelines.cli.installation import open_installation
from hd_pipelines.cli.sandbox import fill, serve_sandbox
from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions
from hd_pipelines.resources.dbt import ensure_manifest
from hd_pipelines.resources.instance import prepare_dagster_home
from hd_pipelines.settings import Settings, load_settings

SANDBOX_SESSIONS = 90
START_SECONDS = 120.0
STOP_SECONDS = 20.0
LOCK_FILE, PAGE_FILE = "up.lock", "page.json"


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Where the page of a running installation is, and the token that opens it. `process`: of `hd up`."""

    url: str
    token: str
    process: int

    @property
    def link(self) -> str:
        """The link that opens the page in a browser."""
        return f"{self.url}/?token={self.token}"


def read_page_address(home: Path) -> PageAddress | None:
    """Read the address that a running `hd up` has left in `home`; None if none is running."""
    try:
        return PageAddress(**json.loads((home / PAGE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def run_services() -> None:
    """Run until Ctrl-C, SIGTERM or the end of the terminal, or until a service ends by itself, which is a `Refusal`."""
    settings = load_settings()
    steps, stopping = Steps(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has set it
            signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as services:
        services.enter_context(_hold_installation(settings.home))
        listening = services.enter_context(_listen(settings.ui_port))
        with steps.step("Postgres and schema"):
            open_installation(settings)
            ensure_manifest()
        if not settings.has_vendor_credentials:
            services.enter_context(_start_sandbox(settings, steps))
        prepare_dagster_home(settings)
        page = PageAddress(f"http://127.0.0.1:{settings.ui_port}", secrets.token_urlsafe(32), os.getpid())
        with steps.step("Dagster"):
            order = {"port": settings.ui_port, "token": page.token, "listening": listening.fileno()}
            webserver = services.enter_context(_start_service(settings, "page", order, listening.fileno()))
            daemon = services.enter_context(_start_service(settings, "daemon", {}))
            _wait_until_answering(settings, page, webserver, stopping)
        services.enter_context(_announce_page(settings.home, page))
        console().print(f"Dagster UI: {page.link}", soft_wrap=True)
        console().print(f"logs: {settings.home / 'logs'}   Ctrl-C stops all.", soft_wrap=True)
        while not stopping.wait(1.0):
            for name, process in (("page", webserver), ("daemon", daemon)):
                if process.poll() is not None:
                    raise Refusal(
                        f"the {name} ended with code {process.returncode}; see {_get_log_file(settings, name)}"
                    )
        with suppress(OSError):  # the terminal may be gone
            console().print("stopping")


@contextmanager
def _hold_installation(home: Path) -> Iterator[None]:
    """Keep a second `hd up` out of `home`. The lock ends with this process, however that ends."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            page = read_page_address(home)
            where = f" as process {page.process}: {page.link}" if page else ", and is starting"
            raise Refusal(f"`hd up` runs for {home} already{where}") from None
        (home / PAGE_FILE).unlink(missing_ok=True)  # of one that was killed
        yield


def _listen(port: int) -> socket.socket:
    """Listen on `port` before anything is started, for the page's process, so that nobody can take it in between.

    Whoever took it would be sent the token by the first request to the page. Raises `Refusal` for a port that is taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise Refusal(
            f"port {port} of the Dagster UI cannot be used ({error.strerror}); set HD_UI_PORT to a free one"
        ) from None
    listening.listen(128)
    return listening


@contextmanager
def _announce_page(home: Path, page: PageAddress) -> Iterator[None]:
    """Leave the address, which only this user can read, in `home` until the block ends."""
    file = home / PAGE_FILE
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        json.dump({"url": page.url, "token": page.token, "process": page.process}, written)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _start_sandbox(settings: Settings, steps: Steps) -> Iterator[None]:
    window = list_last_sessions(find_last_completed_session(datetime.now(UTC)), SANDBOX_SESSIONS)
    with steps.step("Sandbox: vendor files") as step:
        step.note = fill(settings, None, window, step.advance).note
    with serve_sandbox(settings, None):
        yield


def _get_log_file(settings: Settings, name: str) -> Path:
    return settings.home / "logs" / f"{name}.log"


@contextmanager
def _start_service(
    settings: Settings, name: str, order: Mapping[str, Any], *descriptors: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a service of `cli.child`, give it its `order`, and hold the pipe whose end it takes for ours.

    `descriptors`: open files of this process that it inherits.
    """
    log = _get_log_file(settings, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hd_pipelines.cli.child", name],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            start_new_session=True,  # Ctrl-C reaches only us; we stop the services in order
            env={**os.environ, "HD_HOME": str(settings.home)},
        )
    try:
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # it ended at once, which the caller notices
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()


def _wait_until_answering(
    settings: Settings, page: PageAddress, webserver: subprocess.Popen[bytes], stopping: threading.Event
) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.ui_port}/server_info", headers={"Authorization": f"Bearer {page.token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy leads to this machine
    for _ in range(int(START_SECONDS / 0.5)):
        if webserver.poll() is not None:
            raise Refusal(f"the page ended with code {webserver.returncode}; see {_get_log_file(settings, 'page')}")
        try:
            with opener.open(request, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if stopping.wait(0.5):
                return
    raise Refusal(f"the Dagster UI did not answer within {START_SECONDS:.0f} s; see {_get_log_file(settings, 'page')}")
