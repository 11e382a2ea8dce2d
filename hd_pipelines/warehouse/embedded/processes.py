"""Proof that a process number means the process we think it does, and signals that cannot hit another one.

Belongs here: everything read from `/proc`, pidfds and prctl. Linux 5.3 or newer. A number from a file is never
signalled: only a `ProcessIdentity` (number and start time) or a process found by its executable and working directory.
"""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process for sure: its number and its start time in clock ticks since boot (`/proc/<pid>/stat`, field 22)."""

    pid: int
    started: int


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a live process; None if there is none or it is a zombie."""
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
    """Signal exactly this process; False if it is gone. A reused number cannot be hit: the pidfd is checked, then used."""
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


def postgres_processes_in(data: Path) -> list[ProcessIdentity]:
    """All live `postgres` processes whose working directory is `data`, the oldest (the postmaster) first.

    Only processes that the caller may inspect are seen: run it as the server's user.
    """
    try:
        wanted = data.stat()
    except FileNotFoundError:
        return []
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            executable = (entry / "exe").readlink().name.removesuffix(" (deleted)")
            working = (entry / "cwd").stat() if executable == "postgres" else None
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if working is None or (working.st_dev, working.st_ino) != (wanted.st_dev, wanted.st_ino):
            continue
        identity = identify(int(entry.name))
        if identity is not None:
            found.append(identity)
    return sorted(found, key=lambda identity: (identity.started, identity.pid))


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, so that it can be reaped and waited for."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Between fork and exec, after the change of user: have the kernel send `number` when the parent dies."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"prctl({option})")
