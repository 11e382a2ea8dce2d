"""ListObjectsV2: which keys and common prefixes one page holds, and its XML. `s3.app` handles the HTTP side."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote
from xml.sax.saxutils import escape

from hd_pipelines.sandbox.bucket import Bucket, ObjectInfo

MAX_KEYS = 1000


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One requested page. `resume_after` is the last entry of the page before, from its continuation token."""

    prefix: str
    delimiter: str
    start_after: str
    resume_after: str
    max_keys: int
    encodes_keys: bool
    token: str | None

    @classmethod
    def parse(cls, arguments: Mapping[str, str]) -> ListRequest:
        """Parse a query. Raises `ValueError` that names the unusable argument."""
        if arguments.get("list-type") != "2":
            raise ValueError("only list-type=2 is offered")
        token = arguments.get("continuation-token")
        try:
            resume_after = base64.urlsafe_b64decode(token).decode() if token else ""
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("the continuation token is not from this server") from None
        max_keys = arguments.get("max-keys", str(MAX_KEYS))
        if not max_keys.isdecimal():
            raise ValueError(f"max-keys must be a number, not {max_keys!r}")
        return cls(
            arguments.get("prefix", ""),
            arguments.get("delimiter", ""),
            arguments.get("start-after", ""),
            resume_after,
            min(int(max_keys), MAX_KEYS),
            arguments.get("encoding-type") == "url",
            token,
        )


def _list_entries(bucket: Bucket, request: ListRequest, is_hidden: Callable[[str], bool]) -> Iterator[tuple[str, bool]]:
    """Yield (key or common prefix, whether it is a common prefix) after the resume point, in order, each once."""
    last = ""
    for key in bucket.list_keys(request.prefix):
        if key <= request.start_after or is_hidden(key):
            continue
        rest = key[len(request.prefix) :]
        head, found, _ = rest.partition(request.delimiter) if request.delimiter else (rest, "", "")
        entry = request.prefix + head + found
        if entry != last and entry > request.resume_after:
            last = entry
            yield entry, bool(found)


def build_listing_xml(bucket: Bucket, name: str, request: ListRequest, is_hidden: Callable[[str], bool]) -> bytes:
    """Build the page as S3's ListBucketResult. Keys for which `is_hidden` holds are left out."""

    def encode_text(text: str) -> str:
        return quote(text, safe="/") if request.encodes_keys else escape(text)

    entries = _list_entries(bucket, request, is_hidden)
    page = list(islice(entries, request.max_keys))
    is_truncated = bool(page) and next(entries, None) is not None
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        f"<Name>{name}</Name><Prefix>{encode_text(request.prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>",
        f"<MaxKeys>{request.max_keys}</MaxKeys><IsTruncated>{str(is_truncated).lower()}</IsTruncated>",
    ]
    if request.delimiter:
        lines.append(f"<Delimiter>{encode_text(request.delimiter)}</Delimiter>")
    if request.start_after:
        lines.append(f"<StartAfter>{encode_text(request.start_after)}</StartAfter>")
    if request.encodes_keys:
        lines.append("<EncodingType>url</EncodingType>")
    if request.token:
        lines.append(f"<ContinuationToken>{escape(request.token)}</ContinuationToken>")
    if is_truncated:
        token = base64.urlsafe_b64encode(page[-1][0].encode()).decode()
        lines.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    for entry, is_prefix in page:
        if is_prefix:
            lines.append(f"<CommonPrefixes><Prefix>{encode_text(entry)}</Prefix></CommonPrefixes>")
        else:
            lines.append(_build_contents(bucket.info(entry), encode_text(entry)))
    lines.append("</ListBucketResult>")
    return "\n".join(lines).encode()


def _build_contents(info: ObjectInfo, shown_key: str) -> str:
    return (
        f"<Contents><Key>{shown_key}</Key><LastModified>{info.modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        f"<ETag>&quot;{info.etag}&quot;</ETag><Size>{info.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
