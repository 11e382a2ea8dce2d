"""Runs the supervisor: `python -m embedded_postgres`. Parses arguments, detaches, and opens the log file.

`hd db` starts it. Under systemd or compose, run it without `--detach`: it stays in the foreground and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import sys
import time
from pathlib import Path

from embedded_postgres.errors import EmbeddedPostgresError
from embedded_postgres.home import make_root
from embedded_postgres.layout import ClusterPaths, open_lock_file, try_lock
from embedded_postgres.leftovers import end_leftovers
from embedded_postgres.supervisor import Options, serve

_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 20, 0.05


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m embedded_postgres", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="HD_HOME of the cluster")
    parser.add_argument("--os-user", default="hd_pg", help="system user of the server when started by root")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1; unset: the one used before, or a free one")
    parser.add_argument("--bindir", type=Path, help="folder of postgres and initdb; unset: the wheel's")
    parser.add_argument("--linger", type=float, help="stop after so many seconds without a client; unset: never")
    parser.add_argument("--lock-fd", type=int, help="inherited descriptor of the held supervisor.lock")
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument("--end-leftovers", action="store_true", help="end a server that nobody owns, start none")
    return parser.parse_args()


def _own(paths: ClusterPaths) -> int | None:
    """Take `supervisor.lock`; None if another supervisor has it. A client that looks holds it for microseconds."""
    make_root(paths)
    lock = open_lock_file(paths.supervisor_lock)
    for _ in range(_LOCK_TRIES):
        if try_lock(lock, paths.supervisor_lock, fcntl.LOCK_EX):
            return lock
        time.sleep(_LOCK_PAUSE_SECONDS)
    return None


def _detach(paths: ClusterPaths) -> None:
    """Continue in a child of init, in a session of its own, with the log file as output."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(paths.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    for descriptor, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)
    os.close(nothing)
    os.close(output)


def _end_leftovers(paths: ClusterPaths) -> int:
    try:
        end_leftovers(paths)
        paths.connection.unlink(missing_ok=True)
    except EmbeddedPostgresError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def main() -> int:
    """Run the supervisor. Exit code 0: stopped as asked; 1: failed; 3: another one owns the cluster."""
    given = _arguments()
    paths = ClusterPaths.of(given.home)
    lock = given.lock_fd if given.lock_fd is not None else _own(paths)
    if lock is None:
        sys.stderr.write(f"another supervisor owns {paths.root}\n")
        return 3
    os.set_inheritable(lock, False)
    if given.end_leftovers:
        return _end_leftovers(paths)
    if given.detach:
        _detach(paths)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ %(levelname)s %(process)d %(message)s")
    return serve(
        Options(given.home.expanduser().resolve(), given.os_user, given.port, given.bindir, given.linger), lock
    )


if __name__ == "__main__":
    sys.exit(main())
