"""Which row of a context each row of a frame knows: the newest that was known at its instant, and how old it is.

Belongs here: the as-of join. How old is too old is for the context to say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, measure_trading_time_ns
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Known

NONE = -1
"""Index of "no row": the last value of a table that ends with one of NaN."""


def select_known_between(rows: Sequence[Known], as_of_ns: Integers) -> Sequence[Known]:
    """Of rows ascending by `known_at_ns`, those that are the newest at one of the instants `as_of_ns` (ascending)."""
    if not rows or as_of_ns.size == 0:
        return ()
    first, end = (bisect_left(rows, int(at), key=lambda row: row.known_at_ns) for at in as_of_ns[[0, -1]])
    return rows[max(first - 1, 0) : end]


def find_newest_of_each(
    known: Sequence[Known], as_of_ns: Integers, clock_ns: Integers, oldest_minutes: float
) -> tuple[Integers, Floats]:
    """Which of `known` (at least one row) each instant knows, `NONE` where none or too old an one; its age.

    `clock_ns`: `measure_trading_time_ns` of the instants. The age, in trading minutes, is returned for a row that is too
    old as well; it is NaN where there is none.
    """
    known_ns = np.array([row.known_at_ns for row in known], np.int64)
    index = known_ns.searchsorted(as_of_ns, side="left") - 1
    age = (clock_ns - measure_trading_time_ns(known_ns).take(index)) / NANOSECONDS_PER_MINUTE
    age[index < 0] = np.nan
    index[~(age <= oldest_minutes)] = NONE
    return index, age
