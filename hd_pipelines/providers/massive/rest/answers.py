"""Interprets a response of the vendor's REST service: its envelope, or the error that it stands for.

Handles status codes, `status` inside a 200, messages and Retry-After. Requests are in `client`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from hd_pipelines.providers.errors import (
    ApiError,
    ApiKeyRefusedError,
    ApiNotEntitledError,
    ApiNotFoundError,
    ApiRateLimitedError,
    ApiRequestRefusedError,
    ApiResponseError,
    ApiUnavailableError,
    ObjectPlace,
)
from hd_pipelines.providers.http import parse_retry_after
from hd_pipelines.tables.vocabulary import Rule


@dataclass(frozen=True, slots=True)
class Page:
    """One response. `results` is as sent (an object for a single thing, none if absent); `body` the bytes it was read from.

    `about`: other fields of the envelope, such as ticker, adjusted and counts.
    """

    results: list[Any]
    body: bytes
    request_id: str
    fetched_at: datetime
    next_url: str | None
    is_delayed: bool
    about: Mapping[str, Any] = field(default_factory=dict)


ASKED_AGAIN = "It is tried again; if it goes on, look at the vendor's status page."
ASK_VENDOR = "Tell the vendor, with path and time."


def build_error(status: int, retry_after: str | None, body: bytes, now: datetime, place: ObjectPlace) -> ApiError:
    """Build the error of a response that is not 200. `retry_after`: that header, in seconds or as a date."""
    message = _read_message(body)
    if status != 429 and status < 500:
        return _build_lasting_error(status, message, place)
    kind = ApiRateLimitedError if status == 429 else ApiUnavailableError
    error = kind(place.error(Rule.OBJECT_UNAVAILABLE, f"{status}, {message}.", ASKED_AGAIN))
    error.retry_after_seconds = parse_retry_after(retry_after, now)
    return error


def _build_lasting_error(status: int, message: str, place: ObjectPlace) -> ApiError:
    if status == 401:
        return ApiKeyRefusedError(
            place.error(Rule.OBJECT_UNAVAILABLE, f"401, {message}.", "Set HD_VENDOR_API_KEY to the key of the account.")
        )
    if status == 403:
        return ApiNotEntitledError(
            place.error(
                Rule.OBJECT_NOT_ENTITLED, f"403, {message}.", "Ask for what the plan includes, or change the plan."
            )
        )
    if status == 404:
        return ApiNotFoundError(
            place.error(Rule.OBJECT_ABSENT, f"404, {message}.", "Check the name of the underlying.")
        )
    if 300 <= status < 400:
        return ApiResponseError(
            place.error(
                Rule.RESPONSE_MALFORMED, f"{status}, a redirect.", "Set HD_VENDOR_API_URL to where the service is."
            )
        )
    return ApiRequestRefusedError(
        place.error(Rule.RESPONSE_MALFORMED, f"{status}, {message}.", "Report it as a defect.")
    )


def read_page(body: bytes, fetched_at: datetime, place: ObjectPlace) -> Page:
    """Read the page in a 200. Raises the `ApiError` for its `status` or its form."""
    try:
        answer = from_json(body, allow_inf_nan=False)
    except ValueError:
        # A proxy's HTML under a 200, or half a body: the next attempt may bring the answer.
        raise ApiUnavailableError(place.error(Rule.RESPONSE_MALFORMED, "the answer is no JSON.", ASKED_AGAIN)) from None
    if not isinstance(answer, dict):
        raise ApiResponseError(place.error(Rule.RESPONSE_MALFORMED, "the answer is no JSON object.", ASK_VENDOR))
    status, message = answer.get("status"), _read_message(body)
    if status == "NOT_AUTHORIZED":
        raise _build_lasting_error(403, message, place)
    if status == "NOT_FOUND":
        raise _build_lasting_error(404, message, place)
    if status == "ERROR":
        raise ApiUnavailableError(
            place.error(Rule.OBJECT_UNAVAILABLE, f"status ERROR inside a 200, {message}.", ASKED_AGAIN)
        )
    if status not in {"OK", "DELAYED"}:
        raise ApiResponseError(
            place.error(Rule.RESPONSE_MALFORMED, f"the status is {str(status)[:40]!r}, not OK or DELAYED.", ASK_VENDOR)
        )
    results, next_url = answer.get("results", []), answer.get("next_url")
    if not isinstance(results, list | dict) or not isinstance(next_url, str | None):
        raise ApiResponseError(
            place.error(Rule.RESPONSE_MALFORMED, "results or next_url is of another type.", ASK_VENDOR)
        )
    return Page(
        results if isinstance(results, list) else [results],
        body,
        str(answer.get("request_id", "")),
        fetched_at,
        next_url or None,
        status == "DELAYED",
        {name: value for name, value in answer.items() if name != "results"},
    )


def _read_message(body: bytes) -> str:
    """The service's message under `error` or `message`; nothing of a body that is not JSON."""
    try:
        answer = from_json(body)
    except ValueError:
        return "no reason given" if not body.strip() else "the body is no JSON"
    message = (answer.get("error") or answer.get("message")) if isinstance(answer, dict) else None
    return f"{str(message)[:200].rstrip('.')}" if message else "no reason given"
