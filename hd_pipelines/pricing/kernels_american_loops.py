"""Loops over arrays of American options: price, premium, implied volatility, Greeks.

Belongs here: reading options as puts with strike 1, the checks of their inputs, the search for a volatility, writing
answers. `kernels_american` has the boundary and the premium, `kernels_black` the European part.

No option's answer depends on which others are computed with it.
"""

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels_american import (
    CURVATURE,
    LANES,
    LOG_EDGE,
    PREMIUM,
    ROWS,
    SLOPE,
    A,
    B,
    M,
    V,
    find_boundaries,
    find_premium_slopes,
    find_premiums,
)
from hd_pipelines.pricing.kernels_black import black_derivatives, normalised, normalised_volatility, payoff
from hd_pipelines.pricing.kernels_elementary import SOURCES, cached, exponential, inlined, log_ratio, logarithm
from hd_pipelines.pricing.kernels_loops import (
    CODES_FILLED,
    FLAGS,
    Flags,
    Floats,
    Inputs,
    filled,
    given,
    known,
    missing_input,
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
_LOWEST_DEVIATION = 1e-9
_HIGHEST_DEVIATION = 8.0
_SETTLED = 1e-7
_MOST_STEPS = 60
_BUMP = 1e-5
_RATE_BUMP = 1e-6

_FAR = 7.0
_NO_GUESS = 0.5

EUROPEAN, AMERICAN, UNKNOWN = 0, 1, 2
Options = NDArray[np.int64]

# Rows of what is kept of the premium for strike 1: its worth, its derivatives, and ln of the boundary.
_WORTH, _PER_M, _PER_M2, _PER_SIGMA, _PER_RATE, _EDGE = 0, 1, 2, 3, 4, 5
_KEPT_ROWS = 6

# Rows of what a lane remembers of its search, and the code that says it goes on.
_TARGET, _LOW, _HIGH, _STEPS, _LAST, _LAST_ERROR = 0, 1, 2, 3, 4, 5
_SEARCH_ROWS = 6
_SEARCHING = -1


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
        at = (m + logarithm(b / a)) / (b - a)
        if 0.0 < at < 1.0:
            best = max(best, exponential(-a * at) - exponential(m - b * at))
    return best


@inlined
def european_put(a: float, b: float, v: float, m: float) -> float:
    """European put at S = e^m and strike 1."""
    forward = exponential(m + a - b)
    root = exponential(-0.5 * abs(m + a - b))
    worth, _, _ = normalised(-abs(m + a - b), root, max(v, 1e-300))
    return exponential(-a) * (worth * math.sqrt(forward) + max(1.0 - forward, 0.0))


@inlined
def sound_market(spot: float, strike: float, years: float, rate: float, dividend_yield: float) -> bool:
    """Everything but the volatility is known and possible."""
    sound = known(spot) and known(strike) and 0.0 <= years < np.inf
    return sound and abs(rate * years) < 500.0 and abs(dividend_yield * years) < 500.0


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


def _build_american_value(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(given(6), FLAGS, types.int64, types.int64, types.boolean, _FILLED))
    def american_value(  # noqa: PLR0917
        inputs: Inputs, is_call: Flags, first: int, last: int, only_premium: bool, answer: Floats
    ) -> None:
        """Price, or how much of it is early exercise, from (spot, strike, years, rate, yield, sigma)."""
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(ROWS * LANES)
        lane = np.empty(LANES, np.int64)
        scale = np.empty(LANES)
        waiting = 0
        for i in range(first, last):
            unit = put_problem(work, waiting, inputs, i, flag(is_call, i))
            answer[i] = unit * _plain_value(work, waiting, inputs, i, only_premium)
            if math.isinf(answer[i]):
                lane[waiting], scale[waiting] = i, unit
                waiting += 1
            if waiting == LANES or (i == last - 1 and waiting > 0):
                for j in range(waiting, LANES):
                    idle(work, j)
                find_boundaries(work)
                find_premiums(work)
                for j in range(waiting):
                    european = european_put(
                        work[A * LANES + j], work[B * LANES + j], work[V * LANES + j], work[M * LANES + j]
                    )
                    worth = american_put(work, j) - (european if only_premium else 0.0)
                    answer[lane[j]] = scale[j] * max(worth, 0.0)
                waiting = 0

    return american_value


@inlined
def _plain_value(work: Floats, j: int, inputs: Inputs, i: int, only_premium: bool) -> float:
    """Value for strike 1 where no boundary is needed; infinity where one is; NaN where there is none."""
    sigma = at(inputs, 5, i)
    sound = sound_market(at(inputs, 0, i), at(inputs, 1, i), at(inputs, 2, i), at(inputs, 3, i), at(inputs, 4, i))
    if not (sound and 0.0 <= sigma < np.inf):
        return np.nan
    a, b, v, m = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j], work[M * LANES + j]
    kind = exercise_kind(a, b)
    if kind == UNKNOWN:
        return np.nan
    european = kind == EUROPEAN or (v > 0.0 and certainly_european(work, j))
    if european or v < _LOWEST_DEVIATION:
        plain = european_put(a, b, v, m)
        worth = plain if european else max(certain_value(a, b, m), plain)
        return worth - (plain if only_premium else 0.0)
    return np.inf


def _build_american_derive(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(given(6), FLAGS, types.int64, types.int64, filled(5)))
    def american_derive(inputs: Inputs, is_call: Flags, first: int, last: int, answers: Inputs) -> None:
        """Spot Greeks from (spot, strike, years, rate, yield, sigma)."""
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(ROWS * LANES)
        kept = np.zeros(_KEPT_ROWS * LANES)
        lane = np.empty(LANES, np.int64)
        waiting = 0
        for i in range(first, last):
            put_problem(work, waiting, inputs, i, flag(is_call, i))
            kind = _greeks_kind(work, waiting, inputs, i)
            if kind == AMERICAN:
                lane[waiting] = i
                waiting += 1
            elif kind == EUROPEAN:
                _write_greeks(inputs, i, flag(is_call, i), answers, kept, -1)
            else:
                _write_known(answers, i, np.nan, np.nan)
            if waiting == LANES or (i == last - 1 and waiting > 0):
                _differentiate(work, kept, lane[:waiting], inputs, is_call)
                _write_lanes(work, kept, lane[:waiting], inputs, is_call, answers)
                waiting = 0

    return american_derive


@inlined
def _greeks_kind(work: Floats, j: int, inputs: Inputs, i: int) -> int:
    sigma = at(inputs, 5, i)
    sound = sound_market(at(inputs, 0, i), at(inputs, 1, i), at(inputs, 2, i), at(inputs, 3, i), at(inputs, 4, i))
    if not (sound and known(sigma) and work[V * LANES + j] >= _LOWEST_DEVIATION):
        return UNKNOWN
    kind = exercise_kind(work[A * LANES + j], work[B * LANES + j])
    return EUROPEAN if kind == AMERICAN and certainly_european(work, j) else kind


@inlined
def _differentiate(work: Floats, kept: Floats, lane: Options, inputs: Inputs, calls: Flags) -> None:
    """Fill the rows of `kept` for the options waiting on the first lanes."""
    for j in range(lane.size, LANES):
        idle(work, j)
    find_boundaries(work)
    find_premium_slopes(work)
    for j in range(LANES):
        kept[_WORTH * LANES + j] = work[PREMIUM * LANES + j]
        kept[_PER_M * LANES + j] = work[SLOPE * LANES + j]
        kept[_PER_M2 * LANES + j] = work[CURVATURE * LANES + j]
        kept[_EDGE * LANES + j] = work[LOG_EDGE * LANES + j]
        kept[_PER_SIGMA * LANES + j] = work[V * LANES + j]
        work[V * LANES + j] *= 1.0 + _BUMP
    find_boundaries(work)
    find_premiums(work)
    for j in range(LANES):
        v = kept[_PER_SIGMA * LANES + j]
        work[V * LANES + j] = v
        kept[_PER_SIGMA * LANES + j] = (work[PREMIUM * LANES + j] - kept[_WORTH * LANES + j]) / (_BUMP * v)
    for j in range(lane.size):
        years = at(inputs, 2, lane[j])
        kept[_PER_SIGMA * LANES + j] *= math.sqrt(years)
        row = B if flag(calls, lane[j]) else A
        work[row * LANES + j] += _RATE_BUMP * years
    find_boundaries(work)
    find_premiums(work)
    for j in range(LANES):
        kept[_PER_RATE * LANES + j] = (work[PREMIUM * LANES + j] - kept[_WORTH * LANES + j]) / _RATE_BUMP


@inlined
def _write_lanes(  # noqa: PLR0917
    work: Floats, kept: Floats, lane: Options, inputs: Inputs, calls: Flags, answers: Inputs
) -> None:
    for j in range(lane.size):
        i = lane[j]
        call = flag(calls, i)
        if work[M * LANES + j] <= kept[_EDGE * LANES + j]:
            _write_known(answers, i, 1.0 if call else -1.0, 0.0)
        else:
            _write_greeks(inputs, i, call, answers, kept, j)


@inlined
def _write_known(answers: Inputs, i: int, delta: float, others: float) -> None:
    answers[0][i] = delta
    for greek in range(1, 5):
        answers[greek][i] = others


@inlined
def _write_greeks(  # noqa: PLR0917
    inputs: Inputs, i: int, call: bool, answers: Inputs, kept: Floats, j: int
) -> None:
    """Greeks of Black plus those of the premium on lane j (none: -1); theta from the equation of Black and Scholes."""
    spot, strike, years = at(inputs, 0, i), at(inputs, 1, i), at(inputs, 2, i)
    rate, carry, sigma = at(inputs, 3, i), at(inputs, 3, i) - at(inputs, 4, i), at(inputs, 5, i)
    growth, discount = exponential(carry * years), exponential(-rate * years)
    forward = spot * growth
    time_value, to_forward, bend, vega = black_derivatives(forward, strike, sigma, math.sqrt(years), call)
    worth = discount * (time_value + payoff(forward, strike, call))
    delta = discount * growth * to_forward
    gamma = discount * growth * growth * bend
    vega *= discount
    rho = years * (spot * delta - worth)
    if j >= 0:
        unit = spot if call else strike
        premium, slope = kept[_WORTH * LANES + j], kept[_PER_M * LANES + j]
        worth += unit * premium
        delta += premium - slope if call else slope * strike / spot
        gamma += (kept[_PER_M2 * LANES + j] - slope) * unit / (spot * spot)
        vega += unit * kept[_PER_SIGMA * LANES + j]
        rho += unit * kept[_PER_RATE * LANES + j]
    answers[0][i] = delta
    answers[1][i] = gamma
    answers[2][i] = (rate * worth - carry * spot * delta - 0.5 * sigma * sigma * spot * spot * gamma) / 365.0
    answers[3][i] = 0.01 * vega
    answers[4][i] = 0.01 * rho


def _build_american_imply(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(given(6), FLAGS, types.int64, types.int64, _FILLED, CODES_FILLED))
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
            idle(work, j)
        coming, busy = first, 0
        while coming < last or busy > 0:
            for j in range(LANES):
                while lane[j] < 0 and coming < last:
                    code, root = _begin(work, search, j, inputs, coming, flag(is_call, coming))
                    if code == _SEARCHING:
                        lane[j] = coming
                        busy += 1
                    else:
                        _settle(inputs, coming, code, root, sigma, reason)
                        idle(work, j)
                    coming += 1
            if busy > 0:
                find_boundaries(work)
                find_premiums(work)
            for j in range(LANES):
                code = _advance(work, search, j) if lane[j] >= 0 else _SEARCHING
                if code != _SEARCHING:
                    _settle(inputs, lane[j], code, work[V * LANES + j], sigma, reason)
                    idle(work, j)
                    lane[j] = -1
                    busy -= 1

    return american_imply


@inlined
def _settle(  # noqa: PLR0917
    inputs: Inputs, i: int, code: int, deviation: float, sigma: Floats, reason: NDArray[np.int8]
) -> None:
    sigma[i] = deviation / math.sqrt(at(inputs, 2, i)) if code == 0 else np.nan
    reason[i] = code


@inlined
def _begin(  # noqa: PLR0917
    work: Floats, search: Floats, j: int, inputs: Inputs, i: int, call: bool
) -> tuple[int, float]:
    """Check option i and put it on lane j with a first deviation; a code other than _SEARCHING is its end."""
    spot, strike, years = at(inputs, 0, i), at(inputs, 1, i), at(inputs, 2, i)
    rate, dividend_yield, price = at(inputs, 3, i), at(inputs, 4, i), at(inputs, 5, i)
    code = missing_input(price, spot, strike, years)
    if code != 0:
        return code, np.nan
    if not sound_market(spot, strike, years, rate, dividend_yield):
        return NO_DISCOUNT, np.nan
    unit = put_problem(work, j, inputs, i, call)
    a, b, m = work[A * LANES + j], work[B * LANES + j], work[M * LANES + j]
    kind = exercise_kind(a, b)
    if kind == UNKNOWN:
        return TWO_BOUNDARIES, np.nan
    worth = price / unit
    code = _out_of_range(worth, a, b, m, kind)
    if code != 0:
        return code, np.nan
    forward = exponential(m + a - b)
    time_value = (worth * exponential(a) - max(1.0 - forward, 0.0)) / math.sqrt(forward)
    root = exponential(-0.5 * abs(m + a - b))
    v, last_step = _NO_GUESS, 0.0
    if 0.0 < time_value < root * (1.0 - 1e-9):
        v, last_step = normalised_volatility(-abs(m + a - b), root, time_value)
        v = min(v, 0.99 * _HIGHEST_DEVIATION) if kind == AMERICAN else v
    work[V * LANES + j] = v
    if kind == EUROPEAN or certainly_european(work, j):
        return (0 if last_step < 1e-2 and v != _NO_GUESS else NO_CONVERGENCE), v
    search[_TARGET * LANES + j] = worth
    search[_LOW * LANES + j] = 0.0
    search[_HIGH * LANES + j] = _HIGHEST_DEVIATION
    search[_STEPS * LANES + j] = 0.0
    return _SEARCHING, v


@inlined
def _out_of_range(worth: float, a: float, b: float, m: float, kind: int) -> int:
    """Code of why no volatility gives this price of a put with strike 1, 0 if one should."""
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
    """Move lane j to its next deviation by the secant inside its bracket; 0 when it has settled."""
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
        _, _, slope = normalised(-abs(x), exponential(-0.5 * abs(x)), v)
        slope *= exponential(0.5 * x - a)
    else:
        slope = (error - search[_LAST_ERROR * LANES + j]) / (v - search[_LAST * LANES + j])
    search[_LAST * LANES + j] = v
    search[_LAST_ERROR * LANES + j] = error
    search[_STEPS * LANES + j] = steps + 1.0
    if abs(error) <= _ROUNDING:
        return 0
    following = v - error / slope
    crawling = steps > 6.0 and steps % 2.0 == 0.0
    if crawling or not low < following < high:
        following = 0.5 * (low + high)
    work[V * LANES + j] = following
    if abs(following - v) <= _SETTLED * v or high - low <= _SETTLED * v:
        return 0 if high < _HIGHEST_DEVIATION else NO_CONVERGENCE
    return _SEARCHING if steps < _MOST_STEPS else NO_CONVERGENCE


american_value = _build_american_value(SOURCES)
american_derive = _build_american_derive(SOURCES)
american_imply = _build_american_imply(SOURCES)
