"""A picture of pixels: lines, boxes and words with soft edges, written as PNG.

Belongs here: drawing at given places. What is drawn is `chart`. Chats show PNG and not the SVG that the Dagster pages
use; numpy and zlib are enough for a chart, so no drawing library is needed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.notifier.lettering import CAPITAL, words_as_strokes

_STROKE = 0.13
"""Width of a letter's stroke, in heights of a capital."""


class Raster:
    """Pixels, y downwards from the top left. Colours are `#rrggbb`; what lies outside is cut off."""

    def __init__(self, width: int, height: int, paper: str) -> None:
        self.width, self.height = width, height
        self._pixels: NDArray[np.float32] = np.empty((height, width, 3), np.float32)
        self._pixels[:] = _rgb(paper)

    def box(self, x1: float, y1: float, x2: float, y2: float, *, colour: str, opacity: float = 1.0) -> None:
        """A filled rectangle; edges between pixels are soft."""
        left, across = _covered(min(x1, x2), max(x1, x2), self.width)
        top, down = _covered(min(y1, y2), max(y1, y2), self.height)
        self._blend(left, top, np.outer(down, across), colour, opacity)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, colour: str, width: float = 1.0, opacity: float = 1.0
    ) -> None:
        """A straight line with round ends."""
        reach = width / 2 + 1
        left, right = max(int(min(x1, x2) - reach), 0), min(int(max(x1, x2) + reach) + 1, self.width)
        top, bottom = max(int(min(y1, y2) - reach), 0), min(int(max(y1, y2) + reach) + 1, self.height)
        if left >= right or top >= bottom:
            return
        across = np.arange(left, right, dtype=np.float32)[None, :] + 0.5
        down = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
        dx, dy = x2 - x1, y2 - y1
        length = dx * dx + dy * dy
        along = ((across - x1) * dx + (down - y1) * dy) / length if length else np.zeros((1, 1), np.float32)
        along = np.clip(along, 0.0, 1.0)
        distance = np.hypot(across - x1 - along * dx, down - y1 - along * dy)
        self._blend(left, top, np.clip(width / 2 + 0.5 - distance, 0.0, 1.0), colour, opacity)

    def dashes(self, x1: float, x2: float, y: float, colour: str, *, on: float, off: float, width: float = 1.5) -> None:
        """A level line, dashed."""
        x = x1
        while x < x2:
            self.box(x, y - width / 2, min(x + on, x2), y + width / 2, colour=colour)
            x += on + off

    def curve(self, points: Sequence[tuple[float, float] | None], colour: str, width: float = 2.0) -> None:
        """A line through points; None interrupts it."""
        for one, other in pairwise(points):
            if one is not None and other is not None:
                self.line(*one, *other, colour=colour, width=width)

    def words(self, x: float, y: float, words: str, size: float, colour: str, *, anchor: str = "start") -> float:
        """Write with the baseline at `y`, capitals `size` high; returns the width. `anchor`: start, middle or end."""
        segments, grid_width = words_as_strokes(words)
        scale = size / CAPITAL
        wide = grid_width * scale
        begin = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        for (x1, y1), (x2, y2) in segments:
            ends = (begin + x1 * scale, y - y1 * scale, begin + x2 * scale, y - y2 * scale)
            self.line(*ends, colour=colour, width=max(size * _STROKE, 1.1))
        return wide

    def png(self) -> bytes:
        """The picture as PNG, eight bits a colour."""
        rows = np.clip(np.rint(self._pixels), 0, 255).astype(np.uint8).reshape(self.height, -1)
        # filter 2: each byte as the difference to the one above; flat areas become zeros
        above = np.vstack([np.zeros((1, rows.shape[1]), np.uint8), rows[:-1]])
        filtered = np.hstack([np.full((self.height, 1), 2, np.uint8), rows - above])
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        body = zlib.compress(filtered.tobytes(), 9)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")

    def _blend(self, left: int, top: int, coverage: NDArray[np.float32], colour: str, opacity: float) -> None:
        part = self._pixels[top : top + coverage.shape[0], left : left + coverage.shape[1]]
        part += (_rgb(colour) - part) * (coverage * opacity)[:, :, None]


def _covered(low: float, high: float, size: int) -> tuple[int, NDArray[np.float32]]:
    """The first of the pixels between `low` and `high`, and how much of each of them lies there."""
    first, last = min(max(int(low), 0), size), min(max(int(high) + 1, 0), size)
    edges = np.arange(first, max(first, last), dtype=np.float32)
    inside: NDArray[np.float32] = np.clip(np.minimum(high, edges + 1) - np.maximum(low, edges), 0.0, 1.0)
    return first, inside


def _rgb(colour: str) -> NDArray[np.float32]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.float32)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
