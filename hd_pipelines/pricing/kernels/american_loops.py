"""Loops over arrays of American options: price, early exercise premium, Greeks.

Fills lanes with the options that need a boundary, and writes answers. `american_puts` reads options, `american` has the
boundary, `black` the European part. No option's answer depends on its neighbours.
"""

import math

import numpy as np
from numba import types

from hd_pipelines.pricing.kernels.american import (
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
from hd_pipelines.pricing.kernels.american_puts import (
    AMERICAN,
    EUROPEAN,
    LOWEST_DEVIATION,
    UNKNOWN,
    Options,
    american_put,
    certain_value,
    classify_exercise,
    european_put,
    fill_idle_lane,
    is_certainly_european,
    is_sound_market,
    read_flag,
    read_input,
    write_put_problem,
)
from hd_pipelines.pricing.kernels.black import black_derivatives, payoff
from hd_pipelines.pricing.kernels.elementary import SOURCES, cached, exponential, inlined
from hd_pipelines.pricing.kernels.european_loops import (
    FLAGS,
    Flags,
    Floats,
    Inputs,
    is_known,
    list_input_types,
    list_output_types,
)

_FILLED = types.Array(types.float64, 1, "C")

# Steps of the differences that give the premium's vega (as a share of sigma) and rho (of the rate). The premium has a
# rounding error of only 1e-16, so one-sided differences with these small steps are more accurate than the boundary.
_BUMP = 1e-5
_RATE_BUMP = 1e-6

# Rows of the results kept for strike 1: the premium, its derivatives, and ln of the boundary.
_WORTH, _PER_M, _PER_M2, _PER_SIGMA, _PER_RATE, _EDGE = 0, 1, 2, 3, 4, 5
_KEPT_ROWS = 6


def _build_american_value(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(list_input_types(6), FLAGS, types.int64, types.int64, types.boolean, _FILLED))
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
            unit = write_put_problem(work, waiting, inputs, i, read_flag(is_call, i))
            answer[i] = unit * _plain_value(work, waiting, inputs, i, only_premium)
            if math.isinf(answer[i]):
                lane[waiting], scale[waiting] = i, unit
                waiting += 1
            if waiting == LANES or (i == last - 1 and waiting > 0):
                for j in range(waiting, LANES):
                    fill_idle_lane(work, j)
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
    """Value for strike 1 where no boundary is needed, infinity where one is needed, NaN where there is no value."""
    sigma = read_input(inputs, 5, i)
    sound = is_sound_market(
        read_input(inputs, 0, i),
        read_input(inputs, 1, i),
        read_input(inputs, 2, i),
        read_input(inputs, 3, i),
        read_input(inputs, 4, i),
    )
    if not (sound and 0.0 <= sigma < np.inf):
        return np.nan
    a, b, v, m = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j], work[M * LANES + j]
    kind = classify_exercise(a, b)
    if kind == UNKNOWN:
        return np.nan
    european = kind == EUROPEAN or (v > 0.0 and is_certainly_european(work, j))
    if european or v < LOWEST_DEVIATION:
        plain = european_put(a, b, v, m)
        worth = plain if european else max(certain_value(a, b, m), plain)
        return worth - (plain if only_premium else 0.0)
    return np.inf


def _build_american_derive(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(list_input_types(6), FLAGS, types.int64, types.int64, list_output_types(5)))
    def american_derive(inputs: Inputs, is_call: Flags, first: int, last: int, answers: Inputs) -> None:
        """Spot Greeks from (spot, strike, years, rate, yield, sigma)."""
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(ROWS * LANES)
        kept = np.zeros(_KEPT_ROWS * LANES)
        lane = np.empty(LANES, np.int64)
        waiting = 0
        for i in range(first, last):
            write_put_problem(work, waiting, inputs, i, read_flag(is_call, i))
            kind = _classify_greeks(work, waiting, inputs, i)
            if kind == AMERICAN:
                lane[waiting] = i
                waiting += 1
            elif kind == EUROPEAN:
                _write_greeks(inputs, i, read_flag(is_call, i), answers, kept, -1)
            else:
                _write_known(answers, i, np.nan, np.nan)
            if waiting == LANES or (i == last - 1 and waiting > 0):
                _differentiate(work, kept, lane[:waiting], inputs, is_call)
                _write_lanes(work, kept, lane[:waiting], inputs, is_call, answers)
                waiting = 0

    return american_derive


@inlined
def _classify_greeks(work: Floats, j: int, inputs: Inputs, i: int) -> int:
    sigma = read_input(inputs, 5, i)
    sound = is_sound_market(
        read_input(inputs, 0, i),
        read_input(inputs, 1, i),
        read_input(inputs, 2, i),
        read_input(inputs, 3, i),
        read_input(inputs, 4, i),
    )
    if not (sound and is_known(sigma) and work[V * LANES + j] >= LOWEST_DEVIATION):
        return UNKNOWN
    kind = classify_exercise(work[A * LANES + j], work[B * LANES + j])
    return EUROPEAN if kind == AMERICAN and is_certainly_european(work, j) else kind


@inlined
def _differentiate(work: Floats, kept: Floats, lane: Options, inputs: Inputs, calls: Flags) -> None:
    """Fill the rows of `kept` for the options that wait on the first lanes."""
    for j in range(lane.size, LANES):
        fill_idle_lane(work, j)
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
        years = read_input(inputs, 2, lane[j])
        kept[_PER_SIGMA * LANES + j] *= math.sqrt(years)
        row = B if read_flag(calls, lane[j]) else A
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
        call = read_flag(calls, i)
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
    """Write Black's Greeks plus those of the premium on lane j (-1: none). Theta follows from the Black-Scholes equation."""
    spot, strike, years = read_input(inputs, 0, i), read_input(inputs, 1, i), read_input(inputs, 2, i)
    rate, carry, sigma = (
        read_input(inputs, 3, i),
        read_input(inputs, 3, i) - read_input(inputs, 4, i),
        read_input(inputs, 5, i),
    )
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


american_value = _build_american_value(SOURCES)
american_derive = _build_american_derive(SOURCES)
