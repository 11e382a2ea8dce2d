"""Computes implied volatility and Greeks of contracts, with Black-76 for European and the American model for American ones.

Arguments are arrays with one value per contract. Price and forward are found in `valuation`; the models are in `black`,
`implied` and `american`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.pricing import black, implied
from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.pricing.black import Greeks
from hd_pipelines.pricing.reasons import CODES, Reason, to_reason_text
from hd_pipelines.pricing.spot_greeks import to_spot_greeks

Flags = NDArray[np.bool_]
DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class ContractMarket:
    """Inputs of the models, one value per contract; NaN where unknown. `price` is per share, `spot` of the underlying."""

    price: Floats
    forward: Floats
    strike: Floats
    years: Floats
    discount: Floats
    spot: Floats
    is_call: Flags
    is_european: Flags

    def where(self, chosen: Flags) -> ContractMarket:
        """Select the contracts where `chosen` is true."""
        return ContractMarket(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @property
    def rate(self) -> Floats:
        """Continuously compounded rate of the discount, per year; NaN or infinite at settlement."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rate: Floats = -np.log(self.discount) / self.years
        return rate

    @property
    def dividend_yield(self) -> Floats:
        """Yield that carries the spot to the forward. It contains dividends, borrow fees and the effect of a stale spot."""
        with np.errstate(divide="ignore", invalid="ignore"):
            dividends: Floats = self.rate - np.log(self.forward / self.spot) / self.years
        return dividends


def solve_implied_volatility(market: ContractMarket) -> tuple[Floats, pl.Series]:
    """Volatility per year of each contract (NaN where it has none), and the text of its `Reason` (null where it has one).

    American prices are inverted by the American model, at the dividend yield that makes its forward equal the parity
    forward. The volatility is therefore comparable with a European one of the same strike.
    """
    sigma = np.full(market.price.shape, np.nan)
    codes = np.full(market.price.shape, CODES[Reason.NO_PRICE], dtype=np.int8)
    european, others = market.is_european, ~market.is_european & np.isfinite(market.price)
    if european.any():
        one = market.where(european)
        sigma[european], codes[european] = implied.solve(
            one.price, one.forward, one.strike, one.years, one.discount, one.is_call
        )
    if others.any():
        from hd_pipelines.pricing import american

        one = market.where(others)
        sigma[others], codes[others] = american.solve(
            one.price, one.spot, one.strike, one.years, one.rate, one.dividend_yield, one.is_call
        )
    return sigma, to_reason_text(codes)


def compute_greeks(market: ContractMarket, sigma: Floats) -> Greeks:
    """Compute the spot Greeks of each contract at `sigma`; NaN where `sigma` is NaN."""
    answers = np.full((5, *market.price.shape), np.nan)
    european, others = market.is_european, ~market.is_european & np.isfinite(sigma)
    if european.any():
        one, at = market.where(european), sigma[european]
        of_forward = black.greeks(one.forward, one.strike, one.years, one.discount, at, one.is_call)
        answers[:, european] = to_spot_greeks(of_forward, one.spot, one.forward, one.years, one.discount)
    if others.any():
        from hd_pipelines.pricing import american

        one, at = market.where(others), sigma[others]
        found = american.greeks(one.spot, one.strike, one.years, one.rate, one.dividend_yield, at, one.is_call)
        # As for European ones, theta covers a day without a dividend. If the option is exercised at once, nothing accrues.
        accrued = np.where(found.gamma > 0, one.dividend_yield * one.spot * found.delta / DAYS_PER_YEAR, 0.0)
        answers[:, others] = found._replace(theta=found.theta - accrued)
    return Greeks(*answers)
