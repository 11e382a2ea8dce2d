"""Relative volume: whose volume it is, and what has been traded so far against what usually has by then.

Belongs here: RVOL and the choice of its source. An index is a number and has no volume; its fund's is a stand-in that is
called one wherever it is used (product facts §13.1, fault 12).

A session's volume is compared with the mean of the last 20 exchange sessions until the same minute, of those that were
open at that minute (half days end) and of which there are bars. Fewer than five such sessions are no mean;
`estimated_volume` then asks the days. A symbol that
did not trade in a stretch traded 0 in it; one without any bar in a session is not counted for it, for that is a hole or a
halt, not a quiet day.
"""

from __future__ import annotations

from hd_pipelines.signals.features.exchange_days import load_exchange_days
from hd_pipelines.signals.features.placed_bars import PlacedBars
from hd_pipelines.signals.features.session_grid import Grid
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import SymbolTape
from hd_pipelines.tables.vocabulary import AssetClass

SESSIONS = 20
FEWEST_SESSIONS = 5


def choose_volume_source(tape: SymbolTape) -> SymbolTape | None:
    """The tape whose volume counts for this one: its fund's for an index, None for an index without one, else its own."""
    return tape.proxy if tape.asset_class is AssetClass.INDEX else tape


def compute_relative_volume(traded: Floats, history: PlacedBars, rows: Grid) -> tuple[Floats, Floats, Integers]:
    """RVOL at the end of the last complete five minutes of each row, and of how many sessions its mean is, shape (n,).

    `traded`: volume so far at each row. `history`: 5-minute bars of the sessions before. NaN in a session's first four
    minutes; RVOL also where the mean is of fewer than 5 sessions, or 0. Third: how many of the last 20 sessions have
    volume at all, shape (k,).
    """
    from hd_pipelines.signals.features.kernels import running as kernels_running

    (rvol, sessions), usual_sessions = kernels_running.compute_relative_volume(
        traded,
        history.session,
        history.minute,
        history.volume,
        rows.positions,
        rows.over,
        load_exchange_days().minutes,
        SESSIONS,
        FEWEST_SESSIONS,
    )
    return rvol, sessions, usual_sessions
