"""The picture of a signal: the last bars, VWAP, and the plan as lines.

Belongs here: what is drawn and where. Drawing itself is `raster`; what the signal says is `alerts.signal_message`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl

from hd_pipelines.alerts.signal_message import SignalNotice, price_text
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.notifier.raster import Raster

BAR_MINUTES = 5
MOST_BARS = 84
FEWEST_BARS = 2
WIDTH, HEIGHT = 960, 520
MARGIN, LEFT, RIGHT, TOP, BOTTOM = 16, 72, WIDTH - 176, 64, HEIGHT - 40
PAPER, INK, SOFT, GRID = "#151922", "#f0f3f8", "#a3adbd", "#262c38"
UP, DOWN, VWAP = "#3fb984", "#e5604d", "#e6b450"
ENTRY, STOP, TARGET, LEVEL = "#7fabff", "#ff6b5b", "#4fd39a", "#b79cff"
_LABEL_HEIGHT = 17.0
_BEYOND_SIGNAL = 8
"""Bars of empty room to the right, where the plan stands."""


@dataclass(frozen=True, slots=True)
class _Level:
    price: float
    name: str
    colour: str
    is_solid: bool = False


def with_session_vwap(bars: pl.DataFrame) -> pl.DataFrame:
    """`session_vwap` beside bars with `session`, `vwap` (of the bar) and `volume`, ascending: since the session began.

    Null until the first bar of the session that has both; a bar without them adds nothing.
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


def signal_picture(bars: pl.DataFrame, signal: SignalNotice, levels: Mapping[str, float]) -> bytes | None:
    """PNG of the last bars up to the signal; None if there are fewer than two.

    Args:
        bars: ascending; timestamp, open, high, low, close, and session_vwap, which may be null.
        signal: its entry, stop and targets are drawn.
        levels: other levels by name (a gamma wall, the opening range); those far from the plan are left out.
    """
    shown = bars.tail(MOST_BARS)
    if shown.height < FEWEST_BARS:
        return None
    rows = [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in shown.iter_rows(named=True)
    ]
    picture = Raster(WIDTH, HEIGHT, PAPER)
    across = _Across(len(rows))
    plan = _plan(signal)
    up = _Up([row[name] for row in rows for name in ("low", "high")] + [level.price for level in plan])
    _draw_scale(picture, up)
    _draw_times(picture, across, rows)
    _draw_zones(picture, across, up, signal)
    _draw_bars(picture, across, up, rows)
    near = [_Level(price, name, LEVEL) for name, price in levels.items() if up.low < price < up.high]
    _draw_levels(picture, up, [*near, *plan])
    _draw_title(picture, signal, has_vwap=any(row["session_vwap"] is not None for row in rows))
    return picture.png()


class _Across:
    """Places of bars from left to right."""

    def __init__(self, bars: int) -> None:
        self.step = (RIGHT - LEFT) / (bars + _BEYOND_SIGNAL)

    def __call__(self, position: int) -> float:
        return LEFT + (position + 0.5) * self.step


class _Up:
    """Prices on pixels, with some room at both ends."""

    def __init__(self, prices: Sequence[float]) -> None:
        room = (max(prices) - min(prices)) * 0.05 or max(prices) * 0.001
        self.low, self.high = min(prices) - room, max(prices) + room

    def __call__(self, price: float) -> float:
        return BOTTOM - (price - self.low) / (self.high - self.low) * (BOTTOM - TOP)

    def ticks(self, about: int = 6) -> list[float]:
        """Round prices inside, about as many as asked for."""
        wanted = (self.high - self.low) / about
        power = 10.0 ** len(str(int(wanted))) if wanted >= 1 else 1.0
        while power > wanted:
            power /= 10
        step = min((power * times for times in (1, 2, 2.5, 5, 10)), key=lambda each: abs(each - wanted))
        first = int(self.low / step) + 1
        return [round(number * step, 8) for number in range(first, int(self.high / step) + 1)]


def _plan(signal: SignalNotice) -> list[_Level]:
    targets = [_Level(float(price), f"T{number}", TARGET) for number, price in enumerate(signal.targets, start=1)]
    return [
        _Level(float(signal.entry), "ENTRY", ENTRY, is_solid=True),
        _Level(float(signal.stop), "STOP", STOP),
        *targets,
    ]


def _draw_scale(picture: Raster, up: _Up) -> None:
    for tick in up.ticks():
        picture.box(LEFT, up(tick) - 0.5, RIGHT, up(tick) + 0.5, colour=GRID)
        picture.words(LEFT - 8, up(tick) + 4, price_text(Decimal(str(tick))), 8, SOFT, anchor="end")


def _draw_times(picture: Raster, across: _Across, rows: Sequence[Mapping[str, Any]]) -> None:
    every = 30 if len(rows) <= 40 else 60
    last_label = float("-inf")
    for position, row in enumerate(rows):
        begins: datetime = row["timestamp"].astimezone(NEW_YORK)
        is_new_day = position > 0 and begins.date() != rows[position - 1]["timestamp"].astimezone(NEW_YORK).date()
        if is_new_day:
            picture.box(
                across(position) - across.step / 2,
                TOP,
                across(position) - across.step / 2 + 1,
                BOTTOM,
                colour=SOFT,
                opacity=0.4,
            )
        if (begins.hour * 60 + begins.minute) % every == 0 or is_new_day:
            x = across(position)
            picture.box(x - 0.5, BOTTOM, x + 0.5, BOTTOM + 5, colour=SOFT)
            if x - last_label > 60:
                picture.words(x, BOTTOM + 19, f"{begins:%H:%M}", 8, SOFT, anchor="middle")
                last_label = x


def _draw_zones(picture: Raster, across: _Across, up: _Up, signal: SignalNotice) -> None:
    """Risk and reward, from the signal's bar on."""
    left = RIGHT - _BEYOND_SIGNAL * across.step
    entry = up(float(signal.entry))
    picture.box(left, entry, RIGHT, up(float(signal.stop)), colour=STOP, opacity=0.16)
    picture.box(left, entry, RIGHT, up(float(signal.targets[-1])), colour=TARGET, opacity=0.13)


def _draw_bars(picture: Raster, across: _Across, up: _Up, rows: Sequence[Mapping[str, Any]]) -> None:
    half = max(min(across.step * 0.36, 7.0), 0.8)
    for position, row in enumerate(rows):
        x = across(position)
        colour = UP if row["close"] >= row["open"] else DOWN
        picture.box(x - 0.6, up(row["high"]), x + 0.6, up(row["low"]), colour=colour)
        top, bottom = up(max(row["open"], row["close"])), up(min(row["open"], row["close"]))
        picture.box(x - half, top, x + half, max(bottom, top + 1.0), colour=colour)
    points = [
        (across(position), up(row["session_vwap"]))
        if row["session_vwap"] is not None and up.low < row["session_vwap"] < up.high
        else None
        for position, row in enumerate(rows)
    ]
    first_of_day = [
        now["timestamp"].astimezone(NEW_YORK).date() != before["timestamp"].astimezone(NEW_YORK).date()
        for before, now in pairwise(rows)
    ]
    for position, is_new in enumerate(first_of_day, start=1):
        if not is_new:
            picture.curve(points[position - 1 : position + 1], VWAP, 1.8)


def _draw_levels(picture: Raster, up: _Up, levels: Sequence[_Level]) -> None:
    """Lines across, and their names to the right, moved apart where they would touch."""
    ordered = sorted(levels, key=lambda level: -level.price)
    places = _apart([up(level.price) for level in ordered])
    for level, place in zip(ordered, places, strict=True):
        y = up(level.price)
        if level.is_solid:
            picture.box(LEFT, y - 0.8, RIGHT, y + 0.8, colour=level.colour)
        else:
            picture.dashes(LEFT, RIGHT, y, level.colour, on=7, off=5, width=1.3)
        picture.line(RIGHT, y, RIGHT + 12, place, colour=level.colour, width=1.2)
        name = level.name.replace("_", " ")[:14]
        wide = picture.words(RIGHT + 16, place + 4, name, 8.5, level.colour)
        picture.words(max(RIGHT + 16 + wide + 8, WIDTH - 92), place + 4, price_text(_rounded(level.price)), 8.5, INK)


def _apart(wanted: Sequence[float]) -> list[float]:
    """Places near the wanted ones, ascending, at least a label apart, inside the picture."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + _LABEL_HEIGHT) if places else max(y, TOP - 8))
    beyond = (places[-1] - (BOTTOM + 8)) if places else 0.0
    for at in range(len(places) - 1, -1, -1):
        if beyond <= 0:
            break
        places[at] -= beyond
        beyond = places[at - 1] + _LABEL_HEIGHT - places[at] if at else 0.0
    return places


def _draw_title(picture: Raster, signal: SignalNotice, *, has_vwap: bool) -> None:
    begins = signal.bar_time.astimezone(NEW_YORK)
    colour = UP if signal.direction == "LONG" else DOWN
    wide = picture.words(MARGIN, 28, signal.symbol, 14, INK)
    wide += 14 + picture.words(MARGIN + wide + 14, 28, signal.direction, 14, colour)
    picture.words(MARGIN + wide + 18, 28, signal.detector.replace("_", " "), 10, SOFT)
    below = f"{begins:%Y-%m-%d %H:%M} NEW YORK  ·  {BAR_MINUTES} MIN BARS  ·  R:R {signal.risk_reward:.2f}"
    wide = picture.words(MARGIN, 49, below, 8.5, SOFT)
    if has_vwap:
        picture.line(MARGIN + wide + 20, 45, MARGIN + wide + 38, 45, colour=VWAP, width=2)
        picture.words(MARGIN + wide + 44, 49, "VWAP", 8.5, SOFT)


def _rounded(price: float) -> Decimal:
    return Decimal(str(round(price, 2 if price >= 1 else 4)))
