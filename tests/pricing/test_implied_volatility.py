"""European implied volatility: the inverse of the price to its last digits, and every reason for having none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.pricing import black, implied, implied_volatility
from hd_pipelines.pricing.black import greeks
from hd_pipelines.pricing.reasons import CODES, Reason, to_reason_text

MARKET = {"price": 5.0, "forward": 100.0, "strike": 100.0, "years": 0.5, "discount": 0.98, "is_call": True}


def reason_of(**changed) -> str | None:
    sigma, code = implied.solve(**MARKET | changed)
    assert math.isnan(sigma) == (code != 0)
    return to_reason_text(code).item()


def test_over_all_markets_the_volatility_is_exact_where_it_matters():
    # Issue 3: error <= 1e-9 wherever vega (per 1.00) > 1e-6 of the spot. From one minute to ten years, 1 % to 500 %.
    random = np.random.default_rng(5)
    n = 200_000
    years = np.exp(random.uniform(np.log(1 / 365 / 24 / 60), np.log(10), n))
    sigma = np.exp(random.uniform(np.log(0.01), np.log(5), n))
    strike = 100 * np.exp(random.normal(0, 2, n) * np.minimum(sigma * np.sqrt(years), 1.5))
    discount, is_call = random.uniform(0.6, 1.05, n), random.random(n) < 0.5
    market = 100.0, strike, years, discount
    price = black.price(*market, sigma, is_call)
    vega = 100 * greeks(*market, sigma, is_call).vega
    found, reason = implied.solve(price, *market, is_call)
    matters = vega > 1e-6 * 100
    # In the money the price's own last digit moves sigma by more: 2e-16 * price / vega is no error of the solver.
    digits = np.spacing(np.maximum(price, strike) / discount) * 4 / vega
    error = np.abs(found - sigma)
    assert matters.sum() > 150_000
    assert (reason[matters] == 0).all()
    assert (error <= np.maximum(digits, 1e-13 * sigma))[matters].all()
    assert error[matters & (price < 400)].max() < 1e-9


@given(
    st.floats(0.5, 5000),
    st.floats(-2, 2),
    st.floats(1 / 365 / 24 / 60, 5),
    st.floats(0.01, 3),
    st.floats(0.7, 1.05),
    st.booleans(),
)
def test_the_price_at_the_volatility_is_the_price_or_there_is_a_reason(forward, m, years, sigma, discount, is_call):
    strike = forward * np.exp(m * min(1.0, 3 * sigma * np.sqrt(years)))
    price = black.price(forward, strike, years, discount, sigma, is_call)
    found, reason = implied.solve(price, forward, strike, years, discount, is_call)
    if reason == 0:
        again = black.price(forward, strike, years, discount, found, is_call)
        assert abs(again - price) < 1e-14 * max(forward, strike)
    else:
        assert to_reason_text(reason).item() in {Reason.NO_TIME_VALUE, Reason.NO_PRICE, Reason.ABOVE_BOUND}


@given(st.floats(0.1, 60), st.floats(60, 160), st.floats(0.01, 3), st.booleans())
def test_a_more_expensive_option_has_the_higher_volatility(price, strike, years, is_call):
    low, high = implied_volatility([price, price * 1.01], 100, strike, years, 1, is_call)
    assert np.isnan(low) or np.isnan(high) or low < high


def test_a_price_below_intrinsic_is_never_moved_to_it():
    # O01: deep in the money mids lie below; a floor of 0.1 % would be shown as a volatility.
    assert reason_of(forward=120.0, price=0.98 * 20 - 0.01) == "below_intrinsic"
    assert reason_of(strike=120.0, price=0.98 * 20 - 0.01, is_call=False) == "below_intrinsic"
    assert reason_of(forward=120.0, price=0.98 * 20 + 0.01) is None


def test_a_price_at_intrinsic_has_no_volatility():
    assert reason_of(forward=120.0, discount=1.0, price=20.0) == "no_time_value"


def test_a_price_at_its_upper_bound_has_no_volatility():
    assert reason_of(price=0.98 * 100) == "above_bound"
    assert reason_of(price=500.0) == "above_bound"
    assert reason_of(price=0.98 * 100, is_call=False) == "above_bound"
    assert reason_of(price=0.98 * 99.9) is None


@pytest.mark.parametrize("years", [0.0, -1e-9, -0.5])
def test_at_and_after_settlement_there_is_no_time_left(years):
    # O02
    assert reason_of(years=years) == "no_time_left"


def test_a_minute_before_the_close_there_still_is():
    # O02, expiry today at 15:59.
    minute = 1 / 365 / 24 / 60
    price = black.price(100, 100, minute, 1, 0.4, True)
    assert implied_volatility(price, 100, 100, minute, 1, True) == pytest.approx(0.4, rel=1e-12)


def test_at_the_money_the_last_seconds_have_a_volatility_too():
    # Forward and strike equal, or equal but for rounding; one second at 1 % is a deviation of 2e-6.
    deviation = np.geomspace(1e-6, 1, 400)
    for gap in (0.0, 1e-15, 1e-12, 1e-9, 1e-7, 1e-5):
        strike = 5000 * (1 + gap)
        price = black.price(5000, strike, 1, 1, deviation, True)
        found = implied_volatility(price, 5000, strike, 1, 1, True)[deviation > 10 * gap]
        assert found == pytest.approx(deviation[deviation > 10 * gap], rel=1e-10)


def test_where_vega_is_almost_nothing_the_answer_is_exact_or_missing_but_never_garbage():
    # O03: 8 to 37 deviations out of the money, where Newton divides by zero.
    strike = 100 * np.exp(0.2 * np.arange(8.0, 37.0))
    price = black.price(100, strike, 1, 1, 0.2, True)
    assert price[-1] < 1e-280
    assert implied_volatility(price, 100, strike, 1, 1, True) == pytest.approx(np.full(strike.size, 0.2), rel=1e-11)
    in_the_money = black.price(100, strike, 1, 1, 0.2, False)
    assert {*to_reason_text(implied.solve(in_the_money, 100, strike, 1, 1, False)[1])} <= {
        "no_time_value",
        "below_intrinsic",
        "above_bound",
        None,
    }


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("price", [None, np.nan, np.inf, 0.0, -1.0], "no_price"),
        ("forward", [None, np.nan, np.inf, 0.0, -1.0], "no_forward"),
        ("strike", [None, np.nan, np.inf, 0.0, -1.0], "no_strike"),
        ("years", [None, np.nan, np.inf], "no_time"),
        ("discount", [None, np.nan, np.inf, 0.0, -1.0], "no_discount"),
    ],
)
def test_each_missing_or_impossible_argument_is_named(name, values, reason):
    assert {*to_reason_text(implied.solve(**MARKET | {name: values})[1])} == {reason}


def test_what_floating_point_cannot_settle_has_a_reason_and_no_guess():
    assert reason_of(strike=1e308, price=1e-300) in {"no_convergence", None}


def test_codes_and_texts_are_one_list():
    assert to_reason_text(range(len(CODES) + 1)).to_list() == [None, *(reason.value for reason in Reason)]
    with pytest.raises(ValueError, match="reason codes run from 0"):
        to_reason_text([len(CODES) + 1])
    with pytest.raises(ValueError, match="reason codes run from 0"):
        to_reason_text([-1])
