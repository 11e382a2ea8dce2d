"""Relative volume (RVOL): volume so far relative to what is usual by the same minute, and whose volume is used.

An index has no volume, so its ETF's volume stands in, always with a label. A session's volume is compared with the mean of
the last 20 exchange sessions up to the same minute, counting sessions that were open at that minute (half days end early)
and have bars. Fewer than five such sessions give no mean; `estimated_volume` then uses daily bars. A symbol that did not
trade for a stretch traded 0 in it; a session without any bar is a data gap or a halt and is not counted.
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
    """Choose whose volume counts: the ETF's tape for an index (None without one), else the symbol's own."""
    return tape.proxy if tape.asset_class is AssetClass.INDEX else tape


def compute_relative_volume(traded: Floats, history: PlacedBars, rows: Grid) -> tuple[Floats, Floats, Integers]:
    """Compute RVOL at the last complete five minutes of each row, and the number of sessions in its mean, shape (n,).

    `traded`: volume so far at each row. `history`: 5-minute bars of earlier sessions. NaN in a session's first four
    minutes; RVOL also where the mean has fewer than 5 sessions, or is 0. Third result: how many of the last 20 sessions
    have volume at all, shape (k,).
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
