"""From Greeks in the forward to Greeks in the underlying's price.

Belongs here: the change of variable. Black-76 knows the forward only; traders, gamma exposure and the published Greeks of
vendors and brokers move the spot. Which spot belongs to a forward: `carry`.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.pricing.black import Greeks
from hd_pipelines.pricing.parity import Floats

_DAYS_PER_YEAR = 365.0


def in_spot(of_forward: Greeks, spot: Floats, forward: Floats, years: Floats) -> Greeks:
    """Greeks in the spot from those in the forward (`black.greeks`); NaN where the spot is. Arrays of one shape.

    delta   dV/dS = dV/dF * F/S
    gamma   d2V/dS2 = d2V/dF2 * (F/S)^2
    theta   per calendar day at the same spot: the forward slides to it by the carry ln(F/S) / T
    vega    as of the forward
    rho     for +0.01 of the rate at the same spot and dividend yield: the forward rises by T * F

    With F = S exp((r - q) T) and discount = exp(-r T) these are the Greeks of Haug, "The Complete Guide to Option Pricing
    Formulas" (generalised Black-Scholes-Merton).
    """
    factor = forward / spot
    known = np.where(factor > 0, 1.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        slide = np.log(factor) / years * forward * of_forward.delta / _DAYS_PER_YEAR
    return Greeks(
        delta=of_forward.delta * factor,
        gamma=of_forward.gamma * factor**2,
        theta=of_forward.theta - slide,
        vega=of_forward.vega * known,
        rho=(of_forward.rho + years * forward * of_forward.delta / 100.0) * known,
    )
