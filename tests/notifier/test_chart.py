"""The picture of a signal: a PNG, the same on every machine, with the plan where it belongs."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from hd_pipelines.alerts.signal_message import SignalNotice
from hd_pipelines.notifier.chart import (
    BOTTOM,
    ENTRY,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    VWAP,
    WIDTH,
    _apart,
    _Up,
    signal_picture,
    with_session_vwap,
)
from hd_pipelines.notifier.lettering import words_as_strokes
from hd_pipelines.notifier.raster import Raster

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SESSION = date(2026, 11, 20)
SIGNAL = SignalNotice(
    "ab" * 16,
    "SPY",
    "trend_continuation",
    "LONG",
    "day_trade",
    78.0,
    Decimal(101),
    Decimal(100),
    (Decimal(102), Decimal(103), Decimal(104)),
    2.0,
    OPEN + timedelta(hours=3),
    OPEN,
    "",
    None,
    (),
)


def bars(count: int, begin: datetime = OPEN, session: date = SESSION) -> pl.DataFrame:
    closes = [100.5 + 0.1 * (n % 5) for n in range(count)]
    return pl.DataFrame(
        {
            "session": [session] * count,
            "timestamp": [begin + timedelta(minutes=5 * n) for n in range(count)],
            "open": [100.5] * count,
            "high": [close + 0.3 for close in closes],
            "low": [100.2] * count,
            "close": closes,
            "volume": [1000.0] * count,
            "vwap": closes,
        }
    )


def pixels(png: bytes) -> np.ndarray:
    """Decode what `Raster.png` writes: one IDAT, filter 2."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    width, height, depth, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colours) == (8, 2)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert set(rows[:, 0]) == {2}
    return np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8).reshape(height, width, 3)


def colour_at(png: bytes, x: float, y: float) -> str:
    return "#" + bytes(pixels(png)[int(y), int(x)]).hex()


def test_a_picture_is_a_png_of_its_size_and_the_same_twice():
    shown = with_session_vwap(bars(40))
    png = signal_picture(shown, SIGNAL, {})
    assert pixels(png).shape == (HEIGHT, WIDTH, 3)
    assert png == signal_picture(shown, SIGNAL, {})
    assert len(png) < 200_000


def test_the_entry_is_where_its_price_is():
    shown = with_session_vwap(bars(40))
    up = _Up([*shown["low"], *shown["high"], 100, 101, 102, 103, 104])
    assert colour_at(signal_picture(shown, SIGNAL, {}), LEFT + 2, up(101)) == ENTRY
    assert TOP < up(104) < up(100) < BOTTOM


def test_vwap_is_drawn_where_it_is_known_only():
    def has_vwap(frame: pl.DataFrame) -> bool:
        inside = pixels(signal_picture(frame, SIGNAL, {}))[TOP:BOTTOM, LEFT:RIGHT]
        return bool((inside == np.array([int(VWAP[n : n + 2], 16) for n in (1, 3, 5)])).all(axis=2).any())

    assert has_vwap(with_session_vwap(bars(40)))
    assert not has_vwap(with_session_vwap(bars(40).with_columns(vwap=pl.lit(None, pl.Float64))))


def test_too_few_bars_are_no_picture():
    assert signal_picture(with_session_vwap(bars(1)), SIGNAL, {}) is None


@pytest.mark.parametrize("direction", ["LONG", "SHORT"])
@pytest.mark.parametrize("scale", ["0.003", "1", "60"])
def test_any_price_and_direction_can_be_drawn(direction, scale):
    times = Decimal(scale)
    shown = with_session_vwap(bars(90)).with_columns(
        pl.col("open", "high", "low", "close", "session_vwap") * float(times)
    )
    targets = tuple(target * times for target in SIGNAL.targets)
    signal = replace(SIGNAL, direction=direction, entry=101 * times, stop=100 * times, targets=targets)
    assert signal_picture(shown, signal, {"call_wall": float(102 * times), "far": 1e9}) is not None


def test_session_vwap_begins_anew_and_passes_over_bars_without_volume():
    days = pl.concat([bars(3), bars(2, OPEN + timedelta(days=3), date(2026, 11, 23))])
    known = days.with_columns(
        volume=pl.Series([0.0, 100.0, 300.0, None, 100.0]), vwap=pl.Series([1.0, 2.0, 6.0, 9.0, 7.0])
    )
    assert with_session_vwap(known)["session_vwap"].to_list() == [None, 2.0, 5.0, None, 7.0]


def test_labels_that_would_touch_are_moved_apart_and_stay_inside():
    places = _apart([100.0, 101.0, 102.0, BOTTOM, BOTTOM])
    assert all(b - a >= 16.9 for a, b in pairwise(places))
    assert max(places) <= BOTTOM + 8.1
    assert _apart([]) == []


def test_drawing_outside_is_cut_off():
    raster = Raster(20, 10, "#000000")
    raster.box(-5, -5, 3, 3, colour="#ffffff")
    raster.line(-50, 5, 50, 5, colour="#ff0000")
    raster.line(100, 100, 200, 200, colour="#ff0000")
    raster.words(15, 8, "wide words", 6, "#00ff00")
    shown = pixels(raster.png())
    assert shown[1, 1].tolist() == [255, 255, 255]
    assert shown[9, 0].tolist() == [0, 0, 0]


def test_every_letter_that_a_chart_needs_has_a_shape():
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-+%/()&·":
        segments, width = words_as_strokes(character)
        assert segments, character
        assert width > 0
    assert words_as_strokes("spy")[0] == words_as_strokes("SPY")[0]
    assert words_as_strokes("")[1] == 0
