"""The smile: implied volatility by strike for a few expirations of one snapshot of one symbol."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from hd_pipelines.charts.figure import Picture, add_panel, draw_missing, find_limits, finish, make_figure, write
from hd_pipelines.charts.marks import find_ticks, plot_dots, plot_line, set_ticks
from hd_pipelines.charts.numbers import format_number, format_percent, format_time
from hd_pipelines.charts.style import get_colour, use_style
from hd_pipelines.tables.vocabulary import OptionType

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 450
LEFT, TOP, RIGHT, BOTTOM = 64, 84, 648, 392
TARGET_DAYS = (7, 30, 91, 182)
COLOURS = ("#e0457b", "#8a63e8", "#2f80ed", "#12a594")
"""By maturity, nearest first; each stands off white and off black."""
SMALLEST_DELTA, SHOWN_DELTA = 0.02, 0.05
"""Quotes of contracts with less than the first are a tick or two, not a price; strikes with at least the second, up to
three months ahead, set the width."""
FEWEST_CONTRACTS = 3
LINE_STEP, DOT_STEP = 2.5, 9.0
"""Pixels between points of a line, and between its dots."""


@use_style
def draw_smile(valued: pl.DataFrame, terms: pl.DataFrame, puts: pl.DataFrame, calls: pl.DataFrame) -> Picture:
    """Draw the last snapshot in `valued`. Raises `ValueError` if there are several symbols.

    Args:
        valued: contracts of one symbol, as `market.option_chains.VALUED`.
        terms: their volatility at the forward by settlement instant: `timestamp`, `settles_at`, `expiration`, `years`,
            `forward`, `atm_iv`.
        puts: volatility of the 25-delta put by instant: `timestamp`, `settles_at`, `iv`.
        calls: likewise of the 25-delta call.
    """
    symbols = valued["symbol"].unique().to_list()
    if len(symbols) != 1:
        if not symbols:
            return draw_missing("Smile", "no contract was valued")
        raise ValueError(f"a smile is drawn of one symbol, not of {', '.join(map(str, symbols))}")
    newest = pl.col("timestamp") == valued["timestamp"].max()
    last, terms, puts, calls = (frame.filter(newest) for frame in (valued, terms, puts, calls))
    title = f"{symbols[0]} implied volatility, {format_time(last['timestamp'][0])}"
    smiles = _choose_smiles(last, terms)
    if not smiles:
        return draw_missing(title, _explain_absence(last))
    reading = _describe(smiles, puts, calls)
    figure = make_figure(title, reading, HEIGHT)
    low, high = _find_width(smiles)
    shown = [each["points"].filter(pl.col("strike").is_between(low, high)) for each in smiles]
    up = find_limits([iv for points in shown for iv in points["implied_volatility"]])
    panel = add_panel(figure, LEFT, TOP, RIGHT, BOTTOM, x=(low, high), y=up)
    set_ticks(panel.yaxis, 6, format_percent)
    set_ticks(panel.xaxis, 7, format_number)
    spot = last["underlying_price"].drop_nulls().first()
    if isinstance(spot, float):
        _write_distances(figure, (low, high), spot)
    for each, points, colour in zip(smiles, shown, COLOURS, strict=False):
        _draw_one(panel, each, points, colour)
    _draw_legend(figure, smiles, last)
    return finish(figure, title, reading)


def _choose_smiles(snapshot: pl.DataFrame, terms: pl.DataFrame) -> list[dict[str, Any]]:
    """Choose term, out-of-the-money points and days of the expirations nearest to `TARGET_DAYS`, ascending."""
    known = terms.filter(pl.col("atm_iv").is_not_null() & (pl.col("years") > 0))
    is_call = pl.col("option_type") == OptionType.CALL.value
    points = snapshot.filter(
        pl.col("implied_volatility").is_not_null()
        & (pl.col("delta").abs() >= SMALLEST_DELTA)
        & (is_call == (pl.col("strike") >= pl.col("forward")))
    ).sort("strike")
    found = []
    for term in known.sort("years").iter_rows(named=True):
        own = points.filter(pl.col("settles_at") == term["settles_at"]).unique("strike", keep="first").sort("strike")
        if own.height >= FEWEST_CONTRACTS:
            found.append(term | {"points": own, "days": term["years"] * 365})
    chosen: dict[Any, dict[str, Any]] = {}
    for target in TARGET_DAYS:
        rest = [each for each in found if each["settles_at"] not in chosen]
        if rest:
            nearest = min(rest, key=lambda each: abs(each["days"] / target - 1))
            if 0.4 <= nearest["days"] / target <= 2 or not chosen:
                chosen[nearest["settles_at"]] = nearest
    return sorted(chosen.values(), key=lambda each: each["years"])


def _explain_absence(snapshot: pl.DataFrame) -> str:
    reasons = snapshot["iv_reason"].drop_nulls().value_counts(sort=True)
    if reasons.is_empty():
        return "no expiration has enough contracts out of the money"
    reason, count = reasons.row(0)
    return f"no expiration has a smile; {count} of {snapshot.height} contracts have no volatility ({reason})"


def _find_width(smiles: list[dict[str, Any]]) -> tuple[float, float]:
    """Find the lowest and the highest strike whose delta is worth looking at, in maturities up to three months."""
    near = [each for each in smiles if each["days"] <= 100] or smiles
    strikes = pl.concat(each["points"].filter(pl.col("delta").abs() >= SHOWN_DELTA)["strike"] for each in near)
    if strikes.len() < 2:
        strikes = pl.concat(each["points"]["strike"] for each in smiles)
    low, high = float(strikes.min()), float(strikes.max())
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def _describe(smiles: list[dict[str, Any]], puts: pl.DataFrame, calls: pl.DataFrame) -> str:
    month = min(smiles, key=lambda each: abs(each["days"] - 30))
    level = f"{month['days']:.0f}-day volatility at the forward is {month['atm_iv'] * 100:.1f} %"
    put, call = (_find_iv(frame, month["settles_at"]) for frame in (puts, calls))
    if put is None or call is None:
        return f"{level}; no pair of 25-delta contracts to measure the skew by."
    dearer, cheaper = ("put", "call") if put >= call else ("call", "put")
    return f"{level}; 25-delta {dearer}s trade {abs(put - call) * 100:.1f} volatility points over {cheaper}s."


def _find_iv(instants: pl.DataFrame, settles_at: datetime) -> float | None:
    found = instants.filter(pl.col("settles_at") == settles_at)["iv"]
    return found.item(0) if found.len() else None


def _write_distances(figure: Figure, limits: tuple[float, float], spot: float) -> None:
    """Write a second row below the axis: distance from spot."""
    low, high = ((limit / spot - 1) * 100 for limit in limits)
    for tick in find_ticks(low, high, 7):
        words = "spot" if tick == 0 else f"{tick:+.3g} %"
        x = LEFT + (tick - low) / (high - low) * (RIGHT - LEFT)
        write(figure, x, BOTTOM + 38, words, align="center", size=11)


def _draw_one(panel: Axes, smile: dict[str, Any], points: pl.DataFrame, colour: str) -> None:
    line, dots = (_space_out(points, panel, step) for step in (LINE_STEP, DOT_STEP))
    curve = line["strike"].to_numpy(), line["implied_volatility"].to_numpy()
    plot_line(panel, *curve, colour=colour, width=1.8, gid=f"smile_{smile['expiration']}")
    is_put = dots["strike"] < smile["forward"]
    for side, fill in ((dots.filter(is_put), colour), (dots.filter(~is_put), "paper")):
        if side.height:
            at = side["strike"].to_numpy(), side["implied_volatility"].to_numpy()
            plot_dots(panel, *at, radius=2.1, fill=fill, edge=colour, edge_width=1.2)
    low, high = panel.get_xlim()
    if low <= smile["forward"] <= high:
        foot = panel.get_ylim()[0]
        forward, iv = smile["forward"], smile["atm_iv"]
        plot_line(panel, [forward, forward], [iv, foot], colour=colour, width=1, dashes=(2, 3))
        plot_dots(panel, [forward], [iv], radius=4.5, fill=colour, gid=f"forward_{smile['expiration']}")


def _space_out(points: pl.DataFrame, panel: Axes, step: float) -> pl.DataFrame:
    """Keep points that stand at least `step` pixels to the right of the one before; first and last always."""
    low, high = panel.get_xlim()
    pixels = ((points["strike"] - low) / (high - low) * (RIGHT - LEFT)).to_list()
    kept: list[int] = []
    for position, x in enumerate(pixels):
        if not kept or x - pixels[kept[-1]] >= step:
            kept.append(position)
    if kept and kept[-1] != len(pixels) - 1:
        kept[-1 if len(kept) > 1 else 0] = len(pixels) - 1
    return points[kept]


def _draw_legend(figure: Figure, smiles: list[dict[str, Any]], snapshot: pl.DataFrame) -> None:
    x = RIGHT + 28
    panel = add_panel(figure, 0, 0, 900, HEIGHT, x=(0, 900), y=(HEIGHT, 0))
    for number, (each, colour) in enumerate(zip(smiles, COLOURS, strict=False)):
        y = TOP + 10 + 58 * number
        panel.plot([x, x + 18], [y - 4, y - 4], color=get_colour(colour), linewidth=3)
        days = f"{each['days']:.0f} days" if each["days"] >= 1.5 else f"{each['days'] * 24:.0f} hours"
        write(figure, x + 26, y, f"{each['expiration']}", colour="ink", weight="bold")
        write(figure, x + 110, y, days)
        write(figure, x + 26, y + 17, f"forward {format_number(each['forward'])}")
        write(figure, x + 26, y + 33, f"at the forward {each['atm_iv'] * 100:.1f} %")
    y = TOP + 10 + 58 * len(smiles) + 8
    plot_dots(panel, [x + 9], [y - 4], radius=2.6, fill="soft", edge_width=0)
    write(figure, x + 26, y, "puts below the forward")
    plot_dots(panel, [x + 9], [y + 14], radius=2.6, fill="paper", edge="soft", edge_width=1.3)
    write(figure, x + 26, y + 18, "calls above it")
    plot_dots(panel, [x + 9], [y + 32], radius=4.5, fill="soft", edge_width=0)
    write(figure, x + 26, y + 36, "at the forward")
    solved = snapshot["implied_volatility"].count()
    write(figure, x, y + 62, f"{solved:,} of {snapshot.height:,} contracts")
    write(figure, x, y + 78, "have a volatility")
