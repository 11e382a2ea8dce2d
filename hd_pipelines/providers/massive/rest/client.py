"""Sends requests to the vendor's REST service, and reads all pages of a response.

Handles HTTP with its retries, deadlines and limits, and paging. `answers` reads a response's envelope; `chain_snapshot`,
`minute_bars` and `treasury_yields` its contents. A page that cannot be fetched fails the whole request, because a chain cut
short is worse than none. The key is sent in a header, to the configured origin only, and is never logged.
"""

from __future__ import annotations

import math
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import httpx
import structlog
from pydantic import SecretStr

from hd_pipelines.providers.errors import (
    ApiError,
    ApiPaginationError,
    ApiRateLimitedError,
    ApiResponseError,
    ApiUnavailableError,
    ObjectPlace,
)
from hd_pipelines.providers.http import is_loopback
from hd_pipelines.providers.massive.rest.answers import ASK_VENDOR, ASKED_AGAIN, Page, build_error, read_page
from hd_pipelines.providers.massive.rest.content_coding import DamagedBodyError, UnknownCodingError, inflate
from hd_pipelines.tables.vocabulary import Rule

VENDOR_HOSTS = frozenset({"api.massive.com", "api.polygon.io"})
"""Origins that the vendor writes into `next_url`; requests still go to the configured one."""
ATTEMPTS = 5
DEADLINE_SECONDS = 120.0
"""For a whole request, with all pages and waits. A full SPX chain has about 120 pages."""
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
LARGEST_BODY = 32 << 20
MOST_PAGES = 1_000
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 20.0
FIRST_RATE_LIMIT_WAIT_SECONDS, LONGEST_RATE_LIMIT_WAIT_SECONDS = 4.0, 60.0
"""A 429 without Retry-After refers to requests per minute; waits of 4, 16 and 60 seconds reach the next minute."""
RETRIES_IN_HAND, RETRIES_EARNED = 40.0, 0.2
"""Retries that one client may use at once, and how many a success adds, so that a broken service is not flooded."""
_log = structlog.get_logger()


@cache
def _build_tls_context() -> ssl.SSLContext:
    """Read the certificates that are trusted; once, since that takes 40 ms."""
    return httpx.create_ssl_context()


class VendorApi:
    """The REST service at `url`. It can be shared between threads; close it, or use it as a context manager.

    `sleep`, `monotonic`, `now` and `seed` are the clock and the randomness of the retries.
    """

    def __init__(
        self,
        *,
        url: str,
        key: SecretStr,
        deadline_seconds: float = DEADLINE_SECONDS,
        attempts: int = ATTEMPTS,
        read_seconds: float = READ_SECONDS,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: int | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._origin = _parse_origin(self.url)
        self._deadline_seconds, self._attempts = deadline_seconds, attempts
        self._sleep, self._monotonic, self._now = sleep, monotonic, now
        self._random = random.Random(seed)  # noqa: S311  (spreads retries, guards nothing)
        self._retries, self._lock = RETRIES_IN_HAND, threading.Lock()
        self._client = httpx.Client(
            base_url=self.url,
            headers={
                "Authorization": f"Bearer {key.get_secret_value()}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            timeout=httpx.Timeout(read_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=8),
            follow_redirects=False,
            verify=_build_tls_context(),
            transport=transport,
            trust_env=not is_loopback(self.url),  # a proxy must not see the sandbox's requests, nor their key
        )

    def __repr__(self) -> str:
        return f"VendorApi({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def fetch_pages(
        self,
        path: str,
        params: Mapping[str, str | int],
        place: ObjectPlace,
        *,
        next_path: re.Pattern[str] | None = None,
        repeated: Collection[str] = (),
        deadline_seconds: float | None = None,
    ) -> Iterator[Page]:
        """Yield all pages of a response, in order. Raises `ApiError`s; pages read before an error must not be used.

        A page that fails is requested again from its own cursor, without the pages before it. `next_path`: paths that the
        next page may have; None: only the first one's. `repeated`: names of `params` that the service's cursor drops.
        `deadline_seconds`: for this request; None: the client's.
        """
        ends_at = self._monotonic() + (deadline_seconds or self._deadline_seconds)
        query: dict[str, str] = {name: str(value) for name, value in params.items()}
        kept = {name: query[name] for name in repeated}
        following = next_path or re.compile(re.escape(path))
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            page = self._page(path, query, place, ends_at)
            yield page
            if page.next_url is None:
                return
            path, following_query = self._next(page.next_url, following, path, place)
            query = kept | following_query
            token = f"{path}?{urlencode(sorted(query.items()))}"
            if token in seen:
                raise ApiPaginationError(
                    place.error(Rule.PAGINATION_BROKEN, "next_url comes back to a page already read.", ASK_VENDOR)
                )
            seen.add(token)
        raise ApiPaginationError(
            place.error(Rule.PAGINATION_BROKEN, f"there are more than {MOST_PAGES} pages.", ASK_VENDOR)
        )

    def _next(
        self, next_url: str, following: re.Pattern[str], path: str, place: ObjectPlace
    ) -> tuple[str, dict[str, str]]:
        """Build the next request to the configured origin from path and query of `next_url`, without a key."""
        try:
            parts = urlsplit(next_url)
            origin = _parse_origin(next_url)
        except ValueError:
            parts, origin = urlsplit(""), ("", "", 0)
        is_vendors = parts.scheme == "https" and parts.hostname in VENDOR_HOSTS and parts.port in {None, 443}
        is_ours = (origin == self._origin or is_vendors) and "@" not in parts.netloc
        prefix = urlsplit(self.url).path
        next_path = unquote(parts.path).removeprefix(prefix)
        leads_on = parts.path.startswith(prefix) and following.fullmatch(next_path) is not None
        if not is_ours or not leads_on or not parts.query:
            raise ApiPaginationError(
                place.error(
                    Rule.PAGINATION_BROKEN,
                    f"next_url leads to {parts.hostname or 'no host'}, path {parts.path[:80]!r}, not on with {path}.",
                    "Not followed: the key goes to the configured service only. " + ASK_VENDOR,
                )
            )
        return next_path, {name: value for name, value in parse_qsl(parts.query) if name.lower() != "apikey"}

    def _page(self, path: str, query: Mapping[str, str], place: ObjectPlace, ends_at: float) -> Page:
        attempt = 1
        while True:
            try:
                page = self._once(path, query, place, ends_at)
            except (ApiRateLimitedError, ApiUnavailableError) as error:
                wait = self._wait(error, attempt)
                if attempt >= self._attempts or self._monotonic() + wait >= ends_at or not self._may_retry():
                    raise
                _log.info(
                    "vendor asked again",
                    path=path,
                    attempt=attempt,
                    wait_seconds=round(wait, 2),
                    why=error.finding.detail,
                )
                self._sleep(wait)
                attempt += 1
            else:
                with self._lock:
                    self._retries = min(self._retries + RETRIES_EARNED, RETRIES_IN_HAND)
                return page

    def _may_retry(self) -> bool:
        with self._lock:
            self._retries -= 1
            return self._retries >= 0

    def _wait(self, error: ApiError, attempt: int) -> float:
        """Seconds before the next attempt: what the service asked for, else growing and randomized."""
        if error.retry_after_seconds is not None:
            return error.retry_after_seconds
        if isinstance(error, ApiRateLimitedError):
            return min(FIRST_RATE_LIMIT_WAIT_SECONDS * math.pow(4, attempt - 1), LONGEST_RATE_LIMIT_WAIT_SECONDS)
        longest = min(FIRST_WAIT_SECONDS * math.pow(2, attempt), LONGEST_WAIT_SECONDS)
        return self._random.uniform(0.5, 1.0) * longest

    def _once(self, path: str, query: Mapping[str, str], place: ObjectPlace, ends_at: float) -> Page:
        fetched_at = self._now()
        try:
            with self._client.stream("GET", path, params=dict(query)) as response:
                body = self._body(response, place, ends_at)
        except httpx.TransportError as error:
            raise ApiUnavailableError(
                place.error(Rule.OBJECT_UNAVAILABLE, f"no complete answer ({type(error).__name__}).", ASKED_AGAIN)
            ) from None
        if response.status_code != 200:
            raise build_error(response.status_code, response.headers.get("retry-after"), body, self._now(), place)
        return read_page(body, fetched_at, place)

    def _body(self, response: httpx.Response, place: ObjectPlace, ends_at: float) -> bytes:
        """Read the body, unless it is too large, damaged, or incomplete at the deadline."""
        body = bytearray()
        try:
            for part in inflate(response.iter_raw(), response.headers.get("content-encoding", "")):
                body += part
                if len(body) > LARGEST_BODY:
                    raise ApiResponseError(
                        place.error(
                            Rule.OUTPUT_TOO_LARGE, f"the answer is larger than {LARGEST_BODY >> 20} MiB.", ASK_VENDOR
                        )
                    )
                if self._monotonic() > ends_at:
                    raise ApiUnavailableError(
                        place.error(Rule.OBJECT_UNAVAILABLE, "no complete answer before the deadline.", ASKED_AGAIN)
                    )
        except (UnknownCodingError, DamagedBodyError) as error:
            if response.status_code != 200:
                return bytes(body)  # its status says enough
            if isinstance(error, UnknownCodingError):
                raise ApiResponseError(place.error(Rule.RESPONSE_MALFORMED, f"{error}.", ASK_VENDOR)) from None
            raise ApiUnavailableError(
                place.error(Rule.OBJECT_UNAVAILABLE, "the compressed answer is damaged.", ASKED_AGAIN)
            ) from None
        return bytes(body)


def _parse_origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
