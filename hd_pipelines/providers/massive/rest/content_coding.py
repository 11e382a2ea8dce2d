"""Undoes the content coding of an HTTP body piece by piece, so that a small body cannot become a large one unseen.

Only what a request offers is accepted: gzip once, or nothing. A body packed twice grew from 6.8 kB to 8.2 GB within one
piece, before any limit on the result could be checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_PIECE_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


class UnknownCodingError(ValueError):
    """The body is coded in a way that was not offered."""


class DamagedBodyError(ValueError):
    """The compressed body is corrupt, cut short, or followed by something else."""


def inflate(raw: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Yield the content of a body in pieces of at most a mebibyte.

    Args:
        raw: The body as it arrives.
        coding: The header Content-Encoding; empty if there is none.

    Raises `UnknownCodingError` before the first piece, `DamagedBodyError` after the last sound one.
    """
    named = coding.strip().lower()
    if named in {"", "identity"}:
        yield from raw
        return
    if named not in {"gzip", "x-gzip"}:
        raise UnknownCodingError(f"the answer is coded as {coding[:40]!r}, which was not offered")
    stream = zlib.decompressobj(_GZIP)
    try:
        for part in raw:
            if stream.eof and part:
                raise DamagedBodyError
            waiting = part
            while waiting and not stream.eof:
                yield stream.decompress(waiting, _PIECE_BYTES)
                waiting = stream.unconsumed_tail
            if stream.eof and stream.unused_data:
                raise DamagedBodyError
        while not stream.eof and (pending := stream.decompress(b"", _PIECE_BYTES)):
            yield pending
    except zlib.error:
        raise DamagedBodyError from None
    if not stream.eof:
        raise DamagedBodyError
