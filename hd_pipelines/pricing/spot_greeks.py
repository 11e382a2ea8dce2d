"""Converts Greeks with respect to the forward into Greeks with respect to the underlying's price.

Black-76 knows only the forward, while traders, gamma exposure and the published Greeks of vendors and brokers refer to the
spot. Where vendors differ, this follows the data. Delta and gamma move the forward in proportion to the spot, F/S as
observed: Cboe's deltas of 2019 agree to 0.002 at all maturities (dividends as cash would be 0.02 off). Theta is the change
over a day at the same spot on which no dividend falls due: Interactive Brokers' thetas agree to 2 % (a day's share of the
dividend yield would change them by 10 %). Tests: test_vendor_volatility.py, test_published_greeks.py.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.pricing.black import Greeks

_DAYS_PER_YEAR = 365.0


def to_spot_greeks(of_forward: Greeks, spot: Floats, forward: Floats, years: Floats, discount: Floats) -> Greeks:
    """Convert Greeks with respect to the forward (`black.greeks`). Arrays of one shape; NaN stays NaN.

    Where `spot` is NaN, the discounted forward stands in for it: the spot that pays no dividends until settlement.

    delta   dV/dS = dV/dF * F/S
    gamma   d2V/dS2 = d2V/dF2 * (F/S)^2
    theta   per calendar day at the same spot, no dividend in between: the forward moves by rate * F a year
    vega    as of the forward
    rho     for +0.01 of the rate at the same spot: the forward rises by T * F
    """
    factor = forward / np.where(np.isnan(spot), forward * discount, spot)
    with np.errstate(divide="ignore", invalid="ignore"):
        slide = -np.log(discount) / years * forward * of_forward.delta / _DAYS_PER_YEAR
    return Greeks(
        delta=of_forward.delta * factor,
        gamma=of_forward.gamma * factor**2,
        theta=of_forward.theta - slide,
        vega=of_forward.vega,
        rho=of_forward.rho + years * forward * of_forward.delta / 100.0,
    )
