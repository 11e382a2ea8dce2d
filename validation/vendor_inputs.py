"""Infers the forward and clock that a vendor's volatilities assume, and measures the difference that remains at those.

This explains a difference of volatilities and never removes it: the tables of `iv_against_vendor` use our own inputs. It is
needed because a recorded chain contains neither, and the volatility of an in-the-money option depends on the forward as
much as on its price.

- Clock: one number per session, the hours by which the vendor's time to settlement is longer than ours. It is the median,
  over out-of-the-money contracts within 1.5 % of the forward and ten days of settlement, of the change that makes both
  total variances equal. Our time runs to the session's close, so it is the time before the close at which the chain was
  saved.
- Forward: one number per expiration, the median move of our forward at which the vendor's volatility gives the mid, over
  contracts with a delta of 0.2 to 0.8. Call and put of one strike share it, so at most one of them can be fitted.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from hd_pipelines.pricing import black, implied
from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.tables.vocabulary import OptionType

HOURS_PER_YEAR = 365 * 24
_CLOCK_MONEYNESS = 0.015
_CLOCK_YEARS = 10 / 365
_WIDEST_HOURS = 4
_ROUNDS = 6
_EXPIRATION = ["timestamp", "root", "expiration"]


def estimate_vendor_clock(rows: pl.DataFrame) -> pl.DataFrame:
    """Estimate the vendor's clock, one row for each session of `rows` (`iv_against_vendor.select_compared`).

    session, hours (by which the vendor's time to settlement is longer), hours_low, hours_high (quartiles over contracts),
    contracts. Hours are null where the quartiles are more than four hours apart, since something other than a clock differs
    then.
    """
    near = (pl.col("strike") / pl.col("forward")).log().abs() < _CLOCK_MONEYNESS
    tells = pl.col("is_out_of_the_money") & near & (pl.col("years") < _CLOCK_YEARS)
    longer = (pl.col("implied_volatility") / pl.col("vendor_iv")) ** 2 - 1
    hours = (pl.col("years") * longer * HOURS_PER_YEAR).filter(tells)
    return (
        rows.group_by("session")
        .agg(
            hours=hours.median(),
            hours_low=hours.quantile(0.25),
            hours_high=hours.quantile(0.75),
            contracts=hours.len(),
        )
        .with_columns(hours=pl.when(pl.col("hours_high") - pl.col("hours_low") <= _WIDEST_HOURS).then("hours"))
        .sort("session")
    )


def value_at_vendor_inputs(rows: pl.DataFrame, *, clock: bool, forward: bool) -> pl.DataFrame:
    """Recompute `rows` (`iv_against_vendor.select_compared`) at the vendor's clock, forward, or both.

    Replaces `years`, `discount`, `forward`, `implied_volatility`, `delta`, `vega`; a volatility is null where the mid has
    none at that forward. Sessions without a clock keep ours.
    """
    years = rows["years"].to_numpy()
    discount = rows["discount"].to_numpy()
    if clock:
        lag = rows.select("session").join(estimate_vendor_clock(rows), on="session", how="left", maintain_order="left")[
            "hours"
        ]
        longer = years + lag.fill_null(0.0).to_numpy() / HOURS_PER_YEAR
        discount, years = discount ** (longer / years), longer
    strike, mid, spot = (rows[name].to_numpy() for name in ("strike", "mid_price", "underlying_price"))
    is_call = (rows["option_type"] == OptionType.CALL.value).to_numpy()
    at = rows["forward"].to_numpy()
    if forward:
        vendors = rows["vendor_iv"].to_numpy()
        for _ in range(_ROUNDS):
            delta = black.greeks(at, strike, years, discount, vendors, is_call).delta
            step = (mid - black.price(at, strike, years, discount, vendors, is_call)) / delta
            at = at + _median_by_expiration(rows, np.where((abs(delta) > 0.2) & (abs(delta) < 0.8), step, np.nan))
    sigma, _ = implied.solve(mid, at, strike, years, discount, is_call)
    greeks = black.greeks(at, strike, years, discount, sigma, is_call)
    found = {
        "years": years,
        "discount": discount,
        "forward": at,
        "implied_volatility": sigma,
        "delta": greeks.delta * at / spot,
        "vega": greeks.vega,
    }
    return rows.with_columns(pl.Series(name, values, nan_to_null=True) for name, values in found.items())


def _median_by_expiration(rows: pl.DataFrame, steps: Floats) -> Floats:
    """Median of the finite `steps` of each expiration, on all of its rows; 0 where it has none."""
    finite = pl.Series("step", np.where(np.isfinite(steps), steps, math.nan), nan_to_null=True)
    median = rows.select(*_EXPIRATION, finite).select(pl.col("step").median().over(_EXPIRATION))
    return median.to_series().fill_null(0.0).to_numpy()
