"""One American option as a put with strike 1: reading it, what is known of it without a boundary, its price with one.

Belongs here: what the loops over prices, Greeks and volatilities share. The boundary itself: `kernels_american`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels.american import LANES, LOG_EDGE, PREMIUM, A, B, M, V
from hd_pipelines.pricing.kernels.black import normalised
from hd_pipelines.pricing.kernels.elementary import exponential, inlined, log_ratio, logarithm
from hd_pipelines.pricing.kernels.european_loops import Flags, Floats, Inputs, known

EUROPEAN, AMERICAN, UNKNOWN = 0, 1, 2
Options = NDArray[np.int64]

LOWEST_DEVIATION = 1e-9
"""sigma sqrt(T) below which nothing is uncertain."""

_TINY = 1e-100
_FAR = 7.0
_LARGEST_EXPONENT = 100.0
_LARGEST_RATIO = 1e100


@inlined
def exercise_kind(a: float, b: float) -> int:
    """How a put with rate a and yield b is exercised: never early, below one boundary, or between two (not priced)."""
    if a > 0.0 or (a == 0.0 and b < 0.0):
        return AMERICAN
    return UNKNOWN if b < a else EUROPEAN


@inlined
def certain_value(a: float, b: float, m: float) -> float:
    """The American put without volatility: the best of exercise now, at the end, and where waiting stops to pay."""
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
    worth, _, _ = normalised(-abs(m + a - b), root, max(v, _TINY))
    time_value = worth * math.sqrt(forward) if v > 0.0 else 0.0
    return exponential(-a) * (time_value + max(1.0 - forward, 0.0))


@inlined
def sound_market(spot: float, strike: float, years: float, rate: float, dividend_yield: float) -> bool:
    """Everything but the volatility is known, possible, and within what floating point numbers can discount."""
    sound = known(spot) and known(strike) and 0.0 <= years < np.inf
    sound = sound and 1.0 / _LARGEST_RATIO < spot / strike < _LARGEST_RATIO
    return sound and abs(rate * years) < _LARGEST_EXPONENT and abs(dividend_yield * years) < _LARGEST_EXPONENT


@inlined
def put_problem(work: Floats, j: int, inputs: Inputs, i: int, call: bool) -> float:
    """Write option i = (spot, strike, years, rate, yield, sigma) to lane j as a put with strike 1; its true strike."""
    spot, strike, years = at(inputs, 0, i), at(inputs, 1, i), at(inputs, 2, i)
    rate, dividend_yield = at(inputs, 3, i), at(inputs, 4, i)
    work[A * LANES + j] = years * (dividend_yield if call else rate)
    work[B * LANES + j] = years * (rate if call else dividend_yield)
    work[V * LANES + j] = at(inputs, 5, i) * math.sqrt(years)
    work[M * LANES + j] = log_ratio(strike, spot) if call else log_ratio(spot, strike)
    return spot if call else strike


@inlined
def at(inputs: Inputs, row: int, i: int) -> float:
    """Value of option i; an input of length 1 counts for all."""
    values = inputs[row]
    return float(values[i] if values.size > 1 else values[0])


@inlined
def flag(is_call: Flags, i: int) -> bool:
    """True if option i is a call."""
    return bool(is_call[i] if is_call.size > 1 else is_call[0])


@inlined
def idle(work: Floats, j: int) -> None:
    """A harmless problem for a lane whose answer nobody reads."""
    work[A * LANES + j] = 0.01
    work[B * LANES + j] = 0.0
    work[V * LANES + j] = 0.1
    work[M * LANES + j] = 0.0


@inlined
def certainly_european(work: Floats, j: int) -> bool:
    """The boundary is so many deviations away that early exercise is worth less than 1e-12 of the strike."""
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
