"""`hd up`: starts every service of an installation in one terminal, prints their addresses, and stops them together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hd_pipelines.cli.installation import open_installation
from hd_pipelines.cli.runs import WORKSPACE
from hd_pipelines.cli.sandbox import fill, serve_sandbox
from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions
from hd_pipelines.resources.dbt import ensure_manifest
from hd_pipelines.resources.instance import prepare_dagster_home
from hd_pipelines.settings import Settings, load_settings

SANDBOX_SESSIONS = 90
START_SECONDS = 120.0
STOP_SECONDS = 20.0


def run_services() -> None:
    """Run until Ctrl-C or SIGTERM, or until one of the services ends by itself, which is a `Refusal`."""
    settings = load_settings()
    steps, stopping = Steps(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as services:
        with steps.step("Postgres and schema"):
            open_installation(settings)
            ensure_manifest()
        if not settings.has_vendor_credentials:
            services.enter_context(_start_sandbox(settings, steps))
        prepare_dagster_home(settings)
        with steps.step("Dagster"):
            webserver = services.enter_context(
                _start_service(settings, "webserver", _build_webserver_command(settings))
            )
            daemon = services.enter_context(
                _start_service(settings, "daemon", ["dagster-daemon", "run", "-w", str(WORKSPACE)])
            )
            _wait_until_answering(settings, webserver, stopping)
        console().print(
            f"Dagster UI: http://127.0.0.1:{settings.ui_port}   logs: {settings.home / 'logs'}   Ctrl-C stops all."
        )
        while not stopping.wait(1.0):
            for name, process in (("webserver", webserver), ("daemon", daemon)):
                if process.poll() is not None:
                    raise Refusal(
                        f"the {name} ended with code {process.returncode}; see {_get_log_file(settings, name)}"
                    )
        console().print("stopping")


def _build_webserver_command(settings: Settings) -> list[str]:
    # Open source Dagster has no login: whoever reaches this port can run code. It never listens beyond this machine.
    return ["dagster-webserver", "-h", "127.0.0.1", "-p", str(settings.ui_port), "-w", str(WORKSPACE)]


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
def _start_service(settings: Settings, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    log = _get_log_file(settings, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name(command[0])
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(program), *command[1:]],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only us; we stop the services in order
            env={**os.environ, "HD_HOME": str(settings.home)},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_answering(settings: Settings, webserver: subprocess.Popen[bytes], stopping: threading.Event) -> None:
    url = f"http://127.0.0.1:{settings.ui_port}/server_info"
    for _ in range(int(START_SECONDS / 0.5)):
        if webserver.poll() is not None:
            raise Refusal(
                f"the webserver ended with code {webserver.returncode}; see {_get_log_file(settings, 'webserver')}"
            )
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if stopping.wait(0.5):
                return
    raise Refusal(
        f"the Dagster UI did not answer within {START_SECONDS:.0f} s; see {_get_log_file(settings, 'webserver')}"
    )
