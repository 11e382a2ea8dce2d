"""Sends the HTTP requests of all channels: bounded in time, without redirects, and with every answer recorded.

It stands in for the module `requests` inside apprise's plugins, because a plugin returns only True or False and drops
the receiver's status and `Retry-After`. It replaces a name in the plugin's own module, so other users of `requests` are
not affected.
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
"""Requests per message: text and pictures; a plugin's own retries would exceed it."""
_READ_AT_MOST = 65536


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
