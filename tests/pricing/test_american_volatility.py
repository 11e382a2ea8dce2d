"""American implied volatility and Greeks: inverse and derivatives of the price, and the reasons for having none.

A broker's model Greeks of SPY options on 2024-02-07, two days before expiration, are the published figures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.pricing import american, black, implied
from hd_pipelines.pricing.black import Greeks
from hd_pipelines.pricing.reasons import to_reason_text
from hd_pipelines.pricing.spot_greeks import to_spot_greeks

BROKER = Path(__file__).parents[2].parent / "shared/data/reference_values/american_third_party_1_greeks.csv.gz"
MARKET = {"price": 7.0, "spot": 100.0, "strike": 100.0, "years": 1.0, "rate": 0.05, "dividend_yield": 0.02}


def reason_of(is_call: bool, **changed) -> str | None:
    sigma, code = american.solve(**MARKET | changed, is_call=is_call)
    assert np.isnan(sigma) == (code != 0)
    return to_reason_text(code).item()


@pytest.fixture(scope="module")
def chains() -> tuple[np.ndarray, ...]:
    """100,000 options of all kinds: (spot, strike, years, rate, yield, sigma, is_call)."""
    random = np.random.default_rng(21)
    n = 100_000
    t = np.exp(random.uniform(np.log(1 / 365 / 24 / 60), np.log(3), n))
    sigma = np.exp(random.uniform(np.log(0.08), np.log(3), n))
    strike = np.exp(random.normal(0, 1.2, n) * np.minimum(sigma * np.sqrt(t), 1)) * 100
    rate, dividends = random.uniform(0, 0.08, n), random.uniform(-0.03, 0.08, n)
    return np.full(n, 100.0), strike, t, rate, dividends, sigma, random.random(n) < 0.5


def test_the_volatility_of_a_price_is_found_again(chains):
    *market, sigma, is_call = chains
    price = american.price(*market, sigma, is_call)
    found, code = american.solve(price, *market, is_call)
    vega = 100 * american.greeks(*market, sigma, is_call).vega
    matters = vega > 1e-3 * np.maximum(market[0], market[1])
    assert matters.sum() > 75_000
    assert (code[matters] == 0).all()
    assert np.abs(found - sigma)[matters].max() < 1e-7
    # A volatility is right even where vega is almost 0: it gives the price.
    answered = code == 0
    again = american.price(*market, found, is_call)
    assert np.abs(again - price)[answered].max() < 1e-5 * 100
    assert {*to_reason_text(code[~answered])} <= {"exercise_now", "no_time_value", "no_price"}


def test_what_is_never_exercised_early_has_the_european_volatility():
    strike = np.linspace(80, 120, 41)
    price = black.price(100 * np.exp(0.05), strike, 1, np.exp(-0.05), 0.3, True)
    european = implied.implied_volatility(price, 100 * np.exp(0.05), strike, 1, np.exp(-0.05), True)
    assert american.implied_volatility(price, 100, strike, 1, 0.05, 0, True) == pytest.approx(european, abs=1e-12)


def test_a_price_read_as_european_would_have_too_high_a_volatility():
    price = american.price(100, 115, 1, 0.05, 0, 0.2, False)
    european = implied.implied_volatility(price, 100 * np.exp(0.05), 115, 1, np.exp(-0.05), False)
    assert european > 0.23
    assert american.implied_volatility(price, 100, 115, 1, 0.05, 0, False) == pytest.approx(0.2, abs=1e-9)


@given(st.floats(20, 300), st.floats(0.001, 3), st.floats(-0.02, 0.1), st.floats(-0.05, 0.1), st.floats(0.01, 0.99))
def test_every_price_above_exercise_and_below_its_bound_has_a_volatility(spot, t, rate, dividends, share):
    for is_call in (True, False):
        if reason_of(is_call, spot=spot, years=t, rate=rate, dividend_yield=dividends, price=1.0) == "two_boundaries":
            continue
        floor = american.price(spot, 100, t, rate, dividends, 0, is_call)
        bound = spot * max(1, np.exp(-dividends * t)) if is_call else 100 * max(1, np.exp(-rate * t))
        price = floor + share * (bound - floor)
        sigma, code = american.solve(price, spot, 100, t, rate, dividends, is_call)
        if to_reason_text(code).item() != "above_bound":  # of a European one, at negative rates: its own bound is lower
            assert american.price(spot, 100, t, rate, dividends, sigma, is_call) == pytest.approx(price, abs=2e-3)


def test_a_price_at_or_below_exercise_is_named_and_never_moved():
    # O01
    assert reason_of(False, spot=80, price=20.0) == "exercise_now"
    assert reason_of(True, spot=120, price=20.0, dividend_yield=0.08) == "exercise_now"
    assert reason_of(False, spot=80, price=19.99) == "below_intrinsic"
    assert reason_of(False, spot=80, price=20.01) is None
    # Decimal prices are not exact in binary: 500 - 499.99 is 0.00999999999999.
    assert reason_of(False, spot=499.99, strike=500, price=0.01) == "exercise_now"


def test_a_price_between_exercise_and_the_value_of_waiting_is_below_intrinsic():
    # Without dividends a call waits: 120 - 100 e^-0.05 = 24.88 is certain.
    assert reason_of(True, spot=120, dividend_yield=0, price=24.0) == "below_intrinsic"
    certain = 120 - 100 * np.exp(-0.05)
    assert reason_of(True, spot=120, dividend_yield=0, price=certain) == "no_time_value"
    assert reason_of(True, spot=120, dividend_yield=0, price=certain + 0.1) is None


def test_a_price_at_its_upper_bound_has_no_volatility():
    assert reason_of(True, price=100.0) == "above_bound"
    assert reason_of(False, price=100.0) == "above_bound"
    assert reason_of(False, price=99.0) is None  # more than the discounted strike, which bounds its European twin


@pytest.mark.parametrize("years", [0.0, -1e-9, -1.0])
def test_at_and_after_settlement_there_is_no_time_left(years):
    assert reason_of(True, years=years) == "no_time_left"


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("price", [None, np.inf, 0.0, -1.0], "no_price"),
        ("spot", [None, np.inf, 0.0, -1.0], "no_forward"),
        ("strike", [None, np.inf, 0.0, -1.0], "no_strike"),
        ("years", [None, np.inf], "no_time"),
        ("rate", [None, np.inf, -np.inf], "no_discount"),
        ("dividend_yield", [None, np.inf, -np.inf], "no_discount"),
    ],
)
def test_each_missing_or_impossible_argument_is_named(name, values, reason):
    for is_call in (True, False):
        assert {*to_reason_text(american.solve(**MARKET | {name: values}, is_call=is_call)[1])} == {reason}


def test_two_boundaries_and_numbers_beyond_discounting_are_named():
    assert reason_of(False, rate=-0.01, dividend_yield=-0.03) == "two_boundaries"
    assert reason_of(True, rate=-0.03, dividend_yield=-0.01) == "two_boundaries"
    assert reason_of(True, rate=1e5) == "no_convergence"


def test_greeks_are_the_slopes_of_the_price():
    random = np.random.default_rng(31)
    n = 4000
    t, sigma = random.uniform(0.02, 2, n), random.uniform(0.1, 1, n)
    spot = 100 * np.exp(random.normal(0, 0.8, n) * sigma * np.sqrt(t))
    rate, dividends, is_call = random.uniform(0.001, 0.08, n), random.uniform(-0.02, 0.08, n), random.random(n) < 0.5
    found = american.greeks(spot, 100, t, rate, dividends, sigma, is_call)

    def price(by_spot=1.0, by_time=1.0, more_sigma=0.0, more_rate=0.0):
        return american.price(
            spot * by_spot, 100, t * by_time, rate + more_rate, dividends, sigma + more_sigma, is_call
        )

    h = 1e-3
    up, here, down = price(1 + h), price(), price(1 - h)
    slopes = Greeks(
        delta=(up - down) / (2 * h * spot),
        gamma=(up - 2 * here + down) / (h * spot) ** 2,
        theta=(price(by_time=1 - h) - price(by_time=1 + h)) / (2 * h * t) / 365,
        vega=(price(more_sigma=1e-4) - price(more_sigma=-1e-4)) / 2e-4 / 100,
        rho=(price(more_rate=1e-5) - price(more_rate=-1e-5)) / 2e-5 / 100,
    )
    # The differences are wrong where they reach over the boundary, at which gamma jumps.
    exercise = np.where(is_call, spot - 100, 100 - spot)
    inside = (np.minimum(up, down) > np.maximum(exercise, 0) * (1 + 2 * h) + 1e-4) | (here == exercise)
    inside &= ~((here == exercise) & ((up != spot * (1 + h) - 100) & (down != 100 - spot * (1 - h))))
    assert inside.sum() > 3000
    for name, limit in (("delta", 1e-4), ("gamma", 2e-4), ("theta", 2e-4), ("vega", 1e-4), ("rho", 2e-4)):
        error = np.abs(getattr(found, name) - getattr(slopes, name))[inside]
        assert np.quantile(error, 0.99) < limit, name


def test_where_exercise_is_best_delta_is_one_and_nothing_else_moves():
    assert american.greeks(60, 100, 1, 0.05, 0, 0.2, False) == Greeks(-1, 0, 0, 0, 0)
    assert american.greeks(200, 100, 1, 0.01, 0.08, 0.2, True) == Greeks(1, 0, 0, 0, 0)


def test_greeks_stay_in_their_range(chains):
    found = american.greeks(*chains)
    is_call, *_, dividends = chains[-1], chains[2], chains[4]
    assert all(np.isfinite(greek).all() for greek in found)
    signed = np.where(is_call, found.delta, -found.delta)
    assert signed.min() >= -1e-9
    assert (signed <= np.maximum(1, np.exp(-dividends * chains[2])) + 1e-4).all()
    assert found.gamma.min() >= -1e-9
    assert found.vega.min() >= -1e-5


def test_without_early_exercise_greeks_are_those_to_the_spot_of_black(chains):
    spot, strike, t, rate, _, sigma, _ = (x[:2000] for x in chains)
    forward, discount = spot * np.exp(rate * t), np.exp(-rate * t)
    european = black.spot_greeks(spot, forward, strike, t, discount, sigma, True)
    for ours, theirs in zip(american.greeks(spot, strike, t, rate, 0, sigma, True), european, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-10)
    # Without dividends both ways to theta of this house, with and without the dividends of a day, are one.
    moved = to_spot_greeks(black.greeks(forward, strike, t, discount, sigma, True), spot, forward, t, discount)
    assert moved.theta == pytest.approx(european.theta, rel=1e-9, abs=1e-12)


@pytest.mark.skipif(not BROKER.is_file(), reason=f"the broker's figures are not at {BROKER}")
@pytest.mark.parametrize("side", ["call", "put"])
def test_greeks_are_a_brokers_within_two_percent(side):
    # Its clock is not in the file (TTM is whole days, at which all its prices are 4 % too high): time is that of its price.
    rows = pl.read_csv(BROKER).filter((pl.col("strike") / pl.col("model_undPrice")).is_between(0.985, 1.01))
    names = ("model_undPrice", "strike", "interest_rate", "dividend_yield", f"model_impliedVol_{side}")
    spot, strike, rate, dividends, sigma = (rows[name].cast(float).to_numpy() for name in names)
    low, high = np.full(rows.height, 1.0), np.full(rows.height, 4.0)
    for _ in range(50):
        days = (low + high) / 2
        is_low = (
            american.price(spot, strike, days / 365, rate, dividends, sigma, side == "call")
            < rows[f"model_price_{side}"].to_numpy()
        )
        low, high = np.where(is_low, days, low), np.where(is_low, high, days)
    assert np.abs(days - 2.22).max() < 0.12
    found = american.greeks(spot, strike, days / 365, rate, dividends, sigma, side == "call")
    assert rows.height >= 11
    for name, limit in (("delta", 0.01), ("gamma", 0.02)):
        assert np.abs(getattr(found, name) / rows[f"model_{name}_{side}"].to_numpy() - 1).max() < limit, name
    for name, limit in (("vega", 0.05), ("theta", 0.015)):
        assert np.median(np.abs(getattr(found, name) / rows[f"model_{name}_{side}"].to_numpy() - 1)) < limit, name
