"""Pairs calls with puts and fits the put-call parity line of each expiration, robustly and for many expirations at once.

Which lines are trusted is decided in `forwards`.

Parity: C - P = D * (F - K). Over K this is a straight line whose zero is the forward F and whose slope is minus the
discount factor D. Dividends, borrow fees and a stale price of the underlying drop out. Each pair is weighted by the inverse
square of its two half spreads, then again by the Cauchy weight of its residual in half spreads (iteratively reweighted
least squares), so that a wrong quote has no influence. Source of weights and constant: Holland and Welsch (1977), "Robust
regression using iteratively reweighted least-squares".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.tables.vocabulary import OptionType

Integers = NDArray[np.int64]

_CAUCHY = 2.385
_ROUNDS = 8
_SMALLEST_HALF_SPREAD = 0.005
_CENTER_PAIRS = 5


def pair_calls_with_puts(priced: pl.DataFrame) -> pl.DataFrame:
    """Join calls to the puts of their strike, near the money.

    Takes `expiry` (integer key), `strike`, `option_type`, `years`, `mid_price`, `half_spread`, `is_european`. Returns
    `expiry`, `strike`, `years`, `is_european`, `call`, `put` (mids), `difference` (C - P), `half_spread` (sum of both) and
    `center` (first guess of the forward: median K + C - P of the five smallest |C - P|).

    Near the money means within 2 % + 30 % * sqrt(years) of the center, at most 25 %, for European exercise. For American
    pairs it means within 1 % + 10 % * sqrt(years), at most 6 %, since the line bends as early exercise gains value.
    """
    usable = priced.filter(pl.col("mid_price").is_not_null() & (pl.col("years") > 0))
    key = ["expiry", "strike"]
    is_call = pl.col("option_type") == OptionType.CALL.value
    calls = usable.filter(is_call).select(*key, "years", "is_european", "half_spread", call="mid_price")
    puts = usable.filter(~is_call).select(*key, "half_spread", put="mid_price")
    pairs = calls.join(puts, on=key, suffix="_put").select(
        *key,
        "years",
        "is_european",
        "call",
        "put",
        difference=pl.col("call") - pl.col("put"),
        half_spread=(pl.col("half_spread") + pl.col("half_spread_put")).clip(_SMALLEST_HALF_SPREAD),
    )
    guess = (pl.col("strike") + pl.col("difference")).head(_CENTER_PAIRS).median()
    centers = pairs.sort(pl.col("difference").abs()).group_by("expiry", maintain_order=True).agg(center=guess)
    root_of_time = pl.col("years").sqrt()
    reach = (
        pl.when("is_european")
        .then((0.02 + 0.30 * root_of_time).clip(None, 0.25))
        .otherwise((0.01 + 0.10 * root_of_time).clip(None, 0.06))
    )
    distance = (pl.col("strike") / pl.col("center")).log().abs()
    return (
        pairs.join(centers, on="expiry").filter((pl.col("center") > 0) & (distance <= reach)).sort("expiry", "strike")
    )


@dataclass(frozen=True, slots=True)
class Lines:
    """One parity line per expiry. NaN where there is no pair; `slope_error` is NaN also with fewer than three pairs.

    residual      weighted RMS distance of the pairs from their line, in price
    slope_error   standard error of the fitted discount factor
    half_spread   of the tightest pair
    """

    forward: Floats
    discount: Floats
    slope_error: Floats
    residual: Floats
    half_spread: Floats
    pairs: Integers


def fit_lines(pairs: pl.DataFrame, count: int, discount: Floats | None = None) -> Lines:
    """Fit the lines of `count` expiries (keys 0 … count - 1). The slope is fitted unless `discount` gives one per expiry."""
    expiry = pairs["expiry"].to_numpy().astype(np.int64)
    strike, y, half = (pairs[name].to_numpy() for name in ("strike", "difference", "half_spread"))

    def total(values: Floats) -> Floats:
        return np.bincount(expiry, weights=values, minlength=count).astype(np.float64)

    number = np.bincount(expiry, minlength=count).astype(np.int64)
    tightest = np.full(count, np.inf)
    np.minimum.at(tightest, expiry, half)
    base = 1.0 / half**2
    weight = base
    with np.errstate(divide="ignore", invalid="ignore"):
        for turn in range(_ROUNDS):
            mass = total(weight)
            k_mean, y_mean = total(weight * strike) / mass, total(weight * y) / mass
            k, v = strike - k_mean[expiry], y - y_mean[expiry]
            spread = total(weight * k * k)
            slope = total(weight * k * v) / spread if discount is None else -discount
            residual = v - slope[expiry] * k
            # The scale starts wide, so that one wild quote does not decide which pairs are outliers.
            weight = base / (1.0 + (residual / (_CAUCHY * half * (0.25 + 4.0 * 0.4**turn))) ** 2)
        squares = total(weight * residual**2)
        error = np.where(number > 2, np.sqrt(squares / np.maximum(number - 2, 1) / spread), np.nan)
        return Lines(
            k_mean - y_mean / slope,
            np.where(number > 0, -slope, np.nan),
            error,
            np.sqrt(squares / total(weight)),
            np.where(number > 0, tightest, np.nan),
            number,
        )
