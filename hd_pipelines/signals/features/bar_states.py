"""Compute indicators of complete bars per session window, and look up their value at each row.

The window of a session is the complete bars of the 20 exchange sessions before it, then the session's own. 15-minute and
hourly bars are cut from the same 5-minute bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.features.indicators.swings import SWING_FEATURES, fill_swing_features
from hd_pipelines.signals.features.indicators.technical import (
    FIVE_MINUTE_INDICATORS,
    LONGER_BAR_INDICATORS,
    average_true_range,
    fill_five_minute_indicators,
    fill_longer_bar_indicators,
    relative_strength,
)
from hd_pipelines.signals.features.placed_bars import CutBars, PlacedBars, cut_bars, cut_complete_bars
from hd_pipelines.signals.features.session_grid import Grid
from hd_pipelines.signals.frame import Floats, Integers

WINDOW_SESSIONS = 20
FEWEST_TREND_BARS = {"15m": 25, "1h": 20}
"""Minimum bars for a trend: 25 15-minute bars are about one session, 20 hourly bars about three."""
LENGTHS = {"15m": 15, "1h": 60}
BREAKOUT_WINDOW = ("highest_20", "lowest_20")
"""Adjacent rows of `FIVE_MINUTE_INDICATORS`."""


@dataclass(frozen=True)
class BarStates:
    """Indicator values at each row, by name; shape (n,), NaN where a window has too few bars.

    five: `FIVE_MINUTE_INDICATORS` and `SWING_FEATURES` of 5-minute bars. longer: `LONGER_BAR_INDICATORS` by "15m" and
    "1h". before: `BREAKOUT_WINDOW` without the bar that contains the row's own minute, since a price can never exceed the
    high of a bar it is part of.

    window_sessions: how many of the 20 previous sessions have bars, shape (k,). close_before: last close of the previous
    session, shape (k,), NaN if it has no bars.
    """

    five: dict[str, Floats]
    before: dict[str, Floats]
    longer: dict[str, dict[str, Floats]]
    window_sessions: Integers
    close_before: Floats


def compute_bar_states(history: PlacedBars, minutes: PlacedBars, rows: Grid) -> BarStates:
    """Compute all states. `history`: 5-minute bars of earlier sessions; `minutes`: bars of the grid's sessions."""
    from hd_pipelines.signals.features.kernels import bars as kernels_bars

    own = cut_complete_bars(minutes, 5, rows.positions, rows.over)
    before = CutBars(history.session, history.minute, history.prices)
    longer: dict[str, dict[str, Floats]] = {}
    longer_before, longer_own = before, own
    for timeframe, length in LENGTHS.items():
        longer_before = cut_bars(longer_before, length)
        longer_own = cut_complete_bars(longer_own, length, rows.positions, rows.over)
        windows = _Windows(longer_before, longer_own, rows)
        states = windows.empty_states(len(LONGER_BAR_INDICATORS))
        for prices, _, filled in windows.each(states):
            fill_longer_bar_indicators(prices, filled, FEWEST_TREND_BARS[timeframe])
        longer[timeframe] = _named(LONGER_BAR_INDICATORS, states.take(windows.column(), axis=1))
    windows = _Windows(before, own, rows)
    names = (*FIVE_MINUTE_INDICATORS, *SWING_FEATURES)
    states = windows.empty_states(len(names))
    for prices, bars, filled in windows.each(states):
        strength, atr = relative_strength(prices[2]), average_true_range(prices)
        fill_five_minute_indicators(prices, strength, atr, bars, filled[: len(FIVE_MINUTE_INDICATORS)])
        fill_swing_features(prices, strength, atr, bars, filled[len(FIVE_MINUTE_INDICATORS) :])
    first = names.index(BREAKOUT_WINDOW[0])
    window = states[first : first + len(BREAKOUT_WINDOW)]
    return BarStates(
        _named(names, states.take(windows.column(), axis=1)),
        _named(BREAKOUT_WINDOW, window.take(windows.column(minutes_ago=1), axis=1)),
        longer,
        *kernels_bars.count_window_sessions(before.session, before.prices[2], rows.positions, WINDOW_SESSIONS),
    )


class _Windows:
    """Windows of the grid's sessions in bars of one length."""

    def __init__(self, before: CutBars, own: CutBars, rows: Grid) -> None:
        self.before, self.own, self.rows = before, own, rows
        self.from_before = before.bounds(np.maximum(rows.positions - WINDOW_SESSIONS, 0), rows.positions)
        self.from_own = own.bounds(rows.positions, rows.positions + 1)

    def empty_states(self, answers: int) -> Floats:
        """Return NaN with one column per bar of the sessions, plus one before each session's first bar."""
        return np.full((answers, self.own.session.size + self.rows.positions.size), np.nan)

    def each(self, states: Floats) -> Iterator[tuple[Floats, int, Floats]]:
        """Yield each window's prices, the number of the session's own bars, and its slice of `states`; skip empty ones."""
        bounds = zip(*self.from_before, *self.from_own, strict=True)
        for number, (first, end, own_first, own_end) in enumerate(bounds):
            if first == end and own_first == own_end:
                continue
            prices = np.concatenate((self.before.prices[:, first:end], self.own.prices[:, own_first:own_end]), axis=1)
            yield prices, own_end - own_first, states[:, own_first + number : own_end + number + 1]

    def column(self, minutes_ago: int = 0) -> Integers:
        """Return the column of `empty_states` known at each row, or `minutes_ago` before it."""
        from hd_pipelines.signals.features.kernels import bars as kernels_bars

        rows = self.rows
        states: Integers = kernels_bars.find_states_at_rows(
            self.own.session, self.own.minute, rows.session, rows.minute, minutes_ago
        )
        return states


def _named(names: tuple[str, ...], values: Floats) -> dict[str, Floats]:
    return dict(zip(names, values, strict=True))
