"""As-of join: the newest context row known at each row of a frame, and its age."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, measure_trading_time_ns
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Known

NONE = -1
"""Index for "no row": it selects the last column of a table, which is NaN."""


def select_known_between(rows: Sequence[Known], as_of_ns: Integers) -> Sequence[Known]:
    """Select the rows (ascending by `known_at_ns`) that are the newest at any of the instants `as_of_ns` (ascending)."""
    if not rows or as_of_ns.size == 0:
        return ()
    first, end = (bisect_left(rows, int(at), key=lambda row: row.known_at_ns) for at in as_of_ns[[0, -1]])
    return rows[max(first - 1, 0) : end]


def find_newest_of_each(
    known: Sequence[Known], as_of_ns: Integers, clock_ns: Integers, oldest_minutes: float
) -> tuple[Integers, Floats]:
    """Find which of `known` (at least one row) is the newest at each instant, `NONE` if none or too old; and its age.

    `clock_ns`: `measure_trading_time_ns` of the instants. The age, in trading minutes, is also given for a row that is
    too old; NaN if there is none.
    """
    known_ns = np.array([row.known_at_ns for row in known], np.int64)
    index = known_ns.searchsorted(as_of_ns, side="left") - 1
    age = (clock_ns - measure_trading_time_ns(known_ns).take(index)) / NANOSECONDS_PER_MINUTE
    age[index < 0] = np.nan
    index[~(age <= oldest_minutes)] = NONE
    return index, age
