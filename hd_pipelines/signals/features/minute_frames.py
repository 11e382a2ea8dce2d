"""Build minute feature frames: of one session, of many, and the single row of an instant.

`evaluate` is `build_session_frame` of a tape cut at the instant, and `build_frames` is `build_session_frame` of many
sessions at once, so live scans and scans of past sessions read the same numbers.

A row is independent of everything after it, and of the length of the tape:
- an indicator's window starts a fixed number of exchange sessions before the row's session (20 for 5-minute bars, from
  which 15-minute and hourly bars are cut; 260 for daily bars) and ends with the last bar that is complete at the row;
- the session's own bars are cut from its minutes, anchored at the open;
- running values restart with the session, and context is the newest row known at the instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, NEW_YORK, get_regular_hours, is_session
from hd_pipelines.signals.catalogue import FEATURES, LEVELS
from hd_pipelines.signals.features import labels
from hd_pipelines.signals.features.exchange_days import find_positions
from hd_pipelines.signals.features.minute_columns import compute_minute_columns
from hd_pipelines.signals.features.placed_bars import place_bars
from hd_pipelines.signals.features.session_grid import build_grid, count_minutes_delivered
from hd_pipelines.signals.frame import FeatureFrame, Integers, empty_columns, empty_levels
from hd_pipelines.signals.tape import SymbolTape
from hd_pipelines.tables.vocabulary import Resolution


def build_session_frame(tape: SymbolTape, session: date, as_of_ns: int | None = None) -> FeatureFrame:
    """Build one row per minute from the session's first minute to the last one with a bar, whether or not it traded.

    With `as_of_ns` (ns UTC): the rows of the minutes that were over by then, as they were then, including minutes without
    trades since the last bar, so that a live scan sees the same rows as a later one. Rows before the first trade have no
    price. Without data: no rows and a label, `no_bars_today` or `before_open`. Raises `ValueError` if the exchange was
    closed that day.
    """
    positions = find_positions([session])
    if as_of_ns is None:
        return _build_frame(tape, positions, None)
    hours = get_regular_hours(session)
    over = min((as_of_ns - hours.opens_at_ns) // NANOSECONDS_PER_MINUTE, hours.minutes)
    return (
        _build_frame(_cut_minutes(tape, session, over), positions, over)
        if over > 0
        else _build_empty_frame(tape, labels.BEFORE_OPEN)
    )


def build_frames(tape: SymbolTape, sessions: Sequence[date]) -> FeatureFrame:
    """Build the frames of `sessions`, joined; labels are those of any of them. A year takes well under a second.

    Raises `ValueError` for a day without a session, and if the sessions do not ascend.
    """
    return _build_frame(tape, find_positions(sessions), None)


def evaluate(tape: SymbolTape, as_of_ns: int) -> FeatureFrame:
    """Return what is known of a symbol at an instant (ns UTC), floored to a whole minute of its session: exactly one row.

    After the close it is the close's row. Without data: no rows and a label, `no_session`, `before_open` or
    `no_bars_today` (also before the day's first bar). Bars that end later are ignored.
    """
    session = datetime.fromtimestamp(as_of_ns // 1_000_000_000, NEW_YORK).date()
    if not is_session(session):
        return _build_empty_frame(tape, labels.NO_SESSION)
    hours = get_regular_hours(session)
    over = min((as_of_ns - hours.opens_at_ns) // NANOSECONDS_PER_MINUTE, hours.minutes)
    if over < 1:
        return _build_empty_frame(tape, labels.BEFORE_OPEN)
    return _build_frame(_cut_minutes(tape, session, over), find_positions([session]), over, only_newest=True)


def _cut_minutes(tape: SymbolTape, session: date, over: int) -> SymbolTape:
    """Drop minutes that end later. For everything else, only what was known at a row's instant is used anyway."""
    until_ns = get_regular_hours(session).opens_at_ns + over * NANOSECONDS_PER_MINUTE
    return replace(tape, minutes=tape.minutes.until(until_ns))


def _build_frame(
    tape: SymbolTape, positions: Integers, minutes_over: int | None, *, only_newest: bool = False
) -> FeatureFrame:
    """Build rows up to each session's last bar, or up to `minutes_over` of one session; or only the newest row."""
    minutes = place_bars(tape.minutes, positions)
    over = count_minutes_delivered(minutes, positions)
    if minutes_over is not None:
        over = np.where(over > 0, minutes_over, 0)
    rows = build_grid(positions, over)
    if len(rows) == 0:
        return _build_empty_frame(tape, labels.NO_BARS)
    with np.errstate(all="ignore"):
        columns, levels, degraded = compute_minute_columns(tape, minutes, rows, only_newest=only_newest)
    if rows.positions.size < positions.size:
        degraded = (labels.NO_BARS, *degraded)
    wanted = slice(-1, None) if only_newest else slice(None)
    return FeatureFrame(
        tape.symbol,
        tape.asset_class,
        Resolution.MINUTE,
        rows.as_of_ns[wanted],
        {name: columns[name][wanted] for name in FEATURES},
        {name: levels[name][wanted] for name in LEVELS},
        degraded,
    )


def _build_empty_frame(tape: SymbolTape, reason: str) -> FeatureFrame:
    return FeatureFrame(
        tape.symbol,
        tape.asset_class,
        Resolution.MINUTE,
        np.empty(0, np.int64),
        empty_columns(0),
        empty_levels(0),
        (reason,),
    )
