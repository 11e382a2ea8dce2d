"""Assign each row to a time window of its session, on full and half days.

A row belongs to the window of the minute that it closes: the 10:00 row knows the minute from 9:59, so it is still part of
the opening. Morning windows are counted from the open and afternoon windows from the close; where they overlap on a half
day, the morning takes precedence. A session that closes at 13:00 has its afternoon from 11:30, its power hour from 12:00,
and no lunch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.policy.vocabulary import TimeWindow
from hd_pipelines.tables.vocabulary import Resolution

WINDOWS = tuple(TimeWindow)
FROM_OPEN = ((30, TimeWindow.OPENING), (90, TimeWindow.MID_MORNING), (120, TimeWindow.LATE_MORNING))
"""Minutes from the open at which each window ends."""
TO_CLOSE = ((60, TimeWindow.POWER_HOUR), (90, TimeWindow.AFTERNOON), (150, TimeWindow.EARLY_AFTERNOON))
"""Minutes to the close at which each window begins."""


def assign_windows(frame: FeatureFrame) -> NDArray[np.intp]:
    """Return the position in `WINDOWS` of each row's window, shape (n,). Rows must lie within regular hours."""
    if frame.resolution is Resolution.DAY:
        return np.full(len(frame), WINDOWS.index(TimeWindow.WHOLE_SESSION), np.intp)
    from_open, to_close = frame["minutes_from_open"], frame["minutes_to_close"]
    window = np.full(len(frame), WINDOWS.index(TimeWindow.LUNCH), np.intp)
    for begins, name in reversed(TO_CLOSE):
        window[to_close < begins] = WINDOWS.index(name)
    for ends, name in reversed(FROM_OPEN):
        window[from_open <= ends] = WINDOWS.index(name)
    return window
