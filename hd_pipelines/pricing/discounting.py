"""Risk-free rates of a session at any maturity, from a table of curve points.

Belongs here: looking a curve up. Not here: where its points come from, nor rates that option prices imply (`forwards`).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from hd_pipelines.pricing.arrays import Floats

Curve = tuple[Floats, Floats]

RATES = {"date": pl.Date, "years": pl.Float64, "rate": pl.Float64}
"""`rates` as callers give them: continuously compounded, per year; the points of the curve known on `date`."""

OLDEST_CURVE_DAYS = 14
"""A curve older than this is not the market's any more (holidays leave gaps of four days)."""


def rates_of_sessions(rates: pl.DataFrame | None, sessions: list[date]) -> dict[date, Curve]:
    """The newest curve on or before each session, as (years ascending, rates); sessions without one are left out.

    Raises `ValueError` if `rates` lacks a column of `RATES`.
    """
    if rates is None or rates.is_empty():
        return {}
    if missing := [name for name in RATES if name not in rates.columns]:
        raise ValueError(f"rates lacks the column(s) {', '.join(missing)}; it has {', '.join(rates.columns)}")
    if not sessions:
        return {}
    # Only the curves that may count: a table holds years of them, and each becomes arrays.
    oldest = min(sessions) - timedelta(days=OLDEST_CURVE_DAYS)
    may_count = pl.col("date").is_between(oldest, max(sessions))
    known = rates.drop_nulls(["date", "years", "rate"]).filter(may_count).sort("date", "years")
    curves = {
        day: (points["years"].to_numpy(), points["rate"].to_numpy())
        for (day,), points in known.group_by("date", maintain_order=True)
    }
    days = np.array(list(curves), dtype="datetime64[D]")
    found: dict[date, Curve] = {}
    for session in sessions:
        position = int(np.searchsorted(days, np.datetime64(session), side="right")) - 1
        if position >= 0 and (session - (day := days[position].item())).days <= OLDEST_CURVE_DAYS:
            found[session] = curves[day]
    return found


def interpolate_rates(curve: Curve, years: Floats) -> Floats:
    """Rates at `years`: straight between points, flat beyond the first and the last."""
    return np.interp(years, curve[0], curve[1])
