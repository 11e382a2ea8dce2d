"""One row per minute of a session: prices carried forward, the day's range so far, running volume and VWAP.

Belongs here: what a session's own minutes say. Rows run from the first minute to the last that was delivered, traded or
not; before the first trade there is no price. Everything a row holds was over at its end: a running value of a session
is the same whether later minutes are there or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE
from hd_pipelines.signals.features.exchange_days import load_exchange_days
from hd_pipelines.signals.features.placed_bars import PlacedBars
from hd_pipelines.signals.frame import Floats, Integers


@dataclass(frozen=True)
class Grid:
    """The rows of k sessions, shape (n,), ascending.

    By session, shape (k,): positions in `exchange_days`; over: minutes that were over; first, last: its rows.
    By row: number: which of the k it belongs to; session: its position; minute: from 1; row: 0 to n - 1.
    """

    positions: Integers
    over: Integers
    first: Integers
    last: Integers
    number: Integers
    session: Integers
    minute: Integers
    as_of_ns: Integers
    row: Integers

    def __len__(self) -> int:
        return self.row.size

    def spread_to_rows(self, by_session: Floats) -> Floats:
        """A value per session, shape (…, k), as a value per row, shape (…, n)."""
        return by_session.take(self.number, axis=-1)

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
            self.session[chosen],
            self.minute[chosen],
            self.as_of_ns[chosen],
            self.row[: kept.size],
        )


def build_grid(positions: Integers, over: Integers) -> Grid:
    """Rows of sessions of which so many minutes are over; those of 0 minutes have none and are left out."""
    began = over > 0
    positions, over = positions[began], over[began]
    end = over.cumsum()
    first = end - over
    number = np.arange(positions.size).repeat(over)
    row = np.arange(number.size)
    minute = row - first.take(number) + 1
    as_of_ns = load_exchange_days().opens_ns.take(positions).take(number) + minute * NANOSECONDS_PER_MINUTE
    return Grid(positions, over, first, end - 1, number, positions.take(number), minute, as_of_ns, row)


def count_minutes_delivered(minutes: PlacedBars, positions: Integers) -> Integers:
    """The last minute that each session has a bar of; 0 without one."""
    if minutes.session.size == 0:
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


def compute_running_prices(minutes: PlacedBars, rows: Grid) -> Running:
    """The last price, its age, the day's open, high and low so far, and the opening range."""
    from hd_pipelines.signals.features.kernels import running as kernels_running

    return Running(
        *kernels_running.compute_running_prices(
            minutes.session, minutes.minute, minutes.values, rows.positions, rows.over, len(rows)
        )
    )


def compute_running_volume(minutes: PlacedBars, volumes: PlacedBars, rows: Grid) -> tuple[Floats, Floats]:
    """Volume so far of `volumes`, and the typical price of `minutes` weighted with it; shape (n,), NaN before any.

    Both are the same bars unless an index borrows its fund's volume: then only minutes count towards VWAP in which both
    have a bar.
    """
    from hd_pipelines.signals.features.kernels import running as kernels_running

    volume, vwap = kernels_running.compute_running_volume(
        minutes.session,
        minutes.minute,
        minutes.values,
        volumes.session,
        volumes.minute,
        volumes.volume,
        rows.positions,
        rows.over,
        len(rows),
    )
    return volume, vwap
