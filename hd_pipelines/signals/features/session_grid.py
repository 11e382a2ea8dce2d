"""One row per minute of a session: prices carried forward, the day's range so far, running volume and VWAP.

Belongs here: what a session's own minutes say. Rows run from the first minute to the last that was delivered, traded or
not; before the first trade there is no price. Everything a row holds was over at its end: a running value of a session
is the same whether later minutes are there or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE
from hd_pipelines.signals.features.exchange_days import exchange_days
from hd_pipelines.signals.features.placed_bars import LONGER_THAN_A_SESSION, CutBars, PlacedBars
from hd_pipelines.signals.frame import Floats, Integers


@dataclass(frozen=True)
class Grid:
    """The rows of k sessions, shape (n,), ascending.

    positions: the sessions in `exchange_days`, shape (k,). lasted: rows of each, shape (k,). first: where they begin,
    shape (k,). number: which of the k a row belongs to. minute: from 1. row: 0 to n - 1.
    """

    positions: Integers
    lasted: Integers
    first: Integers
    number: Integers
    minute: Integers
    as_of_ns: Integers
    row: Integers

    def __len__(self) -> int:
        return self.row.size

    @property
    def first_row(self) -> Integers:
        """Row at which the row's session begins."""
        return self.first[self.number]

    @property
    def last(self) -> Integers:
        """Last row of each session."""
        return self.first + self.lasted - 1

    def spread(self, by_session: Floats) -> Floats:
        """A value per session as a value per row."""
        return np.repeat(by_session, self.lasted)

    def rows_of(self, bars: PlacedBars) -> tuple[Integers, NDArray[np.bool_] | slice]:
        """The row at which each bar ends, and which bars have one."""
        number = np.searchsorted(self.positions, bars.session)
        if self.positions.size == 0:
            return number[:0], slice(0, 0)
        number = np.minimum(number, self.positions.size - 1)
        has_row = (self.positions[number] == bars.session) & (bars.minute <= self.lasted[number])
        rows = self.first[number] + bars.minute - 1
        return (rows, slice(None)) if has_row.all() else (rows[has_row], has_row)

    def bars_over(self, bars: CutBars, minutes_ago: int = 0) -> Integers:
        """How many of `bars` (complete ones, of these sessions) had ended at each row, counted from the first of all."""
        clock = np.repeat(self.positions, self.lasted) * LONGER_THAN_A_SESSION + (self.minute - minutes_ago)
        return np.searchsorted(bars.clock, clock, side="right").astype(np.int64)


def grid(positions: Integers, lasted: Integers) -> Grid:
    """Rows of sessions that have lasted so many minutes; those of 0 minutes have none and are left out."""
    began = lasted > 0
    positions, lasted = positions[began], lasted[began]
    first = np.cumsum(lasted) - lasted
    row = np.arange(int(lasted.sum()))
    number = np.repeat(np.arange(positions.size), lasted)
    minute = row - first[number] + 1
    as_of_ns = exchange_days().opens_ns[positions][number] + minute * NANOSECONDS_PER_MINUTE
    return Grid(positions, lasted, first, number, minute, as_of_ns, row)


def minutes_delivered(minutes: PlacedBars, positions: Integers) -> Integers:
    """The last minute that each session has a bar of; 0 without one."""
    last = np.searchsorted(minutes.session, positions, side="right") - 1
    if len(minutes) == 0:
        return np.zeros(positions.size, np.int64)
    found = minutes.session[np.maximum(last, 0)] == positions
    return np.where(found, minutes.minute[np.maximum(last, 0)], 0)


@dataclass(frozen=True)
class Running:
    """What was known of a session's prices at each row; shape (n,), NaN before the first trade."""

    price: Floats
    price_age_minutes: Floats
    day_open: Floats
    day_high: Floats
    day_low: Floats


def running_prices(minutes: PlacedBars, rows: Grid) -> Running:
    """The last price, its age, and the day's open, high and low so far."""
    at, chosen = rows.rows_of(minutes)
    last = np.full(len(rows), -1, np.int64)
    last[at] = at
    np.maximum.accumulate(last, out=last)
    has_traded = last >= rows.first_row
    bar_of = np.zeros(len(rows), np.int64)
    bar_of[at] = np.arange(at.size)
    high, low = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    high[at], low[at] = minutes.high[chosen], minutes.low[chosen]
    for begin, end in zip(rows.first.tolist(), (rows.last + 1).tolist(), strict=True):
        np.fmax.accumulate(high[begin:end], out=high[begin:end])
        np.fmin.accumulate(low[begin:end], out=low[begin:end])
    price = minutes.close[chosen].take(bar_of[last])
    age = (rows.row - last).astype(np.float64)
    first_bar = np.searchsorted(minutes.session, rows.positions)
    day_open = rows.spread(minutes.open[first_bar])
    if not has_traded.all():
        for values in (price, age, day_open):
            values[~has_traded] = np.nan
    return Running(price, age, day_open, high, low)


@dataclass(frozen=True)
class RunningVolume:
    """Shares traded in a session so far and what they cost at typical prices; shape (n,), NaN before any is known."""

    volume: Floats
    vwap: Floats


def running_volume(minutes: PlacedBars, volumes: PlacedBars, rows: Grid) -> RunningVolume:
    """Volume so far of `volumes`, and the typical price of `minutes` weighted with it.

    Both are the same bars unless an index borrows its fund's volume: then only minutes count towards VWAP in which both
    have a bar.
    """
    at, chosen = rows.rows_of(volumes)
    traded = np.full(len(rows), np.nan)
    traded[at] = volumes.volume[chosen]
    at, chosen = rows.rows_of(minutes)
    typical = np.full(len(rows), np.nan)
    typical[at] = (minutes.high[chosen] + minutes.low[chosen] + minutes.close[chosen]) / 3.0
    turnover = typical * traded
    weight = np.where(np.isnan(turnover), 0.0, traded)
    turnover = np.where(np.isnan(turnover), 0.0, turnover)
    is_known = ~np.isnan(traded)
    known = is_known.astype(np.int64)
    volume = np.where(is_known, traded, 0.0)
    for begin, end in zip(rows.first.tolist(), (rows.last + 1).tolist(), strict=True):
        for values in (volume, weight, turnover, known):
            np.add.accumulate(values[begin:end], out=values[begin:end])
    weight[weight == 0] = np.nan
    volume[known == 0] = np.nan
    return RunningVolume(volume, turnover / weight)
