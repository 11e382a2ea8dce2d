"""Handles one American option as a put with strike 1: reads it, and prices it with or without a boundary.

Shared by the loops over prices, Greeks and volatilities. The boundary is computed in `american`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels.american import LANES, LOG_EDGE, PREMIUM, A, B, M, V
from hd_pipelines.pricing.kernels.black import normalised_price
from hd_pipelines.pricing.kernels.elementary import exponential, inlined, log_ratio, logarithm
from hd_pipelines.pricing.kernels.european_loops import Flags, Floats, Inputs, is_known

EUROPEAN, AMERICAN, UNKNOWN = 0, 1, 2
Options = NDArray[np.int64]

LOWEST_DEVIATION = 1e-9
"""Below this sigma sqrt(T) the payoff counts as certain."""

_TINY = 1e-100
_FAR = 7.0
_LARGEST_EXPONENT = 100.0
_LARGEST_RATIO = 1e100


@inlined
def classify_exercise(a: float, b: float) -> int:
    """Classify the exercise of a put with rate a and yield b: never early, below one boundary, between two (not priced)."""
    if a > 0.0 or (a == 0.0 and b < 0.0):
        return AMERICAN
    return UNKNOWN if b < a else EUROPEAN


@inlined
def certain_value(a: float, b: float, m: float) -> float:
    """Value of the American put without volatility: the best of exercise now, at the end, and when waiting stops to pay."""
    best = max(1.0 - exponential(m), exponential(-a) - exponential(m - b), 0.0)
    if 0.0 < a < b:
        share = (m + logarithm(b / a)) / (b - a)
        if 0.0 < share < 1.0:
            best = max(best, exponential(-a * share) - exponential(m - b * share))
    return best


@inlined
def european_put(a: float, b: float, v: float, m: float) -> float:
    """European put at S = e^m and strike 1."""
    forward = exponential(m + a - b)
    root = exponential(-0.5 * abs(m + a - b))
    worth, _, _ = normalised_price(-abs(m + a - b), root, max(v, _TINY))
    time_value = worth * math.sqrt(forward) if v > 0.0 else 0.0
    return exponential(-a) * (time_value + max(1.0 - forward, 0.0))


@inlined
def is_sound_market(spot: float, strike: float, years: float, rate: float, dividend_yield: float) -> bool:
    """Whether everything but the volatility is known, possible, and within what floating point numbers can discount."""
    sound = is_known(spot) and is_known(strike) and 0.0 <= years < np.inf
    sound = sound and 1.0 / _LARGEST_RATIO < spot / strike < _LARGEST_RATIO
    return sound and abs(rate * years) < _LARGEST_EXPONENT and abs(dividend_yield * years) < _LARGEST_EXPONENT


@inlined
def write_put_problem(work: Floats, j: int, inputs: Inputs, i: int, call: bool) -> float:
    """Write option i = (spot, strike, years, rate, yield, sigma) to lane j as a put with strike 1. Returns its strike."""
    spot, strike, years = read_input(inputs, 0, i), read_input(inputs, 1, i), read_input(inputs, 2, i)
    rate, dividend_yield = read_input(inputs, 3, i), read_input(inputs, 4, i)
    work[A * LANES + j] = years * (dividend_yield if call else rate)
    work[B * LANES + j] = years * (rate if call else dividend_yield)
    work[V * LANES + j] = read_input(inputs, 5, i) * math.sqrt(years)
    work[M * LANES + j] = log_ratio(strike, spot) if call else log_ratio(spot, strike)
    return spot if call else strike


@inlined
def read_input(inputs: Inputs, row: int, i: int) -> float:
    """Read the value of option i; an input of length 1 applies to all options."""
    values = inputs[row]
    return float(values[i] if values.size > 1 else values[0])


@inlined
def read_flag(is_call: Flags, i: int) -> bool:
    """True if option i is a call."""
    return bool(is_call[i] if is_call.size > 1 else is_call[0])


@inlined
def fill_idle_lane(work: Floats, j: int) -> None:
    """Write a harmless problem to a lane whose answer is not used."""
    work[A * LANES + j] = 0.01
    work[B * LANES + j] = 0.0
    work[V * LANES + j] = 0.1
    work[M * LANES + j] = 0.0


@inlined
def is_certainly_european(work: Floats, j: int) -> bool:
    """Whether the boundary is so many deviations away that early exercise is worth less than 1e-12 of the strike."""
    a, b, v = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j]
    limit = logarithm(a / b) if b > a > 0.0 else 0.0
    return bool(work[M * LANES + j] - limit - abs(a - b) - 0.5 * v * v > _FAR * v)


@inlined
def american_put(work: Floats, j: int) -> float:
    """Price from the answers of `find_boundaries` and `find_premiums`."""
    m = work[M * LANES + j]
    exercised = 1.0 - exponential(m)
    european = european_put(work[A * LANES + j], work[B * LANES + j], work[V * LANES + j], m)
    kept = max(european + max(work[PREMIUM * LANES + j], 0.0), exercised)
    return exercised if m <= work[LOG_EDGE * LANES + j] else kept
