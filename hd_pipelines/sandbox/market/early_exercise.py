"""The early-exercise premium of the synthetic market's American puts.

Quadratic approximation of Barone-Adesi and Whaley, "Efficient Analytic Approximation of American Option Values", Journal
of Finance 42 (1987), for a flat rate without dividends, where only puts are ever exercised early. The critical price
depends on volatility and time alone, so it is tabulated once and interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hd_pipelines.sandbox.market.daily_paths import Floats
from hd_pipelines.sandbox.market.option_prices import RATE, normal_cdf

_SIGMAS, _YEARS = (0.02, 8.0), (1e-6, 4.0)
_GRID = (96, 96)


@dataclass(frozen=True, slots=True)
class _CriticalPrices:
    """Spot over strike below which a put is exercised at once, on a grid of log volatility and log years."""

    ratio: Floats

    def at(self, sigma: Floats, years: Floats) -> Floats:
        row, across = _find_grid_position(sigma, _SIGMAS, _GRID[0])
        column, along = _find_grid_position(years, _YEARS, _GRID[1])
        low = self.ratio[row, column] * (1 - along) + self.ratio[row, column + 1] * along
        high = self.ratio[row + 1, column] * (1 - along) + self.ratio[row + 1, column + 1] * along
        return np.asarray(low * (1 - across) + high * across)


def _find_grid_position(
    value: Floats, limits: tuple[float, float], steps: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats]:
    low, high = np.log(limits)
    place = (np.log(np.clip(value, *limits)) - low) / (high - low) * (steps - 1)
    cell = np.minimum(place.astype(np.int64), steps - 2)
    return cell, place - cell


def _slope(sigma: Floats, years: Floats) -> Floats:
    """The exponent q1 of the approximation; negative."""
    m = 2 * RATE / sigma**2
    return np.asarray((1 - m - np.sqrt((m - 1) ** 2 + 4 * m / -np.expm1(-RATE * years))) / 2)


def _d1(ratio: Floats, sigma: Floats, years: Floats) -> Floats:
    deviation = sigma * np.sqrt(years)
    return np.asarray((np.log(ratio) + RATE * years) / deviation + 0.5 * deviation)


@cache
def _solve_critical_prices() -> _CriticalPrices:
    sigma = np.geomspace(_SIGMAS[0], _SIGMAS[1], _GRID[0])[:, None] * np.ones(_GRID)
    years = np.geomspace(_YEARS[0], _YEARS[1], _GRID[1])[None, :] * np.ones(_GRID)
    slope = _slope(sigma, years)
    low, high = np.full(_GRID, 1e-6), np.ones(_GRID)
    for _ in range(50):
        ratio = 0.5 * (low + high)
        d1 = _d1(ratio, sigma, years)
        put = np.exp(-RATE * years) * normal_cdf(sigma * np.sqrt(years) - d1) - ratio * normal_cdf(-d1)
        waits = 1 - ratio < put - normal_cdf(d1) * ratio / slope
        low, high = np.where(waits, low, ratio), np.where(waits, ratio, high)
    return _CriticalPrices(0.5 * (low + high))


def value_american_put(european: Floats, spot: Floats, strike: Floats, years: Floats, sigma: Floats) -> Floats:
    """Compute the value of American puts whose European values are given, same unit as `spot`. `years`, `sigma` positive."""
    critical = _solve_critical_prices().at(sigma, years)
    slope = _slope(sigma, years)
    ratio = spot / strike
    premium = -strike * critical / slope * normal_cdf(_d1(critical, sigma, years))
    with np.errstate(over="ignore"):
        premium = premium * (np.maximum(ratio, critical) / critical) ** slope
    intrinsic = strike - spot
    return np.asarray(np.where(ratio > critical, np.maximum(european + premium, intrinsic), intrinsic))
