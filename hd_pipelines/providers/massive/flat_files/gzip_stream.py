"""Decompresses gzip text in blocks of whole lines, with bounded memory, and verifies everything.

Checks the RFC 1952 header, CRC-32, ISIZE and the end of the stream, computes the SHA-256 of the compressed bytes, and can
read ahead in a thread. Lines are not interpreted. Concatenated members are one text, as in RFC 1952 §2.2 and `gzip -d`; any
other byte after a member is refused.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError

from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.tables.vocabulary import Rule

_IsalError = cast("type[Exception]", IsalError)  # isal declares an instance
_GZIP_WINDOW = 31  # zlib's code for "gzip wrapper, largest window"
_READ_BYTES = 2 << 20
_DOWNLOAD_AGAIN = "Delete the landed file and download it again; if it repeats, report the object to the vendor."


class _Member(Protocol):
    """One gzip member being decompressed. isal's object has no types of its own."""

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class GzipLimits:
    """Limits on the decompressed size. The largest known aggregate file is 1 GiB of text at a ratio of 8.

    The ratio is checked beyond `small_text_bytes`. Blocks are small enough to stay in the processor's cache between
    decompression, parsing and checking.
    """

    block_bytes: int = 8 << 20
    max_line_bytes: int = 16 << 20
    max_text_bytes: int = 4 << 30
    max_ratio: float = 200.0
    small_text_bytes: int = 64 << 20


class GzipLines:
    """Iterates once over a gzip file in blocks of whole lines; `sha256` and the counts are complete afterwards.

    Every block ends in a line feed (one is added to a last line without). Raises `FileRefusedError` with `GZIP_TRUNCATED`,
    `GZIP_CORRUPT`, `GZIP_TRAILING_BYTES`, `OUTPUT_TOO_LARGE`, `LINE_TOO_LONG` or `FILE_EMPTY`; blocks yielded before that
    must not be published.
    """

    def __init__(self, path: Path, place: ObjectPlace, limits: GzipLimits | None = None) -> None:
        self._path, self._place = path, place
        self._limits = limits or GzipLimits()
        self._sha256 = hashlib.sha256()
        self.compressed_bytes = 0
        self.text_bytes = 0

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the compressed bytes read so far."""
        return self._sha256.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for text in self._texts():
            end = text.rfind(b"\n") + 1
            if end:
                yield b"".join((rest, memoryview(text)[:end]))
                rest = text[end:]
            else:
                rest += text
            if len(rest) > self._limits.max_line_bytes:
                raise self._refusal(
                    Rule.LINE_TOO_LONG, f"a line has more than {self._limits.max_line_bytes:,} bytes.", _DOWNLOAD_AGAIN
                )
        if rest:
            yield rest + b"\n"

    def _texts(self) -> Iterator[bytes]:
        """Yield decompressed pieces of at most `block_bytes`, ending only after the last trailer was verified."""
        member = isal_zlib.decompressobj(_GZIP_WINDOW)
        with self._path.open("rb", buffering=0) as file:
            while data := self._read(file):
                while data:
                    if member.eof:
                        self._expect_member(data)
                        member = isal_zlib.decompressobj(_GZIP_WINDOW)
                    text = self._decompress(member, data)
                    if text:
                        yield text
                    data = member.unused_data if member.eof else member.unconsumed_tail
                    if member.eof and 0 < len(data) < 2:
                        data += self._read(file)  # the magic of the next member lies across two reads
                while not member.eof and (text := self._decompress(member, b"")):
                    yield text
        if self.compressed_bytes == 0:
            raise self._refusal(Rule.FILE_EMPTY, "the object has no bytes.", "Wait for the vendor to publish it again.")
        if not member.eof:
            raise self._refusal(
                Rule.GZIP_TRUNCATED,
                f"the gzip stream ends after {self.compressed_bytes:,} bytes without its trailer.",
                _DOWNLOAD_AGAIN,
            )

    def _read(self, file: FileIO) -> bytes:
        data = file.read(_READ_BYTES)
        self.compressed_bytes += len(data)
        self._sha256.update(data)
        return data

    def _decompress(self, member: _Member, data: bytes) -> bytes:
        try:
            text = member.decompress(data, max_length=self._limits.block_bytes)
        except _IsalError as error:
            raise self._refusal(
                Rule.GZIP_CORRUPT,
                f"{error}, near byte {self.compressed_bytes:,} of the compressed file.",
                _DOWNLOAD_AGAIN,
            ) from error
        self.text_bytes += len(text)
        too_large = self.text_bytes > self._limits.max_text_bytes
        # The ratio means little on a small file: a day of one ticker compresses like a bomb.
        too_dense = (
            self.text_bytes > self._limits.small_text_bytes
            and self.text_bytes > self._limits.max_ratio * self.compressed_bytes
        )
        if too_large or too_dense:
            raise self._refusal(
                Rule.OUTPUT_TOO_LARGE,
                f"{self.compressed_bytes:,} compressed bytes have become {self.text_bytes:,}, more than the limit of "
                f"{self._limits.max_text_bytes:,} bytes or {self._limits.max_ratio:g} times.",
                "Look at the object by hand; raise GzipLimits only if the vendor's files have grown.",
            )
        return text

    def _expect_member(self, data: bytes) -> None:
        if data[:2] != b"\x1f\x8b":
            raise self._refusal(
                Rule.GZIP_TRAILING_BYTES,
                f"bytes that are not gzip follow the end of the stream, before byte {self.compressed_bytes:,}.",
                _DOWNLOAD_AGAIN,
            )

    def _refusal(self, rule: Rule, detail: str, cure: str) -> FileRefusedError:
        return FileRefusedError(self._place.error(rule, detail, cure))


def count_lines(path: Path, place: ObjectPlace, limits: GzipLimits | None = None) -> int:
    """Count the lines of a gzip text, header included, and verify it to the last trailer. Raises as `GzipLines`."""
    return sum(count_line_feeds(block) for block in GzipLines(path, place, limits))


def count_line_feeds(block: bytes) -> int:
    """Count line feeds in `block`; four times faster than bytes.count() on short lines."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))


def read_ahead(blocks: Iterable[bytes], depth: int = 2) -> Generator[bytes]:
    """Yield the same blocks, produced by a thread that stays at most `depth` blocks ahead of the reader.

    Decompression releases the interpreter lock, so it overlaps with parsing. An exception of the producer is raised here,
    in its place in the order; closing the generator early ends the thread.
    """
    source = iter(blocks)
    with ThreadPoolExecutor(1, thread_name_prefix="gzip-read-ahead") as pool:
        pending = deque(pool.submit(next, source, None) for _ in range(depth))
        try:
            while (block := pending.popleft().result()) is not None:
                pending.append(pool.submit(next, source, None))
                yield block
        finally:
            for future in pending:
                future.cancel()
