"""The vendor's S3 endpoint as an ASGI app: ListObjectsV2, HEAD and GET on one bucket, path style, as boto3 expects them.

Objects come from `bucket`, `s3.signature` checks signatures, `faults` scripts failures, `server` runs it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import format_datetime
from itertools import count
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hd_pipelines.providers.massive.flat_files.layout import BUCKET, OPTION_MINUTE
from hd_pipelines.sandbox.bucket import Bucket, ObjectInfo, UnsafeKeyError
from hd_pipelines.sandbox.faults import (
    Absent,
    Action,
    CutConnection,
    FaultScript,
    Operation,
    Refuse,
    Republish,
    SlowBody,
    TruncateBody,
    WrongLength,
    read_utc_clock,
)
from hd_pipelines.sandbox.s3.listing import ListRequest, build_listing_xml
from hd_pipelines.sandbox.s3.signature import KeyPair, SignatureRefusedError, SignedRequest, check_signature

SANDBOX_KEYS = KeyPair("sandbox", "sandbox-secret")
"""The only account of the sandbox; public on purpose."""
CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")
_DATE_IN_KEY = re.compile(r"(\d{4}-\d{2}-\d{2})\.csv\.gz$")
_CODES = {
    304: "NotModified",
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
    503: "SlowDown",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Objects that the account may fetch. Listing shows everything, as the vendor's does; GET and HEAD answer 403 outside.

    `history_since`: first date, None for all. `prefixes`: key prefixes, None for all.
    """

    history_since: date | None = None
    prefixes: tuple[str, ...] | None = None

    def covers(self, key: str) -> bool:
        """Whether `key` may be fetched. A date before the window is refused even if there is no object."""
        if self.prefixes is not None and not key.startswith(self.prefixes):
            return False
        match = _DATE_IN_KEY.search(key)
        return self.history_since is None or match is None or date.fromisoformat(match[1]) >= self.history_since


class S3Error(Exception):
    """An answer other than the object: becomes S3's XML, or an empty body on HEAD."""

    def __init__(self, status: int, message: str, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or _CODES[status]
        self.retry_after = retry_after


class S3App:
    """ASGI application over one bucket folder. Counts requests in `requests_served`, by operation."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        plan: Plan | None = None,
        faults: FaultScript | None = None,
        keys: KeyPair = SANDBOX_KEYS,
        name: str = BUCKET,
        clock: Callable[[], datetime] = read_utc_clock,
    ) -> None:
        self.bucket = bucket
        self.plan = plan or Plan()
        self.faults = faults or FaultScript()
        self.requests_served = dict.fromkeys(Operation, 0)
        self._keys = keys
        self._name = name
        self._clock = clock
        self._request_ids = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Lifespan events are not supported; run with `lifespan="off"`."""
        request_id = f"{next(self._request_ids):016X}"
        method = scope["method"]
        try:
            await self._answer(scope, receive, send, request_id)
        except S3Error as error:
            headers = {"x-amz-request-id": request_id}
            if error.retry_after is not None:
                headers["retry-after"] = str(error.retry_after)
            if method not in {"GET", "HEAD"}:
                # The body was not read; on a kept connection it would be taken for the next request.
                headers["connection"] = "close"
            body = (
                b"" if method == "HEAD" or error.status == 304 else _build_error_xml(error, scope["path"], request_id)
            )
            response = Response(body, error.status, headers, "application/xml" if body else None)
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        raw_path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        try:
            check_signature(SignedRequest(scope["method"], raw_path, query, headers), self._keys, self._clock())
        except SignatureRefusedError as refusal:
            raise S3Error(403, str(refusal), refusal.code) from None
        name, _, key = unquote(raw_path).lstrip("/").partition("/")
        if name != self._name:
            raise S3Error(404, f"The bucket is called {self._name}, not {name!r}.", "NoSuchBucket")
        if scope["method"] not in {"GET", "HEAD"} or (not key and scope["method"] == "HEAD"):
            raise S3Error(501, "The sandbox answers ListObjectsV2, HEAD object and GET object only.")
        if key:
            await self._object(scope["method"], key, headers, send, request_id)
        else:
            await self._list(query)(scope, receive, send)

    def _list(self, query: str) -> Response:
        arguments = dict(parse_qsl(query, keep_blank_values=True))
        try:
            request = ListRequest.parse(arguments)
        except ValueError as error:
            raise S3Error(400, str(error)) from None
        self.requests_served[Operation.LIST] += 1
        action = self.faults.find_action(Operation.LIST, request.prefix)
        if isinstance(action, Refuse):
            raise _make_refusal(action)
        return Response(
            build_listing_xml(self.bucket, self._name, request, self.faults.is_hidden), 200, None, "application/xml"
        )

    async def _object(self, method: str, key: str, headers: dict[str, str], send: Send, request_id: str) -> None:
        operation = Operation.HEAD if method == "HEAD" else Operation.GET
        self.requests_served[operation] += 1
        if not self.plan.covers(key):
            raise S3Error(403, "You are not entitled to this data.")
        action = self.faults.find_action(operation, key)
        if isinstance(action, Refuse):
            raise _make_refusal(action)
        if isinstance(action, Absent):
            raise _make_no_such_key()
        if isinstance(action, Republish):
            self.bucket.put(key, action.body)
        try:
            stream, info = self.bucket.open(key)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, UnsafeKeyError):
            raise _make_no_such_key() from None
        with stream:
            _check_preconditions(info, headers)
            first, last = _parse_byte_range(headers.get("range"), info.size)
            length = last - first + 1
            if isinstance(action, TruncateBody):
                length = min(length, action.to_bytes)
            promised = max(length + action.by_bytes, 0) if isinstance(action, WrongLength) else length
            answer = _build_object_headers(info, promised, request_id)
            if "range" in headers:
                answer["content-range"] = f"bytes {first}-{first + length - 1}/{info.size}"
            await send(
                {
                    "type": "http.response.start",
                    "status": 206 if "range" in headers else 200,
                    "headers": [(name.encode(), value.encode()) for name, value in answer.items()],
                }
            )
            if operation is Operation.HEAD:
                await send({"type": "http.response.body", "body": b""})
            else:
                stream.seek(first)
                await _send_body(stream, min(length, promised), promised, action, send)


async def _send_body(stream: BinaryIO, length: int, promised: int, action: Action | None, send: Send) -> None:
    """Send `length` bytes. Returning with less than `promised` makes the server close the connection."""
    limit = min(length, action.after_bytes) if isinstance(action, CutConnection) else length
    async for chunk in _read_chunks(stream, limit, action):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if limit == promised:
        await send({"type": "http.response.body", "body": b""})


async def _read_chunks(stream: BinaryIO, length: int, action: Action | None) -> AsyncIterator[bytes]:
    slow = action if isinstance(action, SlowBody) else None
    left = length
    while left > 0:
        chunk = stream.read(min(slow.chunk_bytes if slow else CHUNK_BYTES, left))
        if not chunk:
            return
        left -= len(chunk)
        yield chunk
        if slow:
            await asyncio.sleep(slow.pause_seconds)


def _make_no_such_key() -> S3Error:
    return S3Error(404, "The specified key does not exist.")


def _make_refusal(action: Refuse) -> S3Error:
    message = "Please reduce your request rate." if action.status in {429, 503} else "Refused by the fault script."
    return S3Error(action.status, message, action.code, action.retry_after_seconds)


def _check_preconditions(info: ObjectInfo, headers: dict[str, str]) -> None:
    wanted = headers.get("if-match")
    if wanted is not None and wanted != "*" and info.etag not in _parse_etags(wanted):
        raise S3Error(412, "At least one of the pre-conditions you specified did not hold.")
    unwanted = headers.get("if-none-match")
    if unwanted is not None and (unwanted == "*" or info.etag in _parse_etags(unwanted)):
        raise S3Error(304, "Not modified.")


def _parse_etags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/").strip('"') for part in header.split(",")}


def _parse_byte_range(header: str | None, size: int) -> tuple[int, int]:
    """Parse first and last byte, inclusive; the whole object without a header. Raises 416 for an unsatisfiable range."""
    if header is None:
        return 0, size - 1
    match = _RANGE.match(header.strip())
    if match is None or match.groups() == ("", ""):
        raise S3Error(416, f"The range {header!r} is not of the form bytes=first-last.")
    if match[1] == "":
        first, last = max(size - int(match[2]), 0), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if first > last:
        raise S3Error(416, f"The range {header!r} lies outside the object of {size} bytes.")
    return first, last


def _build_object_headers(info: ObjectInfo, length: int, request_id: str) -> dict[str, str]:
    headers = {
        "content-type": "application/gzip" if info.key.endswith(".gz") else "binary/octet-stream",
        "content-length": str(length),
        "etag": f'"{info.etag}"',
        "last-modified": format_datetime(info.modified, usegmt=True),
        "accept-ranges": "bytes",
        "x-amz-request-id": request_id,
    }
    if info.key.startswith(OPTION_MINUTE.prefix):
        headers["x-amz-meta-compression-level"] = "9"
    return headers


def _build_error_xml(error: S3Error, resource: str, request_id: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
        f"<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
    ).encode()
