"""The loops under the gamma profile, compiled by numba.

Belongs here: sums over contracts at trial spots, and the root finder on them. What the numbers mean is said in
`gamma_profile`, which imports this module at its first call, because importing numba takes a third of a second. The
loops release the interpreter lock and start no threads of their own: a thread pool inside numba does not survive a fork.

A contract is four numbers. With x = ln(trial spot / spot): d1 = (x - log_strike) * steepness + half, where
log_strike = ln(strike / forward), steepness = 1 / (sigma sqrt(T)), half = sigma sqrt(T) / 2; and `peak` is what the
contract's exposure would be at d1 = 0, divided by the trial spot.
"""
# ruff: noqa: PLR0917 - compiled functions take arrays, not tuples of them

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FARTHEST_D1 = 9.0
"""Beyond it a contract weighs less than 3e-18 of its peak, and the grid leaves it out."""


@numba.njit(cache=True, nogil=True)
def exposure_at(
    log_spot: float, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats
) -> float:  # pragma: no cover - compiled
    """Sum over the contracts at one trial spot, divided by the trial spot. Nothing is left out before it underflows."""
    total = 0.0
    for i in range(log_strike.size):
        d1 = (log_spot - log_strike[i]) * steepness[i] + half[i]
        total += peak[i] * np.exp(-0.5 * d1 * d1)
    return total


@numba.njit(cache=True, nogil=True)
def exposures_at(
    log_spots: Floats, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats, out: Floats
) -> None:  # pragma: no cover - compiled
    """Fill `out` with the sum over the contracts at each trial spot, divided by the trial spot."""
    for j in range(log_spots.size):
        total = 0.0
        for i in range(log_strike.size):
            d1 = (log_spots[j] - log_strike[i]) * steepness[i] + half[i]
            if -FARTHEST_D1 < d1 < FARTHEST_D1:
                total += peak[i] * np.exp(-0.5 * d1 * d1)
        out[j] = total


@numba.njit(cache=True, nogil=True)
def exposures_on_grid(
    first: float, step: float, out: Floats, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats
) -> None:  # pragma: no cover - compiled
    """Add to `out` the sums at the equally spaced log spots `first + j * step`, divided by the trial spot.

    Along equal steps a Gaussian is a product: each value is the one before times a ratio, and the ratio shrinks by a
    constant factor. So a contract costs three exponentials instead of one per node. Starting at the node nearest to
    its peak and going outwards keeps the relative error below 1e-11 over 4096 nodes.
    """
    nodes = out.size
    for i in range(log_strike.size):
        stride = step * steepness[i]
        origin = (first - log_strike[i]) * steepness[i] + half[i]
        lowest = max(0, int(np.ceil((-FARTHEST_D1 - origin) / stride)))
        highest = min(nodes - 1, int(np.floor((FARTHEST_D1 - origin) / stride)))
        if lowest > highest:
            continue
        start = min(max(int(np.round(-origin / stride)), lowest), highest)
        d1 = origin + start * stride
        value = peak[i] * np.exp(-0.5 * d1 * d1)
        shrink = np.exp(-stride * stride)
        out[start] += value
        up, ratio = value, np.exp(-stride * (d1 + 0.5 * stride))
        for j in range(start + 1, highest + 1):
            up *= ratio
            ratio *= shrink
            out[j] += up
        down, ratio = value, np.exp(stride * (d1 - 0.5 * stride))
        for j in range(start - 1, lowest - 1, -1):
            down *= ratio
            ratio *= shrink
            out[j] += down


@numba.njit(cache=True, nogil=True)
def root_between(
    low: float, high: float, tolerance: float, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats
) -> float:  # pragma: no cover - compiled
    """Log spot in [low, high] where the sum over the contracts changes sign; NaN if the ends have the same sign.

    Inverse quadratic interpolation where the three newest points allow it, bisection otherwise. Source: Chandrupatla,
    "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function", 1997.
    """
    newest, f_newest = high, exposure_at(high, log_strike, steepness, half, peak)
    other, f_other = low, exposure_at(low, log_strike, steepness, half, peak)
    if f_newest == 0.0:
        return newest
    if f_other == 0.0:
        return other
    if (f_newest > 0.0) == (f_other > 0.0):
        return np.nan
    part = 0.5
    for _ in range(100):
        trial = newest + part * (other - newest)
        f_trial = exposure_at(trial, log_strike, steepness, half, peak)
        if (f_trial > 0.0) == (f_newest > 0.0):
            third, f_third = newest, f_newest
        else:
            third, f_third = other, f_other
            other, f_other = newest, f_newest
        newest, f_newest = trial, f_trial
        best = newest if abs(f_newest) < abs(f_other) else other
        least = tolerance / abs(other - newest)
        if least > 0.5 or f_newest == 0.0:
            return best
        along = (newest - other) / (third - other)
        value = (f_newest - f_other) / (f_third - f_other)
        part = 0.5
        if value * value < along and (1.0 - value) * (1.0 - value) < 1.0 - along:
            part = f_newest / (f_other - f_newest) * f_third / (f_other - f_third) + (third - newest) / (
                other - newest
            ) * f_newest / (f_third - f_newest) * f_other / (f_third - f_other)
        part = min(max(part, least), 1.0 - least)
    return best
