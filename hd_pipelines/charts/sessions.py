"""Small pictures by session: a count as columns, closing prices as a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from hd_pipelines.charts.figure import Picture, add_panel, find_limits, finish, get_pixels, make_card, write
from hd_pipelines.charts.marks import fill_boxes, plot_line
from hd_pipelines.charts.style import get_colour, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, MARGIN = 640, 140, 26
MOST_COLUMNS = 120


@use_style
def draw_columns(counts: Sequence[tuple[date, int]], caption: str) -> Picture:
    """Draw a column per session, the latest 120. The caption says what is counted."""
    shown = counts[-MOST_COLUMNS:]
    highest = max((count for _, count in shown), default=0) or 1
    reading = f"highest {highest:,}"
    figure, panel = _new_small_figure(
        f"{caption}; {reading}", [day for day, _ in shown], (0, max(len(shown), 1)), (0, highest)
    )
    boxes = [(n, n + 0.8, 0, count) for n, (_, count) in enumerate(shown)]
    fill_boxes(panel, boxes, colour="count", gid="columns")
    return finish(figure, caption, reading)


@use_style
def draw_closes(series: Sequence[tuple[date, float]], caption: str) -> Picture:
    """Draw a line through closing prices; a sentence where there are fewer than two."""
    values = [value for _, value in series]
    if len(values) < 2:
        reading = "fewer than two sessions"
        figure, _ = _new_small_figure(f"{caption}: {reading}", [], (0, 1), (0, 1))
        return finish(figure, caption, reading)
    reading = f"{min(values):,.2f} to {max(values):,.2f}"
    limits = find_limits(values, room=0.0)
    days = [day for day, _ in series]
    figure, panel = _new_small_figure(f"{caption}; {reading}", days, (0, len(values) - 1), limits)
    plot_line(panel, range(len(values)), values, colour="count", gid="closes")
    return finish(figure, caption, reading)


def _new_small_figure(
    heading: str, days: Sequence[date], x: tuple[float, float], y: tuple[float, float]
) -> tuple[Figure, Axes]:
    """Make a picture with a heading, one panel, and its first and last day below."""
    from matplotlib.lines import Line2D

    figure = make_card(WIDTH, HEIGHT)
    write(figure, MARGIN, 18, heading, size=11, gid="reading")
    base = HEIGHT - MARGIN
    panel = add_panel(figure, MARGIN, MARGIN, WIDTH - MARGIN, base, x=x, y=y)
    foot = Line2D([MARGIN, WIDTH - MARGIN], [base, base], transform=get_pixels(figure), color=get_colour("soft"))
    figure.add_artist(foot)
    if days:
        write(figure, MARGIN, base + 15, str(days[0]), size=11)
        write(figure, WIDTH - MARGIN, base + 15, str(days[-1]), align="right", size=11)
    return figure, panel
