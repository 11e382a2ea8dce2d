"""Check AWS Signature Version 4 of a request, headers only, as S3 does.

Source: AWS, "Signature Version 4 signing process"; S3 uses the path as sent, encoded once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=(?P<key_id>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)"
    r"/aws4_request), ?SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})$"
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Access key id and secret of one account."""

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What the signature covers: `raw_path` and `query` exactly as sent, `headers` with lower-case names."""

    method: str
    raw_path: str
    query: str
    headers: Mapping[str, str]


class SignatureRefusedError(Exception):
    """Why S3 would answer 403: `code` is S3's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_signature(request: SignedRequest, keys: KeyPair, now: datetime) -> None:
    """Raise `SignatureRefusedError` unless the request was signed with `keys` within 15 minutes of `now`."""
    headers = request.headers
    match = _AUTHORIZATION.match(headers.get("authorization", ""))
    stamp = headers.get("x-amz-date", "")
    if match is None or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        raise SignatureRefusedError("AccessDenied", "The request is not signed; anonymous access is not offered.")
    if not hmac.compare_digest(match["key_id"], keys.key_id):
        raise SignatureRefusedError("InvalidAccessKeyId", "The access key id does not exist in our records.")
    signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(now - signed_at) > SKEW:
        raise SignatureRefusedError("RequestTimeTooSkewed", f"Signed at {stamp}, more than 15 minutes from now.")
    names = match["signed"].split(";")
    canonical = "\n".join(
        (
            request.method,
            request.raw_path,
            "&".join(f"{name}={value}" for name, value in sorted(_parse_pairs(request.query))),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            match["signed"],
            headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, match["scope"], digest))
    key = f"AWS4{keys.secret}".encode()
    for part in (match["day"], match["region"], match["service"], "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), match["signature"]):
        raise SignatureRefusedError("SignatureDoesNotMatch", "The signature does not match; check the secret key.")


def _parse_pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)]
