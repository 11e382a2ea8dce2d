"""Price and Greeks of European options on a forward: Black (1976). The formula is in `kernels.black`, compiled at first use.

price = discount * (F N(d1) - K N(d2)) for a call, with d1,2 = ln(F / K) / (sigma sqrt T) +- sigma sqrt(T) / 2, and put =
call - discount * (F - K). `discount` is the price today of 1 at settlement; rates and dividends enter only through it and
the forward. All arguments broadcast; `years` is time to settlement in years of 365 days. A missing or impossible argument
gives NaN: forward, strike or discount not positive, sigma or years negative.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hd_pipelines.pricing.arrays import Floats, broadcast, run_over_cores


class Greeks(NamedTuple):
    """Derivatives of the price of an option on one share. NaN means no answer, also where sigma or years is 0."""

    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    rho: Floats


def price(  # noqa: PLR0917
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Present value of European options, in the unit of the forward; discounted payoff where sigma sqrt(T) is 0."""
    from hd_pipelines.pricing.kernels.european_loops import value

    numbers = {"forward": forward, "strike": strike, "years": years, "discount": discount, "sigma": sigma}
    shape, arrays, flags = broadcast(numbers, is_call)
    worth = np.empty(math.prod(shape))
    run_over_cores(lambda first, last: value(arrays, flags, first, last, worth), worth.size)
    return worth.reshape(shape)[()]


def greeks(  # noqa: PLR0917
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Black's Greeks, with respect to the forward.

    delta   dV/dF = discount N(d1) for a call, -discount N(-d1) for a put
    gamma   d2V/dF2
    theta   change of V over one calendar day, with forward, rate and volatility unchanged: -(dV/dT) / 365
    vega    change of V for +0.01 of volatility
    rho     change of V for +0.01 of the continuously compounded rate, forward unchanged: -T V / 100

    Greeks with respect to the spot, as brokers and vendors quote them, come from `spot_greeks`. If the forward equals the
    spot (no carry), delta, gamma, theta and vega are the same.
    """
    return _derive(forward, forward, strike, years, discount, sigma, is_call, at_spot=False)


def spot_greeks(  # noqa: PLR0917
    spot: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Greeks with respect to the spot. The forward moves in proportion to it; the carry ln(forward / spot) / T is constant.

    delta   dV/dS = dV/dF * F/S
    gamma   d2V/dS2 = d2V/dF2 * (F/S)^2
    theta   change of V over one calendar day with the spot unchanged: the forward moves towards it by its carry
    vega    as in `greeks`
    rho     change of V for +0.01 of the rate with spot and dividend yield unchanged, so the forward rises with the rate

    With forward = S exp((r - q) T) and discount = exp(-r T) these are the Black-Scholes-Merton Greeks of Haug, "The
    Complete Guide to Option Pricing Formulas". A spot that is missing or not positive gives NaN.
    """
    return _derive(spot, forward, strike, years, discount, sigma, is_call, at_spot=True)


def _derive(  # noqa: PLR0917
    spot: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
    *,
    at_spot: bool,
) -> Greeks:
    from hd_pipelines.pricing.kernels.european_loops import derive

    numbers = {"forward": forward, "strike": strike, "years": years, "discount": discount, "sigma": sigma, "spot": spot}
    shape, arrays, flags = broadcast(numbers, is_call)
    found = tuple(np.empty(math.prod(shape)) for _ in Greeks._fields)
    run_over_cores(lambda first, last: derive(arrays, flags, first, last, at_spot, found), found[0].size)
    return Greeks(*(array.reshape(shape)[()] for array in found))
