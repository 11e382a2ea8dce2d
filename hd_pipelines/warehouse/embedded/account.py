"""The system user that the server runs as.

Belongs here: choosing and creating that user, doing something as that user, and asking whether it may enter a folder.
PostgreSQL refuses to run as root, so root uses a dedicated user; anybody else runs the server as themselves. Permissions
of folders that this package did not make are never changed.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hd_pipelines.warehouse.embedded.errors import (
    EmbeddedPostgresError,
    HomeNotReachableError,
    HomeOwnedByAnotherUserError,
)

ROOT_UID = 0


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

    def call(self, function: Callable[[], Any]) -> Any:
        """Call `function` as this user, in a fork when it is another one; the answer must survive JSON.

        Only for single-threaded processes. Raises `EmbeddedPostgresError` if the fork ended without an answer.
        """
        if self.is_own:
            return json.loads(json.dumps(function()))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(self.gid)
                os.setuid(self.uid)
                os.write(writer, json.dumps(function()).encode())
            finally:
                os._exit(0)  # never unwinds into the parent's code
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        os.waitpid(child, 0)
        if not answer:
            raise EmbeddedPostgresError(f"nothing could be done as system user {self.name!r} (uid {self.uid})")
        return json.loads(answer)


def server_account(os_user: str) -> Account:
    """The user to run the server as: this process's own, or for root `os_user`, created if missing."""
    if os.geteuid() != ROOT_UID:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), is_own=True)
    entry = _find_user(os_user) or _create_user(os_user)
    if entry.pw_uid == ROOT_UID:
        raise EmbeddedPostgresError(
            f"HD_PG_USER={os_user} is root, and PostgreSQL refuses to run as root. Name another system user."
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_own=False)


def _find_user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_user(name: str) -> pwd.struct_passwd:
    cure = f"Create it by hand, or set HD_PG_USER to an existing system user other than root."
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise EmbeddedPostgresError(f"system user {name!r} does not exist and there is no useradd here. {cure}")
    command = [program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", "--", name]
    for _ in range(10):  # useradd gives up at once while another one holds the lock of /etc/passwd
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        entry = _find_user(name)
        if entry is not None:
            return entry
        time.sleep(0.2)
    raise EmbeddedPostgresError(f"system user {name!r} could not be created: {answer.stderr.strip()}. {cure}")


def first_closed_folder(account: Account, folder: Path) -> Path | None:
    """The topmost folder on the way to `folder`, itself included, that `account` may not enter. None: all open."""
    way = [*reversed(folder.parents), folder]
    closed = account.call(lambda: next((str(step) for step in way if not os.access(step, os.X_OK)), None))
    return Path(closed) if closed else None


def refuse_unreachable(account: Account, root: Path) -> None:
    """Raise `HomeNotReachableError` unless `account` may enter `root` (`HD_HOME/postgres`)."""
    closed = first_closed_folder(account, root)
    if closed is None:
        return
    raise HomeNotReachableError(
        f"PostgreSQL cannot run as root, so it runs as system user {account.name!r}, and that user may not enter "
        f"{closed}, which leads to {root}. Permissions of your folders are not changed for you. Choose a home that "
        f"everybody may enter, for example HD_HOME=/var/lib/hd, or run as a normal user, or allow it yourself: "
        f"chmod o+x {closed}"
    )


def refuse_foreign_owner(root: Path) -> None:
    """Raise `HomeOwnedByAnotherUserError` if an existing `root` was made by another user than this process's."""
    try:
        owner = root.stat().st_uid
    except FileNotFoundError:
        return
    if owner == os.geteuid():
        return
    entry = next((user.pw_name for user in pwd.getpwall() if user.pw_uid == owner), str(owner))
    raise HomeOwnedByAnotherUserError(
        f"{root} belongs to user {entry}, this process runs as uid {os.geteuid()}. "
        f"Run as {entry}, or choose another HD_HOME."
    )
