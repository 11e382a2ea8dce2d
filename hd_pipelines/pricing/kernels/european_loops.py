"""Loops over arrays of European options: price, implied volatility, Greeks.

Reads blocks of options, checks their inputs and writes answers; formulas are in `black`.

A kernel processes the options from `first` up to `last` in blocks, held in one scratch array whose rows are a constant
distance apart. LLVM can therefore prove that reads and writes do not overlap, and compiles the inner loops to vector
instructions. An input of length 1 applies to all options.
"""

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels.black import black_derivatives, normalised_price, normalised_volatility, payoff
from hd_pipelines.pricing.kernels.elementary import SOURCES, cached, inlined, log_ratio, logarithm
from hd_pipelines.pricing.reasons import CODES, Reason

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Inputs = tuple[Floats, ...]

BLOCK = 128
_TINY = 1e-300
_ROUNDING = 4.0 * 2.220446049250313e-16
_SETTLED = 1e-2

NO_PRICE = CODES[Reason.NO_PRICE]
NO_FORWARD = CODES[Reason.NO_FORWARD]
NO_STRIKE = CODES[Reason.NO_STRIKE]
NO_TIME = CODES[Reason.NO_TIME]
NO_TIME_LEFT = CODES[Reason.NO_TIME_LEFT]
NO_DISCOUNT = CODES[Reason.NO_DISCOUNT]
BELOW_INTRINSIC = CODES[Reason.BELOW_INTRINSIC]
NO_TIME_VALUE = CODES[Reason.NO_TIME_VALUE]
ABOVE_BOUND = CODES[Reason.ABOVE_BOUND]
NO_CONVERGENCE = CODES[Reason.NO_CONVERGENCE]

_GIVEN = types.Array(types.float64, 1, "C", readonly=True)
_FILLED = types.Array(types.float64, 1, "C")
FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
CODES_FILLED = types.Array(types.int8, 1, "C")


def list_input_types(count: int) -> types.Type:
    """Type of `count` input arrays."""
    return types.UniTuple(_GIVEN, count)  # type: ignore[no-untyped-call]


def list_output_types(count: int) -> types.Type:
    """Type of `count` output arrays."""
    return types.UniTuple(_FILLED, count)  # type: ignore[no-untyped-call]


@inlined
def fill(inputs: Inputs, start: int, count: int, work: Floats) -> None:
    """Copy options start … start + count of each input into a row of the scratch array."""
    for row in range(len(inputs)):
        values = inputs[row]
        if values.size == 1:
            for j in range(count):
                work[row * BLOCK + j] = values[0]
        else:
            for j in range(count):
                work[row * BLOCK + j] = values[start + j]


@inlined
def fill_flags(row: int, flags: Flags, start: int, count: int, work: Floats) -> None:
    """Copy flags as 1.0 and 0.0."""
    if flags.size == 1:
        for j in range(count):
            work[row * BLOCK + j] = 1.0 if flags[0] else 0.0
    else:
        for j in range(count):
            work[row * BLOCK + j] = 1.0 if flags[start + j] else 0.0


@inlined
def is_known(value: float) -> bool:
    """Whether the value is positive and finite."""
    return 0.0 < value < np.inf


@inlined
def find_missing_input(price: float, forward: float, strike: float, years: float) -> int:
    """Code of the first input that is missing or impossible, 0 if there is none."""
    if not is_known(forward):
        return NO_FORWARD
    if not is_known(strike):
        return NO_STRIKE
    if not abs(years) < np.inf:
        return NO_TIME
    if years <= 0.0:
        return NO_TIME_LEFT
    return 0 if is_known(price) else NO_PRICE


@inlined
def check_price_range(undiscounted: float, forward: float, strike: float, is_call: bool) -> int:
    """Code of the reason why no volatility gives this price, 0 if one should."""
    time_value = undiscounted - payoff(forward, strike, is_call)
    if abs(time_value) <= _ROUNDING * undiscounted:
        return NO_TIME_VALUE
    if time_value < 0.0:
        return BELOW_INTRINSIC
    return ABOVE_BOUND if time_value >= min(forward, strike) * (1.0 - _ROUNDING) else 0


def _build_imply(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(list_input_types(5), FLAGS, types.int64, types.int64, _FILLED, CODES_FILLED))
    def imply(  # noqa: PLR0917
        inputs: Inputs, is_call: Flags, first: int, last: int, sigma: Floats, reason: NDArray[np.int8]
    ) -> None:
        """Volatility from (price, forward, strike, years, discount); NaN with a reason code where there is none."""
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(8 * BLOCK)
        for start in range(first, last, BLOCK):
            count = min(BLOCK, last - start)
            fill(inputs, start, count, work)
            fill_flags(5, is_call, start, count, work)
            for j in range(count):
                f, k = work[BLOCK + j], work[2 * BLOCK + j]
                time_value = work[j] / work[4 * BLOCK + j] - payoff(f, k, work[5 * BLOCK + j] > 0.5)
                geometric = math.sqrt(f) * math.sqrt(k)
                x = -abs(log_ratio(f, k))
                s, step = normalised_volatility(x, min(f, k) / geometric, time_value / geometric)
                work[6 * BLOCK + j] = s / math.sqrt(work[3 * BLOCK + j])
                work[7 * BLOCK + j] = step
            for j in range(count):
                price, f, k = work[j], work[BLOCK + j], work[2 * BLOCK + j]
                discount = work[4 * BLOCK + j]
                code = find_missing_input(price, f, k, work[3 * BLOCK + j])
                if code == 0:
                    code = NO_DISCOUNT if not is_known(discount) else 0
                if code == 0:
                    code = check_price_range(price / discount, f, k, work[5 * BLOCK + j] > 0.5)
                if code == 0 and not work[7 * BLOCK + j] < _SETTLED:
                    code = NO_CONVERGENCE
                sigma[start + j] = work[6 * BLOCK + j] if code == 0 else np.nan
                reason[start + j] = code

    return imply


def _build_value(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(list_input_types(5), FLAGS, types.int64, types.int64, _FILLED))
    def value(inputs: Inputs, is_call: Flags, first: int, last: int, price: Floats) -> None:
        """Price from (forward, strike, years, discount, sigma); discounted payoff where sigma sqrt(T) is 0."""
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(7 * BLOCK)
        for start in range(first, last, BLOCK):
            count = min(BLOCK, last - start)
            fill(inputs, start, count, work)
            fill_flags(5, is_call, start, count, work)
            for j in range(count):
                f, k = work[j], work[BLOCK + j]
                s = work[4 * BLOCK + j] * math.sqrt(work[2 * BLOCK + j])
                geometric = math.sqrt(f) * math.sqrt(k)
                b, _, _ = normalised_price(-abs(log_ratio(f, k)), min(f, k) / geometric, max(s, _TINY))
                time_value = geometric * b if s > 0.0 else s
                work[6 * BLOCK + j] = work[3 * BLOCK + j] * (time_value + payoff(f, k, work[5 * BLOCK + j] > 0.5))
            for j in range(count):
                years, sigma = work[2 * BLOCK + j], work[4 * BLOCK + j]
                sound = is_known(work[j]) and is_known(work[BLOCK + j]) and is_known(work[3 * BLOCK + j])
                sound = sound and 0.0 <= years < np.inf and 0.0 <= sigma < np.inf
                price[start + j] = work[6 * BLOCK + j] if sound else np.nan

    return value


def _build_derive(stamp: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a compiled function
    @cached(types.void(list_input_types(6), FLAGS, types.int64, types.int64, types.boolean, list_output_types(5)))
    def derive(  # noqa: PLR0917
        inputs: Inputs, is_call: Flags, first: int, last: int, at_spot: bool, answers: Inputs
    ) -> None:
        """Greeks from (forward, strike, years, discount, sigma, spot); to the forward where `at_spot` is false."""
        stamp  # noqa: B018 - part of the cache's key
        work = np.empty(12 * BLOCK)
        held = 1.0 if at_spot else 0.0
        for start in range(first, last, BLOCK):
            count = min(BLOCK, last - start)
            fill(inputs, start, count, work)
            fill_flags(6, is_call, start, count, work)
            for j in range(count):
                f, k, t, d = work[j], work[BLOCK + j], work[2 * BLOCK + j], work[3 * BLOCK + j]
                v, spot, call = work[4 * BLOCK + j], work[5 * BLOCK + j], work[6 * BLOCK + j] > 0.5
                time_value, slope, curvature, per_sigma = black_derivatives(f, k, v, math.sqrt(t), call)
                sound = is_known(f) and is_known(k) and is_known(t) and is_known(d) and is_known(v) and is_known(spot)
                d = d if sound else np.nan
                ratio = f / spot
                carried = held * f * slope
                worth = time_value + payoff(f, k, call)
                decay = 0.5 * per_sigma * v + carried * log_ratio(f, spot) + worth * logarithm(d)
                work[7 * BLOCK + j] = d * slope * ratio
                work[8 * BLOCK + j] = d * curvature * ratio * ratio
                work[9 * BLOCK + j] = -d * decay / (365.0 * t)
                work[10 * BLOCK + j] = 0.01 * d * per_sigma
                work[11 * BLOCK + j] = 0.01 * t * d * (carried - worth)
            for greek in range(5):
                answer = answers[greek]
                for j in range(count):
                    answer[start + j] = work[(7 + greek) * BLOCK + j]

    return derive


imply = _build_imply(SOURCES)
value = _build_value(SOURCES)
derive = _build_derive(SOURCES)
