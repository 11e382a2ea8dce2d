"""Gamma over spot: dealer gamma at every level that the underlying might reach, and the strikes it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from hd_pipelines.charts.figure import (
    LEFT,
    RIGHT,
    Picture,
    add_panel,
    draw_missing,
    find_limits,
    finish,
    make_figure,
    write,
)
from hd_pipelines.charts.marks import Floats, Level, draw_levels, fill_band, fill_boxes, plot_line, set_ticks
from hd_pipelines.charts.numbers import format_dollar_tick, format_dollars, format_name, format_number, format_time
from hd_pipelines.charts.style import get_colour, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 560
PROFILE_TOP, PROFILE_BOTTOM, BARS_TOP, BARS_BOTTOM = 138, 330, 366, 510
NARROWEST, WIDEST = 0.04, 0.15
"""Share of spot that is shown to either side: enough for every level, no more than a picture can carry."""
MOST_BARS = 120
PROFILE_POINTS = 161
NOTE_WIDTH, NOTE_HEIGHT = 150, 22
"""Pixels that a note inside an area needs; where it has less it is left out."""
LEVELS = (
    ("call_wall", "Call wall", "call", None),
    ("put_wall", "Put wall", "put", None),
    ("zero_gamma", "Zero gamma", "zero", (6.0, 4.0)),
)


@use_style
def draw_gamma(snapshot: Mapping[str, Any], strikes: pl.DataFrame, spots: Floats, profile: Floats) -> Picture:
    """Draw profile and strikes of one snapshot.

    Args:
        snapshot: one row of `gamma_exposure_snapshots` by column name.
        strikes: the snapshot's rows of `gamma_by_strike`, ascending; strikes without an exposure get no bar.
        spots: trial spots, ascending; empty leaves the profile out.
        profile: dealer gamma at `spots`, dollars per 1 % move.
    """
    title = f"{snapshot['symbol']} gamma exposure, {format_time(snapshot['timestamp'])}"
    spot = snapshot["underlying_price"]
    if spot is None:
        return draw_missing(title, "the chain came without a price of the underlying")
    if snapshot["gex_usd_per_1pct"] is None:
        return draw_missing(title, "no contract has both open interest and a gamma")
    reading = _describe(snapshot)
    figure = make_figure(title, reading, HEIGHT)
    reach = _find_reach(snapshot, spot)
    limits = (spot * (1 - reach), spot * (1 + reach))
    _draw_profile(figure, limits, spots, profile)
    panel = _draw_strikes(figure, limits, strikes)
    levels = [Level(spot, f"Spot {format_number(spot)}", "ink", "spot")]
    levels += [
        Level(snapshot[key], f"{name} {format_number(round(snapshot[key], 1))}", colour, key, dashes)
        for key, name, colour, dashes in LEVELS
        if snapshot[key] is not None and limits[0] <= snapshot[key] <= limits[1]
    ]
    draw_levels(figure, panel, _merge_walls(levels), PROFILE_TOP, BARS_BOTTOM)
    write(
        figure,
        LEFT,
        BARS_BOTTOM + 38,
        f"Calls counted positive, puts negative ({snapshot['sign_model']}); open interest of "
        f"{snapshot['open_interest_as_of'] or 'an unknown day'}; "
        f"{snapshot['contracts_valued']:,} of {snapshot['contracts']:,} contracts valued.",
    )
    return finish(figure, title, reading)


def _describe(snapshot: Mapping[str, Any]) -> str:
    gex, distance = snapshot["gex_usd_per_1pct"], snapshot["distance_to_zero_gamma_pct"]
    side = "buy dips and sell rallies" if gex > 0 else "sell dips and buy rallies"
    hedging = f"dealers {side}, {format_dollars(abs(gex))} for every 1 % move."
    if distance is None:
        return f"No zero-gamma level ({format_name(snapshot['zero_gamma_reason']).replace('pct', ' %')}); {hedging}"
    # The column measures from spot to zero gamma; a person says how far spot is from zero gamma.
    away = (1 / (1 + distance / 100) - 1) * 100
    where = f"{abs(away):.1f} % {'above' if away >= 0 else 'below'} zero gamma"
    return f"Spot {format_number(snapshot['underlying_price'])} is {where}; {hedging}"


def _find_reach(snapshot: Mapping[str, Any], spot: float) -> float:
    away = [abs(float(snapshot[key]) / spot - 1) for key, *_ in LEVELS if snapshot[key] is not None]
    return min(max(NARROWEST, *(1.4 * each for each in away if each <= WIDEST), 0.0), WIDEST)


def _merge_walls(levels: Sequence[Level]) -> list[Level]:
    """Make one line with both names of walls at one strike: `Call and put wall 4,500`."""
    walls = [level for level in levels if level.key.endswith("_wall")]
    if len(walls) == 2 and walls[0].at == walls[1].at:
        both = Level(walls[0].at, f"Call and put wall {format_number(walls[0].at)}", "call", "call_wall")
        return [*(level for level in levels if level not in walls), both]
    return list(levels)


def _draw_profile(figure: Figure, limits: tuple[float, float], spots: Floats, profile: Floats) -> None:
    heading = "Net gamma by price of the underlying, dollars per 1 % move"
    write(figure, LEFT, PROFILE_TOP - 54, heading, weight="bold")
    if not spots.size:
        nothing = "No profile: nothing with open interest was valued."
        write(figure, LEFT + 12, (PROFILE_TOP + PROFILE_BOTTOM) / 2, nothing)
        return
    trial = np.linspace(*limits, PROFILE_POINTS)
    values = np.interp(trial, spots, profile)
    up = find_limits(values.tolist(), has_zero=True)
    panel = add_panel(figure, LEFT, PROFILE_TOP, RIGHT, PROFILE_BOTTOM, x=limits, y=up)
    set_ticks(panel.yaxis, 4, format_dollar_tick)
    for part, colour, opacity in ((np.maximum(values, 0), "call", 0.16), (np.minimum(values, 0), "put", 0.18)):
        if part.any():
            fill_band(panel, trial, np.zeros_like(part), part, colour=colour, opacity=opacity, gid=f"{colour}_area")
    panel.axhline(0, color=get_colour("soft"), linewidth=1, zorder=1.8)
    plot_line(panel, trial, values, colour="ink", width=2.2, gid="profile")
    _draw_notes(figure, panel, trial, values)


def _draw_notes(figure: Figure, panel: Axes, trial: Floats, values: Floats) -> None:
    """Say inside each area what hedging does there, if the area has room for it."""
    x, y = panel.transData.transform(np.column_stack([trial, values])).T
    zero = float(panel.transData.transform((0, 0))[1])
    for words, colour, sign in (("hedging damps moves", "call", 1), ("hedging amplifies moves", "put", -1)):
        room = x[(y - zero) * sign >= NOTE_HEIGHT]
        if room.size and room[-1] - room[0] >= NOTE_WIDTH:
            at_left = room[0] - LEFT < RIGHT - room[-1]
            at, align = (room[0] + 6, "left") if at_left else (room[-1] - 6, "right")
            baseline = HEIGHT - zero + (-8 if sign > 0 else 16)
            write(figure, at, baseline, words, align=align, colour=colour, has_halo=True)


def _draw_strikes(figure: Figure, limits: tuple[float, float], strikes: pl.DataFrame) -> Axes:
    heading = "Gamma by strike at spot, dollars per 1 % move"
    write(figure, LEFT, BARS_TOP - 16, heading, weight="bold", has_halo=True)
    write(figure, RIGHT, BARS_TOP - 16, "puts", align="right", colour="put", weight="bold")
    write(figure, RIGHT - 36, BARS_TOP - 16, "calls", align="right", colour="call", weight="bold")
    inside = strikes.select("strike", call="call_gex_usd_per_1pct", put="put_gex_usd_per_1pct").filter(
        pl.col("strike").is_between(*limits) & pl.col("call").is_not_null()
    )
    bars, width = _gather_bars(inside.to_dicts(), limits)
    up = find_limits([each[side] for each in bars for side in ("call", "put")], has_zero=True)
    panel = add_panel(figure, LEFT, BARS_TOP, RIGHT, BARS_BOTTOM, x=limits, y=up)
    set_ticks(panel.xaxis, 9, format_number)
    if not bars:
        write(figure, LEFT + 12, (BARS_TOP + BARS_BOTTOM) / 2, "No strike in this range has gamma.")
        return panel
    set_ticks(panel.yaxis, 4, format_dollar_tick)
    for side in ("call", "put"):
        boxes = [(each["strike"] - width / 2, each["strike"] + width / 2, 0.0, each[side]) for each in bars]
        fill_boxes(panel, boxes, colour=side, gid=f"{side}_bars")
    panel.axhline(0, color=get_colour("soft"), linewidth=1)
    return panel


def _gather_bars(
    strikes: Sequence[Mapping[str, float]], limits: tuple[float, float]
) -> tuple[list[dict[str, float]], float]:
    """Gather calls and puts by strike, neighbours added up where bars would be too thin, and a bar's width in strikes."""
    pixel = (limits[1] - limits[0]) / (RIGHT - LEFT)
    if len(strikes) <= MOST_BARS:
        gaps = [b["strike"] - a["strike"] for a, b in pairwise(strikes)]
        width = 0.8 * min(gaps) if gaps else 12.0 * pixel
        return [dict(each) for each in strikes], min(max(width, 2.0 * pixel), 14.0 * pixel)
    step = (limits[1] - limits[0]) / MOST_BARS
    bins: dict[int, dict[str, float]] = {}
    for each in strikes:
        number = min(int((each["strike"] - limits[0]) / step), MOST_BARS - 1)
        held = bins.setdefault(number, {"strike": limits[0] + (number + 0.5) * step, "call": 0.0, "put": 0.0})
        held["call"] += each["call"]
        held["put"] += each["put"]
    return [bins[number] for number in sorted(bins)], 0.8 * step
