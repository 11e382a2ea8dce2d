"""Place bars on their session's clock: drop invalid bars, compute the minute at which each ends, cut longer bars.

A bar is valid if it lies within regular hours and its prices are positive and consistent with its own high and low; others
are dropped and counted. Bars are anchored at the session's open, as in `market.bars`. A bar is complete when its last
minute is over, and the last bar of a session is as short as the session is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.features.exchange_days import load_exchange_days
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Bars


@dataclass(frozen=True)
class PlacedBars:
    """Valid bars of selected sessions, ascending; shape (n,).

    session: position in `load_exchange_days`. minute: minutes from the session's open to the bar's end. values: rows open,
    high, low, close and volume, shape (5, n); volume is NaN where there is none. left_out: number of invalid bars dropped.
    """

    session: Integers
    minute: Integers
    values: Floats
    left_out: int

    @property
    def prices(self) -> Floats:
        """High, low and close, shape (3, n)."""
        return self.values[1:4]

    @property
    def volume(self) -> Floats:
        """Volume of each bar, NaN where there is none; shape (n,)."""
        volume: Floats = self.values[4]
        return volume


@dataclass(frozen=True)
class CutBars:
    """Bars of one length, like `PlacedBars`. prices: rows high, low and close, shape (3, n), each row contiguous."""

    session: Integers
    minute: Integers
    prices: Floats

    def bounds(self, from_positions: Integers, to_positions: Integers) -> tuple[list[int], list[int]]:
        """Return where the bars of the sessions [from, to) begin and end, for each pair."""
        return (
            self.session.searchsorted(from_positions).tolist(),
            self.session.searchsorted(to_positions).tolist(),
        )


def place_bars(bars: Bars, positions: Integers) -> PlacedBars:
    """Place the valid bars of the sessions at `positions` (ascending)."""
    from hd_pipelines.signals.features.kernels import bars as kernels_bars

    calendar = load_exchange_days()
    days = calendar.day.take(positions)
    session, minute, values, count = kernels_bars.place(
        bars.starts_ns,
        bars.ends_ns,
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,
        begin := bars.session.searchsorted(days),
        end := bars.session.searchsorted(days, side="right"),
        positions,
        calendar.opens_ns.take(positions),
        calendar.minutes.take(positions),
    )
    return PlacedBars(session[:count], minute[:count], values[:, :count], int((end - begin).sum()) - count)


def cut_bars(bars: PlacedBars | CutBars, length: int) -> CutBars:
    """Cut bars of `length` minutes from shorter ones; a stretch without bars gives none."""
    return _cut(bars, length, _NO_SESSION, _NO_SESSION)


def cut_complete_bars(bars: PlacedBars | CutBars, length: int, positions: Integers, over: Integers) -> CutBars:
    """Cut bars likewise, without those that had not ended when `over` minutes of the session at `positions` were over."""
    return _cut(bars, length, positions, over)


def _cut(bars: PlacedBars | CutBars, length: int, positions: Integers, over: Integers) -> CutBars:
    from hd_pipelines.signals.features.kernels import bars as kernels_bars

    lengths = load_exchange_days().minutes
    return CutBars(*kernels_bars.cut(bars.session, bars.minute, bars.prices, length, lengths, positions, over))


_NO_SESSION: NDArray[np.int64] = np.empty(0, np.int64)
