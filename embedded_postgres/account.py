"""The system user that the server runs as: chooses or creates it, runs code as it, checks what it can reach.

PostgreSQL refuses to run as root, so root uses a dedicated user; other users run the server as themselves.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from embedded_postgres.errors import EmbeddedPostgresError

ROOT_UID = 0
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Account:
    """A system user. `is_own` when it is the user of this process, so that nothing has to be switched."""

    name: str
    uid: int
    gid: int
    is_own: bool

    @property
    def switch(self) -> dict[str, Any]:
        """Arguments that make `subprocess` run a program as this user."""
        return {} if self.is_own else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder that this package made to this user."""
        if not self.is_own:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def call(self, function: Callable[[], _Answer]) -> _Answer:
        """Call `function` as this user, in a fork when it is another one; the answer must survive JSON unchanged.

        Only for single-threaded processes. Raises `EmbeddedPostgresError` if the fork ended without an answer.
        """
        if self.is_own:
            return function()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(self.gid)
                os.setuid(self.uid)
                os.write(writer, json.dumps(function()).encode())
            finally:
                if sys.exc_info()[0] is not None:
                    traceback.print_exc()
                os._exit(0)  # never unwinds into the parent's code
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        os.waitpid(child, 0)
        if not answer:
            raise EmbeddedPostgresError(f"nothing can be done as system user {self.name!r} (uid {self.uid}) here")
        return cast("_Answer", json.loads(answer))


def find_server_account(os_user: str) -> Account:
    """The user to run the server as: this process's own, or for root `os_user`, created if missing."""
    if os.geteuid() != ROOT_UID:
        return Account(f"uid {os.geteuid()}", os.geteuid(), os.getegid(), is_own=True)
    entry = _find_user(os_user) or _create_user(os_user)
    if entry.pw_uid == ROOT_UID:
        raise EmbeddedPostgresError(
            f"HD_PG_USER={os_user} is root, and PostgreSQL refuses to run as root. Name another system user."
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_own=False)


def find_owner(path: Path) -> Account:
    """The user that owns an existing file or folder."""
    found = path.stat()
    return Account(f"uid {found.st_uid}", found.st_uid, found.st_gid, is_own=found.st_uid == os.geteuid())


def _find_user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_user(name: str) -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", "--", name]
    reason = ""
    for _ in range(10):  # useradd gives up at once while another one holds the lock of /etc/passwd
        try:
            reason = subprocess.run(
                command, capture_output=True, text=True, check=False, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
            ).stderr.strip()
        except FileNotFoundError:
            reason = "there is no useradd on this machine"
        entry = _find_user(name)
        if entry is not None:
            return entry
        time.sleep(0.2)
    raise EmbeddedPostgresError(
        f"system user {name!r}, who would run PostgreSQL for root, does not exist and could not be created: {reason}. "
        f"Create it by hand, or set HD_PG_USER to an existing system user other than root."
    )


def find_first_closed(account: Account, *targets: Path) -> Path | None:
    """The first file or folder on the ways to `targets`, themselves included, that `account` may not enter or run."""
    ways = [step for target in targets for step in (*reversed(target.parents), target)]
    closed = account.call(lambda: next((str(step) for step in ways if not os.access(step, os.X_OK)), None))
    return Path(closed) if closed else None
