"""What option prints say at each row.

Belongs here: cutting prints to those that can matter to the rows. Counting them is `signals.flow_window`.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.market.sessions import instant_trading_minutes_ago
from hd_pipelines.signals.flow_window import WINDOW_HOURS, flow_columns
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Prints


def flow_features(prints: Prints | None, as_of_ns: Integers) -> dict[str, Floats]:
    """`flow_columns` of rows at `as_of_ns` (ascending), without walking through prints that none of them sees."""
    if prints is None or as_of_ns.size == 0:
        return flow_columns(prints, as_of_ns)
    oldest = instant_trading_minutes_ago(int(as_of_ns[0]), 60.0 * WINDOW_HOURS)
    first, end = np.searchsorted(prints.at_ns, [oldest, int(as_of_ns[-1])], side="right")
    return flow_columns(prints.part(slice(int(first), int(end))), as_of_ns)
