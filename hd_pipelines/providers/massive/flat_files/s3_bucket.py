"""Accesses one S3 bucket through boto3, and converts each refusal into a typed error about the object.

Uses path style, SigV4 and botocore's standard retries. `layout` defines which objects exist; `client` downloads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import urllib3.exceptions
from botocore import exceptions as botocore_exceptions
from botocore.config import Config

from hd_pipelines.providers.errors import FlatFileError, ObjectPlace
from hd_pipelines.providers.http import is_loopback
from hd_pipelines.providers.massive.flat_files import refusals

if TYPE_CHECKING:
    from pydantic import SecretStr

REGION = "us-east-1"
"""Any region works for signing; the vendor has one bucket."""
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
_PIECE_BYTES = 1 << 20
_REFUSED: type[Exception] = botocore_exceptions.ClientError
"""A response with an error status."""
_CUT: tuple[type[Exception], ...] = (
    botocore_exceptions.ConnectionError,  # nobody listens, no TLS, no proxy
    botocore_exceptions.HTTPClientError,  # timeouts, closed connections
    botocore_exceptions.IncompleteReadError,  # the body was shorter than announced
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
)
"""No response, or a body that stopped arriving."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object: ETag without quotes, size in bytes, time of publication (UTC)."""

    key: str
    etag: str
    size: int
    last_modified: datetime


class S3Bucket:
    """A bucket behind an endpoint. It can be shared between threads. Every method raises `FlatFileError`s.

    Only the arguments are used: no profile, no credentials of the environment, and no proxy towards this machine.
    """

    def __init__(
        self,
        url: str,
        bucket: str,
        key_id: SecretStr,
        secret: SecretStr,
        *,
        max_attempts: int,
        max_connections: int,
    ) -> None:
        config = Config(
            region_name=REGION,
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": max_attempts},
            max_pool_connections=max_connections,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            response_checksum_validation="when_required",  # the vendor's objects carry none; we have CRC-32 and SHA-256
            proxies={} if is_loopback(url) else None,
        )
        self._bucket, self._url = bucket, url
        self._s3: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=key_id.get_secret_value(),
            aws_secret_access_key=secret.get_secret_value(),
            config=config,
        )

    def __repr__(self) -> str:
        parts = urlsplit(self._url)
        return f"S3Bucket({parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()}, {self._bucket!r})"

    def list_versions(self, place: ObjectPlace) -> Iterator[ObjectVersion]:
        """List the current versions of all objects whose key begins with `place.key`; one LIST per thousand."""
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=place.key):
                for entry in page.get("Contents", ()):
                    yield ObjectVersion(
                        entry["Key"], _strip_quotes(entry["ETag"]), entry["Size"], entry["LastModified"].astimezone(UTC)
                    )
        except _REFUSED as error:
            raise self._listing_refused(error, place) from None
        except _CUT as error:
            raise refusals.build_unavailable_error(place, type(error).__name__) from None

    def head(self, place: ObjectPlace) -> ObjectVersion:
        """Current version of the object `place.key`."""
        with self._typed(place):
            answer = self._s3.head_object(Bucket=self._bucket, Key=place.key)
        return ObjectVersion(
            place.key, _strip_quotes(answer["ETag"]), answer["ContentLength"], answer["LastModified"].astimezone(UTC)
        )

    def body(self, place: ObjectPlace, etag: str, offset: int, size: int) -> Iterator[bytes]:
        """Yield pieces of the object from byte `offset` to `size`, of the version `etag` and no other.

        If the connection is cut, this ends early without an error; the caller counts the bytes and continues from there.
        """
        with self._typed(place):
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=place.key, Range=f"bytes={offset}-{size - 1}", IfMatch=f'"{etag}"'
            )
        body = answer["Body"]
        try:
            if (
                given := _strip_quotes(answer.get("ETag", ""))
            ) != etag:  # not every store of this protocol knows If-Match
                raise refusals.build_republished_error(place, f"while it was downloaded: {etag} became {given}")
            while piece := body.read(_PIECE_BYTES):
                yield piece
        except _CUT:
            return
        finally:
            body.close()

    @contextmanager
    def _typed(self, place: ObjectPlace) -> Iterator[None]:
        try:
            yield
        except _REFUSED as error:
            raise self._object_refused(error, place) from None
        except _CUT as error:
            raise refusals.build_unavailable_error(place, type(error).__name__) from None

    def _object_refused(self, error: Exception, place: ObjectPlace) -> FlatFileError:
        status = _get_status(error)
        if status == 403:
            return self._forbidden(place)
        if status == 404:
            return refusals.build_absent_error(place)
        if status == 412:
            return refusals.build_republished_error(place, "while it was downloaded (412 on If-Match)")
        if status == 416:
            return refusals.build_republished_error(place, "while it was downloaded: it is shorter now (416)")
        return refusals.build_unavailable_error(place, _describe_error(error))

    def _forbidden(self, place: ObjectPlace) -> FlatFileError:
        """403 means another plan, an unpublished object or wrong keys; one cheap LIST distinguishes them."""
        try:
            answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=place.key, MaxKeys=1)
        except _REFUSED as error:
            return self._listing_refused(error, place)
        except _CUT as error:
            return refusals.build_unavailable_error(place, type(error).__name__)
        is_listed = any(entry["Key"] == place.key for entry in answer.get("Contents", ()))
        return refusals.build_not_entitled_error(place) if is_listed else refusals.build_absent_error(place)

    @staticmethod
    def _listing_refused(error: Exception, place: ObjectPlace) -> FlatFileError:
        if _get_status(error) in {401, 403}:
            return refusals.build_credentials_error(place, _describe_error(error))
        return refusals.build_unavailable_error(place, _describe_error(error))


def _strip_quotes(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _get_status(error: Any) -> int:  # noqa: ANN401  (botocore has no types)
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _describe_error(error: Any) -> str:  # noqa: ANN401
    """Describe as `503 SlowDown`: status and code, without the message, which may repeat what was sent."""
    return f"{_get_status(error)} {error.response.get('Error', {}).get('Code', '')}".strip()
