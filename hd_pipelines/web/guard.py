"""Lets only the person who started a page use it: one ASGI layer before everything that this machine serves to a browser.

Listening on 127.0.0.1 keeps other machines out, but not other web sites in the same browser (an image tag is enough to send
a GET, a form to send a POST, and a name that resolves to 127.0.0.1 to read the answers), nor other users of the machine. So
a request must name this server, come from this server's own pages, be a POST with JSON if it may change something, and
prove by a token that it belongs to this start.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import structlog

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN = "token"  # noqa: S105 - the name of a parameter
LOGGED_PER_MINUTE = 20
"""Refusals that are logged; the next line says how many were not. A page in a loop must not fill the disk."""
_HEADERS = (
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_SHORT = 80
_log = structlog.get_logger()


class Refusal(NamedTuple):
    """Why a request is not passed on, with its HTTP status."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Request:
    """What the guard looks at. A header that was sent twice has two values, and is never trusted."""

    kind: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, list[str]]

    @classmethod
    def read(cls, scope: Scope) -> _Request:
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        return cls(scope["type"], scope.get("method", "GET"), scope["path"], query, headers)

    def get(self, name: str) -> str | None:
        """The value of a header that was sent once; an empty text for one that was sent several times."""
        values = self.headers.get(name)
        if values is None:
            return None
        return values[0].strip() if len(values) == 1 else ""

    @property
    def is_navigation(self) -> bool:
        """Whether a person follows a link to a page from another site: from a chat or a mail."""
        return (
            self.kind == "http"
            and self.get("sec-fetch-site") == "cross-site"
            and self.method == "GET"
            and self.get("sec-fetch-mode") == "navigate"
            and self.get("sec-fetch-dest") == "document"
        )


class Guard:
    """The layer before `app`, which is served on `port` of this machine. `token`: of this start, at least 128 bits."""

    def __init__(self, app: App, *, port: int, token: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app, self._token = app, token
        # One name only: under localhost a browser may reach ::1, where somebody else may listen.
        self._host = f"127.0.0.1:{port}"
        self._origin = f"http://{self._host}"
        self._cookie = f"hd_page_{port}"  # cookies know no ports
        self._monotonic = monotonic
        self._logged_since, self._logged, self._not_logged = monotonic(), 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the page, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request = _Request.read(scope)
        refusal = self.find_refusal(request)
        if refusal is None and self._holds_token(request):
            await self._app(scope, receive, _add_headers(send))
        elif refusal is None and request.kind == "http" and self._matches(request.query.get(TOKEN, "")):
            await self._let_in(request, send)
        else:
            await self._refuse(request, refusal or Refusal(401, "no token of this start"), send)

    def find_refusal(self, request: _Request) -> Refusal | None:
        """Find what forbids a request whoever sent it; None if only the token decides."""
        host, origin, site = request.get("host"), request.get("origin"), request.get("sec-fetch-site")
        if not request.path.isprintable():
            return Refusal(400, "its path has a character that no page has")
        if host != self._host:
            return Refusal(421, "it names another host")
        if origin is not None and origin.lower() != self._origin:
            return Refusal(403, "it comes from another origin")
        if site is not None and site not in {"same-origin", "none"} and not request.is_navigation:
            return Refusal(403, "another site caused it")
        if request.kind == "websocket":
            has_sender = origin is not None or request.get("authorization") is not None
            return None if has_sender else Refusal(403, "it comes from no origin")
        return _find_refused_method(request)

    def _holds_token(self, request: _Request) -> bool:
        kind, _, given = (request.get("authorization") or "").partition(" ")
        if kind.lower() == "bearer" and self._matches(given.strip()):
            return True
        # By hand: the library gives up a whole header for one pair of another program that it cannot read.
        pairs = (
            pair.strip().partition("=") for header in request.headers.get("cookie", ()) for pair in header.split(";")
        )
        return any(name == self._cookie and self._matches(value) for name, _, value in pairs)

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    async def _let_in(self, request: _Request, send: Send) -> None:
        """Set the cookie and go on to the same page without the token, which would stay in the history."""
        rest = urlencode([(name, value) for name, value in request.query.items() if name != TOKEN])
        address = "/" + quote(request.path.lstrip("/\\")) + (f"?{rest}" if rest else "")
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        # Not a redirect: a browser that came from another site would not send a strict cookie along with it.
        text = (
            f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(address)}"><title>hd_pipelines</title>'
        )
        headers = [(b"set-cookie", cookie.encode("latin-1")), (b"referrer-policy", b"no-referrer")]
        await _answer(send, 200, text, headers)

    async def _refuse(self, request: _Request, refusal: Refusal, send: Send) -> None:
        self._note(request, refusal)
        if request.kind == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})
            return
        text = f"<!doctype html><title>hd_pipelines</title><p>Refused: {escape(refusal.reason)}."
        if refusal.status == 401:
            text += "<p>Open the link that <code>hd up</code> printed; it is also in page.json in HD_HOME."
        await _answer(send, refusal.status, text)

    def _note(self, request: _Request, refusal: Refusal) -> None:
        now = self._monotonic()
        if now - self._logged_since >= 60:
            self._logged_since, self._logged = now, 0
        if self._logged >= LOGGED_PER_MINUTE:
            self._not_logged += 1
            return
        self._logged += 1
        _log.warning(
            "page refused",
            reason=refusal.reason,
            method=request.method,
            path=request.path[:_SHORT],
            host=(request.get("host") or "")[:_SHORT],
            origin=(request.get("origin") or "")[:_SHORT],
            not_logged_before=self._not_logged,
        )
        self._not_logged = 0


def _find_refused_method(request: _Request) -> Refusal | None:
    """Find whether a method or a body is of a kind that another site can send too, or that the page does not need."""
    if request.method in {"GET", "HEAD"}:
        asks_graphql = request.path.rstrip("/").lower().endswith("/graphql")
        return Refusal(405, "GraphQL is asked by POST") if asks_graphql else None
    if request.method != "POST":
        return Refusal(405, "only GET, HEAD and POST are answered")
    content = (request.get("content-type") or "").partition(";")[0].strip().lower()
    return None if content == "application/json" else Refusal(415, "it is no JSON")


def _add_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = text.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *_HEADERS,
                *(headers or ()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
