"""Bars on the clock of their session: which can be believed, at which minute each ends, longer ones cut from shorter.

Belongs here: turning a tape's bars into arrays that a session's window is sliced from. A bar counts if it lies within
regular hours and its prices are positive and within its own high and low; others are left out and counted. Bars of the
vendor are anchored at the session's open, as `market.bars` does it; a bar is complete when its last minute is over, and
the last one of a session is as short as the session is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE
from hd_pipelines.signals.features.exchange_days import exchange_days
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Bars

LONGER_THAN_A_SESSION = 1000
"""Minutes; makes one ascending number of a session's position and a minute in it."""


@dataclass(frozen=True)
class PlacedBars:
    """Bars of chosen sessions, ascending; shape (n,). `volume` is NaN where there is none.

    session: position in `exchange_days`. minute: minutes from the session's open to the bar's end.
    left_out: how many bars of those sessions were not believed.
    """

    session: Integers
    minute: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    left_out: int

    def __len__(self) -> int:
        return self.session.size

    def only(self, believed: NDArray[np.bool_]) -> PlacedBars:
        """Without those that are not believed."""
        return PlacedBars(
            self.session[believed],
            self.minute[believed],
            self.open[believed],
            self.high[believed],
            self.low[believed],
            self.close[believed],
            self.volume[believed],
            self.left_out + int(np.count_nonzero(~believed)),
        )


@dataclass(frozen=True)
class CutBars:
    """Bars of one length. `prices`: rows high, low and close, shape (3, n), each row contiguous; else as `PlacedBars`."""

    session: Integers
    minute: Integers
    prices: Floats

    def bounds(self, from_positions: Integers, to_positions: Integers) -> tuple[list[int], list[int]]:
        """Where the bars of the sessions [from, to) begin and end, for each pair."""
        return (
            self.session.searchsorted(from_positions).tolist(),
            self.session.searchsorted(to_positions).tolist(),
        )

    @property
    def clock(self) -> Integers:
        """Session and minute in one ascending number."""
        return self.session * LONGER_THAN_A_SESSION + self.minute


def placed(bars: Bars, positions: Integers) -> PlacedBars:
    """The believable bars of the sessions at `positions` (ascending)."""
    calendar = exchange_days()
    days = calendar.day.take(positions)
    first, end = bars.session.searchsorted(days), bars.session.searchsorted(days, side="right")
    session = positions.repeat(end - first)
    chosen = bars.part(_chosen(first, end))
    opens_ns = calendar.opens_ns.take(session)
    minute = (chosen.ends_ns - opens_ns + (NANOSECONDS_PER_MINUTE - 1)) // NANOSECONDS_PER_MINUTE
    low, high = chosen.low, chosen.high
    believed = (chosen.starts_ns >= opens_ns) & (minute <= calendar.minutes.take(session))
    believed &= (chosen.ends_ns > chosen.starts_ns) & (low > 0) & (high < np.inf)
    believed &= (chosen.open >= low) & (chosen.open <= high)
    believed &= (chosen.close >= low) & (chosen.close <= high)
    volume = chosen.volume
    if (volume < 0).any():
        volume = np.where(volume < 0, np.nan, volume)
    found = PlacedBars(session, minute, chosen.open, high, low, chosen.close, volume, 0)
    return found if believed.all() else found.only(believed)


def _chosen(first: NDArray[np.intp], end: NDArray[np.intp]) -> slice:
    """One slice where the sessions lie side by side, else every bar of each."""
    if first.size == 0:
        return slice(0, 0)
    if np.array_equal(first[1:], end[:-1]):
        return slice(int(first[0]), int(end[-1]))
    ranges = [np.arange(start, stop) for start, stop in zip(first.tolist(), end.tolist(), strict=True)]
    return np.concatenate(ranges)  # type: ignore[return-value]  # numpy takes it wherever it takes a slice


def cut(bars: PlacedBars | CutBars, length: int) -> CutBars:
    """Bars of `length` minutes made of shorter ones, forming ones included; a stretch without bars has none."""
    if bars.session.size == 0:
        return CutBars(bars.session, bars.minute, np.empty((3, 0)))
    high, low, close = bars.prices if isinstance(bars, CutBars) else (bars.high, bars.low, bars.close)
    end = _ends_of(length).take(bars.minute)
    clock = bars.session * LONGER_THAN_A_SESSION + end
    last = np.append((clock[1:] != clock[:-1]).nonzero()[0], clock.size - 1)
    first = np.append(0, last[:-1] + 1)
    prices = np.empty((3, first.size))
    np.maximum.reduceat(high, first, out=prices[0])
    np.minimum.reduceat(low, first, out=prices[1])
    close.take(last, out=prices[2])
    session = bars.session.take(first)
    return CutBars(session, np.minimum(end.take(first), exchange_days().minutes.take(session)), prices)


@cache
def _ends_of(length: int) -> Integers:
    """For every minute of a session, the minute at which its bar of `length` minutes would end."""
    return -(-np.arange(LONGER_THAN_A_SESSION) // length) * length


def all_of(bars: PlacedBars) -> CutBars:
    """Bars as they are."""
    return CutBars(bars.session, bars.minute, np.concatenate((bars.high, bars.low, bars.close)).reshape(3, -1))


def complete(bars: CutBars, positions: Integers, minutes_over: Integers) -> CutBars:
    """Without those that had not ended when `minutes_over` of the session at `positions` were over."""
    ended = bars.minute <= minutes_over.take(positions.searchsorted(bars.session))
    if ended.all():
        return bars
    return CutBars(bars.session[ended], bars.minute[ended], np.ascontiguousarray(bars.prices[:, ended]))
