"""Chooses and checks where the server can be reached: its port on 127.0.0.1 and its private socket folder."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
from pathlib import Path

from embedded_postgres.account import Account
from embedded_postgres.errors import EmbeddedPostgresError, PortHeldError
from embedded_postgres.layout import LOOPBACK, SUPERUSER, ClusterPaths

LONGEST_SOCKET_DIR = 90
"""Bytes. The address of a socket holds 108, of which PostgreSQL's file name and the end take up to 16."""
FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below Linux's ephemeral ports (32768 up), so that no outgoing connection ever sits on ours."""
_PROTOCOL_3_0 = 196608


def find_free_port(root: Path) -> int:
    """Find a free port of 127.0.0.1. The search starts at a number derived from the path, so that homes differ."""
    span = LAST_PORT - FIRST_PORT
    start = int.from_bytes(hashlib.sha256(os.fsencode(root)).digest()[:8], "big") % span
    for step in range(span):
        port = FIRST_PORT + (start + step) % span
        if is_port_free(port):
            return port
    raise PortHeldError(f"no port from {FIRST_PORT} to {LAST_PORT} of {LOOPBACK} is free. Name one with HD_PG_PORT.")


def is_port_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def refuse_held_port(port: int) -> None:
    """Raise `PortHeldError` unless `port` of 127.0.0.1 is free."""
    if not is_port_free(port):
        raise PortHeldError(
            f"port {port} of {LOOPBACK} is held by another program, and it is the port of this embedded server. "
            f"Stop that program (ss -ltnp 'sport = :{port}' names it), or choose another port with HD_PG_PORT."
        )


def choose_socket_folder(paths: ClusterPaths) -> Path:
    """Where the socket is: `run` in the cluster, or a short folder in /tmp if that path is too long for a socket."""
    if len(os.fsencode(paths.sockets)) <= LONGEST_SOCKET_DIR:
        return paths.sockets
    name = hashlib.sha256(os.fsencode(paths.root)).hexdigest()[:16]
    return Path(f"/tmp/hd-pg-{name}")  # noqa: S108 - a folder there that somebody else made is refused below


def make_socket_folder(paths: ClusterPaths, account: Account) -> Path:
    """Make the socket folder, 0700 and the server's. Raises `EmbeddedPostgresError` if somebody else made it."""
    folder = choose_socket_folder(paths)
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) != 0o700:
            raise EmbeddedPostgresError(
                f"{folder}, the private socket folder of {paths.root}, was made or opened by somebody else "
                f"(uid {found.st_uid}, mode {stat.S_IMODE(found.st_mode):o}). Remove it and start again."
            ) from None
    return folder


def remove_sockets(paths: ClusterPaths) -> None:
    """Remove sockets that nobody answers and their lock files, which like `postmaster.pid` hold a number to mistake."""
    for leftover in choose_socket_folder(paths).glob(".s.PGSQL.*"):
        leftover.unlink(missing_ok=True)


def remove_short_socket_folder(paths: ClusterPaths) -> None:
    """Remove the socket folder in /tmp, if there is one. A folder inside the cluster stays."""
    folder = choose_socket_folder(paths)
    if folder != paths.sockets and folder.is_dir():
        remove_sockets(paths)
        folder.rmdir()


def is_socket_answered(paths: ClusterPaths) -> bool:
    """Whether some process listens on a socket in the cluster's socket folder, wherever it was started from."""
    for place in choose_socket_folder(paths).glob(".s.PGSQL.*[0-9]"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(place))
            except OSError:
                continue
            return True
    return False


def explain_not_ready(port: int, seconds: float = 5.0) -> str | None:
    """None once the server on `port` asks for a password, else its own or the system's words for why it does not.

    Speaks the first two messages of the protocol (PostgreSQL manual, "Message Formats"): StartupMessage, then
    AuthenticationRequest `R` or ErrorResponse `E`. Importing psycopg for this would double the time of a warm start.
    """
    parameters = b"".join(word.encode() + b"\0" for word in ("user", SUPERUSER, "database", "postgres")) + b"\0"
    try:
        with socket.create_connection((LOOPBACK, port), timeout=seconds) as server:
            server.sendall(struct.pack("!ii", 8 + len(parameters), _PROTOCOL_3_0) + parameters)
            answer = server.recv(4096)
    except OSError as error:
        return error.strerror or str(error)
    if answer[:1] == b"R":
        return None
    fields = {field[:1]: field[1:].decode(errors="replace") for field in answer[5:].split(b"\0")}
    return fields.get(b"M") or "it closed the connection without a word"
