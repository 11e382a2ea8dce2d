"""Relative volume: what has been traded so far against what usually has by then.

Belongs here: RVOL's denominator. A session's volume is compared with the mean of the last 20 exchange sessions until the
same minute, of those that were open at that minute (half days end) and of which there are bars. Fewer than five such
sessions are no mean. A symbol that did not trade in a stretch traded 0 in it; one without any bar in a session is not
counted for it, for that is a hole or a halt, not a quiet day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.features.exchange_days import exchange_days
from hd_pipelines.signals.features.placed_bars import PlacedBars
from hd_pipelines.signals.frame import Floats, Integers

SESSIONS = 20
FEWEST_SESSIONS = 5
SLOT_MINUTES = 5
SLOTS = 78


@dataclass(frozen=True)
class UsualVolume:
    """Of k sessions. mean, counted: after each five minutes, shape (k, 78), NaN (mean) where too few were counted.

    sessions: how many of the last 20 sessions have volume at all, shape (k,).
    """

    mean: Floats
    counted: Floats
    sessions: Integers


def usual_volume(history: PlacedBars, positions: Integers) -> UsualVolume:
    """What was usual before each session at `positions` (ascending), from 5-minute bars."""
    mean = np.full((positions.size, SLOTS), np.nan)
    counted = np.zeros((positions.size, SLOTS))
    sessions = np.zeros(positions.size, np.int64)
    if positions.size == 0:
        return UsualVolume(mean, counted, sessions)
    begin = int(positions[0]) - SESSIONS
    so_far, has_volume = volume_so_far(history, begin, int(positions[-1]))
    is_counted = has_volume.astype(np.float64)
    for row, first in enumerate((positions - SESSIONS - begin).tolist()):
        window = slice(first, first + SESSIONS)
        counted[row] = is_counted[window].sum(axis=0)
        mean[row] = so_far[window].sum(axis=0)
        sessions[row] = np.count_nonzero(has_volume[window, 0])
    mean /= counted
    mean[(counted < FEWEST_SESSIONS) | (mean <= 0)] = np.nan
    return UsualVolume(mean, counted, sessions)


def volume_so_far(history: PlacedBars, begin: int, end: int) -> tuple[Floats, np.ndarray]:
    """Volume of the sessions [begin, end) after each five minutes, 0 where unknown; and where it is known."""
    first, last = np.searchsorted(history.session, [begin, end])
    session = history.session[first:last] - begin
    traded = np.zeros((end - begin, SLOTS))
    np.add.at(traded, (session, (history.minute[first:last] - 1) // SLOT_MINUTES), history.volume[first:last])
    has_bars = np.zeros(end - begin, np.bool_)
    has_bars[session] = True
    so_far = np.add.accumulate(traded, axis=1)
    length = exchange_days().minutes[np.maximum(np.arange(begin, end), 0)]
    is_open = SLOT_MINUTES * np.arange(1, SLOTS + 1) <= length[:, None]
    has_volume = is_open & (has_bars & ~np.isnan(so_far[:, -1]))[:, None]
    return np.where(has_volume, so_far, 0.0), has_volume
