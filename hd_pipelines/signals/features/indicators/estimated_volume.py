"""Estimate relative volume where fewer than five sessions of minute bars but many daily bars are known.

Usual volume at a minute = mean daily volume × the share of the day's volume that the known sessions had traded by then.
`relative_volume` is the exact method; this estimate starts with the second session of minutes and is labelled.

Daily and minute bars may have different split adjustments: a share is of its own session's day, and days are compared with
days, so a split that only one of them is adjusted for cancels out.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.features.exchange_days import load_exchange_days
from hd_pipelines.signals.features.indicators.relative_volume import FEWEST_SESSIONS, SESSIONS
from hd_pipelines.signals.features.placed_bars import PlacedBars
from hd_pipelines.signals.features.session_grid import Grid
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Bars

FEWEST_DAYS = 10
_SLOTS, _SLOT_MINUTES = 78, 5


def add_estimates(
    rvol: Floats, usual_sessions: Integers, traded: Floats, rows: Grid, *, history: PlacedBars, days: Bars
) -> tuple[Floats, bool]:
    """Fill `rvol` with estimates in sessions that have 1 to 4 sessions of minutes before them; also return if any was.

    rvol, traded: shape (n,). usual_sessions: sessions with volume among the 20 before each session, shape (k,). days: daily
    bars of the volume source. Sessions with fewer than 10 days of volume among the last 20 get no estimate.
    """
    estimated = False
    for number in np.flatnonzero((usual_sessions > 0) & (usual_sessions < FEWEST_SESSIONS)):
        usual = _estimate_usual_volume(int(rows.positions[number]), history, days)
        if usual is None:
            continue
        first, over = int(rows.first[number]), int(rows.over[number])
        slots = np.arange(1, over + 1) // _SLOT_MINUTES - 1
        known = np.flatnonzero(slots >= 0)
        ends = first + _SLOT_MINUTES * (slots[known] + 1) - 1
        answers = traded[ends] / usual[slots[known]]
        at = first + known
        rvol[at] = np.where(np.isnan(rvol[at]), answers, rvol[at])
        estimated = True
    return rvol, estimated


def _estimate_usual_volume(position: int, history: PlacedBars, days: Bars) -> Floats | None:
    """Estimate usual volume up to each five minutes of the session at `position`, shape (78,); None if unknown."""
    calendar = load_exchange_days()
    day = calendar.day
    before = slice(*days.session.searchsorted([day[max(position - SESSIONS, 0)], day[position]]))
    volumes = dict(zip(days.session[before].tolist(), days.volume[before].tolist(), strict=True))
    volumes = {number: volume for number, volume in volumes.items() if volume > 0.0}
    if len(volumes) < FEWEST_DAYS:
        return None
    shares = []
    for session in range(max(position - SESSIONS, 0), position):
        bounds = history.session.searchsorted([session, session + 1])
        volume = history.volume[slice(*bounds)]
        of_day = volumes.get(int(day[session]))
        if volume.size == 0 or of_day is None or np.isnan(volume).any():
            continue
        by_slot = np.zeros(_SLOTS)
        np.add.at(by_slot, (history.minute[slice(*bounds)] - 1) // _SLOT_MINUTES, volume)
        so_far = by_slot.cumsum() / of_day
        so_far[calendar.minutes[session] // _SLOT_MINUTES :] = np.nan
        shares.append(so_far)
    if not shares:
        return None
    known = np.array(shares)
    counted = (~np.isnan(known)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = np.nansum(known, axis=0) / counted * (sum(volumes.values()) / len(volumes))
    return np.where(usual > 0.0, usual, np.nan)
