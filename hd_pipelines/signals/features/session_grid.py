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

OPENING_RANGE_MINUTES = 15


@dataclass(frozen=True)
class Grid:
    """The rows of k sessions, shape (n,), ascending.

    positions: the sessions in `exchange_days`, shape (k,). over: minutes of each that were over, shape (k,). first,
    last: its first and last row, shape (k,). number: which of the k a row belongs to. minute: from 1. row: 0 to n - 1.
    """

    positions: Integers
    over: Integers
    first: Integers
    last: Integers
    number: Integers
    minute: Integers
    as_of_ns: Integers
    row: Integers

    def __len__(self) -> int:
        return self.row.size

    @property
    def first_row(self) -> Integers:
        """Row at which each row's session begins."""
        return self.first.take(self.number)

    def spread(self, by_session: Floats) -> Floats:
        """A value per session, shape (…, k), as a value per row, shape (…, n)."""
        return by_session.take(self.number, axis=-1)

    def rows_of(self, bars: PlacedBars) -> tuple[Integers, NDArray[np.bool_] | slice]:
        """The row at which each bar ends, and which bars have one. For a grid with all its rows."""
        number = self.positions.searchsorted(bars.session)
        number = np.minimum(number, self.positions.size - 1)
        has_row = (self.positions[number] == bars.session) & (bars.minute <= self.over[number])
        rows = self.first[number] + (bars.minute - 1)
        return (rows, slice(None)) if has_row.all() else (rows[has_row], has_row)

    def bars_over(self, bars: CutBars, minutes_ago: int = 0) -> Integers:
        """How many of `bars` (complete ones, of these sessions) had ended at each row, counted from the first of all."""
        clock = self.positions.take(self.number) * LONGER_THAN_A_SESSION + (self.minute - minutes_ago)
        over: Integers = bars.clock.searchsorted(clock, side="right")
        return over

    def newest(self, rows: int) -> Grid:
        """The last rows of the grid of one session."""
        chosen = slice(max(len(self) - rows, 0), None)
        kept = self.number[chosen]
        return Grid(
            self.positions,
            self.over,
            self.first,
            self.first + (kept.size - 1),
            kept,
            self.minute[chosen],
            self.as_of_ns[chosen],
            self.row[: kept.size],
        )


def grid(positions: Integers, over: Integers) -> Grid:
    """Rows of sessions of which so many minutes are over; those of 0 minutes have none and are left out."""
    began = over > 0
    positions, over = positions[began], over[began]
    end = over.cumsum()
    first = end - over
    number = np.arange(positions.size).repeat(over)
    row = np.arange(number.size)
    minute = row - first[number] + 1
    as_of_ns = exchange_days().opens_ns[positions][number] + minute * NANOSECONDS_PER_MINUTE
    return Grid(positions, over, first, end - 1, number, minute, as_of_ns, row)


def minutes_delivered(minutes: PlacedBars, positions: Integers) -> Integers:
    """The last minute that each session has a bar of; 0 without one."""
    if len(minutes) == 0:
        return np.zeros(positions.size, np.int64)
    last = np.maximum(minutes.session.searchsorted(positions, side="right") - 1, 0)
    return np.where(minutes.session[last] == positions, minutes.minute[last], 0)


@dataclass(frozen=True)
class Running:
    """What was known of a session's prices at each row; shape (n,), NaN before the first trade.

    opening_range_*: high and low of the first 15 minutes, NaN until they are over.
    """

    price: Floats
    price_age_minutes: Floats
    day_open: Floats
    day_high: Floats
    day_low: Floats
    opening_range_high: Floats
    opening_range_low: Floats

    def newest(self, rows: int) -> Running:
        """The last rows."""
        return Running(*(getattr(self, name)[-rows:] for name in self.__dataclass_fields__))


def running_prices(minutes: PlacedBars, rows: Grid) -> Running:
    """The last price, its age, the day's open, high and low so far, and the opening range."""
    at, chosen = rows.rows_of(minutes)
    last = np.full(len(rows), -1, np.int64)
    last[at] = at
    np.maximum.accumulate(last, out=last)
    has_traded = last >= rows.first_row
    prices = np.full((3, len(rows)), np.nan)
    close, high, low = prices
    close[at], high[at], low[at] = minutes.close[chosen], minutes.high[chosen], minutes.low[chosen]
    for begin, end in zip(rows.first.tolist(), (rows.last + 1).tolist(), strict=True):
        np.fmax.accumulate(high[begin:end], out=high[begin:end])
        np.fmin.accumulate(low[begin:end], out=low[begin:end])
    price = close.take(last)
    age = (rows.row - last).astype(np.float64)
    day_open = rows.spread(minutes.open[minutes.session.searchsorted(rows.positions)])
    if not has_traded.all():
        for values in (price, age, day_open):
            values[~has_traded] = np.nan
    over = np.minimum(rows.first + (OPENING_RANGE_MINUTES - 1), rows.last)
    opening = rows.spread(prices[1:, over])
    opening[:, rows.minute < OPENING_RANGE_MINUTES] = np.nan
    return Running(price, age, day_open, high, low, opening[0], opening[1])


def running_volume(minutes: PlacedBars, volumes: PlacedBars, rows: Grid) -> tuple[Floats, Floats]:
    """Volume so far of `volumes`, and the typical price of `minutes` weighted with it; shape (n,), NaN before any.

    Both are the same bars unless an index borrows its fund's volume: then only minutes count towards VWAP in which both
    have a bar.
    """
    at, chosen = rows.rows_of(volumes)
    traded = np.full(len(rows), np.nan)
    traded[at] = volumes.volume[chosen]
    is_known = ~np.isnan(traded)
    at, chosen = rows.rows_of(minutes)
    typical = np.full(len(rows), np.nan)
    typical[at] = (minutes.high[chosen] + minutes.low[chosen] + minutes.close[chosen]) / 3.0
    turnover = typical * traded
    counts = ~np.isnan(turnover)
    sums = np.zeros((4, len(rows)))
    np.copyto(sums[0], traded, where=is_known)
    np.copyto(sums[1], traded, where=counts)
    np.copyto(sums[2], turnover, where=counts)
    sums[3] = is_known
    for begin, end in zip(rows.first.tolist(), (rows.last + 1).tolist(), strict=True):
        np.add.accumulate(sums[:, begin:end], axis=1, out=sums[:, begin:end])
    volume, weight, worth, known = sums
    volume[known == 0] = np.nan
    weight[weight == 0] = np.nan
    return volume, worth / weight
