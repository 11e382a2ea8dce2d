"""The regime ribbon: the market's class of each session in colour, under SPY and the VIX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from hd_pipelines.charts.figure import (
    LEFT,
    RIGHT,
    TOP,
    Picture,
    add_panel,
    draw_missing,
    find_limits,
    finish,
    make_figure,
    write,
)
from hd_pipelines.charts.marks import add_missing_sessions, fill_boxes, plot_dots, plot_line, set_date_ticks, set_ticks
from hd_pipelines.charts.numbers import format_name, format_number
from hd_pipelines.charts.style import use_style
from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.tables.vocabulary import MarketRegime

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRICE_BOTTOM, VIX_TOP, VIX_BOTTOM, RIBBON_TOP, RIBBON_BOTTOM = 270, 300, 386, 402, 428
LEGEND_TOP, LEGEND_STEP, LEGEND_COLUMNS = 478, 24, 4
NAMES = {"spy_close": "SPY", "vix_level": "VIX"}
MOST_SESSIONS = 1260
"""Five years, as long as rows are kept."""
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


@use_style
def draw_regime(rows: pl.DataFrame) -> Picture:
    """Draw the last five years of `rows` of `market_regime_history`, in any order."""
    shown = rows.sort("date").tail(MOST_SESSIONS)
    if shown.is_empty():
        return draw_missing("Market regime", "no session was decided")
    history: list[Row] = list(shown.iter_rows(named=True))
    title, reading = f"Market regime, {history[-1]['date']}", _describe(history)
    present = _count_classes(shown)
    height = LEGEND_TOP + LEGEND_STEP * math.ceil(max(len(present), 1) / LEGEND_COLUMNS) + 4
    figure = make_figure(title, reading, height)
    _draw_ribbon(figure, history)
    whole = add_missing_sessions(history)
    if shown["spy_close"].count():
        _draw_line(figure, whole, "spy_close", (TOP + 8, PRICE_BOTTOM))
        _draw_line(figure, whole, "vix_level", (VIX_TOP, VIX_BOTTOM))
    else:
        _draw_line(figure, whole, "vix_level", (TOP + 8, VIX_BOTTOM))
        write(figure, RIGHT - 8, TOP + 20, "no closes of SPY in this time", align="right", has_halo=True)
    _draw_legend(figure, present, shown.height)
    return finish(figure, title, reading)


def _describe(history: Sequence[Row]) -> str:
    last = history[-1]
    regime = last["market_regime"]
    if regime is None:
        return f"No regime on this session: {last['regime_reason']}."
    words = format_name(regime).capitalize()
    if last["regime_since"] is not None:
        sessions = len(list_sessions_between(last["regime_since"], last["date"]))
        words += f" for {sessions} session{'s' if sessions > 1 else ''}, since {last['regime_since']}"
    confidence = "" if last["confidence_score"] is None else f"; confidence {last['confidence_score']:.0f} of 100"
    vix = "" if last["vix_level"] is None else f"; VIX {last['vix_level']:.1f}"
    raw = last["raw_regime"]
    alone = f"; the session alone: {format_name(raw).lower()}" if raw and raw != regime else ""
    return f"{words}{confidence}{vix}{alone}."


def _find_limits(history: Sequence[Row]) -> tuple[float, float]:
    """Find the limits of the time axis: from the first day to the end of the last."""
    first, last = history[0]["date"], history[-1]["date"]
    return float(_count_days(first)), float(_count_days(last) + 1)


def _count_days(day: date) -> int:
    """Count days as matplotlib does, since 1970."""
    return (day - date(1970, 1, 1)).days


def _draw_ribbon(figure: Figure, history: Sequence[Row]) -> None:
    """Draw the class of each spell in full colour below, and as a tint behind the lines."""
    across = _find_limits(history)
    tint = add_panel(figure, LEFT, TOP, RIGHT, VIX_BOTTOM, x=across, y=(0, 1))
    ribbon = add_panel(figure, LEFT, RIBBON_TOP, RIGHT, RIBBON_BOTTOM, x=across, y=(0, 1))
    set_date_ticks(ribbon, history[0]["date"], history[-1]["date"], 12)
    for regime, spells in _find_spells(history).items():
        colour = COLOURS[MarketRegime(regime)] if regime else "line"
        boxes = [(_count_days(begin), _count_days(end), 0, 1) for begin, end in spells]
        fill_boxes(tint, boxes, colour=colour, opacity=0.11)
        fill_boxes(ribbon, boxes, colour=colour, gid=f"ribbon_{(regime or 'unknown').lower()}")


def _find_spells(history: Sequence[Row]) -> dict[str | None, list[tuple[date, date]]]:
    """Find, by class, the first day of each spell and the day it ends: the first of the next, or the day after all."""
    starts = [row for before, row in zip([None, *history], history, strict=False) if _starts_spell(before, row)]
    ends = [*(row["date"] for row in starts[1:]), history[-1]["date"] + timedelta(days=1)]
    spells: dict[str | None, list[tuple[date, date]]] = {}
    for row, end in zip(starts, ends, strict=True):
        spells.setdefault(row["market_regime"], []).append((row["date"], end))
    return spells


def _starts_spell(before: Row | None, row: Row) -> bool:
    return before is None or before["market_regime"] != row["market_regime"]


def _draw_line(figure: Figure, history: Sequence[Row], column: str, room: tuple[float, float]) -> None:
    top, bottom = room
    name = NAMES[column]
    known = [(row["date"], row[column]) for row in history if row[column] is not None]
    if not known:
        write(figure, LEFT + 12, (top + bottom) / 2, f"no values of {name} in this time", has_halo=True)
        return
    limits = find_limits([value for _, value in known])
    panel = add_panel(figure, LEFT, top, RIGHT, bottom, x=_find_limits(history), y=limits)
    set_ticks(panel.yaxis, max(3, round((bottom - top) / 36)), format_number)
    days = [_count_days(row["date"]) for row in history]
    plot_line(panel, days, [row[column] for row in history], colour="ink", width=1.6, gid=column)
    if len(known) == 1:
        plot_dots(panel, [_count_days(known[0][0])], [known[0][1]], radius=3, fill="ink", edge_width=0)
    write(figure, LEFT + 8, top + 12, f"{name} {known[-1][1]:,.2f}", colour="ink", has_halo=True)


def _count_classes(shown: pl.DataFrame) -> dict[MarketRegime, int]:
    """Count the sessions of the classes that occur, best first."""
    counts = dict(shown["market_regime"].value_counts().iter_rows())
    return {regime: counts[regime.value] for regime in COLOURS if regime.value in counts}


def _draw_legend(figure: Figure, present: Mapping[MarketRegime, int], sessions: int) -> None:
    height = figure.get_figheight() * 72
    legend = add_panel(figure, 0, 0, 900, height, x=(0, 900), y=(height, 0))
    for number, (regime, count) in enumerate(present.items()):
        x = LEFT + (RIGHT - LEFT) / LEGEND_COLUMNS * (number % LEGEND_COLUMNS)
        y = LEGEND_TOP + LEGEND_STEP * (number // LEGEND_COLUMNS)
        fill_boxes(legend, [(x, x + 14, y - 10, y + 2)], colour=COLOURS[regime])
        share = f"{count / sessions * 100:.0f}" if count / sessions >= 0.005 else "<1"
        write(figure, x + 21, y, f"{format_name(regime.value).capitalize()}, {share} %")
