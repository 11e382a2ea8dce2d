"""Letters as strokes, for pictures: capitals, digits and what stands between numbers.

Belongs here: the shapes of letters and how wide words are. Drawing is `raster`. No font file is needed and none is
looked for, so a picture is the same bytes on every machine.

A shape is strokes separated by `;`; a stroke is points `x,y` on a grid whose capitals are 7 high, y upwards from the
baseline. `~` before a stroke: a curve through its points. `@`: the same, closed.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

Point = tuple[float, float]
Segment = tuple[Point, Point]

CAPITAL = 7.0
GAP, BLANK = 1.5, 2.6
"""Between letters; width of a blank."""
_CURVE_STEPS = 6

_SHAPES = {
    "0": "@2.1,0 0.4,1.2 0,3.5 0.4,5.8 2.1,7 3.8,5.8 4.2,3.5 3.8,1.2",
    "1": "0.6,5.5 2.2,7 2.2,0",
    "2": "~0.1,5.3 0.6,6.6 2,7 3.6,6.4 3.8,5 2.9,3.3 1.4,1.6 0,0;0,0 4.1,0",
    "3": "~0.2,6 1.8,7 3.5,6.3 3.5,4.5 1.6,3.8;~1.6,3.8 3.6,3.3 4,1.9 3.3,0.4 1.7,0 0,1",
    "4": "3.1,0 3.1,7 0,2.1 4.3,2.1",
    "5": "3.7,7 0.6,7 0.3,3.8;~0.3,3.8 1.9,4.4 3.5,3.8 4,2.2 3.4,0.6 1.8,0 0,0.9",
    "6": "~3.6,6.4 2.4,7 0.9,6 0.1,3.5 0.2,1.5 1,0.3 2.2,0 3.5,0.6 4.1,2.1 3.5,3.6 2.2,4.2 0.8,3.5 0.15,2.2",
    "7": "0,7 4.1,7 1.5,0",
    "8": "@2.1,3.8 0.6,4.5 0.4,5.8 2.1,7 3.8,5.8 3.6,4.5;@2.1,3.8 0.4,3 0,1.5 2.1,0 4.2,1.5 3.8,3",
    "9": "~0.5,0.6 1.7,0 3.2,1 4,3.5 3.9,5.5 3.1,6.7 1.9,7 0.6,6.4 0,4.9 0.6,3.4 1.9,2.8 3.3,3.5 3.95,4.8",
    "A": "0,0 2.3,7 4.6,0;0.8,2.3 3.8,2.3",
    "B": "2.2,0 0,0 0,7 2.2,7;0,3.8 2.2,3.8;~2.2,7 3.6,6.4 3.6,4.4 2.2,3.8;~2.2,3.8 3.9,3.1 3.9,0.7 2.2,0",
    "C": "~4.2,5.7 3.4,6.7 2.3,7 0.6,5.9 0,3.5 0.6,1.1 2.3,0 3.4,0.3 4.2,1.3",
    "D": "1.6,0 0,0 0,7 1.6,7;~1.6,7 3.6,6 4.3,3.5 3.6,1 1.6,0",
    "E": "3.7,7 0,7 0,0 3.7,0;0,3.7 3.1,3.7",
    "F": "3.7,7 0,7 0,0;0,3.6 3.1,3.6",
    "G": "~4.2,5.7 3.4,6.7 2.3,7 0.6,5.9 0,3.5 0.6,1.1 2.3,0 3.6,0.4 4.3,1.5;4.3,1.5 4.3,3.3 2.6,3.3",
    "H": "0,0 0,7;4.2,0 4.2,7;0,3.7 4.2,3.7",
    "I": "0.3,0 0.3,7",
    "J": "2.8,7 2.8,1.7;~2.8,1.7 2.4,0.4 1.4,0 0.4,0.4 0,1.5",
    "K": "0,0 0,7;4,7 0,2.7;1.4,4.1 4.2,0",
    "L": "0,7 0,0 3.4,0",
    "M": "0,0 0,7 2.6,2.2 5.2,7 5.2,0",
    "N": "0,0 0,7 4.2,0 4.2,7",
    "O": "@2.4,0 0.6,1.1 0,3.5 0.6,5.9 2.4,7 4.2,5.9 4.8,3.5 4.2,1.1",
    "P": "0,0 0,7 2.2,7;~2.2,7 3.8,6.4 3.8,4 2.2,3.3;2.2,3.3 0,3.3",
    "Q": "@2.4,0 0.6,1.1 0,3.5 0.6,5.9 2.4,7 4.2,5.9 4.8,3.5 4.2,1.1;2.9,1.7 4.7,-0.5",
    "R": "0,0 0,7 2.2,7;~2.2,7 3.8,6.4 3.8,4 2.2,3.3;0,3.3 2.2,3.3 4.1,0",
    "S": "~3.8,5.8 3.1,6.7 2,7 0.7,6.5 0.3,5.3 1.2,4.1 2.9,3.3 3.9,2 3.4,0.6 2,0 0.8,0.3 0,1.3",
    "T": "0,7 4.4,7;2.2,7 2.2,0",
    "U": "0,7 0,2.3;~0,2.3 0.6,0.6 2.1,0 3.6,0.6 4.2,2.3;4.2,2.3 4.2,7",
    "V": "0,7 2.2,0 4.4,7",
    "W": "0,7 1.6,0 3.2,5.6 4.8,0 6.4,7",
    "X": "0,0 4.2,7;0,7 4.2,0",
    "Y": "0,7 2.1,3.4 4.2,7;2.1,3.4 2.1,0",
    "Z": "0,7 4.1,7 0,0 4.1,0",
    ".": "0.4,0.2 0.6,0.2 0.6,0.4 0.4,0.4",
    ",": "0.6,0.4 0.1,-1.1",
    ":": "0.3,0.6 0.5,0.6;0.3,4.2 0.5,4.2",
    "·": "0.3,3.2 0.3,3.4",
    "-": "0,3 2.4,3",
    "+": "0,3.2 3.4,3.2;1.7,1.5 1.7,4.9",
    "/": "0,-0.6 2.6,7.4",
    "%": "0.4,0 4.6,7;@1.1,4 0.1,5.4 1.1,6.9 2.1,5.4;@3.9,0.1 2.9,1.6 3.9,3.1 4.9,1.6",
    "(": "~1.5,8 0.3,5.8 0,3.5 0.3,1.2 1.5,-1",
    ")": "~0,8 1.2,5.8 1.5,3.5 1.2,1.2 0,-1",
    "&": "~4.4,0 2.6,2 0.9,4.6 0.9,6.2 1.9,7 2.9,6.2 2.4,4.6 0.6,3 0,1.7 0.5,0.4 1.7,0 3.2,0.8 4.2,2.6",
}


def words_as_strokes(words: str) -> tuple[list[Segment], float]:
    """Segments of `words` on the grid, beginning at 0, and their width. Small letters are set as capitals.

    A character that has no shape is left blank.
    """
    segments: list[Segment] = []
    at = 0.0
    for character in words.upper():
        if character not in _SHAPES:
            at += BLANK + GAP
            continue
        shape, width = _shape(character)
        segments += [((x1 + at, y1), (x2 + at, y2)) for (x1, y1), (x2, y2) in shape]
        at += width + GAP
    return segments, max(at - GAP, 0.0)


@cache
def _shape(character: str) -> tuple[tuple[Segment, ...], float]:
    segments: list[Segment] = []
    for stroke in _SHAPES[character].split(";"):
        points = _points(stroke.lstrip("~@"))
        if stroke[0] in "~@":
            points = _curve(points, is_closed=stroke[0] == "@")
        segments += pairwise(points)
    return tuple(segments), max(x for segment in segments for x, _ in segment)


def _points(stroke: str) -> list[Point]:
    return [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in stroke.split())]


def _curve(points: list[Point], *, is_closed: bool) -> list[Point]:
    """A smooth line through `points` (Catmull-Rom), in short straight pieces."""
    around = [points[-1], *points, points[0], points[1]] if is_closed else [points[0], *points, points[-1]]
    line = [around[1]]
    for p0, p1, p2, p3 in zip(around, around[1:], around[2:], around[3:], strict=False):
        for step in range(1, _CURVE_STEPS + 1):
            t = step / _CURVE_STEPS
            line.append((_spline(p0[0], p1[0], p2[0], p3[0], t), _spline(p0[1], p1[1], p2[1], p3[1], t)))
    return line


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
