"""Implied volatility of European options on a forward.

Belongs here: the public functions. The solver is `kernels_black.normalised_volatility`, compiled at first use.

Solved on the out-of-the-money side in Jaeckel's normalisation ("Let's Be Rational", 2015), from the explicit first guess
of Stefanica and Radoicic (2017), with two Householder steps of fourth order: the result carries no error of the solver,
only that of the price's own digits, |error of sigma| about 1e-16 * price / vega. A deep in-the-money price therefore
holds fewer digits of sigma than the out-of-the-money option of the same strike.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hd_pipelines.pricing.arrays import Floats, broadcast, over_cores


def solve(  # noqa: PLR0917
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> tuple[Floats, NDArray[np.int8]]:
    """(sigma per year, reason): where reason is 0 sigma is the answer, elsewhere sigma is NaN.

    Arguments as in `black.price`, of which this is the inverse. Reasons are codes of `reasons.Reason`
    (`reasons.reason_text` turns them into stored text). A price outside its bounds is never moved to them.
    """
    from hd_pipelines.pricing.kernels.european_loops import imply

    numbers = {"price": price, "forward": forward, "strike": strike, "years": years, "discount": discount}
    shape, arrays, flags = broadcast(numbers, is_call)
    sigma = np.empty(math.prod(shape))
    reason = np.empty(sigma.size, np.int8)
    over_cores(lambda first, last: imply(arrays, flags, first, last, sigma, reason), sigma.size)
    return sigma.reshape(shape)[()], reason.reshape(shape)[()]


def implied_volatility(  # noqa: PLR0917
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Volatility per year that gives `price`; NaN where there is none. `solve` also says why."""
    return solve(price, forward, strike, years, discount, is_call)[0]
