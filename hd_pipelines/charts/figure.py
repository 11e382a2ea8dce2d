"""The frame that all pictures share: a figure with title and reading, and panels placed in pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hd_pipelines.charts.style import TEXT_SIZE, get_colour, use_style
from hd_pipelines.charts.svg import HALO, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Transform

WIDTH = 900
LEFT, RIGHT = 64, WIDTH - 24
"""Ends of a panel that fills the picture; labels of the vertical axis stand to its left."""
TOP = 84
"""Where panels begin, below title and reading."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture. `reading` is the one sentence that says what it shows."""

    title: str
    reading: str
    svg: str


def make_figure(title: str, reading: str, height: float) -> Figure:
    """Make a picture with title and reading above, empty below. Sizes are in pixels; one pixel is one point."""
    figure = make_card(WIDTH, height)
    write(figure, 24, 34, title, gid="title", size=18, weight="bold", colour="ink")
    write(figure, 24, 57, reading, gid="reading", size=14)
    return figure


def make_card(width: float, height: float) -> Figure:
    """Make an empty figure on a rounded card of its own, so that it reads on a light page and on a dark one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
    FigureCanvasAgg(figure)  # measures text
    figure.patch.set_visible(False)
    card = FancyBboxPatch(
        (0, 0),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=10",
        transform=get_pixels(figure),
        facecolor=get_colour("paper"),
        edgecolor="none",
        gid="paper",
        zorder=-1,
    )
    figure.add_artist(card)
    return figure


def finish(figure: Figure, title: str, reading: str) -> Picture:
    """Close a figure that was begun with the same title and reading."""
    return Picture(title, reading, to_svg(figure))


@use_style
def draw_missing(title: str, reason: str) -> Picture:
    """Draw a picture that says why there is nothing to draw."""
    reading = f"Nothing to draw: {reason}."
    return finish(make_figure(title, reading, 76), title, reading)


def get_pixels(figure: Figure) -> Transform:
    """Return the transform from pixels, counted from the top left, to the figure."""
    from matplotlib.transforms import Affine2D

    to_inches = Affine2D().scale(1 / 72, -1 / 72).translate(0, figure.get_figheight())
    return to_inches + figure.dpi_scale_trans


def add_panel(
    figure: Figure,
    left: float,
    top: float,
    right: float,
    bottom: float,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
) -> Axes:
    """Axes between four pixel positions, with the given limits, horizontal grid lines and no frame."""
    width, height = figure.get_size_inches() * 72
    place = (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height)
    axes = figure.add_axes(place, xlim=x, ylim=y)
    axes.patch.set_visible(False)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, pad=8, labelcolor=get_colour("soft"), labelsize=TEXT_SIZE, left=False, bottom=False)
    axes.grid(axis="y", color=get_colour("line"), linewidth=1)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def write(
    figure: Figure,
    x: float,
    y: float,
    words: str,
    *,
    align: str = "left",
    colour: str = "soft",
    size: float = TEXT_SIZE,
    weight: str = "normal",
    has_halo: bool = False,
    gid: str | None = None,
) -> Text:
    """Text with its baseline at a pixel position. `colour` is a role of the palette or `#rrggbb`."""
    more: dict[str, Any] = {"gid": HALO, "zorder": 5} if has_halo else {"gid": gid}
    return figure.text(
        x,
        y,
        words,
        transform=get_pixels(figure),
        ha=align,
        va="baseline",
        color=get_colour(colour),
        fontsize=size,
        fontweight=weight,
        **more,
    )


def measure(figure: Figure, words: str, size: float = TEXT_SIZE, weight: str = "normal") -> float:
    """Measure the width of a text in pixels."""
    probe = write(figure, 0, 0, words, size=size, weight=weight)
    width = probe.get_window_extent(dpi=72).width
    probe.remove()
    return float(width)


def to_png(figure: Figure, *, scale: float = 1.0) -> bytes:
    """Return the figure as PNG, `scale` pixels for each of its own."""
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=72 * scale, facecolor=figure.get_facecolor(), metadata={"Software": None})
    return written.getvalue()


def find_limits(values: Sequence[float], *, room: float = 0.06, has_zero: bool = False) -> tuple[float, float]:
    """Find limits that hold all values with some room beyond; equal values are put in the middle.

    has_zero: 0 is inside too, and is an end of its own where all values lie on one side of it.
    """
    known = [*values, *([0.0] if has_zero else [])]
    low, high = min(known), max(known)
    beyond = (high - low) * room or abs(high) * 0.05 or 1.0
    ends_low, ends_high = has_zero and low == 0 < high, has_zero and low < 0 == high
    return (low if ends_low else low - beyond, high if ends_high else high + beyond)
