"""Bytes of a flat file: every fault of the container is reported, and none reaches the reader as text."""

import gzip
import os
import random
import threading
import tracemalloc
import zlib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.providers.massive.flat_files.gzip_stream import GzipLimits, GzipLines, count_lines, read_ahead
from hd_pipelines.tables.vocabulary import Rule
from tests.support.flat_files import SESSION, good_rows, text

PLACE = ObjectPlace("stock_minute_aggs", SESSION, "us_stocks_sip/minute_aggs_v1/2026/05/2026-05-22.csv.gz")
PLAIN = text(good_rows(400))
GZIP = gzip.compress(PLAIN, mtime=0)


def unpack(path: Path, body: bytes, limits: GzipLimits | None = None) -> bytes:
    path.write_bytes(body)
    return b"".join(GzipLines(path, PLACE, limits))


def refused_rule(path: Path, body: bytes, limits: GzipLimits | None = None) -> Rule:
    with pytest.raises(FileRefusedError) as refusal:
        unpack(path, body, limits)
    assert refusal.value.finding.subject == PLACE.key
    assert refusal.value.finding.cure
    return refusal.value.finding.rule


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.csv.gz"


@pytest.mark.parametrize("missing", [1, 4, 8, 9, 100, len(GZIP) - 3])
def test_f01_truncated_gzip_is_refused_wherever_it_was_cut(path, missing):
    assert refused_rule(path, GZIP[:-missing]) is Rule.GZIP_TRUNCATED


@pytest.mark.parametrize("position", [-8, -5, -4, -1])
def test_f02_bad_crc_or_length_in_the_trailer_is_refused(path, position):
    damaged = bytearray(GZIP)
    damaged[position] ^= 0x20
    assert refused_rule(path, bytes(damaged)) is Rule.GZIP_CORRUPT


def test_f02_something_that_is_not_gzip_is_refused(path):
    assert refused_rule(path, b"<html>503 Slow Down</html>" * 20) in {Rule.GZIP_CORRUPT, Rule.GZIP_TRAILING_BYTES}


@pytest.mark.parametrize("split", [0, 1, 57, len(PLAIN) - 1, len(PLAIN)])
def test_f03_concatenated_members_are_one_text(path, split):
    assert unpack(path, gzip.compress(PLAIN[:split]) + gzip.compress(PLAIN[split:])) == PLAIN


def test_f03_the_second_member_is_verified_too(path):
    assert refused_rule(path, GZIP + GZIP[:-1]) is Rule.GZIP_TRUNCATED


def test_f03_a_member_border_may_lie_across_two_reads(path, monkeypatch):
    monkeypatch.setattr("hd_pipelines.providers.massive.flat_files.gzip_stream._READ_BYTES", len(GZIP) + 1)
    assert unpack(path, GZIP + GZIP) == PLAIN + PLAIN


@pytest.mark.parametrize("garbage", [b"x", b"\0" * 512, b"\x1f", b"\x1f\x8c rest"])
def test_f04_trailing_garbage_is_refused(path, garbage):
    assert refused_rule(path, GZIP + garbage) is Rule.GZIP_TRAILING_BYTES


def test_f05_a_bomb_is_refused_before_it_fills_memory(path):
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeezer.compress((b"1" * 99 + b"\n") * 10_000) for _ in range(64)) + squeezer.flush()
    path.write_bytes(bomb)
    limits = GzipLimits(block_bytes=1 << 18, small_text_bytes=1 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(FileRefusedError) as refusal:
            for _ in GzipLines(path, PLACE, limits):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refusal.value.finding.rule is Rule.OUTPUT_TOO_LARGE
    assert peak < 8 << 20


def test_f05_more_text_than_allowed_is_refused(path):
    assert refused_rule(path, GZIP, GzipLimits(max_text_bytes=len(PLAIN) - 1)) is Rule.OUTPUT_TOO_LARGE
    assert unpack(path, GZIP, GzipLimits(max_text_bytes=len(PLAIN))) == PLAIN


def test_f05_a_gzip_header_whose_name_never_ends_is_refused(path):
    endless_name = b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"a" * 5_000_000
    assert refused_rule(path, endless_name) is Rule.GZIP_TRUNCATED


def test_f06_a_file_of_zero_bytes_is_refused(path):
    assert refused_rule(path, b"") is Rule.FILE_EMPTY


def test_f12_a_line_without_end_is_refused_as_such(path):
    noise = random.Random(7).randbytes(3 << 20).replace(b"\n", b" ")
    assert refused_rule(path, gzip.compress(noise), GzipLimits(max_line_bytes=1 << 20)) is Rule.LINE_TOO_LONG


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(GZIP) - 1), flip=st.integers(1, 255))
def test_any_single_damaged_byte_is_detected_or_harmless(tmp_path_factory, position, flip):
    damaged = bytearray(GZIP)
    damaged[position] ^= flip
    with suppress(FileRefusedError):
        assert unpack(tmp_path_factory.getbasetemp() / f"damaged-{os.getpid()}.gz", bytes(damaged)) == PLAIN


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=60),
    members=st.integers(1, 3),
    block_bytes=st.integers(64, 4096),
)
def test_blocks_are_whole_lines_and_together_the_text(tmp_path_factory, lines, members, block_bytes):
    plain = b"".join(line + b"\n" for line in lines)
    cuts = [len(plain) * part // members for part in range(members + 1)]
    body = b"".join(gzip.compress(plain[a:b]) for a, b in pairwise(cuts))
    path = tmp_path_factory.getbasetemp() / f"lines-{os.getpid()}.gz"
    path.write_bytes(body)
    blocks = list(GzipLines(path, PLACE, GzipLimits(block_bytes=block_bytes)))
    assert b"".join(blocks) == plain
    assert all(block.endswith(b"\n") for block in blocks)
    assert count_lines(path, PLACE) == len(lines)


def test_a_last_line_without_line_feed_gets_one(path):
    assert unpack(path, gzip.compress(b"a,b\n1,2")) == b"a,b\n1,2\n"


def test_the_sha256_is_that_of_the_compressed_bytes(path):
    import hashlib

    path.write_bytes(GZIP)
    lines = GzipLines(path, PLACE)
    assert sum(len(block) for block in lines) == lines.text_bytes == len(PLAIN)
    assert lines.sha256 == hashlib.sha256(GZIP).hexdigest()


def test_reading_ahead_keeps_order_and_raises_the_producers_error():
    def blocks():
        yield b"1\n"
        yield b"2\n"
        raise FileRefusedError(PLACE.error(Rule.GZIP_CORRUPT, "no.", "none"))

    ahead = read_ahead(blocks())
    assert next(ahead) == b"1\n"
    assert next(ahead) == b"2\n"
    with pytest.raises(FileRefusedError):
        next(ahead)


def test_reading_ahead_ends_its_thread_when_the_reader_stops_early():
    before = threading.active_count()
    ahead = read_ahead(b"block\n" for _ in range(1_000_000))
    next(ahead)
    assert threading.active_count() == before + 1
    ahead.close()
    assert threading.active_count() == before
