"""Bars on the clock of their session: which can be believed, at which minute each ends, longer ones cut from shorter.

Belongs here: turning a tape's bars into arrays that a session's window is sliced from. A bar counts if it lies within
regular hours and its prices are positive and within its own high and low; others are left out and counted. Bars of the
vendor are anchored at the session's open, as `market.bars` does it; a bar is complete when its last minute is over, and
the last one of a session is as short as the session is.
"""

from __future__ import annotations

from dataclasses import dataclass

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
            np.searchsorted(self.session, from_positions).tolist(),
            np.searchsorted(self.session, to_positions).tolist(),
        )

    @property
    def clock(self) -> Integers:
        """Session and minute in one ascending number."""
        return self.session * LONGER_THAN_A_SESSION + self.minute


def placed(bars: Bars, positions: Integers) -> PlacedBars:
    """The believable bars of the sessions at `positions` (ascending)."""
    calendar = exchange_days()
    days = calendar.day[positions]
    first, end = np.searchsorted(bars.session, days), np.searchsorted(bars.session, days, side="right")
    session = np.repeat(positions, end - first)
    chosen = bars.part(_chosen(first, end))
    opens_ns = calendar.opens_ns[session]
    believed = (chosen.starts_ns >= opens_ns) & (chosen.ends_ns <= calendar.closes_ns[session])
    believed &= (chosen.low > 0) & (chosen.high < np.inf) & (chosen.ends_ns > chosen.starts_ns)
    believed &= (np.minimum(chosen.open, chosen.close) >= chosen.low) & (
        np.maximum(chosen.open, chosen.close) <= chosen.high
    )
    minute = -((opens_ns - chosen.ends_ns) // NANOSECONDS_PER_MINUTE)
    volume = chosen.volume
    if np.any(volume < 0):
        volume = np.where(volume < 0, np.nan, volume)
    all_bars = PlacedBars(session, minute, chosen.open, chosen.high, chosen.low, chosen.close, volume, 0)
    return all_bars if believed.all() else all_bars.only(believed)


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
    prices = bars.prices if isinstance(bars, CutBars) else np.stack((bars.high, bars.low, bars.close))
    if bars.session.size == 0:
        return CutBars(bars.session, bars.minute, prices)
    slot = (bars.minute - 1) // length
    key = bars.session * LONGER_THAN_A_SESSION + slot
    is_first = np.empty(key.size, np.bool_)
    is_first[0] = True
    np.not_equal(key[1:], key[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], key.size) - 1
    session = bars.session[first]
    return CutBars(
        session,
        np.minimum((slot[first] + 1) * length, exchange_days().minutes[session]),
        np.stack(
            (np.maximum.reduceat(prices[0], first), np.minimum.reduceat(prices[1], first), prices[2].take(last)),
        ),
    )


def all_of(bars: PlacedBars) -> CutBars:
    """Bars as they are."""
    return CutBars(bars.session, bars.minute, np.stack((bars.high, bars.low, bars.close)))


def complete(bars: CutBars, positions: Integers, minutes_over: Integers) -> CutBars:
    """Without those that had not ended when `minutes_over` of the session at `positions` were over."""
    over = minutes_over[np.searchsorted(positions, bars.session)]
    ended = bars.minute <= over
    if ended.all():
        return bars
    return CutBars(bars.session[ended], bars.minute[ended], np.ascontiguousarray(bars.prices[:, ended]))
