"""The grid of a session's minutes: prices carried forward, the day's range so far, running volume and VWAP.

Rows run from the first minute to the last one delivered, whether or not it traded. Before the first trade there is no
price. A running value is the same whether or not later minutes are present.
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

    By session, shape (k,): positions in `load_exchange_days`; over: minutes that were over; first, last: its rows.
    By row: number: index of its session among the k; session: that session's position; minute: from 1; row: 0 to n - 1.
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
        """Repeat a value per session, shape (…, k), for each of its rows, shape (…, n)."""
        return by_session.take(self.number, axis=-1)

    def newest(self, rows: int) -> Grid:
        """Return the last rows of a grid of one session."""
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
    """Build the rows of sessions of which `over` minutes are over; sessions with 0 are left out."""
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
    """Return the last minute for which each session has a bar; 0 without any."""
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
        """Return the last rows."""
        return Running(*(getattr(self, name)[-rows:] for name in self.__dataclass_fields__))


def compute_running_prices(minutes: PlacedBars, rows: Grid) -> Running:
    """Compute the last price, its age, the day's open, high and low so far, and the opening range."""
    from hd_pipelines.signals.features.kernels import running as kernels_running

    return Running(
        *kernels_running.compute_running_prices(
            minutes.session, minutes.minute, minutes.values, rows.positions, rows.over, len(rows)
        )
    )


def compute_running_volume(minutes: PlacedBars, volumes: PlacedBars, rows: Grid) -> tuple[Floats, Floats]:
    """Compute volume so far of `volumes`, and VWAP: the typical price of `minutes` weighted with it; shape (n,).

    Both are the same bars unless an index uses its ETF's volume; then VWAP counts only minutes in which both have a bar.
    NaN before any volume.
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
