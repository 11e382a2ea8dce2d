"""The HTTP door of all channels: what goes through it is bounded, does not follow redirects and is observed.

Belongs here: standing in for the module `requests` inside apprise's plugins. A plugin answers True or False and keeps
the receiver's status and `Retry-After` to itself; this notes them. It replaces a name in the plugin's own module only,
so nobody else's use of `requests` changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import requests

from hd_pipelines.notifier.outcome import Answer

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
MOST_REQUESTS = 5
"""Requests that one message may take: text, pictures, and no retrying of a plugin's own."""
_READ_AT_MOST = 65536


@dataclass
class Observation:
    """What happened to one message on its way.

    requests: how many were tried; 0 for a channel that is not HTTP. was_cut_off: one went out and no answer came back.
    complaints: what the plugin said, not cleaned.
    """

    idempotency_key: str
    answers: list[Answer] = field(default_factory=list)
    requests: int = 0
    was_cut_off: bool = False
    complaints: list[str] = field(default_factory=list)


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def current_observation() -> Observation | None:
    """The message that this thread is sending, if it is sending one."""
    return _current.get()


@contextmanager
def observing(idempotency_key: str) -> Iterator[Observation]:
    """Everything sent in this block, by this thread, belongs to one message."""
    observation = Observation(idempotency_key)
    token = _current.set(observation)
    try:
        yield observation
    finally:
        _current.reset(token)


class ObservedRequests:
    """What a plugin sees as `requests`: the module, except that sending is ours."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever the module has)
        return getattr(requests, name)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send one request, bounded in time, without redirects, with the message's idempotency key.

        Raises `requests.ConnectionError` after a receiver has said that it has enough of this message, or after
        `MOST_REQUESTS`, without sending: plugins retry at once where we wait.
        """
        observation = _current.get()
        if observation is not None and (
            observation.requests >= MOST_REQUESTS or (observation.answers and not observation.answers[-1].is_success)
        ):
            raise requests.ConnectionError("not sent: the receiver refused an earlier request of this message")
        headers = dict(options.pop("headers", None) or {})
        if observation is not None:
            observation.requests += 1
            headers["Idempotency-Key"] = observation.idempotency_key
        options |= {"headers": headers, "timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False}
        try:
            response = requests.request(method, url, **options)  # noqa: S113  (among the options)
        except requests.ConnectTimeout:
            raise
        except (requests.Timeout, requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if observation is not None and not _never_left(error):
                observation.was_cut_off = True
            raise
        if observation is not None:
            observation.answers.append(_answer(response))
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


def _never_left(error: Exception) -> bool:
    """Whether the connection was never made: refused, no such host, no route."""
    from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, (NewConnectionError, NameResolutionError))


def _answer(response: requests.Response) -> Answer:
    wait, receipt = None, None
    if "json" in response.headers.get("Content-Type", "") and len(response.content) <= _READ_AT_MOST:
        wait, receipt = _from_body(response)
    return Answer(response.status_code, dict(response.headers), wait, receipt)


def _from_body(response: requests.Response) -> tuple[float | None, str | None]:
    """A wait in seconds as Discord and Telegram name it, and the name of the message made."""
    try:
        body = response.json()
    except ValueError:
        return None, None
    if not isinstance(body, dict):
        return None, None
    parameters = body.get("parameters")
    wait = body.get("retry_after", parameters.get("retry_after") if isinstance(parameters, dict) else None)
    named = body.get("id")
    return (
        float(wait) if isinstance(wait, (int, float)) and not isinstance(wait, bool) and wait >= 0 else None,
        str(named) if isinstance(named, (str, int)) and not isinstance(named, bool) else None,
    )
