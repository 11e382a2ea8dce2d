"""The smile: implied volatility by strike for a few expirations of one symbol's last snapshot.

Belongs here: drawing `VALUED`. Interpolation at the forward and at a delta is `analytics.volatility.smile`.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from hd_pipelines.analytics.volatility.smile import interpolate_at_delta, interpolate_at_forward
from hd_pipelines.assets.picture_canvas import LEFT, Canvas, Scale, moment, plain, scale_of, without_data
from hd_pipelines.tables.vocabulary import OptionType

HEIGHT = 450
TOP, BOTTOM, RIGHT = 84, 392, 648
TARGET_DAYS = (7, 30, 91, 182)
COLOURS = ("#e0457b", "#8a63e8", "#2f80ed", "#12a594")
"""By maturity, nearest first; each stands off white and off black."""
SMALLEST_DELTA, SHOWN_DELTA = 0.02, 0.05
"""Contracts beyond the first are no prices but ticks; the strikes of the second, up to three months ahead, set the width."""
FEWEST_CONTRACTS = 3
LINE_STEP, DOT_STEP = 2.5, 9.0
"""Pixels between points of a line, and between its dots."""


def smile_picture(valued: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The last snapshot in `valued`, `VALUED` of one symbol. Raises `ValueError` if there are several symbols."""
    symbols = valued["symbol"].unique().to_list()
    if len(symbols) != 1:
        if not symbols:
            return without_data("Smile", "no contract was valued")
        raise ValueError(f"a smile is drawn of one symbol, not of {', '.join(map(str, symbols))}")
    last = valued.filter(pl.col("timestamp") == pl.col("timestamp").max())
    title = f"{symbols[0]} implied volatility, {moment(last['timestamp'][0])}"
    smiles = _chosen(last)
    if not smiles:
        return without_data(title, _why_not(last))
    canvas = Canvas(title, _reading(last, smiles), HEIGHT)
    spot = last["underlying_price"].drop_nulls().first()
    low, high = _width(smiles)
    across = Scale(low, high, LEFT, RIGHT)
    shown = [each | {"points": each["points"].filter(pl.col("strike").is_between(low, high))} for each in smiles]
    up = scale_of([iv for each in shown for iv in each["points"]["implied_volatility"]], BOTTOM, TOP)
    ticks = up.ticks(6)
    canvas.grid(up, ticks, [f"{tick * 100:.3g} %" for tick in ticks], right=RIGHT)
    for tick in across.ticks(7):
        canvas.text(across(tick), BOTTOM + 19, plain(tick), anchor="middle")
    if isinstance(spot, float):
        _draw_distances(canvas, across, spot)
    for each, colour in zip(shown, COLOURS, strict=False):
        _draw_smile(canvas, across, up, each, colour)
    _draw_legend(canvas, smiles, last)
    return canvas.markdown()


def _chosen(snapshot: pl.DataFrame) -> list[dict[str, Any]]:
    """Term, out-of-the-money points and days of the expirations nearest to `TARGET_DAYS`, ascending."""
    terms = interpolate_at_forward(snapshot).filter(pl.col("atm_iv").is_not_null() & (pl.col("years") > 0))
    is_call = pl.col("option_type") == OptionType.CALL.value
    points = snapshot.filter(
        pl.col("implied_volatility").is_not_null()
        & (pl.col("delta").abs() >= SMALLEST_DELTA)
        & (is_call == (pl.col("strike") >= pl.col("forward")))
    ).sort("strike")
    found = []
    for term in terms.sort("years").iter_rows(named=True):
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


def _why_not(snapshot: pl.DataFrame) -> str:
    reasons = snapshot["iv_reason"].drop_nulls().value_counts(sort=True)
    if reasons.is_empty():
        return "no expiration has enough contracts out of the money"
    reason, count = reasons.row(0)
    return f"no expiration has a smile; {count} of {snapshot.height} contracts have no volatility ({reason})"


def _width(smiles: list[dict[str, Any]]) -> tuple[float, float]:
    """Strikes from the lowest to the highest that has a delta worth looking at, in maturities up to three months."""
    near = [each for each in smiles if each["days"] <= 100] or smiles
    strikes = pl.concat(each["points"].filter(pl.col("delta").abs() >= SHOWN_DELTA)["strike"] for each in near)
    if strikes.len() < 2:
        strikes = pl.concat(each["points"]["strike"] for each in smiles)
    low, high = float(strikes.min()), float(strikes.max())
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def _reading(snapshot: pl.DataFrame, smiles: list[dict[str, Any]]) -> str:
    month = min(smiles, key=lambda each: abs(each["days"] - 30))
    level = f"{month['days']:.0f}-day volatility at the forward is {month['atm_iv'] * 100:.1f} %"
    own = snapshot.filter(pl.col("settles_at") == month["settles_at"])
    sides = [interpolate_at_delta(own, side, 0.25)["iv"] for side in (OptionType.PUT, OptionType.CALL)]
    put, call = (side[0] if side.len() else None for side in sides)
    if put is None or call is None:
        return f"{level}; no pair of 25-delta contracts to measure the skew by."
    dearer, cheaper = ("put", "call") if put >= call else ("call", "put")
    return f"{level}; a 25-delta {dearer} stands {abs(put - call) * 100:.1f} points over a 25-delta {cheaper}."


def _draw_distances(canvas: Canvas, across: Scale, spot: float) -> None:
    """A second row below the axis: distance from spot."""
    per_cent = Scale(across.low / spot * 100 - 100, across.high / spot * 100 - 100, across.start, across.end)
    for tick in per_cent.ticks(7):
        said = "spot" if tick == 0 else f"{tick:+.3g} %"
        canvas.text(per_cent(tick), BOTTOM + 38, said, anchor="middle", more=' font-size="11"')


def _draw_smile(canvas: Canvas, across: Scale, up: Scale, smile: dict[str, Any], colour: str) -> None:
    points = [
        (across(strike), up(iv)) for strike, iv in smile["points"].select("strike", "implied_volatility").iter_rows()
    ]
    canvas.curve(_spaced(points, LINE_STEP), colour=colour, width=1.8)
    forward = across(smile["forward"])
    for x, y in _spaced(points, DOT_STEP):
        is_put = x < forward
        canvas.dot(x, y, 2.1, colour=colour if is_put else "paper", more=f' stroke="{colour}" stroke-width="1.2"')
    if across.low <= smile["forward"] <= across.high:
        y = up(smile["atm_iv"])
        canvas.rule(forward, y, forward, BOTTOM, colour=colour, more=' stroke-dasharray="2 3"')
        canvas.dot(forward, y, 4.5, colour=colour, more=' stroke="var(--paper)" stroke-width="1.5"')


def _spaced(points: list[tuple[float, float]], step: float) -> list[tuple[float, float]]:
    """The points that are at least `step` pixels to the right of the one before, first and last always."""
    kept: list[tuple[float, float]] = []
    for point in points:
        if not kept or point[0] - kept[-1][0] >= step:
            kept.append(point)
    return kept if not points or kept[-1] == points[-1] else [*kept[:-1], points[-1]] if len(kept) > 1 else points[-1:]


def _draw_legend(canvas: Canvas, smiles: list[dict[str, Any]], snapshot: pl.DataFrame) -> None:
    x = RIGHT + 28
    for number, (each, colour) in enumerate(zip(smiles, COLOURS, strict=False)):
        y = TOP + 10 + 58 * number
        canvas.rule(x, y - 4, x + 18, y - 4, colour=colour, more=' stroke-width="3"')
        days = f"{each['days']:.0f} days" if each["days"] >= 1.5 else f"{each['days'] * 24:.0f} hours"
        canvas.text(x + 26, y, f"{each['expiration']}", colour="ink", more=' class="b"')
        canvas.text(x + 106, y, f"{days}")
        canvas.text(x + 26, y + 17, f"forward {plain(each['forward'])}")
        canvas.text(x + 26, y + 33, f"at the forward {each['atm_iv'] * 100:.1f} %")
    y = TOP + 10 + 58 * len(smiles) + 8
    canvas.dot(x + 9, y - 4, 2.6, colour="soft")
    canvas.text(x + 26, y, "puts below the forward")
    canvas.dot(x + 9, y + 14, 2.6, colour="paper", more=' stroke="var(--soft)" stroke-width="1.3"')
    canvas.text(x + 26, y + 18, "calls above it")
    canvas.dot(x + 9, y + 32, 4.5, colour="soft")
    canvas.text(x + 26, y + 36, "at the forward")
    solved = snapshot["implied_volatility"].count()
    canvas.text(x, y + 62, f"{solved:,} of {snapshot.height:,} contracts")
    canvas.text(x, y + 78, "have a volatility")
