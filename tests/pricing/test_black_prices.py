"""European prices and Greeks: published figures, and the laws that hold for all of them.

Published: Haug, "The Complete Guide to Option Pricing Formulas" (1998), as QuantLib's tests quote it; the grid that
py_vollib's tests compare with (the author's spreadsheet).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.pricing import black, greeks

FOLDER = Path(__file__).parents[2].parent / "shared/data/reference_values"
published = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the published figures are not at {FOLDER}")

forwards = st.floats(0.5, 5000)
moneyness = st.floats(-1.5, 1.5)
years = st.floats(1 / 365 / 24 / 60, 10)
discounts = st.floats(0.6, 1.1)
sigmas = st.floats(0.01, 3)


def spot_market(rows: pl.DataFrame) -> tuple[np.ndarray, ...]:
    """Spot, forward, strike, years, discount, sigma, is_call of a file with spot, strike, q, r, t, vol, right."""
    spot, strike, q, r, t, vol = (rows[name].to_numpy() for name in ("spot", "strike", "q", "r", "t", "vol"))
    return spot, spot * np.exp((r - q) * t), strike, t, np.exp(-r * t), vol, (rows["right"] == "call").to_numpy()


@published
def test_prices_are_haugs():
    rows = pl.read_csv(FOLDER / "option_prices_haug_ju.csv.gz").filter(model="european_bsm")
    _, *black_76 = spot_market(rows)
    assert rows.height == 43
    assert np.abs(black.price(*black_76) - rows["value"].to_numpy()).max() < 1e-4


@published
def test_greeks_are_haugs():
    rows = pl.read_csv(FOLDER / "greeks_haug.csv.gz")
    market = spot_market(rows)
    found = black.spot_greeks(*market)
    ours = {
        "delta": found.delta,
        "gamma": found.gamma,
        "vega_per_1.00": 100 * found.vega,
        "theta_per_year": 365 * found.theta,
        "theta_per_day_365": found.theta,
        "rho_per_1.00": 100 * found.rho,
        "elasticity": found.delta * market[0] / black.price(*market[1:]),
    }
    checked = 0
    for i, row in enumerate(rows.iter_rows(named=True)):
        if row["greek"] in ours:
            assert ours[row["greek"]][i] == pytest.approx(row["value"], abs=1e-4), row
            checked += 1
    assert checked == 10  # all but the rho of the dividend, which is none of ours


@published
def test_prices_and_greeks_are_those_of_the_vollib_grid():
    rows = pl.read_csv(FOLDER / "py_vollib_bs_grid.csv.gz", infer_schema_length=None)
    spot, strike, rate, t, vol = (rows[name].to_numpy() for name in "SKRtv")
    assert rows.height == 101
    scale = {"D": 1, "G": 1, "T": 365, "V": 100, "R": 100}
    for side, letter, is_call in (("call", "C", True), ("put", "P", False)):
        market = spot * np.exp(rate * t), strike, t, np.exp(-rate * t), vol, is_call
        assert np.abs(black.price(*market) - rows[f"bs_{side}"].to_numpy()).max() < 1e-6
        found = black.spot_greeks(spot, *market)
        for greek, name in zip(found, "DGTVR", strict=True):
            assert np.abs(greek * scale[name] - rows[letter + name].to_numpy()).max() < 2e-6, (side, name)


@given(forwards, moneyness, years, discounts, sigmas)
def test_call_less_put_is_the_discounted_forward_less_strike(forward, m, t, discount, sigma):
    strike = forward * np.exp(m)
    call, put = black.price(forward, strike, t, discount, sigma, [True, False])
    assert call - put == pytest.approx(discount * (forward - strike), abs=1e-14 * (forward + strike))
    of_call, of_put = (greeks(forward, strike, t, discount, sigma, side) for side in (True, False))
    assert of_call.delta - of_put.delta == pytest.approx(discount, abs=1e-14)
    assert of_call.gamma == of_put.gamma
    assert of_call.vega == of_put.vega


@given(forwards, moneyness, years, discounts, sigmas)
def test_a_call_is_a_put_with_forward_and_strike_exchanged(forward, m, t, discount, sigma):
    strike = forward * np.exp(m)
    call, put = (
        black.price(forward, strike, t, discount, sigma, True),
        black.price(strike, forward, t, discount, sigma, False),
    )
    assert call == pytest.approx(put, rel=1e-12, abs=1e-300)


@given(forwards, moneyness, years, discounts, st.floats(0.01, 2), st.floats(1.001, 1.5), st.booleans())
def test_prices_rise_with_volatility_and_stay_between_their_bounds(forward, m, t, discount, sigma, factor, is_call):
    strike = forward * np.exp(m)
    low, high = black.price(forward, strike, t, discount, [sigma, sigma * factor], is_call)
    intrinsic = discount * max(forward - strike if is_call else strike - forward, 0)
    assert intrinsic <= low <= high <= discount * (forward if is_call else strike)


@given(forwards, moneyness, years, discounts, sigmas, st.booleans())
def test_deltas_and_curvatures_stay_in_their_range(forward, m, t, discount, sigma, is_call):
    found = greeks(forward, forward * np.exp(m), t, discount, sigma, is_call)
    assert 0 <= (found.delta if is_call else -found.delta) <= discount
    assert found.gamma >= 0
    assert found.vega >= 0


@given(st.floats(-0.8, 0.8), st.floats(0.05, 3), discounts, st.floats(0.1, 1), st.booleans())
def test_greeks_are_the_slopes_of_the_price(m, t, discount, sigma, is_call):
    forward, strike, rate = 100.0, 100 * np.exp(m), -np.log(discount) / t
    found = greeks(forward, strike, t, discount, sigma, is_call)
    step = 1e-3

    def price(forward=forward, t=t, sigma=sigma, rate=rate):
        return black.price(forward, strike, t, np.exp(-rate * t), sigma, is_call)

    up, down = price(forward + step), price(forward - step)
    assert found.delta == pytest.approx((up - down) / (2 * step), abs=1e-7)
    assert found.gamma == pytest.approx((up - 2 * price() + down) / step**2, abs=1e-6)
    assert found.vega == pytest.approx((price(sigma=sigma + 5e-5) - price(sigma=sigma - 5e-5)) / 1e-4 / 100, abs=1e-6)
    assert found.theta == pytest.approx((price(t=t - 5e-5) - price(t=t + 5e-5)) / 1e-4 / 365, abs=1e-5)
    assert found.rho == pytest.approx((price(rate=rate + 5e-6) - price(rate=rate - 5e-6)) / 1e-5 / 100, abs=1e-6)


def test_without_time_or_volatility_the_price_is_the_discounted_payoff_and_there_are_no_greeks():
    worth = black.price(100, [90, 110, 90, 110], [0, 0, 1, 1], 0.9, [0.2, 0.2, 0, 0], [True, False, True, True])
    assert worth.tolist() == [9.0, 9.0, 9.0, 0.0]
    for greek in greeks(100, 90, [0, 1], 0.9, [0.2, 0], True):
        assert np.isnan(greek).all()


def test_one_minute_before_the_close_prices_keep_their_digits():
    # 0DTE: the 5000 straddle at 20 % is worth 2 * F N(0.2 sqrt(T) / 2) - F, about 0.8 F sigma sqrt(T).
    t = 1 / 365 / 24 / 60
    straddle = black.price(5000, 5000, t, 1, 0.2, [True, False]).sum()
    assert straddle == pytest.approx(5000 * 0.2 * np.sqrt(2 * t / np.pi), rel=1e-7)


@pytest.mark.parametrize("name", ["forward", "strike", "discount"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_an_impossible_market_has_no_price(name, value):
    market = {"forward": 100.0, "strike": 100.0, "years": 1.0, "discount": 1.0, "sigma": 0.2, "is_call": True}
    assert np.isnan(black.price(**market | {name: value}))
    assert all(np.isnan(greek) for greek in greeks(**market | {name: value}))


@pytest.mark.parametrize("name", ["years", "sigma"])
@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_negative_or_unknown_time_and_volatility_have_no_price(name, value):
    market = {"forward": 100.0, "strike": 100.0, "years": 1.0, "discount": 1.0, "sigma": 0.2, "is_call": False}
    assert np.isnan(black.price(**market | {name: value}))
