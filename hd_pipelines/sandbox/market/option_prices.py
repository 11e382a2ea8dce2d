"""Fair values for the synthetic option tape: Black-76 on a smile.

Plausible, vectorised, and exact enough for put-call parity. The platform's own valuation is in `pricing` and must never
be checked against this module alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.sandbox.market.daily_paths import Floats

RATE = 0.04
"""Flat continuously compounded rate of the synthetic market; there are no dividends."""
MINUTES_PER_YEAR = 365 * 24 * 60
MONTH = 30 / 365


def normal_cdf(x: Floats) -> Floats:
    """Standard normal distribution function, absolute error below 7.5e-8 (Abramowitz and Stegun 26.2.17)."""
    z = np.abs(x)
    t = 1 / (1 + 0.2316419 * z)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) * series
    return np.asarray(np.where(x >= 0, 1 - tail, tail))


def black_76(forward: Floats, strike: Floats, years: Floats, sigma: Floats, is_call: NDArray[np.bool_]) -> Floats:
    """Discounted European value at the flat `RATE`, same unit as `forward`. `years` and `sigma` must be positive."""
    deviation = sigma * np.sqrt(years)
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    sign = np.where(is_call, 1.0, -1.0)
    value = sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * (d1 - deviation)))
    return np.asarray(np.maximum(value, 0.0) * np.exp(-RATE * years))


def compute_smile(
    moneyness: Floats,
    years: Floats,
    at_the_money: Floats,
    lean: Floats,
    is_volatility_index: NDArray[np.bool_],
) -> Floats:
    """Implied volatility by strike. `moneyness` = ln(strike / forward).

    `lean`: how much of the at-the-money volatility one standard deviation to the puts adds, negative if it is the calls'.
    Flatter for long dates; the volatility index is more a line than a bowl.
    """
    x = np.clip(moneyness / (at_the_money * np.sqrt(np.maximum(years, 2 / 252))), -6.0, 6.0)
    bowl = np.where(is_volatility_index, 0.006, 0.022)
    return np.asarray(at_the_money * np.maximum(1 - lean * x + bowl * x * x, 0.55))


def compute_term_structure(near: Floats, far: Floats, years: Floats) -> Floats:
    """At-the-money volatility for `years`: from `near` at one month to `far` for long dates, in variance.

    Days before the month lie a little beyond `near`.
    """
    before = 1 + 0.15 * (1 - years / MONTH)
    weight = np.where(years < MONTH, before, np.exp(-np.maximum(years - MONTH, 0.0) / 0.35))
    return np.asarray(np.sqrt(far**2 + (near**2 - far**2) * weight))
