"""The regime ribbon: the market's class of each session in colour, under SPY and the VIX.

Belongs here: drawing rows of `market_regime_history`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from hd_pipelines.assets.picture_canvas import (
    LEFT,
    RIGHT,
    TOP,
    Canvas,
    Scale,
    on_every_session,
    plain,
    scale_of,
    thinned,
    without_data,
)
from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.tables.vocabulary import MarketRegime

PRICE_BOTTOM, VIX_TOP, VIX_BOTTOM, RIBBON_TOP, RIBBON_BOTTOM = 270, 300, 386, 402, 428
LEGEND_TOP, LEGEND_STEP, LEGEND_COLUMNS = 478, 24, 4
NAMES = {"spy_close": "SPY", "vix_level": "VIX"}
MOST_SESSIONS = 1260
"""Five years, as long as rows are kept."""
MOST_POINTS = 520
COLOURS = {
    MarketRegime.EUPHORIA: "#e3b505",
    MarketRegime.BREAKOUT: "#00a8a8",
    MarketRegime.STRONG_UPTREND: "#12813f",
    MarketRegime.WEAK_UPTREND: "#5cb85c",
    MarketRegime.CHOPPY_BULLISH: "#a9d6a1",
    MarketRegime.RANGE_BOUND: "#9aa4b5",
    MarketRegime.CHOPPY_BEARISH: "#f4b28c",
    MarketRegime.WEAK_DOWNTREND: "#ec7a4b",
    MarketRegime.STRONG_DOWNTREND: "#cc2f2f",
    MarketRegime.BREAKDOWN: "#c22fa6",
    MarketRegime.CAPITULATION: "#7d3cc9",
}
"""From best to worst, in the order of the legend."""

Row = Mapping[str, Any]


def regime_picture(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The last five years of `rows`, in any order."""
    shown = rows.sort("date").tail(MOST_SESSIONS)
    if shown.is_empty():
        return without_data("Market regime", "no session was decided")
    history: list[Row] = list(shown.iter_rows(named=True))
    first, last = history[0]["date"], history[-1]["date"]
    present = _present(shown)
    height = LEGEND_TOP + LEGEND_STEP * math.ceil(max(len(present), 1) / LEGEND_COLUMNS) + 4
    canvas = Canvas(f"Market regime, {last}", _reading(history), height)
    across = Scale(0, (last - first).days + 1, LEFT, RIGHT)
    for regime, spans in _spells(history).items():
        pixels = [(across((begin - first).days), across((end - first).days)) for begin, end in spans]
        canvas.stretches(pixels, TOP, VIX_BOTTOM, colour=_colour(regime), more=' fill-opacity="0.11"')
        canvas.stretches(pixels, RIBBON_TOP, RIBBON_BOTTOM, colour=_colour(regime))
    history = on_every_session(history)
    if shown["spy_close"].count():
        _draw_line(canvas, across, history, "spy_close", (TOP + 8, PRICE_BOTTOM))
        _draw_line(canvas, across, history, "vix_level", (VIX_TOP, VIX_BOTTOM))
    else:
        _draw_line(canvas, across, history, "vix_level", (TOP + 8, VIX_BOTTOM))
        canvas.note(RIGHT - 8, TOP + 20, "no closes of SPY in this time", anchor="end")
    canvas.dates(across, first, last, RIBBON_BOTTOM + 24)
    _draw_legend(canvas, present, shown.height)
    return canvas.markdown()


def _reading(history: Sequence[Row]) -> str:
    last = history[-1]
    regime = last["market_regime"]
    if regime is None:
        return f"No regime on this session: {last['regime_reason']}."
    said = _plainly(regime)
    if last["regime_since"] is not None:
        sessions = len(list_sessions_between(last["regime_since"], last["date"]))
        said += f" for {sessions} session{'s' if sessions > 1 else ''}, since {last['regime_since']}"
    confidence = "" if last["confidence_score"] is None else f"; confidence {last['confidence_score']:.0f} of 100"
    vix = "" if last["vix_level"] is None else f"; VIX {last['vix_level']:.1f}"
    raw = last["raw_regime"]
    alone = f"; the session alone: {_plainly(raw).lower()}" if raw and raw != regime else ""
    return f"{said}{confidence}{vix}{alone}."


def _plainly(word: str) -> str:
    return word.replace("_", " ").capitalize()


def _colour(regime: str | None) -> str:
    return COLOURS[MarketRegime(regime)] if regime else "line"


def _spells(history: Sequence[Row]) -> dict[str | None, list[tuple[date, date]]]:
    """Of each regime the first day of every spell and the day it ends: of the next spell the first, or the day after all."""
    starts = [row for before, row in zip([{}, *history], history, strict=False) if _is_other(before, row)]
    ends = [*(row["date"] for row in starts[1:]), history[-1]["date"] + timedelta(days=1)]
    spells: dict[str | None, list[tuple[date, date]]] = {}
    for row, end in zip(starts, ends, strict=True):
        spells.setdefault(row["market_regime"], []).append((row["date"], end))
    return spells


def _is_other(before: Row, row: Row) -> bool:
    return not before or before["market_regime"] != row["market_regime"]


def _draw_line(canvas: Canvas, across: Scale, history: Sequence[Row], column: str, room: tuple[float, float]) -> None:
    top, bottom = room
    name = NAMES[column]
    known = [row[column] for row in history if row[column] is not None]
    if not known:
        canvas.note(LEFT + 12, (top + bottom) / 2, f"no values of {name} in this time")
        return
    up = scale_of(known, bottom, top)
    ticks = up.ticks(max(3, round((bottom - top) / 36)))
    canvas.grid(up, ticks, [plain(tick) for tick in ticks])
    first = history[0]["date"]
    points = [None if row[column] is None else (across((row["date"] - first).days), up(row[column])) for row in history]
    canvas.curve(thinned(points, MOST_POINTS), colour="ink", width=1.6)
    if len(known) == 1:
        canvas.dot(*next(point for point in points if point is not None), 3, colour="ink")
    canvas.note(LEFT + 8, top + 12, f"{name} {known[-1]:,.2f}", colour="ink")


def _present(shown: pl.DataFrame) -> dict[MarketRegime, int]:
    """Classes that occur, best first, and their sessions."""
    counts = dict(shown["market_regime"].value_counts().iter_rows())
    return {regime: counts[regime.value] for regime in COLOURS if regime.value in counts}


def _draw_legend(canvas: Canvas, present: Mapping[MarketRegime, int], sessions: int) -> None:
    for number, (regime, count) in enumerate(present.items()):
        x = LEFT + (RIGHT - LEFT) / LEGEND_COLUMNS * (number % LEGEND_COLUMNS)
        y = LEGEND_TOP + LEGEND_STEP * (number // LEGEND_COLUMNS)
        canvas.box(x, y - 10, 14, 12, colour=COLOURS[regime], more=' rx="2"')
        share = f"{count / sessions * 100:.0f}" if count / sessions >= 0.005 else "<1"
        canvas.text(x + 21, y, f"{_plainly(regime.value)}, {share} %")
