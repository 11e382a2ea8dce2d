"""Gamma over spot: the dealers' gamma at every level the underlying might go to, and which strikes it comes from.

Belongs here: drawing one row of `gamma_exposure_snapshots`. The profile is computed in `analytics.gamma.profile`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.gamma.smiles import fill_from_smile
from hd_pipelines.analytics.gamma_exposure import gamma_profile
from hd_pipelines.assets.picture_canvas import (
    LEFT,
    RIGHT,
    Canvas,
    Mark,
    Scale,
    dollars,
    moment,
    plain,
    scale_of,
    without_data,
)

Floats = NDArray[np.float64]

HEIGHT = 560
PROFILE_TOP, PROFILE_BOTTOM, BARS_TOP, BARS_BOTTOM = 138, 330, 360, 510
NARROWEST, WIDEST = 0.04, 0.15
"""Share of spot that is shown to either side: enough for every level, no more than a picture can carry."""
MOST_BARS = 120
PROFILE_POINTS = 161
WORDS_WIDTH, WORDS_HEIGHT = 150, 22
"""Pixels that the words inside an area need; where it has less they are left out."""
LEVELS = (
    ("call_wall", "Call wall", "call", ""),
    ("put_wall", "Put wall", "put", ""),
    ("zero_gamma", "Zero gamma", "zero", "6 4"),
)


def profile_of(valued: pl.DataFrame, points: int = 201) -> tuple[Floats, Floats]:
    """Trial spots within ±15 % and the gamma there (dollars per 1 %), of one snapshot of one symbol in `VALUED`.

    Both empty where nothing with open interest could be valued.
    """
    held = fill_from_smile(valued).filter(
        pl.col("gamma").is_finite()
        & (pl.col("open_interest") > 0)
        & (pl.col("shares_per_contract") > 0)
        & (pl.col("underlying_price") > 0)
    )
    if held.is_empty():
        return np.empty(0), np.empty(0)
    spot = float(held["underlying_price"][0])
    spots = np.linspace(spot * (1 - WIDEST), spot * (1 + WIDEST), points)
    values = gamma_profile(
        spots,
        spot,
        held["strike"].to_numpy(),
        held["years"].to_numpy(),
        held["forward"].to_numpy(),
        held["implied_volatility"].to_numpy(),
        held["open_interest"].cast(pl.Float64).to_numpy(),
        (held["shares_per_contract"] * held["discount"]).to_numpy(),
        (held["option_type"] == "call").to_numpy(),
    )
    return spots, values


def gamma_picture(snapshot: Mapping[str, Any], spots: Floats, profile: Floats) -> dg.MarkdownMetadataValue:
    """Profile and strikes of one snapshot.

    Args:
        snapshot: one row of `SNAPSHOT_COLUMNS` by name.
        spots: as `profile_of` gives them; empty leaves the profile out.
        profile: the gamma at `spots`.
    """
    title = f"{snapshot['symbol']} gamma exposure, {moment(snapshot['timestamp'])}"
    spot = snapshot["underlying_price"]
    if spot is None:
        return without_data(title, "the chain came without a price of the underlying")
    if snapshot["gex_usd_per_1pct"] is None:
        return without_data(title, "no contract has both open interest and a gamma")
    canvas = Canvas(title, _reading(snapshot), HEIGHT)
    reach = _reach(snapshot, spot)
    across = Scale(spot * (1 - reach), spot * (1 + reach), LEFT, RIGHT)
    _draw_profile(canvas, across, spots, profile)
    _draw_strikes(canvas, across, json.loads(snapshot["gamma_by_strike"] or "[]"))
    marks = [Mark(spot, f"Spot {plain(spot)}", "ink")]
    marks += [
        Mark(snapshot[name], f"{label} {plain(round(snapshot[name], 1))}", colour, dashes)
        for name, label, colour, dashes in LEVELS
        if snapshot[name] is not None and across.low <= snapshot[name] <= across.high
    ]
    canvas.marks(_merged(marks), across, PROFILE_TOP, BARS_BOTTOM)
    for tick in across.ticks(9):
        canvas.text(across(tick), BARS_BOTTOM + 18, plain(tick), anchor="middle")
    canvas.text(
        LEFT,
        BARS_BOTTOM + 38,
        f"Calls counted positive, puts negative ({snapshot['sign_model']}); open interest of "
        f"{snapshot['open_interest_as_of'] or 'an unknown day'}; "
        f"{snapshot['contracts_valued']:,} of {snapshot['contracts']:,} contracts valued.",
    )
    return canvas.markdown()


def _reading(snapshot: Mapping[str, Any]) -> str:
    gex, distance = snapshot["gex_usd_per_1pct"], snapshot["distance_to_zero_gamma_pct"]
    side = "buy falls and sell rises" if gex > 0 else "sell falls and buy rises"
    hedging = f"dealers {side}, {dollars(abs(gex))} for every 1 % move."
    if distance is None:
        reason = (snapshot["zero_gamma_reason"] or "unknown").replace("_", " ").replace("pct", " %")
        return f"No zero-gamma level ({reason}); {hedging}"
    # From zero gamma to spot, as a person says it.
    away = (1 / (1 + distance / 100) - 1) * 100
    where = f"{abs(away):.1f} % {'above' if away >= 0 else 'below'} zero gamma"
    return f"Spot {plain(snapshot['underlying_price'])} is {where}; {hedging}"


def _reach(snapshot: Mapping[str, Any], spot: float) -> float:
    away = [abs(float(snapshot[name]) / spot - 1) for name, *_ in LEVELS if snapshot[name] is not None]
    return min(max(NARROWEST, *(1.4 * each for each in away if each <= WIDEST), 0.0), WIDEST)


def _merged(marks: Sequence[Mark]) -> list[Mark]:
    """Levels at one price are one line with both names: `Call and put wall 4,500`."""
    walls = [mark for mark in marks if "wall" in mark.name]
    if len(walls) == 2 and walls[0].at == walls[1].at:
        both = Mark(walls[0].at, f"Call and put wall {plain(walls[0].at)}", "call")
        return [*(mark for mark in marks if mark not in walls), both]
    return list(marks)


def _draw_profile(canvas: Canvas, across: Scale, spots: Floats, profile: Floats) -> None:
    canvas.text(LEFT, PROFILE_TOP - 54, "Net gamma if the underlying stood there, dollars per 1 %", more=' class="b"')
    if not spots.size:
        canvas.text(LEFT + 12, (PROFILE_TOP + PROFILE_BOTTOM) / 2, "No profile: nothing with open interest was valued.")
        return
    trial = np.linspace(across.low, across.high, PROFILE_POINTS)
    values = np.interp(trial, spots, profile)
    up = scale_of(values.tolist(), PROFILE_BOTTOM, PROFILE_TOP, zero=True)
    ticks = up.ticks(4)
    canvas.grid(up, ticks, [dollars(tick) if tick else "0" for tick in ticks])
    points = [(across(x), up(y)) for x, y in zip(trial.tolist(), values.tolist(), strict=True)]
    zero = up(0)
    base = [(x, zero) for x, _ in points]
    canvas.area([(x, min(y, zero)) for x, y in points], base, colour="call", opacity=0.16)
    canvas.area([(x, max(y, zero)) for x, y in points], base, colour="put", opacity=0.18)
    canvas.rule(LEFT, zero, RIGHT, zero, colour="soft")
    canvas.curve(points, colour="ink", width=2.2)
    for words, colour, away in (("hedging damps moves", "call", -1), ("hedging amplifies moves", "put", 1)):
        room = [x for x, y in points if (y - zero) * away >= WORDS_HEIGHT]
        if room and room[-1] - room[0] >= WORDS_WIDTH:
            at_left = room[0] - LEFT < RIGHT - room[-1]
            x, anchor = (room[0] + 6, "start") if at_left else (room[-1] - 6, "end")
            canvas.note(x, zero + (16 if away > 0 else -8), words, anchor=anchor, colour=colour)


def _draw_strikes(canvas: Canvas, across: Scale, by_strike: Sequence[Mapping[str, Any]]) -> None:
    canvas.text(LEFT, BARS_TOP - 16, "Gamma by strike at the present spot, dollars per 1 %", more=' class="b"')
    canvas.text(RIGHT, BARS_TOP - 16, "puts", anchor="end", colour="put", more=' class="b"')
    canvas.text(RIGHT - 36, BARS_TOP - 16, "calls", anchor="end", colour="call", more=' class="b"')
    inside = [each for each in by_strike if across.low <= each["strike"] <= across.high]
    if not inside:
        canvas.text(LEFT + 12, (BARS_TOP + BARS_BOTTOM) / 2, "No strike in this range has gamma.")
        return
    bars, width = _bars(inside, across)
    up = scale_of([each[side] for each in bars for side in ("call", "put")], BARS_BOTTOM, BARS_TOP, zero=True)
    ticks = up.ticks(4)
    canvas.grid(up, ticks, [dollars(tick) if tick else "0" for tick in ticks])
    for each in bars:
        x = across(each["strike"]) - width / 2
        canvas.box(x, up(each["call"]), width, up(0) - up(each["call"]), colour="call")
        canvas.box(x, up(0), width, up(each["put"]) - up(0), colour="put")
    canvas.rule(LEFT, up(0), RIGHT, up(0), colour="soft")


def _bars(strikes: Sequence[Mapping[str, Any]], across: Scale) -> tuple[list[dict[str, float]], float]:
    """Calls and puts by strike, neighbours added up where they would be too thin, and the width of a bar."""
    if len(strikes) <= MOST_BARS:
        gaps = [b["strike"] - a["strike"] for a, b in pairwise(strikes)]
        pixels = (across(across.low + min(gaps)) - across.start) if gaps else 12.0
        return [dict(each) for each in strikes], min(max(0.8 * pixels, 2.0), 14.0)
    step = (across.high - across.low) / MOST_BARS
    bins: dict[int, dict[str, float]] = {}
    for each in strikes:
        number = min(int((each["strike"] - across.low) / step), MOST_BARS - 1)
        held = bins.setdefault(number, {"strike": across.low + (number + 0.5) * step, "call": 0.0, "put": 0.0})
        held["call"] += each["call"]
        held["put"] += each["put"]
    return [bins[number] for number in sorted(bins)], 0.8 * (across.end - across.start) / MOST_BARS
