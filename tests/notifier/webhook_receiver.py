"""Receivers on loopback with the protocols of channels: Discord's webhook protocol with a script, plain JSON, SMTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Posted:
    """One request as the receiver got it."""

    path: str
    query: str
    headers: dict[str, str]
    document: Any
    files: dict[str, bytes]
    answered: int

    @property
    def embed(self) -> dict[str, Any]:
        return self.document["embeds"][0]


@dataclass
class Receiver:
    """`script`: answers in order, (status, headers, body); after it, 200 with the name of a message."""

    url: str = ""
    script: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def accepted(self) -> list[Posted]:
        return [each for each in self.posted if 200 <= each.answered < 300]

    def will_answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.script.append((status, headers or {}, body))

    @property
    def discord_api(self) -> str:
        return f"{self.url}/api/webhooks"


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with receiver.lock:
                number = len(receiver.posted) + 1
                status, headers, body = receiver.script.pop(0) if receiver.script else _made(number)
                path, _, query = self.path.partition("?")
                document, files = _parsed(self.headers.get("Content-Type", ""), content)
                receiver.posted.append(Posted(path, query, dict(self.headers), document, files, status))
            if status == 0:  # take it and never answer
                receiver.hang.wait(30)
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        receiver.hang.set()
        server.shutdown()
        server.server_close()


def _made(number: int) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps({"id": str(9000 + number)}).encode()


def _parsed(kind: str, content: bytes) -> tuple[Any, dict[str, bytes]]:
    if kind.startswith("multipart/form-data"):
        parsed = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + content)
        parts = {part.get_param("name", header="Content-Disposition"): part for part in parsed.iter_parts()}
        document = json.loads(parts.pop("payload_json").get_content())
        return document, {str(name): part.get_payload(decode=True) for name, part in parts.items()}
    return (json.loads(content) if content else None), {}


@dataclass
class Mailbox:
    """What a mail server accepted."""

    port: int
    letters: list[str] = field(default_factory=list)


@contextmanager
def mail_server(refusing: Sequence[str] = ()) -> Iterator[Mailbox]:
    """A server that accepts every letter over plain SMTP; verbs in `refusing` are answered 451."""
    import socketserver

    mailbox = Mailbox(0)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._send_line("220 loopback")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper().split(":")[0]
                if verb in refusing:
                    self._send_line("451 not now")
                elif verb == "DATA":
                    self._send_line("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode(errors="replace")) not in {".\r\n", ""}:
                        lines.append(text)
                    mailbox.letters.append("".join(lines))
                    self._send_line("250 taken")
                elif verb == "QUIT":
                    self._send_line("221 bye")
                    return
                else:
                    self._send_line("250 fine")

        def _send_line(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mailbox.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield mailbox
        server.shutdown()
