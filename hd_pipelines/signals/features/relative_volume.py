"""Relative volume: whose volume it is, and what has been traded so far against what usually has by then.

Belongs here: RVOL and the choice of its source. An index is a number and has no volume; its fund's is a stand-in that is
called one wherever it is used (product facts §13.1, fault 12).

A session's volume is compared with the mean of the last 20 exchange sessions until the same minute, of those that were
open at that minute (half days end) and of which there are bars. Fewer than five such sessions are no mean. A symbol that
did not trade in a stretch traded 0 in it; one without any bar in a session is not counted for it, for that is a hole or a
halt, not a quiet day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.vocabulary import AssetClass
from hd_pipelines.signals.features.exchange_days import exchange_days
from hd_pipelines.signals.features.placed_bars import PlacedBars
from hd_pipelines.signals.features.session_grid import Grid
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import SymbolTape

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


def volume_source(tape: SymbolTape) -> SymbolTape | None:
    """The tape whose volume counts for this one: its fund's for an index, None for an index without one, else its own."""
    return tape.proxy if tape.asset_class is AssetClass.INDEX else tape


def relative_volume(traded: Floats, history: PlacedBars, rows: Grid) -> tuple[Floats, Floats, Integers]:
    """RVOL at the end of the last complete five minutes of each row, and of how many sessions its mean is, shape (n,).

    `traded`: volume so far at each row. `history`: 5-minute bars of the sessions before. NaN in a session's first four
    minutes; RVOL also where the mean is of fewer than 5 sessions, or 0. Third: how many of the last 20 sessions have
    volume at all, shape (k,).
    """
    usual = usual_volume(history, rows.positions)
    slot = rows.minute // SLOT_MINUTES - 1
    known = np.maximum(slot, 0)
    so_far = traded[np.minimum(rows.first_row + SLOT_MINUTES * (known + 1), len(rows)) - 1]
    at = rows.number * SLOTS + known
    rvol, sessions = so_far / usual.mean.take(at), usual.counted.take(at)
    too_early = slot < 0
    rvol[too_early] = sessions[too_early] = np.nan
    return rvol, sessions, usual.sessions


def usual_volume(history: PlacedBars, positions: Integers) -> UsualVolume:
    """What was usual before each session at `positions` (ascending), from 5-minute bars."""
    mean, counted = np.empty((2, positions.size, SLOTS))
    begin = int(positions[0]) - SESSIONS
    so_far, has_volume = volume_so_far(history, begin, int(positions[-1]))
    for row, first in enumerate((positions - SESSIONS - begin).tolist()):
        np.add.reduce(so_far[first : first + SESSIONS], axis=0, out=mean[row])
        np.add.reduce(has_volume[first : first + SESSIONS], axis=0, out=counted[row])
    mean /= counted
    mean[~((counted >= FEWEST_SESSIONS) & (mean > 0))] = np.nan
    return UsualVolume(mean, counted, counted[:, 0].astype(np.int64))


def volume_so_far(history: PlacedBars, begin: int, end: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Volume of the sessions [begin, end) after each five minutes, 0 where unknown; and where it is known."""
    first, last = history.session.searchsorted([begin, end]).tolist()
    session = history.session[first:last] - begin
    traded = np.zeros((end - begin, SLOTS))
    traded[session, (history.minute[first:last] - 1) // SLOT_MINUTES] = history.volume[first:last]
    so_far = np.add.accumulate(traded, axis=1)
    is_known = np.zeros(end - begin, np.bool_)
    is_known[session] = True
    is_known &= so_far[:, -1] >= 0  # one unknown volume makes the sum unknown
    length = exchange_days().minutes.take(np.arange(begin, end), mode="clip")
    has_volume = is_known[:, None] & (length[:, None] >= _SLOT_ENDS)
    return np.where(has_volume, so_far, 0.0), has_volume


_SLOT_ENDS = SLOT_MINUTES * np.arange(1, SLOTS + 1)
