"""Indicators of sessions at the end of each of their complete bars, window by window.

Belongs here: which bars make a window and where its answers go. The window of a session is the complete bars of the 20
exchange sessions before it and the session's own; 15-minute bars and hours are cut from the same 5-minute bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.features.indicators import (
    FIVE_MINUTE_INDICATORS,
    LONGER_BAR_INDICATORS,
    average_true_range,
    five_minute_indicators,
    longer_bar_indicators,
    relative_strength,
)
from hd_pipelines.signals.features.placed_bars import CutBars, PlacedBars, all_of, complete, cut
from hd_pipelines.signals.features.session_grid import Grid
from hd_pipelines.signals.features.swings import SWING_FEATURES, swing_features
from hd_pipelines.signals.frame import Floats, Integers

WINDOW_SESSIONS = 20
FEWEST_TREND_BARS = {"15m": 25, "1h": 20}
"""Half of what the predecessor asked for (product facts §3.4)."""
LENGTHS = {"15m": 15, "1h": 60}


@dataclass(frozen=True)
class BarStates:
    """Answers by name, one column per complete bar of the sessions and one before each session's first.

    column: for each row of the grid, the state of the bars that were over; column_before: without the bar that the row's
    own minute is the last of, so that a price is never compared with a bar it is part of.
    """

    names: tuple[str, ...]
    states: Floats
    column: Integers
    column_before: Integers

    def at_rows(self, name: str) -> Floats:
        """The state at each row; NaN where the window had too few bars."""
        states: Floats = self.states[self.names.index(name)]
        return states.take(self.column)

    def before_rows(self, name: str) -> Floats:
        """The state before the bar that holds each row's minute."""
        states: Floats = self.states[self.names.index(name)]
        return states.take(self.column_before)


@dataclass(frozen=True)
class AllBarStates:
    """Of 5-minute bars, of "15m" and "1h"; and what the windows were made from, shape (k,) each.

    window_sessions: how many of the 20 sessions before have bars. close_before: last close of the session before, NaN
    where it has no bars.
    """

    five: BarStates
    longer: dict[str, BarStates]
    window_sessions: Integers
    close_before: Floats


def bar_states(history: PlacedBars, minutes: PlacedBars, rows: Grid) -> AllBarStates:
    """`history`: 5-minute bars of the sessions before; `minutes`: those of the grid's sessions."""
    own = complete(cut(minutes, 5), rows.positions, rows.lasted)
    before = all_of(history)
    longer = {}
    for timeframe, length in LENGTHS.items():
        own_longer = complete(cut(own, length), rows.positions, rows.lasted)
        windows = _Windows(cut(before, length), own_longer, rows)
        states = windows.empty_states(len(LONGER_BAR_INDICATORS))
        for prices, _, filled in windows.each(states):
            longer_bar_indicators(prices, filled, FEWEST_TREND_BARS[timeframe])
        longer[timeframe] = windows.answered(LONGER_BAR_INDICATORS, states)
    windows = _Windows(before, own, rows)
    states = windows.empty_states(len(FIVE_MINUTE_INDICATORS) + len(SWING_FEATURES))
    for prices, bars, filled in windows.each(states):
        strength, atr = relative_strength(prices[2]), average_true_range(prices)
        five_minute_indicators(prices, strength, atr, bars, filled[: len(FIVE_MINUTE_INDICATORS)])
        swing_features(prices, strength, atr, bars, filled[len(FIVE_MINUTE_INDICATORS) :])
    five = windows.answered((*FIVE_MINUTE_INDICATORS, *SWING_FEATURES), states)
    return AllBarStates(five, longer, *_made_from(before, rows))


class _Windows:
    """The windows of the grid's sessions in bars of one length."""

    def __init__(self, before: CutBars, own: CutBars, rows: Grid) -> None:
        self.before, self.own, self.rows = before, own, rows
        self.from_before = before.bounds(np.maximum(rows.positions - WINDOW_SESSIONS, 0), rows.positions)
        self.from_own = own.bounds(rows.positions, rows.positions + 1)

    def empty_states(self, answers: int) -> Floats:
        return np.full((answers, self.own.session.size + self.rows.positions.size), np.nan)

    def each(self, states: Floats) -> Iterator[tuple[Floats, int, Floats]]:
        """Prices of each window, how many bars are the session's own, and its part of `states`; none for no bars."""
        bounds = zip(*self.from_before, *self.from_own, strict=True)
        for number, (first, end, own_first, own_end) in enumerate(bounds):
            if first == end and own_first == own_end:
                continue
            prices = np.concatenate((self.before.prices[:, first:end], self.own.prices[:, own_first:own_end]), axis=1)
            yield prices, own_end - own_first, states[:, own_first + number : own_end + number + 1]

    def answered(self, names: tuple[str, ...], states: Floats) -> BarStates:
        # Each session has one column more than bars: the state before its first.
        return BarStates(
            names,
            states,
            self.rows.bars_over(self.own) + self.rows.number,
            self.rows.bars_over(self.own, minutes_ago=1) + self.rows.number,
        )


def _made_from(before: CutBars, rows: Grid) -> tuple[Integers, Floats]:
    is_first: NDArray[np.bool_] = np.diff(before.session, prepend=-1) != 0
    sessions = before.session[is_first]
    first, end = (np.searchsorted(sessions, rows.positions - back) for back in (WINDOW_SESSIONS, 0))
    last = np.searchsorted(before.session, rows.positions) - 1
    if before.session.size == 0:
        return end - first, np.full(rows.positions.size, np.nan)
    has_bars = (last >= 0) & (before.session[last] == rows.positions - 1)
    return end - first, np.where(has_bars, before.prices[2][last], np.nan)
