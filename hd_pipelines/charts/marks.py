"""What pictures put on their panels: ticks, lines with gaps, bars, shaded stretches and named levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.charts.figure import get_pixels, measure, write
from hd_pipelines.charts.style import get_colour
from hd_pipelines.market.sessions import list_sessions_between

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

Dashes = tuple[float, float] | None
"""Pixels on and off; None for a solid line."""
LANE = 15
"""Pixels from one line of level names to the next."""


@dataclass(frozen=True, slots=True)
class Level:
    """A vertical line at a value with a name above it. `key` names it in the SVG; `colour` is a role of the palette."""

    at: float
    name: str
    colour: str
    key: str
    dashes: Dashes = None


def get_line_style(dashes: Dashes) -> str | tuple[float, tuple[float, float]]:
    """Return the line style of matplotlib for `dashes`."""
    return (0, dashes) if dashes else "solid"


def set_ticks(axis: Axis, about: int, label: Callable[[float], str]) -> None:
    """Set round tick values inside the limits, about as many as asked for."""
    low, high = sorted(axis.get_view_interval())
    ticks = find_ticks(low, high, about)
    axis.set_ticks(ticks, [label(tick) for tick in ticks])


def find_ticks(low: float, high: float, about: int) -> list[float]:
    """Find round values from `low` to `high`, about as many as asked for."""
    step = 10.0 ** math.floor(math.log10((high - low) / about))
    step *= min((1, 2, 2.5, 5, 10), key=lambda times: abs((high - low) / (step * times) - about))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def set_date_ticks(axes: Axes, first: date, last: date, tick_top: float) -> None:
    """Set days, months or years below the panel, years in bold. Short ticks hang `tick_top` pixels below its foot."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    months = ["%Y", "%b", "%b %-d", "%H:%M", "%H:%M", "%S"]
    if first == last:
        axes.set_xticks([date2num(last)], [f"{last:%b} {last.day}"])
    else:
        locator = AutoDateLocator(minticks=4, maxticks=11)
        shown = ConciseDateFormatter(locator, show_offset=False, formats=months, zero_formats=["", "%Y", *months[2:]])
        begin, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last))
        ticks = [tick for tick in locator.tick_values(begin, end) if date2num(begin) <= tick <= date2num(end)]
        axes.set_xticks(ticks, shown.format_ticks(ticks))
    axes.tick_params(axis="x", pad=tick_top)
    for label in axes.get_xticklabels():
        if label.get_text().isdigit():
            label.set_fontweight("bold")


def plot_line(
    axes: Axes,
    x: Sequence[float] | Floats,
    y: Sequence[float | None] | Floats,
    *,
    colour: str,
    width: float = 1.6,
    dashes: Dashes = None,
    opacity: float = 1.0,
    gid: str | None = None,
) -> None:
    """A line that is interrupted where `y` is None or NaN; a value alone between two gaps becomes a dot."""
    values = np.array([np.nan if value is None else value for value in y], dtype=float)
    known = np.isfinite(values)
    alone = known & ~np.concatenate([[False], known[:-1]]) & ~np.concatenate([known[1:], [False]])
    style: dict[str, Any] = {"color": get_colour(colour), "alpha": None if opacity == 1.0 else opacity}
    axes.plot(x, values, linewidth=width, linestyle=get_line_style(dashes), gid=gid, **style)
    if alone.any():
        axes.plot(np.asarray(x)[alone], values[alone], "o", markersize=2 * width, markeredgewidth=0, **style)


def plot_dots(
    axes: Axes,
    x: Sequence[float] | Floats,
    y: Sequence[float] | Floats,
    *,
    radius: float,
    fill: str,
    edge: str = "paper",
    edge_width: float = 1.5,
    opacity: float | None = None,
    gid: str | None = None,
) -> None:
    """Filled circles of `radius` pixels."""
    axes.plot(
        x,
        y,
        "o",
        markersize=2 * radius,
        markerfacecolor=get_colour(fill),
        markeredgecolor=get_colour(edge),
        markeredgewidth=edge_width,
        alpha=opacity,
        gid=gid,
        clip_on=False,
        zorder=4,
    )


def fill_band(
    axes: Axes, x: Floats, low: Floats, high: Floats, *, colour: str, opacity: float, gid: str | None = None
) -> None:
    """Fill what lies between two lines, where both are known; a shape for each stretch of neighbours."""
    known = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        upper, lower = (drop_level_points(x[begin:end], line[begin:end]) for line in (high, low))
        outline = np.vstack([upper, lower[::-1]])
        axes.fill(*outline.T, color=get_colour(colour), alpha=opacity, linewidth=0, gid=gid, zorder=1.5)


def drop_level_points(x: Floats, y: Floats) -> Floats:
    """Return the points (x, y) without those inside a level stretch, which add bytes and no shape."""
    is_inside = np.zeros(y.size, dtype=bool)
    is_inside[1:-1] = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    return np.column_stack([x, y])[~is_inside]


def fill_boxes(
    axes: Axes,
    boxes: Sequence[tuple[float, float, float, float]],
    *,
    colour: str,
    opacity: float = 1.0,
    gid: str | None = None,
    zorder: float = 1.5,
) -> None:
    """Rectangles (left, right, low, high) as a single shape, which keeps hundreds of them small."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = np.array([[(a, c), (a, d), (b, d), (b, c)] for a, b, c, d in boxes if a != b and c != d], dtype=float)
    if corners.size:
        shape = PathPatch(
            Path.make_compound_path_from_polys(corners),
            facecolor=get_colour(colour),
            edgecolor="none",
            alpha=None if opacity == 1.0 else opacity,
            gid=gid,
            zorder=zorder,
        )
        axes.add_patch(shape)


def draw_levels(figure: Figure, axes: Axes, levels: Sequence[Level], top: float, bottom: float) -> None:
    """Draw vertical lines from pixel `top` to `bottom`, names above them on as many rows as they need not to overlap."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import blended_transform_factory

    pixels = get_pixels(figure)
    panel = axes.get_window_extent()
    in_pixels = blended_transform_factory(axes.transData, pixels)
    lanes: list[float] = []
    for level in sorted(levels, key=lambda each: each.at):
        x = float(axes.transData.transform((level.at, 0))[0])
        half = measure(figure, level.name, weight="bold") / 2
        middle = min(max(x, panel.x0 + half), panel.x1 - half)
        lane = next((n for n, end in enumerate(lanes) if end + 10 <= middle - half), len(lanes))
        lanes[lane : lane + 1] = [middle + half]
        y = top - 6 - LANE * lane
        line = Line2D(
            [level.at, level.at],
            [y + 3, bottom],
            transform=in_pixels,
            color=get_colour(level.colour),
            linewidth=1.6,
            linestyle=get_line_style(level.dashes),  # type: ignore[arg-type]  # annotated too narrowly
            solid_capstyle="butt",
            gid=level.key,
            zorder=3,
        )
        figure.add_artist(line)
        write(figure, middle, y, level.name, align="center", colour=level.colour, weight="bold", has_halo=True)


def add_missing_sessions(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Add an empty row for each session without one to `rows`, ascending by `date`, so that a line shows its gaps."""
    held = {row["date"]: row for row in rows}
    days = {*held, *list_sessions_between(rows[0]["date"], rows[-1]["date"])}
    return [held.get(day) or {**dict.fromkeys(rows[0]), "date": day} for day in sorted(days)]
