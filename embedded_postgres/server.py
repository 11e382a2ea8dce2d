"""Runs PostgreSQL as a child process: starts it, waits until it answers, notices its end, ends it.

The parent is single-threaded and has blocked `HANDLED_SIGNALS`; `supervisor` decides when to start and stop.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from embedded_postgres.cluster import PreparedCluster, build_server_environment
from embedded_postgres.errors import StartFailedError, StopFailedError
from embedded_postgres.processes import bound_to_this_process
from embedded_postgres.reach import explain_not_ready

HANDLED_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
FAST_SECONDS, IMMEDIATE_SECONDS = 60.0, 20.0
_WORDS_BYTES = 8192
log = logging.getLogger("hd_pipelines.embedded")


class StopRequestedError(Exception):
    """A stop signal arrived, or no client is left."""


class KilledError(Exception):
    """The server was killed from outside while it started: not its own fault, so it is started again."""


class Server:
    """The server of a prepared cluster. One at a time, started any number of times."""

    def __init__(self, cluster: PreparedCluster) -> None:
        self.cluster = cluster
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, report_delay: Callable[[str], None]) -> None:
        """Start and wait until it answers, however long it replays its log: ending it would only begin that anew.

        `report_delay` hears of it every second. Raises `StartFailedError` if it gives up, `KilledError` if somebody
        killed it, `StopRequestedError` if this process is told to stop.
        """
        self._launch()
        begun = last_report = time.monotonic()
        while (reason := explain_not_ready(self.cluster.port)) is not None:
            if wait_for_signal(0.01) in (signal.SIGTERM, signal.SIGINT):
                raise StopRequestedError("asked to, during the start")
            if not self.is_running():
                if self.was_killed():
                    raise KilledError
                raise StartFailedError(f"PostgreSQL ended while starting: {self.read_last_errors()}")
            now = time.monotonic()
            if now - last_report >= 1.0:
                last_report = now
                report_delay(
                    f"PostgreSQL has been starting for {now - begun:.0f} s ({reason}); after a crash it replays its log"
                )

    def _launch(self) -> None:
        with self.cluster.paths.start_log.open("wb") as output:
            self._process = subprocess.Popen(
                [self.cluster.binaries.postgres, "-D", self.cluster.paths.data],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=build_server_environment(self.cluster),
                preexec_fn=bound_to_this_process(signal.SIGINT),  # noqa: PLW1509 - one thread; SIGINT ends it cleanly
                **self.cluster.account.switch,
            )

    def is_running(self) -> bool:
        """Whether the server process lives. Collects every ended child on the way."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if self._process is not None and pid == self._process.pid:
                    self._process.returncode = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            pass
        return self._process is not None and self._process.returncode is None

    def was_killed(self) -> bool:
        """Whether a signal ended the server, as the kernel does when memory runs out."""
        return self._process is not None and self._process.returncode is not None and self._process.returncode < 0

    def wait_for_children(self, seconds: float) -> bool:
        """Wait until no child is left, neither ours nor adopted. False if some remain after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.is_running() or _has_children():
            if time.monotonic() > deadline:
                return False
            wait_for_signal(0.05)
        return True

    def stop(self, first: signal.Signals = signal.SIGINT) -> None:
        """End the server: cleanly, and by force if that takes over a minute. Raises `StopFailedError`.

        Its number cannot mean another process: it is our child and we have not collected it.
        """
        for number, seconds in ((first, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
            if self._process is not None and self.is_running():
                os.kill(self._process.pid, number)
            if self.wait_for_children(seconds):
                return
            log.warning("PostgreSQL did not end within %.0f s of %s", seconds, number.name)
        raise StopFailedError(f"the server in {self.cluster.paths.data} did not end. End it by hand.")

    def read_last_errors(self) -> str:
        """Read what PostgreSQL printed or logged last, errors first, with the file's name."""
        paths = self.cluster.paths
        logs = [path for path in (paths.start_log, *paths.logs.glob("postgresql-*.log")) if path.exists()]
        for newest in sorted(logs, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            lines = _tail(newest)
            # Those with user@database were said to a client, mostly to us asking whether it is ready.
            grave = [line for line in lines if re.search(r"\] (FATAL|PANIC): ", line)]
            if grave or lines:
                return f"{' | '.join(grave[-1:] or lines[-2:])} (see {newest})"
        return f"it left no message (see {paths.supervisor_log})"


def wait_for_signal(seconds: float) -> int | None:
    """The next of `HANDLED_SIGNALS`, or None if none arrives within `seconds`."""
    received = signal.sigtimedwait(HANDLED_SIGNALS, seconds)
    return None if received is None else received.si_signo


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _tail(path: Path) -> list[str]:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _WORDS_BYTES))
        return stream.read().decode(errors="replace").strip().splitlines()
