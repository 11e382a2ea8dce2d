"""Solves for the implied volatility of European options on a forward.

The solver, `kernels.black.normalised_volatility`, is compiled at first use. It works on the out-of-the-money side in
Jaeckel's normalisation ("Let's Be Rational", 2015), from the explicit first guess of Stefanica and Radoicic (2017), with
two Householder steps of fourth order. The result has no error of the solver, only that of the price's own digits: |error of
sigma| is about 1e-16 * price / vega. A deep in-the-money price therefore determines fewer digits of sigma than the
out-of-the-money option of the same strike.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hd_pipelines.pricing.arrays import Floats, broadcast, run_over_cores


def solve(  # noqa: PLR0917
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> tuple[Floats, NDArray[np.int8]]:
    """Invert `black.price`: returns (sigma per year, reason). Where reason is 0, sigma is the answer; elsewhere it is NaN.

    Reasons are codes of `reasons.Reason`; `reasons.to_reason_text` converts them to stored text. A price outside its bounds
    is never moved to them.
    """
    from hd_pipelines.pricing.kernels.european_loops import imply

    numbers = {"price": price, "forward": forward, "strike": strike, "years": years, "discount": discount}
    shape, arrays, flags = broadcast(numbers, is_call)
    sigma = np.empty(math.prod(shape))
    reason = np.empty(sigma.size, np.int8)
    run_over_cores(lambda first, last: imply(arrays, flags, first, last, sigma, reason), sigma.size)
    return sigma.reshape(shape)[()], reason.reshape(shape)[()]


def implied_volatility(  # noqa: PLR0917
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Volatility per year that gives `price`; NaN where there is none (`solve` also returns the reason)."""
    return solve(price, forward, strike, years, discount, is_call)[0]
