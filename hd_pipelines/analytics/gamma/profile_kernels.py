"""Compiled loops (numba) behind the gamma profile: sums over contracts at trial spots, and the root finder.

`profile` imports this module at its first call. How kernels are compiled and cached is defined in
`pricing.kernels.elementary`; its exponential lets loops over spots or contracts run as vector instructions.

A contract is four numbers. With x = ln(trial spot / spot): d1 = (x - log_strike) * steepness + half, where log_strike =
ln(strike / forward), steepness = 1 / (sigma sqrt(T)) and half = sigma sqrt(T) / 2. `peak` is the contract's exposure at d1
= 0, divided by the trial spot.
"""
# ruff: noqa: PLR0917, ANN202, B018 - compiled functions take plain arrays; `stamp` is part of the cache's key

import numpy as np
from numba import types
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels.elementary import SOURCES, cached, exponential, inlined

Floats = NDArray[np.float64]

_BLOCK = 128
_ARRAY = types.Array(types.float64, 1, "C")
_BOOK = (_ARRAY, _ARRAY, _ARRAY, _ARRAY)


@inlined
def _sum_at(log_spot: float, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats, work: Floats) -> float:
    """Sum over the contracts at one trial spot, divided by the trial spot, down to where it underflows."""
    total = 0.0
    for start in range(0, peak.size, _BLOCK):
        count = min(_BLOCK, peak.size - start)
        for j in range(count):
            d1 = (log_spot - log_strike[start + j]) * steepness[start + j] + half[start + j]
            work[j] = peak[start + j] * exponential(-0.5 * d1 * d1)
        for j in range(count):
            total += work[j]
    return total


def _build_exposures_at(stamp: str):  # type: ignore[no-untyped-def]
    @cached(types.void(_ARRAY, *_BOOK, _ARRAY))
    def exposures_at(
        log_spots: Floats, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats, out: Floats
    ) -> None:
        """Add to `out` the sum over the contracts at each trial spot, divided by the trial spot."""
        stamp
        for i in range(peak.size):
            for j in range(log_spots.size):
                d1 = (log_spots[j] - log_strike[i]) * steepness[i] + half[i]
                out[j] += peak[i] * exponential(-0.5 * d1 * d1)

    return exposures_at


def _build_root_between(stamp: str):  # type: ignore[no-untyped-def]
    @cached(types.float64(types.float64, types.float64, types.float64, *_BOOK))
    def root_between(
        low: float, high: float, tolerance: float, log_strike: Floats, steepness: Floats, half: Floats, peak: Floats
    ) -> float:
        """Log spot in [low, high] where the sum over the contracts changes sign; NaN if the ends have the same sign.

        Inverse quadratic interpolation where the three newest points allow it, bisection otherwise. Source:
        Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function", 1997.
        """
        stamp
        work = np.empty(_BLOCK)
        newest, f_newest = high, _sum_at(high, log_strike, steepness, half, peak, work)
        other, f_other = low, _sum_at(low, log_strike, steepness, half, peak, work)
        if f_newest == 0.0:
            return newest
        if f_other == 0.0:
            return other
        if (f_newest > 0.0) == (f_other > 0.0):
            return np.nan
        part = 0.5
        best = newest
        for _ in range(100):
            trial = newest + part * (other - newest)
            f_trial = _sum_at(trial, log_strike, steepness, half, peak, work)
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
            height = (f_newest - f_other) / (f_third - f_other)
            part = 0.5
            if height * height < along and (1.0 - height) * (1.0 - height) < 1.0 - along:
                to_other = f_newest / (f_other - f_newest) * f_third / (f_other - f_third)
                to_third = f_newest / (f_third - f_newest) * f_other / (f_third - f_other)
                part = to_other + (third - newest) / (other - newest) * to_third
            part = min(max(part, least), 1.0 - least)
        return best

    return root_between


exposures_at = _build_exposures_at(SOURCES)
root_between = _build_root_between(SOURCES)
