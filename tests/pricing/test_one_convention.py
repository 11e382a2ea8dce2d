"""European and American contracts in one table: where early exercise is worth nothing, their Greeks are the same numbers."""

import numpy as np
import pytest

from hd_pipelines.pricing.black import Greeks
from hd_pipelines.pricing.contract_values import ContractMarket, compute_greeks

SPOT, RATE, DIVIDENDS, YEARS = 500.0, 0.001, 0.013, 30 / 365
STRIKES = np.array([440.0, 460.0, 480.0, 490.0])


@pytest.mark.parametrize("greek", Greeks._fields)
def test_puts_that_nobody_exercises_early_have_the_greeks_of_european_ones(greek):
    def values(is_european: bool):
        one = np.ones_like(STRIKES)
        market = ContractMarket(
            price=one,
            forward=one * SPOT * np.exp((RATE - DIVIDENDS) * YEARS),
            strike=STRIKES,
            years=one * YEARS,
            discount=one * np.exp(-RATE * YEARS),
            spot=one * SPOT,
            is_call=np.zeros(STRIKES.shape, dtype=bool),
            is_european=np.full(STRIKES.shape, is_european),
        )
        return getattr(compute_greeks(market, one * 0.2), greek)

    assert values(False) == pytest.approx(values(True), rel=2e-4)
