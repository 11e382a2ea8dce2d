"""Searches the volatilities of American prices: checks of the price, first guess, and iteration on all lanes at once.

The price at a trial volatility is computed in `american_puts`. The first guess is the European volatility, which is right
for the half of the options whose premium is zero. From there the secant method runs inside a bracket, because prices rise
with volatility but are flat where immediate exercise is best.
"""

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels.american import (
    LANES,
    ROWS,
    A,
    B,
    M,
    V,
    find_boundaries,
    find_premiums,
)
from hd_pipelines.pricing.kernels.american_puts import (
    AMERICAN,
    EUROPEAN,
    UNKNOWN,
    american_put,
    certain_value,
    classify_exercise,
    fill_idle_lane,
    is_certainly_european,
    is_sound_market,
    read_flag,
    read_input,
    write_put_problem,
)
from hd_pipelines.pricing.kernels.black import normalised_price, normalised_volatility
from hd_pipelines.pricing.kernels.elementary import SOURCES, cached, exponential, inlined
from hd_pipelines.pricing.kernels.european_loops import (
    CODES_FILLED,
    FLAGS,
    Flags,
    Floats,
    Inputs,
    find_missing_input,
    list_input_types,
)
from hd_pipelines.pricing.reasons import CODES, Reason

NO_DISCOUNT = CODES[Reason.NO_DISCOUNT]
BELOW_INTRINSIC = CODES[Reason.BELOW_INTRINSIC]
NO_TIME_VALUE = CODES[Reason.NO_TIME_VALUE]
ABOVE_BOUND = CODES[Reason.ABOVE_BOUND]
NO_CONVERGENCE = CODES[Reason.NO_CONVERGENCE]
EXERCISE_NOW = CODES[Reason.EXERCISE_NOW]
TWO_BOUNDARIES = CODES[Reason.TWO_BOUNDARIES]

_FILLED = types.Array(types.float64, 1, "C")
_ROUNDING = 4.0 * 2.220446049250313e-16
_HIGHEST_DEVIATION = 32.0
_NO_GUESS = 0.5
_GUESSED = 1e-2  # last relative step of a European volatility that has converged
_SETTLED = 1e-7  # relative step after which the secant's next step would be lost in rounding
_MOST_STEPS = 60

# Rows of the state of a lane's search, and the code that says that the search continues.
_TARGET, _LOW, _HIGH, _STEPS, _LAST, _LAST_ERROR = 0, 1, 2, 3, 4, 5
_SEARCH_ROWS = 6
_SEARCHING = -1


def _build_american_imply(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(list_input_types(6), FLAGS, types.int64, types.int64, _FILLED, CODES_FILLED))
    def american_imply(  # noqa: PLR0917
        inputs: Inputs, is_call: Flags, first: int, last: int, sigma: Floats, reason: NDArray[np.int8]
    ) -> None:
        """Volatility from (spot, strike, years, rate, yield, price).

        Lanes search independently; one that has its answer takes the next option.
        """
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(ROWS * LANES)
        search = np.zeros(_SEARCH_ROWS * LANES)
        lane = np.full(LANES, -1)
        for j in range(LANES):
            fill_idle_lane(work, j)
        coming, busy = first, 0
        while coming < last or busy > 0:
            for j in range(LANES):
                while lane[j] < 0 and coming < last:
                    code, root = _begin(work, search, j, inputs, coming, read_flag(is_call, coming))
                    if code == _SEARCHING:
                        lane[j] = coming
                        busy += 1
                    else:
                        _settle(inputs, coming, code, root, sigma, reason)
                        fill_idle_lane(work, j)
                    coming += 1
            if busy > 0:
                find_boundaries(work)
                find_premiums(work)
            for j in range(LANES):
                code = _advance(work, search, j) if lane[j] >= 0 else _SEARCHING
                if code != _SEARCHING:
                    _settle(inputs, lane[j], code, work[V * LANES + j], sigma, reason)
                    fill_idle_lane(work, j)
                    lane[j] = -1
                    busy -= 1

    return american_imply


@inlined
def _settle(  # noqa: PLR0917
    inputs: Inputs, i: int, code: int, deviation: float, sigma: Floats, reason: NDArray[np.int8]
) -> None:
    sigma[i] = deviation / math.sqrt(read_input(inputs, 2, i)) if code == 0 else np.nan
    reason[i] = code


@inlined
def _begin(  # noqa: PLR0917
    work: Floats, search: Floats, j: int, inputs: Inputs, i: int, call: bool
) -> tuple[int, float]:
    """Check option i and put it on lane j with a first deviation. A returned code other than _SEARCHING ends its search."""
    spot, strike, years = read_input(inputs, 0, i), read_input(inputs, 1, i), read_input(inputs, 2, i)
    rate, dividend_yield, price = read_input(inputs, 3, i), read_input(inputs, 4, i), read_input(inputs, 5, i)
    code = find_missing_input(price, spot, strike, years)
    if code == 0 and not abs(rate) + abs(dividend_yield) < np.inf:
        code = NO_DISCOUNT
    if code == 0 and not is_sound_market(spot, strike, years, rate, dividend_yield):
        code = NO_CONVERGENCE
    if code != 0:
        return code, np.nan
    worth = price / write_put_problem(work, j, inputs, i, call)
    a, b, m = work[A * LANES + j], work[B * LANES + j], work[M * LANES + j]
    kind = classify_exercise(a, b)
    code = _check_price_range(worth, a, b, m, kind)
    if code != 0:
        return code, np.nan
    forward = exponential(m + a - b)
    time_value = (worth * exponential(a) - max(1.0 - forward, 0.0)) / math.sqrt(forward)
    root = exponential(-0.5 * abs(m + a - b))
    v, last_step = np.inf, np.inf
    if 0.0 < time_value < root * (1.0 - _ROUNDING):
        v, last_step = normalised_volatility(-abs(m + a - b), root, time_value)
    if kind == EUROPEAN:
        return (0 if last_step < _GUESSED else NO_CONVERGENCE), v
    has_guess = last_step < _GUESSED and v < 0.5 * _HIGHEST_DEVIATION
    work[V * LANES + j] = v if has_guess else _NO_GUESS
    if has_guess and is_certainly_european(work, j):
        return 0, v
    search[_TARGET * LANES + j] = worth
    search[_LOW * LANES + j] = 0.0
    search[_HIGH * LANES + j] = _HIGHEST_DEVIATION
    search[_STEPS * LANES + j] = 0.0
    return _SEARCHING, v


@inlined
def _check_price_range(worth: float, a: float, b: float, m: float, kind: int) -> int:
    """Code of the reason why no volatility gives this price of a put with strike 1, 0 if one should."""
    if kind == UNKNOWN:
        return TWO_BOUNDARIES
    spot = exponential(m)
    exercised = max(1.0 - spot, 0.0) if kind == AMERICAN else 0.0
    floor = certain_value(a, b, m) if kind == AMERICAN else max(exponential(-a) - exponential(m - b), 0.0)
    rounding = _ROUNDING * (1.0 + spot) if floor > 0.0 else 0.0
    if abs(worth - floor) <= rounding:
        return EXERCISE_NOW if exercised > 0.0 and floor - exercised <= rounding else NO_TIME_VALUE
    if worth < floor:
        return BELOW_INTRINSIC
    bound = 1.0 if kind == AMERICAN else exponential(-a)
    return ABOVE_BOUND if worth >= bound * (1.0 - _ROUNDING) else 0


@inlined
def _advance(work: Floats, search: Floats, j: int) -> int:
    """Move lane j to its next deviation by the secant inside its bracket. Returns 0 when it has converged."""
    v = work[V * LANES + j]
    error = american_put(work, j) - search[_TARGET * LANES + j]
    steps = search[_STEPS * LANES + j]
    if error >= 0.0:
        search[_HIGH * LANES + j] = v
    else:
        search[_LOW * LANES + j] = v
    low, high = search[_LOW * LANES + j], search[_HIGH * LANES + j]
    if steps == 0.0:
        a, b, m = work[A * LANES + j], work[B * LANES + j], work[M * LANES + j]
        x = m + a - b
        _, _, slope = normalised_price(-abs(x), exponential(-0.5 * abs(x)), v)
        slope *= exponential(0.5 * x - a)
    else:
        slope = (error - search[_LAST_ERROR * LANES + j]) / (v - search[_LAST * LANES + j])
    search[_LAST * LANES + j] = v
    search[_LAST_ERROR * LANES + j] = error
    search[_STEPS * LANES + j] = steps + 1.0
    step = -error / slope
    if abs(step) <= _SETTLED * v:
        work[V * LANES + j] = v + step
        return 0
    crawling = steps > 6.0 and steps % 2.0 == 0.0
    following = v + step
    if crawling or not low < following < high:
        following = 0.5 * (low + high)
    work[V * LANES + j] = following
    if high - low <= _SETTLED * v:
        return 0 if following < 0.9 * _HIGHEST_DEVIATION else NO_CONVERGENCE
    return _SEARCHING if steps < _MOST_STEPS else NO_CONVERGENCE


american_imply = _build_american_imply(SOURCES)
