"""Bodies of answers, undone within bounds: plain, packed, packed twice, damaged, cut short."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.providers.massive.rest.content_coding import DamagedBodyError, UnknownCodingError, inflate


def cut(body, size):
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(st.binary(max_size=4_000), st.integers(1, 500))
def test_what_was_packed_comes_out_however_it_arrives(content, size):
    assert b"".join(inflate(cut(gzip.compress(content), size), "gzip")) == content
    assert b"".join(inflate(cut(content, size), "")) == content


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "deflate", "zstd", "gzip;q=1"])
def test_a_coding_that_was_not_offered_is_refused_before_anything_is_read(coding):
    def never():
        raise AssertionError("read")
        yield b""

    with pytest.raises(UnknownCodingError, match="was not offered"):
        list(inflate(never(), coding))


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-9],
        lambda body: body + b"more",
        lambda body: body[:20] + bytes([body[20] ^ 0xFF]) + body[21:],
        lambda _: b"no gzip at all",
        lambda _: b"",
    ],
)
def test_a_damaged_body_is_refused(damage):
    with pytest.raises(DamagedBodyError):
        list(inflate([damage(gzip.compress(b"content " * 100))], "gzip"))


@pytest.mark.parametrize("tail", [b"more", gzip.compress(b"a second one")])
def test_what_follows_the_end_is_refused_also_when_it_arrives_later(tail):
    with pytest.raises(DamagedBodyError):
        list(inflate([gzip.compress(b"content"), b"", tail], "gzip"))


def test_a_bomb_is_handed_out_in_pieces_of_a_mebibyte():
    bomb = gzip.compress(bytes(200 << 20), 9)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    largest = max(map(len, inflate([bomb], "gzip")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert largest <= 1 << 20
    assert peak < 8 << 20
