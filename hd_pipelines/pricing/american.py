"""Prices American options on a spot with a continuous dividend yield: price, implied volatility, Greeks.

The exercise boundary is computed in `kernels.american`, compiled at first use.

The price is the European price (`black`) plus the premium of early exercise. All arguments broadcast. `years` is time to
settlement in years of 365 days; rates and yields are continuously compounded per year and may be zero or negative. A call
is never exercised early at dividend_yield <= 0 <= rate, a put never at rate <= 0 <= dividend_yield; the price is then
European. For calls at r < q < 0 and puts at q < r < 0, exercise pays between two prices of the underlying. That case is not
modelled and gives NaN, as does a missing or impossible argument.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hd_pipelines.pricing.arrays import Floats, broadcast, run_over_cores
from hd_pipelines.pricing.black import Greeks

_SHARE = 512
"""Number of options that justify another thread: about a millisecond of work."""


def price(  # noqa: PLR0917
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Present value, in the unit of the spot. Where sigma sqrt(T) is 0, the best payoff that is certain."""
    return _compute_value(spot, strike, years, rate, dividend_yield, sigma, is_call, only_premium=False)


def early_exercise_premium(  # noqa: PLR0917
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """American minus European price, never negative. Arguments as in `price`."""
    return _compute_value(spot, strike, years, rate, dividend_yield, sigma, is_call, only_premium=True)


def _compute_value(  # noqa: PLR0917
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
    *,
    only_premium: bool,
) -> Floats:
    from hd_pipelines.pricing.kernels.american_loops import american_value

    market = {"spot": spot, "strike": strike, "years": years, "rate": rate, "dividend_yield": dividend_yield}
    shape, arrays, flags = broadcast(market | {"sigma": sigma}, is_call)
    worth = np.empty(math.prod(shape))
    run_over_cores(
        lambda first, last: american_value(arrays, flags, first, last, only_premium, worth), worth.size, _SHARE
    )
    return worth.reshape(shape)[()]


def solve(  # noqa: PLR0917
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    is_call: ArrayLike,
) -> tuple[Floats, NDArray[np.int8]]:
    """Invert `price`: returns (sigma per year, reason). Where reason is 0, sigma is the answer; elsewhere sigma is NaN.

    Reasons are codes of `reasons.Reason`; `reasons.to_reason_text` converts them to stored text. A price outside its bounds
    is never moved to them: below the exercise value the reason is `BELOW_INTRINSIC`, at it `EXERCISE_NOW`.
    """
    from hd_pipelines.pricing.kernels.american_search import american_imply

    market = {"spot": spot, "strike": strike, "years": years, "rate": rate, "dividend_yield": dividend_yield}
    shape, arrays, flags = broadcast(market | {"price": price}, is_call)
    sigma = np.empty(math.prod(shape))
    reason = np.empty(sigma.size, np.int8)
    run_over_cores(lambda first, last: american_imply(arrays, flags, first, last, sigma, reason), sigma.size, _SHARE)
    return sigma.reshape(shape)[()], reason.reshape(shape)[()]


def implied_volatility(  # noqa: PLR0917
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Volatility per year that gives `price`; NaN where there is none (`solve` also returns the reason)."""
    return solve(price, spot, strike, years, rate, dividend_yield, is_call)[0]


def greeks(  # noqa: PLR0917
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    sigma: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Greeks with respect to the spot, per share.

    delta   dV/dS
    gamma   d2V/dS2
    theta   change of V over one calendar day with the spot unchanged, while rate and yield accrue
    vega    change of V for +0.01 of volatility
    rho     change of V for +0.01 of the continuously compounded rate, dividend yield unchanged

    Where immediate exercise is best, delta is 1 or -1 and the others are 0.
    """
    from hd_pipelines.pricing.kernels.american_loops import american_derive

    market = {"spot": spot, "strike": strike, "years": years, "rate": rate, "dividend_yield": dividend_yield}
    shape, arrays, flags = broadcast(market | {"sigma": sigma}, is_call)
    found = tuple(np.empty(math.prod(shape)) for _ in Greeks._fields)
    run_over_cores(lambda first, last: american_derive(arrays, flags, first, last, found), found[0].size, _SHARE)
    return Greeks(*(array.reshape(shape)[()] for array in found))
