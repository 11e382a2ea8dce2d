"""Looks up a session's risk-free rates at any maturity in a table of curve points.

Rates that option prices imply are found in `forwards`.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from hd_pipelines.pricing.arrays import Floats

Curve = tuple[Floats, Floats]

RATES = {"date": pl.Date, "years": pl.Float64, "rate": pl.Float64}
"""Columns of `rates`: continuously compounded rates per year, the points of the curve known on `date`."""

OLDEST_CURVE_DAYS = 14
"""An older curve no longer describes the market (holidays leave gaps of four days)."""


def select_curves(rates: pl.DataFrame | None, sessions: list[date]) -> dict[date, Curve]:
    """Select the newest curve on or before each session, as (years ascending, rates). Sessions without one are omitted.

    Raises `ValueError` if `rates` lacks a column of `RATES`.
    """
    if rates is None or rates.is_empty():
        return {}
    if missing := [name for name in RATES if name not in rates.columns]:
        raise ValueError(f"rates lacks the column(s) {', '.join(missing)}; it has {', '.join(rates.columns)}")
    if not sessions:
        return {}
    # Only the curves that may be selected: a table holds years of them, and each is converted to arrays.
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
    """Interpolate rates at `years`: linear between points, constant beyond the first and the last."""
    return np.interp(years, curve[0], curve[1])
