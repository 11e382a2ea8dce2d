"""Sends the HTTP requests of all channels: bounded in time and size, without redirects, with every answer recorded.

It stands in for the module `requests` inside apprise's plugins, because a plugin returns only True or False and drops
the receiver's status and `Retry-After`. It replaces a name in the plugin's own module, so other users of `requests` are
not affected.
"""

from __future__ import annotations

import io
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import requests

from hd_pipelines.notifier.outcome import Answer
from hd_pipelines.providers.http import is_loopback

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
LONGEST_SECONDS = 15.0
"""For a whole request. The limits above start anew with every byte, so a receiver that drips would hold a tick for hours."""
MOST_REQUESTS = 5
"""Requests per message: text and pictures; a plugin's own retries would exceed it."""
_READ_AT_MOST = 65536
_LONGEST_WAIT_SECONDS = 1e9
_UNANSWERED = threading.BoundedSemaphore(16)
"""Requests that may be under way, given up ones included: a receiver that drips must not collect threads."""


@dataclass
class Observation:
    """What happened while one message was sent.

    requests: how many were tried; 0 for a channel that is not HTTP. was_cut_off: a request went out and no answer came back.
    complaints: warnings of the plugin, not cleaned of secrets.
    """

    idempotency_key: str
    answers: list[Answer] = field(default_factory=list)
    requests: int = 0
    was_cut_off: bool = False
    complaints: list[str] = field(default_factory=list)


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def get_current_observation() -> Observation | None:
    """Return the observation of the message that this thread is sending, if it is sending one."""
    return _current.get()


@contextmanager
def observe_sending(idempotency_key: str) -> Iterator[Observation]:
    """Record everything that this thread sends in this block as one message."""
    observation = Observation(idempotency_key)
    token = _current.set(observation)
    try:
        yield observation
    finally:
        _current.reset(token)


class ObservedRequests:
    """What a plugin uses as `requests`: the module itself, except for sending."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever the module has)
        return getattr(requests, name)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send one request, bounded in time, without redirects, with the message's idempotency key.

        Raises `requests.ConnectionError` after a receiver has refused a request of this message, or after
        `MOST_REQUESTS`, without sending: plugins would retry at once.
        """
        observation = _current.get()
        if observation is not None and (
            observation.requests >= MOST_REQUESTS
            or observation.was_cut_off
            or (observation.answers and not observation.answers[-1].is_success)
        ):
            raise requests.ConnectionError("not sent: an earlier request of this message was refused or not answered")
        headers = dict(options.pop("headers", None) or {})
        if observation is not None:
            observation.requests += 1
            headers["Idempotency-Key"] = observation.idempotency_key
        headers.setdefault("Accept-Encoding", "identity")
        options |= {"headers": headers, "timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False}
        try:
            response = _Attempt(method, url, options).wait(LONGEST_SECONDS)
        except requests.ConnectTimeout:
            raise
        except (requests.Timeout, requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if observation is not None and not _was_never_sent(error):
                observation.was_cut_off = True
            raise
        if observation is not None:
            observation.answers.append(_read_answer(response))
        return response

    def get(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """As `requests.get`."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """As `requests.post`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """As `requests.put`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """As `requests.patch`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """As `requests.delete`."""
        return self.request("DELETE", url, **options)


HTTP = ObservedRequests()


class _Attempt:
    """One request in a thread of its own, which is left behind when the receiver is not done in time.

    Nothing else bounds every part of it: names are looked up and headers read without any limit on the whole.
    """

    def __init__(self, method: str, url: str, options: dict[str, Any]) -> None:
        self._arguments = method, url, options
        self._answered: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()
        self._body = bytearray()
        self._is_read = threading.Event()
        self._is_given_up = False

    def wait(self, seconds: float) -> requests.Response:
        """Return the answer, with as much of its body as arrived in time and is ever looked at.

        Raises what `requests` raises; `ReadTimeout` if there is no status and headers within `seconds`.
        """
        ends = time.monotonic() + seconds
        self._permit = _UNANSWERED
        if not self._permit.acquire(blocking=False):
            raise requests.ConnectTimeout("not sent: too many requests wait for receivers that do not answer")
        threading.Thread(target=self._run, name="alert-request", daemon=True).start()
        try:
            answered = self._answered.get(timeout=seconds)
        except queue.Empty:
            self._is_given_up = True
            raise requests.ReadTimeout(f"no answer within {seconds:.0f} s") from None
        if isinstance(answered, Exception):
            raise answered
        self._is_read.wait(max(ends - time.monotonic(), 0.0))
        self._is_given_up = True
        whole = requests.Response()
        whole.status_code, whole.headers, whole.url = answered.status_code, answered.headers, answered.url
        whole.encoding, whole.reason, whole.request = answered.encoding, answered.reason, answered.request
        whole.raw = io.BytesIO(self._body)
        return whole

    def _run(self) -> None:
        method, url, options = self._arguments
        try:
            with requests.Session() as session:
                session.trust_env = not is_loopback(url)
                with session.request(method, url, stream=True, **options) as response:
                    self._answered.put(response)
                    for piece in response.iter_content(4096):
                        self._body += piece[: _READ_AT_MOST - len(self._body)]
                        if self._is_given_up or len(self._body) >= _READ_AT_MOST:
                            break
        except Exception as error:  # noqa: BLE001 - raised again by `wait`; nobody waits for an error in a body
            self._answered.put(error)
        finally:
            self._is_read.set()
            self._permit.release()


def _was_never_sent(error: Exception) -> bool:
    """Whether no connection was made: refused, no such host, no route."""
    from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, (NewConnectionError, NameResolutionError))


def _read_answer(response: requests.Response) -> Answer:
    wait, receipt = None, None
    if "json" in response.headers.get("Content-Type", "") and len(response.content) <= _READ_AT_MOST:
        wait, receipt = _read_body(response)
    return Answer(response.status_code, dict(response.headers), wait, receipt)


def _read_body(response: requests.Response) -> tuple[float | None, str | None]:
    """Read the wait in seconds that Discord and Telegram put into the body, and the id of the new message."""
    try:
        body = response.json()
    except (ValueError, RecursionError):  # no JSON, or thousands of brackets
        return None, None
    if not isinstance(body, dict):
        return None, None
    parameters = body.get("parameters")
    wait = body.get("retry_after", parameters.get("retry_after") if isinstance(parameters, dict) else None)
    named = body.get("id")
    if not isinstance(wait, (int, float)) or isinstance(wait, bool) or not 0 <= wait <= _LONGEST_WAIT_SECONDS:
        wait = None
    return (
        None if wait is None else float(wait),
        str(named) if isinstance(named, (str, int)) and not isinstance(named, bool) else None,
    )
