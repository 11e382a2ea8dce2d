"""What the pictures of the option tables are drawn with: colours, scales, axes, labels, and the frame around them.

Belongs here: drawing SVG at given places. What is drawn, and what it says, is in `smile_picture`, `gamma_picture`,
`iv_history_picture` and `regime_picture`. A picture brings its own paper, light or dark as the viewer's system is, so
that it can be read on either theme of the Dagster page. It is one image in Markdown: nothing is stored elsewhere.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from html import escape
from typing import Any

import dagster as dg

from hd_pipelines.market.sessions import NEW_YORK, list_sessions_between

WIDTH = 900
LEFT, RIGHT = 64, WIDTH - 24
TOP = 84
"""Where plots begin, below title and reading."""
_LIGHT = {
    "paper": "#ffffff",
    "ink": "#1c2130",
    "soft": "#5d6778",
    "line": "#e3e7ee",
    "call": "#2460dc",
    "put": "#d9570d",
    "zero": "#8b2fd6",
    "wash": "#f4f6fa",
}
_DARK = {
    "paper": "#151922",
    "ink": "#f0f3f8",
    "soft": "#a3adbd",
    "line": "#2c3340",
    "call": "#7fabff",
    "put": "#ff9d5c",
    "zero": "#cf9dff",
    "wash": "#1c212c",
}
_FONT = "-apple-system, 'Segoe UI', Inter, Roboto, 'Helvetica Neue', Arial, sans-serif"
_CHARACTER = 6.3
"""Width of a character of a label, in pixels; labels keep clear of each other by it."""
_LEVEL = 0.05
_DAILY = 75
"""Days up to which single days are labelled, not months."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`; `end` may be the smaller one."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int) -> list[float]:
        """Round values inside the scale, about as many as asked for."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / about))
        step *= min((1, 2, 2.5, 5, 10), key=lambda times: abs((self.high - self.low) / (step * times) - about))
        first = math.ceil(self.low / step - 1e-9)
        return [round(number * step, 10) for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale_of(values: Iterable[float], start: float, end: float, *, room: float = 0.06, zero: bool = False) -> Scale:
    """A scale that holds all values with some room beyond; `zero`: 0 is on it too. Equal values are put in the middle."""
    known = [*values, *([0.0] if zero else [])]
    low, high = min(known), max(known)
    beyond = (high - low) * room or abs(high) * 0.05 or 1.0
    ends_low, ends_high = zero and low == 0 < high, zero and low < 0 == high
    return Scale(low if ends_low else low - beyond, high if ends_high else high + beyond, start, end)


@dataclass(frozen=True, slots=True)
class Mark:
    """A level that is marked by a vertical line and named above it. `colour` is a name of the palette."""

    at: float
    name: str
    colour: str
    dashes: str = ""


@dataclass
class Canvas:
    """A picture that is being drawn. `reading` is the one sentence that it shows."""

    title: str
    reading: str
    height: int
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", colour: str = "soft", more: str = ""
    ) -> None:
        """Words with their baseline at `y`."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_colour(colour)}"{more}>{escape(words)}</text>'
        )

    def rule(self, x1: float, y1: float, x2: float, y2: float, *, colour: str = "line", more: str = "") -> None:
        """A straight line."""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_colour(colour)}"{more}/>'
        )

    def box(self, x: float, y: float, width: float, height: float, *, colour: str, more: str = "") -> None:
        """A filled rectangle; nothing if it would have no area."""
        if width > 0 and height > 0:
            self.parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'fill="{_colour(colour)}"{more}/>'
            )

    def stretches(
        self, spans: Sequence[tuple[float, float]], top: float, bottom: float, *, colour: str, more: str = ""
    ) -> None:
        """Rectangles of one height and colour as a single shape: `spans` are their left and right ends."""
        height = bottom - top
        path = "".join(f"M{left:.1f} {top:.0f}h{right - left:.1f}v{height:.0f}H{left:.1f}z" for left, right in spans)
        self.parts.append(f'<path d="{path}" fill="{_colour(colour)}"{more}/>')

    def curve(
        self, points: Sequence[tuple[float, float] | None], *, colour: str, width: float = 2, more: str = ""
    ) -> None:
        """A line through pixel points; None interrupts it. A point alone between two gaps becomes a dot."""
        path = path_of(points)
        if path:
            self.parts.append(
                f'<path d="{path}" fill="none" stroke="{_colour(colour)}" stroke-width="{width}" '
                f'stroke-linejoin="round" stroke-linecap="round"{more}/>'
            )

    def area(
        self, upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], *, colour: str, opacity: float
    ) -> None:
        """What lies between two lines of pixel points, both from left to right."""
        if len(upper) > 1:
            path = path_of([*upper, *reversed(lower)])
            self.parts.append(f'<path d="{path}Z" fill="{_colour(colour)}" fill-opacity="{opacity}"/>')

    def dot(self, x: float, y: float, radius: float, *, colour: str, more: str = "") -> None:
        """A filled circle."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{_colour(colour)}"{more}/>')

    def grid(
        self, scale: Scale, ticks: Sequence[float], labels: Sequence[str], left: float = LEFT, right: float = RIGHT
    ) -> None:
        """Horizontal lines at `ticks` with labels to the left."""
        for tick, label in zip(ticks, labels, strict=True):
            self.rule(left, scale(tick), right, scale(tick))
            self.text(left - 8, scale(tick) + 4, label, anchor="end")

    def marks(self, marks: Sequence[Mark], scale: Scale, top: float, bottom: float) -> None:
        """Vertical lines from `top` to `bottom` with names above, on as many lines as they need not to overlap."""
        low, high = sorted((scale.start, scale.end))
        lanes: list[float] = []
        names = []
        for mark in sorted(marks, key=lambda each: each.at):
            x = scale(mark.at)
            half = len(mark.name) * _CHARACTER / 2
            middle = min(max(x, low + half), high - half)
            lane = next((n for n, end in enumerate(lanes) if end + 10 <= middle - half), len(lanes))
            lanes[lane : lane + 1] = [middle + half]
            y = top - 6 - 15 * lane
            self.rule(x, y + 3, x, bottom, colour=mark.colour, more=f' stroke-width="1.6"{_dashed(mark.dashes)}')
            names.append((middle, y, mark))
        for middle, y, mark in names:
            self.text(middle, y, mark.name, anchor="middle", colour=mark.colour, more=' class="b h"')

    def note(self, x: float, y: float, words: str, *, anchor: str = "start", colour: str = "soft") -> None:
        """Words on a halo of paper, for places where lines pass."""
        self.text(x, y, words, anchor=anchor, colour=colour, more=' class="h"')

    def dates(self, scale: Scale, first: date, last: date, y: float) -> None:
        """Days, months or years below a scale of days since `first`."""
        for day, name in _calendar(first, (last - first).days):
            x = scale((day - first).days)
            self.rule(x, y - 14, x, y - 10, colour="soft")
            self.text(x, y, name, anchor="middle", more=' class="b"' if name.isdigit() else "")

    def markdown(self) -> dg.MarkdownMetadataValue:
        """The picture as an image in Markdown; its alternative text is title and reading."""
        said = f"{self.title}. {self.reading}".replace("[", "(").replace("]", ")").replace("\n", " ")
        encoded = base64.b64encode(self.svg().encode()).decode()
        return dg.MetadataValue.md(f"![{escape(said)}](data:image/svg+xml;base64,{encoded})")

    def svg(self) -> str:
        """The whole picture."""
        light, dark = (";".join(f"--{name}:{value}" for name, value in each.items()) for each in (_LIGHT, _DARK))
        style = (
            f"svg{{{light};font:12px {_FONT}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
            ".h{paint-order:stroke;stroke:var(--paper);stroke-width:5px;stroke-linejoin:round}"
            ".t{font-size:18px;font-weight:650}.r{font-size:14px}.b{font-weight:600}"
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}" '
            f'viewBox="0 0 {WIDTH} {self.height}"><style>{style}</style>'
            f'<rect width="{WIDTH}" height="{self.height}" rx="10" fill="var(--paper)"/>'
            f'<text class="t" x="24" y="34" fill="var(--ink)">{escape(self.title)}</text>'
            f'<text class="r" x="24" y="57" fill="var(--soft)">{escape(self.reading)}</text>{"".join(self.parts)}</svg>'
        )


def without_data(title: str, reason: str) -> dg.MarkdownMetadataValue:
    """A picture that says why there is nothing to see."""
    return Canvas(title, f"Nothing to draw: {reason}.", 76).markdown()


def path_of(points: Sequence[tuple[float, float] | None]) -> str:
    """SVG path through the points, to a tenth of a pixel; None lifts the pen."""
    path, is_down = [], False
    for position, point in enumerate(points):
        if point is None:
            is_down = False
            continue
        path.append(f"{'L' if is_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        if not is_down and (position + 1 == len(points) or points[position + 1] is None):
            path.append("h.1")
        is_down = True
    return "".join(path)


def levelled(points: Sequence[tuple[float, float] | None]) -> list[tuple[float, float] | None]:
    """The points without those inside a level stretch, which add bytes and no line."""
    kept = []
    for before, point, after in zip([None, *points], points, [*points[1:], None], strict=False):
        inside = before is not None and point is not None and after is not None
        if not inside or not (abs(before[1] - point[1]) < _LEVEL and abs(after[1] - point[1]) < _LEVEL):  # type: ignore[index]
            kept.append(point)
    return kept


def thinned(points: Sequence[tuple[float, float] | None], most: int) -> list[tuple[float, float] | None]:
    """At most about `most` of the points: the lowest and highest of each stretch, so that no spike gets lost; both ends."""
    if len(points) <= most:
        return list(points)
    stretch = math.ceil(2 * len(points) / most)
    kept: list[tuple[float, float] | None] = [points[0]]
    for start in range(1, len(points) - 1, stretch):
        part = points[start : min(start + stretch, len(points) - 1)]
        known = [point for point in part if point is not None]
        if len(known) < len(part):
            kept.append(None)
        if known:
            kept += sorted({min(known, key=lambda point: point[1]), max(known, key=lambda point: point[1])})
    return [*kept, points[-1]]


def on_every_session(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows ascending by `date` with an empty one for each session that has none, so that a line shows its gaps."""
    held = {row["date"]: row for row in rows}
    days = {*held, *list_sessions_between(rows[0]["date"], rows[-1]["date"])}
    return [held.get(day) or {**dict.fromkeys(rows[0]), "date": day} for day in sorted(days)]


def moment(timestamp: datetime) -> str:
    """An instant as the exchange's clock shows it."""
    return f"{timestamp.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"


def dollars(value: float) -> str:
    """`$2.19 bn`, `-$340 m`, `$12 k`."""
    size = abs(value)
    unit, name = next(((u, n) for u, n in ((1e9, " bn"), (1e6, " m"), (1e3, " k")) if size >= u), (1.0, ""))
    number = f"{size / unit:.3g}" if size / unit < 1000 else f"{size / unit:.0f}"
    return f"{'-' if value < 0 else ''}${number}{name}"


def plain(value: float) -> str:
    """A number without needless zeros: `4,505.1`, `0.5`, `2,900`."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _calendar(first: date, days: int) -> Iterator[tuple[date, str]]:
    """Days worth a label from `first` on, at most about eleven."""
    if days <= _DAILY:
        step = next(step for step in (1, 2, 7, 14) if days / step <= 10)
        for ahead in range(0, days + 1, step):
            day = first + timedelta(days=ahead)
            yield day, f"{_MONTHS[day.month - 1]} {day.day}"
        return
    step = next((months for months in (1, 2, 3, 6, 12) if days / 30.4 / months <= 11), 24)
    for number in range(12 * first.year + first.month, 12 * first.year + first.month + days // 28 + 2):
        day = date(number // 12, number % 12 + 1, 1)
        if number % step == 0 and (day - first).days <= days:
            yield day, str(day.year) if day.month == 1 else _MONTHS[day.month - 1]


def _colour(name: str) -> str:
    return name if name.startswith("#") else f"var(--{name})"


def _dashed(dashes: str) -> str:
    return f' stroke-dasharray="{dashes}"' if dashes else ""
