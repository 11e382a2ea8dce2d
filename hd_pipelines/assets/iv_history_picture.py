"""Implied volatility over time: the 30-day number in the range of its last 252 sessions, and its percentile below.

Belongs here: drawing rows of `iv_percentile_cache` of one symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from hd_pipelines.analytics.volatility.iv_classes import REGIME_CUT_OFFS
from hd_pipelines.assets.picture_canvas import (
    LEFT,
    RIGHT,
    TOP,
    Canvas,
    Scale,
    levelled,
    on_every_session,
    scale_of,
    without_data,
)

HEIGHT = 480
IV_BOTTOM, SHARE_TOP, SHARE_BOTTOM = 308, 352, 436
EDGE = RIGHT - 58
"""The last value is written to the right of it."""
MOST_SESSIONS = 504
"""Two years, as long as rows are kept."""
CHEAP, DEAR = REGIME_CUT_OFFS[1], REGIME_CUT_OFFS[3]

Row = Mapping[str, Any]


def iv_history_picture(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The last two years of `rows` in any order. Raises `ValueError` if they are of several symbols."""
    symbols = rows["symbol"].unique().to_list()
    if len(symbols) != 1:
        if not symbols:
            return without_data("Implied volatility over time", "no session was observed")
        raise ValueError(f"a history is drawn of one symbol, not of {', '.join(map(str, symbols))}")
    shown = rows.sort("date").tail(MOST_SESSIONS)
    last = shown.row(-1, named=True)
    title = f"{symbols[0]} 30-day implied volatility, {last['date']}"
    known = shown["iv30"].drop_nulls()
    if known.is_empty():
        return without_data(title, f"no session has a value ({last['iv_reason']})")
    canvas = Canvas(title, _reading(last), HEIGHT)
    first = shown["date"][0]
    across = Scale(0, max((last["date"] - first).days, 1), LEFT, EDGE)
    history = on_every_session(list(shown.iter_rows(named=True)))
    _draw_volatility(canvas, across, first, history)
    _draw_percentile(canvas, across, first, history)
    canvas.dates(across, first, last["date"], SHARE_BOTTOM + 26)
    return canvas.markdown()


def _reading(last: Row) -> str:
    if last["iv30"] is None:
        return f"No volatility on this session: {_plainly(last['iv_reason'])}."
    level = f"{last['iv30'] * 100:.1f} %"
    if last["iv_percentile"] is None:
        return (
            f"{level}; no percentile: {_plainly(last['percentile_reason'])} ({last['n_observations']} of 252 sessions)."
        )
    said = f"{level} is higher than {last['iv_percentile'] * 100:.0f} % of the last {last['n_observations']} sessions"
    rank = "" if last["iv_rank"] is None else f", rank {last['iv_rank'] * 100:.0f} %"
    words = [_plainly(word).lower() for word in (last["iv_regime"], last["iv_trend"]) if word]
    return f"{said}{rank}: {' and '.join(words)}."


def _plainly(word: str | None) -> str:
    return (word or "unknown").replace("_", " ")


def _draw_volatility(canvas: Canvas, across: Scale, first: date, history: Sequence[Row]) -> None:
    names = ("iv30", "iv_52w_low", "iv_52w_high")
    up = scale_of([row[name] for row in history for name in names if row[name] is not None], IV_BOTTOM, TOP + 24)
    ticks = up.ticks(5)
    canvas.grid(up, ticks, [f"{tick * 100:.3g} %" for tick in ticks], right=EDGE)
    for run in _runs(history, lambda row: row["iv_52w_low"] is not None and row["iv_52w_high"] is not None):
        high, low = (_known(levelled(_points(across, up, first, run, name))) for name in ("iv_52w_high", "iv_52w_low"))
        canvas.area(high, low, colour="call", opacity=0.10)
        for edge in (high, low):
            canvas.curve(edge, colour="call", width=1, more=' stroke-opacity="0.45"')
    median = _points(across, up, first, history, "iv_52w_median")
    canvas.curve(levelled(median), colour="soft", width=1.2, more=' stroke-dasharray="2 4"')
    canvas.curve(levelled(_points(across, up, first, history, "iv30")), colour="ink", width=1.9)
    last = next(row for row in reversed(history) if row["iv30"] is not None)
    x, y = across((last["date"] - first).days), up(last["iv30"])
    canvas.dot(x, y, 4.5, colour="zero", more=' stroke="var(--paper)" stroke-width="1.5"')
    canvas.text(x + 9, y + 4, f"{last['iv30'] * 100:.1f} %", colour="zero", more=' class="b"')
    legend = LEFT
    canvas.rule(legend, TOP + 2, legend + 18, TOP + 2, colour="ink", more=' stroke-width="2"')
    canvas.text(legend + 24, TOP + 6, "30 days, at the forward")
    if any(row["iv_52w_low"] is not None for row in history):
        canvas.box(legend + 178, TOP - 4, 18, 12, colour="call", more=' fill-opacity="0.2"')
        canvas.text(legend + 202, TOP + 6, "range of 252 sessions")
        canvas.rule(
            legend + 344,
            TOP + 2,
            legend + 362,
            TOP + 2,
            colour="soft",
            more=' stroke-dasharray="2 4" stroke-width="1.4"',
        )
        canvas.text(legend + 368, TOP + 6, "median")


def _draw_percentile(canvas: Canvas, across: Scale, first: date, history: Sequence[Row]) -> None:
    canvas.text(
        LEFT, SHARE_TOP - 12, "Percentile: share of the previous 252 sessions strictly below", more=' class="b"'
    )
    up = Scale(0, 1, SHARE_BOTTOM, SHARE_TOP)
    canvas.box(LEFT, up(1), EDGE - LEFT, up(DEAR) - up(1), colour="put", more=' fill-opacity="0.13"')
    canvas.box(LEFT, up(CHEAP), EDGE - LEFT, up(0) - up(CHEAP), colour="call", more=' fill-opacity="0.13"')
    canvas.grid(up, (0, 0.5, 1), ("0 %", "50 %", "100 %"), right=EDGE)
    points = _points(across, up, first, history, "iv_percentile")
    if not any(points):
        canvas.note(LEFT + 12, up(0.5) + 4, f"not known in this time: {_plainly(history[-1]['percentile_reason'])}")
        return
    canvas.curve(levelled(points), colour="ink", width=1.6)
    canvas.text(EDGE + 9, up((1 + DEAR) / 2) + 4, "dear", colour="put")
    canvas.text(EDGE + 9, up(CHEAP / 2) + 4, "cheap", colour="call")
    share = history[-1]["iv_percentile"]
    if share is not None:
        x, y = across((history[-1]["date"] - first).days), up(share)
        canvas.dot(x, y, 4.5, colour="zero", more=' stroke="var(--paper)" stroke-width="1.5"')


def _points(
    across: Scale, up: Scale, first: date, history: Sequence[Row], name: str
) -> list[tuple[float, float] | None]:
    """Pixels of one column, None where it is null."""
    return [None if row[name] is None else (across((row["date"] - first).days), up(row[name])) for row in history]


def _known(points: Sequence[tuple[float, float] | None]) -> list[tuple[float, float]]:
    return [point for point in points if point is not None]


def _runs(history: Sequence[Row], holds: Callable[[Row], bool]) -> list[list[Row]]:
    """Stretches of neighbouring rows for which `holds`."""
    runs: list[list[Row]] = [[]]
    for row in history:
        if holds(row):
            runs[-1].append(row)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
