"""Implied volatility over time: the 30-day value in the range of its last 252 sessions, and its percentile below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
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
from hd_pipelines.charts.marks import (
    Floats,
    add_missing_sessions,
    fill_band,
    fill_boxes,
    plot_dots,
    plot_line,
    set_date_ticks,
    set_ticks,
)
from hd_pipelines.charts.numbers import format_name, format_percent
from hd_pipelines.charts.style import get_colour, use_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 480
IV_BOTTOM, SHARE_TOP, SHARE_BOTTOM = 308, 352, 436
EDGE = RIGHT - 58
"""The last value is written to the right of it."""
MOST_SESSIONS = 504
"""Two years, as long as rows are kept."""

Row = Mapping[str, Any]


@use_style
def draw_volatility(rows: pl.DataFrame, *, cheap_below: float, rich_above: float) -> Picture:
    """Draw the last two years of `rows` of `iv_percentile_cache`, in any order.

    Args:
        rows: one symbol; raises `ValueError` if there are several.
        cheap_below: percentile (0 to 1) below which volatility is shaded as cheap.
        rich_above: percentile above which it is shaded as rich.
    """
    symbols = rows["symbol"].unique().to_list()
    if len(symbols) != 1:
        if not symbols:
            return draw_missing("Implied volatility over time", "no session was observed")
        raise ValueError(f"a history is drawn of one symbol, not of {', '.join(map(str, symbols))}")
    shown = rows.sort("date").tail(MOST_SESSIONS)
    last = shown.row(-1, named=True)
    title = f"{symbols[0]} 30-day implied volatility, {last['date']}"
    if shown["iv30"].count() == 0:
        return draw_missing(title, f"no session has a value ({last['iv_reason']})")
    reading = _describe(last)
    figure = make_figure(title, reading, HEIGHT)
    history = add_missing_sessions(list(shown.iter_rows(named=True)))
    _draw_range(figure, history)
    _draw_percentile(figure, history, cheap_below, rich_above)
    return finish(figure, title, reading)


def _describe(last: Row) -> str:
    if last["iv30"] is None:
        return f"No volatility on this session: {format_name(last['iv_reason'])}."
    level = f"{last['iv30'] * 100:.1f} %"
    if last["iv_percentile"] is None:
        reason = format_name(last["percentile_reason"])
        return f"{level}; no percentile: {reason} ({last['n_observations']} of 252 sessions)."
    share = f"{level} is higher than {last['iv_percentile'] * 100:.0f} % of the last {last['n_observations']} sessions"
    rank = "" if last["iv_rank"] is None else f", rank {last['iv_rank'] * 100:.0f} %"
    names = [format_name(name).lower() for name in (last["iv_regime"], last["iv_trend"]) if name]
    return f"{share}{rank}: {' and '.join(names)}."


def _find_days(history: Sequence[Row]) -> tuple[Floats, tuple[float, float]]:
    """Find the days since 1970, as matplotlib counts them, and the limits of an axis for them."""
    days = np.array([(row["date"] - date(1970, 1, 1)).days for row in history], dtype=float)
    return days, (float(days[0]), float(max(days[-1], days[0] + 1)))


def _get_column(history: Sequence[Row], name: str) -> Floats:
    return np.array([np.nan if row[name] is None else row[name] for row in history], dtype=float)


def _draw_range(figure: Figure, history: Sequence[Row]) -> None:
    days, across = _find_days(history)
    iv, low, high = (_get_column(history, name) for name in ("iv30", "iv_52w_low", "iv_52w_high"))
    known = np.concatenate([iv, low, high])
    limits = find_limits(known[np.isfinite(known)].tolist())
    panel = add_panel(figure, LEFT, TOP + 24, EDGE, IV_BOTTOM, x=across, y=limits)
    set_ticks(panel.yaxis, 5, format_percent)
    has_range = bool(np.isfinite(low).any())
    if has_range:
        fill_band(panel, days, low, high, colour="call", opacity=0.10, gid="range")
        for edge in (high, low):
            plot_line(panel, days, edge, colour="call", width=1, opacity=0.45)
        plot_line(panel, days, _get_column(history, "iv_52w_median"), colour="soft", width=1.2, dashes=(2, 4))
    plot_line(panel, days, iv, colour="ink", width=1.9, gid="iv30")
    newest = int(np.flatnonzero(np.isfinite(iv))[-1])
    plot_dots(panel, [days[newest]], [iv[newest]], radius=4.5, fill="zero", gid="last_iv30")
    panel.annotate(
        f"{iv[newest] * 100:.1f} %",
        (days[newest], iv[newest]),
        (9, -4),
        textcoords="offset points",
        color=get_colour("zero"),
        fontweight="bold",
        annotation_clip=False,
    )
    _draw_legend(figure, has_range=has_range)


def _draw_legend(figure: Figure, *, has_range: bool) -> None:
    y = TOP + 2
    legend = add_panel(figure, 0, 0, 900, HEIGHT, x=(0, 900), y=(HEIGHT, 0))
    legend.plot([LEFT, LEFT + 18], [y, y], color=get_colour("ink"), linewidth=2)
    write(figure, LEFT + 24, y + 4, "30 days, at the forward")
    if has_range:
        fill_boxes(legend, [(LEFT + 186, LEFT + 204, y - 6, y + 6)], colour="call", opacity=0.2)
        write(figure, LEFT + 210, y + 4, "range of 252 sessions")
        plot_line(legend, [LEFT + 362, LEFT + 380], [y, y], colour="soft", width=1.4, dashes=(2, 4))
        write(figure, LEFT + 386, y + 4, "median")


def _draw_percentile(figure: Figure, history: Sequence[Row], cheap_below: float, rich_above: float) -> None:
    heading = "Percentile: share of the previous 252 sessions strictly below"
    write(figure, LEFT, SHARE_TOP - 12, heading, weight="bold")
    days, across = _find_days(history)
    panel = add_panel(figure, LEFT, SHARE_TOP, EDGE, SHARE_BOTTOM, x=across, y=(0, 1))
    set_date_ticks(panel, history[0]["date"], history[-1]["date"], 14)
    panel.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    panel.axhspan(rich_above, 1, color=get_colour("put"), alpha=0.13, linewidth=0, gid="rich")
    panel.axhspan(0, cheap_below, color=get_colour("call"), alpha=0.13, linewidth=0, gid="cheap")
    shares = _get_column(history, "iv_percentile")
    height = SHARE_BOTTOM - SHARE_TOP
    if not np.isfinite(shares).any():
        unknown = f"not known in this time: {format_name(history[-1]['percentile_reason'])}"
        write(figure, LEFT + 12, SHARE_BOTTOM - height / 2 + 4, unknown, has_halo=True)
        return
    plot_line(panel, days, shares, colour="ink", width=1.6, gid="percentile")
    write(figure, EDGE + 9, SHARE_BOTTOM - height * (1 + rich_above) / 2 + 4, "rich", colour="put")
    write(figure, EDGE + 9, SHARE_BOTTOM - height * cheap_below / 2 + 4, "cheap", colour="call")
    if np.isfinite(shares[-1]):
        plot_dots(panel, [days[-1]], [shares[-1]], radius=4.5, fill="zero", gid="last_percentile")
