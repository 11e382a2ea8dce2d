"""The picture of a signal that an alert carries: the last bars, the session's VWAP, and the plan as lines. PNG, dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from hd_pipelines.charts.figure import find_limits, get_pixels, measure, to_png, write
from hd_pipelines.charts.marks import Floats, fill_boxes, find_ticks, get_line_style
from hd_pipelines.charts.numbers import format_price
from hd_pipelines.charts.style import use_style
from hd_pipelines.market.sessions import NEW_YORK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR_MINUTES = 5
MOST_BARS = 84
FEWEST_BARS = 2
WIDTH, HEIGHT = 960, 520
MARGIN, LEFT, RIGHT, TOP, BOTTOM = 16, 72, WIDTH - 196, 64, HEIGHT - 40
PAPER, INK, SOFT, GRID = "#151922", "#f0f3f8", "#a3adbd", "#262c38"
UP, DOWN, VWAP = "#3fb984", "#e5604d", "#e6b450"
ENTRY, STOP, TARGET, LEVEL = "#7fabff", "#ff6b5b", "#4fd39a", "#b79cff"
LABEL_HEIGHT, LABEL_SIZE = 17.0, 11.5
LABEL_GAP = 60
"""Pixels that a label of the time axis keeps clear of the one before."""
BEYOND_SIGNAL = 8
"""Bars of empty room to the right, where the plan stands."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a signal says to do.

    Prices are of the underlying, `bar_time` carries a timezone, `direction` is `LONG` or `SHORT`.
    """

    symbol: str
    detector: str
    direction: str
    entry: float
    stop: float
    targets: tuple[float, ...]
    risk_reward: float
    bar_time: datetime


@dataclass(frozen=True, slots=True)
class _Level:
    price: float
    name: str
    colour: str
    is_solid: bool = False


def add_session_vwap(bars: pl.DataFrame) -> pl.DataFrame:
    """Add `session_vwap`, the VWAP since the session began, to ascending bars with `session`, `vwap` and `volume`.

    Null until the first bar of the session that has both a VWAP of its own and volume; a bar without them adds nothing.
    """
    dollars, shares = (
        pl.col("vwap").cast(pl.Float64) * pl.col("volume").cast(pl.Float64),
        pl.col("volume").cast(pl.Float64),
    )
    known = dollars.is_not_null() & (shares > 0)
    summed = [
        pl.when(known).then(part).otherwise(0.0).cum_sum().over("session").alias(name)
        for name, part in (("_dollars", dollars), ("_shares", shares))
    ]
    return (
        bars.with_columns(summed)
        .with_columns(session_vwap=pl.when(pl.col("_shares") > 0).then(pl.col("_dollars") / pl.col("_shares")))
        .drop("_dollars", "_shares")
    )


@use_style
def draw_signal(bars: pl.DataFrame, plan: Plan, levels: Mapping[str, float]) -> bytes | None:
    """Draw the last bars up to the signal as PNG; None if there are fewer than two.

    Args:
        bars: ascending; timestamp, open, high, low, close, and session_vwap, which may be null.
        plan: its entry, stop and targets are drawn.
        levels: other levels by name (a gamma wall, the opening range); those outside the prices shown are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = bars.tail(MOST_BARS)
    if shown.height < FEWEST_BARS:
        return None
    rows = [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in shown.iter_rows(named=True)
    ]
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72, facecolor=PAPER)
    FigureCanvasAgg(figure)
    planned = _list_plan(plan)
    limits = find_price_limits(rows, [level.price for level in planned])
    panel = _add_price_panel(figure, len(rows), limits)
    _draw_times(panel, rows)
    _draw_zones(panel, len(rows), plan)
    _draw_bars(panel, rows)
    _draw_vwap(panel, rows)
    near = [_Level(price, name, LEVEL) for name, price in levels.items() if limits[0] < price < limits[1]]
    _draw_levels(figure, panel, [*near, *planned])
    _write_heading(figure, plan, has_vwap=any(row["session_vwap"] is not None for row in rows))
    return to_png(figure)


def find_price_limits(rows: Sequence[Mapping[str, Any]], planned: Sequence[float]) -> tuple[float, float]:
    """Find the prices at the foot and the head of the chart: all bars and the plan, with some room at both ends."""
    return find_limits([*(row[name] for row in rows for name in ("low", "high")), *planned], room=0.05)


def _list_plan(plan: Plan) -> list[_Level]:
    targets = [_Level(price, f"T{number}", TARGET) for number, price in enumerate(plan.targets, start=1)]
    return [_Level(plan.entry, "ENTRY", ENTRY, is_solid=True), _Level(plan.stop, "STOP", STOP), *targets]


def _add_price_panel(figure: Figure, bars: int, limits: tuple[float, float]) -> Axes:
    place = (LEFT / WIDTH, 1 - BOTTOM / HEIGHT, (RIGHT - LEFT) / WIDTH, (BOTTOM - TOP) / HEIGHT)
    axes = figure.add_axes(place, facecolor="none", xlim=(-0.5, bars + BEYOND_SIGNAL - 0.5), ylim=limits)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=8, labelcolor=SOFT, labelsize=11.5)
    axes.grid(axis="y", color=GRID, linewidth=1)
    ticks = find_ticks(*limits, 6)
    axes.set_yticks(ticks, [format_price(tick) for tick in ticks])
    return axes


def _draw_times(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw half hours or hours below the bars, and a line where a new day begins."""
    times = [row["timestamp"].astimezone(NEW_YORK) for row in rows]
    every = 30 if len(rows) <= 40 else 60
    gap = LABEL_GAP / (RIGHT - LEFT) * (len(rows) + BEYOND_SIGNAL)
    first_bars = _find_first_bars(times)
    ticks = [n for n, time in enumerate(times) if n in first_bars or (time.hour * 60 + time.minute) % every == 0]
    labelled: list[int] = []
    for n in ticks:
        # The first bar of a day is labelled in any case; a label too near before it goes.
        if n in first_bars and labelled and n - labelled[-1] <= gap:
            labelled.pop()
        if not labelled or n - labelled[-1] > gap:
            labelled.append(n)
    panel.set_xticks(ticks, [f"{times[n]:%H:%M}" if n in labelled else "" for n in ticks])
    panel.tick_params(axis="x", length=5, color=SOFT)
    for n in first_bars:
        panel.axvline(n - 0.5, color=SOFT, alpha=0.4, linewidth=1)


def _find_first_bars(times: Sequence[datetime]) -> list[int]:
    """Find the positions of bars that begin a new day, the first bar of all excepted."""
    days: list[date] = [time.date() for time in times]
    return [n for n in range(1, len(days)) if days[n] != days[n - 1]]


def _draw_zones(panel: Axes, bars: int, plan: Plan) -> None:
    """Draw risk and reward, to the right of the signal's bar."""
    left, right = bars - 0.5, bars + BEYOND_SIGNAL - 0.5
    for price, colour, opacity in ((plan.stop, STOP, 0.16), (plan.targets[-1], TARGET, 0.13)):
        fill_boxes(panel, [(left, right, plan.entry, price)], colour=colour, opacity=opacity)


def _draw_bars(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    pixels = (RIGHT - LEFT) / (len(rows) + BEYOND_SIGNAL)
    width = max(min(0.72, 14.0 / pixels), 1.6 / pixels)
    low, high = panel.get_ylim()
    thinnest = (high - low) / (BOTTOM - TOP)  # a bar that closed where it opened is a line of one pixel
    for is_up, colour in ((True, UP), (False, DOWN)):
        own = [(n, row) for n, row in enumerate(rows) if (row["close"] >= row["open"]) == is_up]
        if not own:
            continue
        at = [n for n, _ in own]
        panel.vlines(at, [row["low"] for _, row in own], [row["high"] for _, row in own], color=colour, linewidth=1.2)
        bodies = [
            (n - width / 2, n + width / 2, foot, max(row["open"], row["close"], foot + thinnest))
            for n, row in own
            for foot in [min(row["open"], row["close"])]
        ]
        fill_boxes(panel, bodies, colour=colour, zorder=2.5)


def _draw_vwap(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw a line in each session; it begins anew with the next."""
    values: Floats = np.array([np.nan if row["session_vwap"] is None else row["session_vwap"] for row in rows])
    starts = _find_first_bars([row["timestamp"].astimezone(NEW_YORK) for row in rows])
    for begin, end in zip([0, *starts], [*starts, len(rows)], strict=True):
        panel.plot(np.arange(begin, end), values[begin:end], color=VWAP, linewidth=1.8, zorder=3)


def _draw_levels(figure: Figure, panel: Axes, levels: Sequence[_Level]) -> None:
    """Draw lines across, and their names to the right, moved apart where they would touch."""
    from matplotlib.lines import Line2D

    ordered = sorted(levels, key=lambda level: -level.price)
    low, high = panel.get_ylim()
    wanted = [BOTTOM - (level.price - low) / (high - low) * (BOTTOM - TOP) for level in ordered]
    for level, y, place in zip(ordered, wanted, spread_labels(wanted), strict=True):
        dashes, width = (None, 2.0) if level.is_solid else ((7.0, 5.0), 1.3)
        panel.axhline(level.price, color=level.colour, linewidth=width, linestyle=get_line_style(dashes), zorder=3.5)
        leader = Line2D(
            [RIGHT, RIGHT + 12], [y, place], transform=get_pixels(figure), color=level.colour, linewidth=1.2
        )
        figure.add_artist(leader)
        price = format_price(level.price)
        write(figure, WIDTH - MARGIN, place + 4, price, align="right", colour=INK, size=LABEL_SIZE)
        room = WIDTH - MARGIN - measure(figure, price, LABEL_SIZE) - 8 - (RIGHT + 16)
        name = _fit(figure, level.name.replace("_", " ").upper(), room)
        write(figure, RIGHT + 16, place + 4, name, colour=level.colour, size=LABEL_SIZE)


def _fit(figure: Figure, name: str, room: float) -> str:
    """Cut the letters at the end of a name for which there is no room."""
    while name and measure(figure, name, LABEL_SIZE) > room:
        name = name[:-1].rstrip()
    return name


def spread_labels(wanted: Sequence[float]) -> list[float]:
    """Find pixel positions near the wanted ones, ascending, at least a label apart, inside the picture."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + LABEL_HEIGHT) if places else max(y, TOP - 8))
    beyond = (places[-1] - (BOTTOM + 8)) if places else 0.0
    for at in range(len(places) - 1, -1, -1):
        if beyond <= 0:
            break
        places[at] -= beyond
        beyond = places[at - 1] + LABEL_HEIGHT - places[at] if at else 0.0
    return places


def _write_heading(figure: Figure, plan: Plan, *, has_vwap: bool) -> None:
    from matplotlib.lines import Line2D

    x = float(MARGIN)
    parts = (
        (plan.symbol, 18, "bold", INK),
        (plan.direction, 18, "bold", UP if plan.direction == "LONG" else DOWN),
        (plan.detector.replace("_", " "), 13, "normal", SOFT),
    )
    for words, size, weight, colour in parts:
        write(figure, x, 28, words, size=size, weight=weight, colour=colour)
        x += measure(figure, words, size, weight) + 12
    begins = plan.bar_time.astimezone(NEW_YORK)
    below = f"{begins:%Y-%m-%d %H:%M} New York  ·  {BAR_MINUTES} min bars  ·  reward to risk {plan.risk_reward:.2f}"
    write(figure, MARGIN, 49, below, colour=SOFT)
    if has_vwap:
        x = MARGIN + measure(figure, below) + 20
        sample = Line2D([x, x + 18], [45, 45], transform=get_pixels(figure), color=VWAP, linewidth=2)
        figure.add_artist(sample)
        write(figure, x + 24, 49, "VWAP", colour=SOFT)
