"""Identifies processes beyond doubt, and sends signals that cannot hit another process. Linux 5.3 or newer.

A number from a file must never be signalled: only a `ProcessIdentity` (number and start time) or a process found by its
executable and working directory.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process beyond doubt: its number and its start time in clock ticks since boot (`/proc/<pid>/stat`, field 22)."""

    pid: int
    started: int


def identify(pid: int) -> ProcessIdentity | None:
    """Identify a live process; None if there is none or it is a zombie."""
    fields = _stat_fields(pid)
    return None if fields is None else ProcessIdentity(pid, int(fields[19]))


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of `/proc/<pid>/stat` from the third (state) on; None for the dead and for zombies."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name in parentheses may hold anything, ")" included
    return None if fields[0] in "ZXx" else fields


def own_identity() -> ProcessIdentity:
    """The identity of this process."""
    identity = identify(os.getpid())
    if identity is None:
        raise RuntimeError("/proc does not show this process; the embedded server needs a mounted /proc")
    return identity


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs (a zombie does not)."""
    return identify(identity.pid) == identity


def send_signal(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """Signal exactly this process; False if it is gone.

    The pidfd is opened first and the start time compared after: if the number was reused, one of the two says so.
    """
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def list_postgres_processes(data: Path) -> list[ProcessIdentity]:
    """All live `postgres` processes whose working directory is `data`, those that no other of them started first.

    Only processes that the caller may inspect are seen: run it as the server's user.
    """
    try:
        wanted = data.stat()
    except FileNotFoundError:
        return []
    parent_of: dict[ProcessIdentity, int] = {}
    for pid in (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()):
        fields = _stat_fields(pid)
        if fields is not None and _is_postgres_in(pid, wanted):
            parent_of[ProcessIdentity(pid, int(fields[19]))] = int(fields[1])
    pids = {identity.pid for identity in parent_of}
    return sorted(parent_of, key=lambda identity: (parent_of[identity] in pids, identity.pid))


def _is_postgres_in(pid: int, wanted: os.stat_result) -> bool:
    try:
        executable = (_PROC / str(pid) / "exe").readlink().name.removesuffix(" (deleted)")
        if executable != "postgres":
            return False
        working = (_PROC / str(pid) / "cwd").stat()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return (working.st_dev, working.st_ino) == (wanted.st_dev, wanted.st_ino)


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, so that it can be reaped and waited for."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def bound_to_this_process(number: signal.Signals) -> Callable[[], None]:
    """What a child does between fork and exec, after its change of user: the kernel sends it `number` when we die."""
    parent = os.getpid()

    def before_exec() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the request
            os._exit(1)

    return before_exec


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"prctl({option})")
