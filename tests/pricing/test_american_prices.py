"""American prices compared with QuantLib and with published tables, and the laws of early exercise.

Oracle: QuantLib's QdFpAmericanEngine, high precision scheme. Published: Ju, "Pricing an American Option by Approximating
Its Early Exercise Boundary" (1999), and Barone-Adesi and Whaley and Bjerksund and Stensland in Haug (1998). The tables
contain approximations, right to a few cents at a strike of 100; QuantLib's own test allows 0.08 between its grid and Ju's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import QuantLib
from hypothesis import example, given
from hypothesis import strategies as st

from hd_pipelines.pricing import american, black

PUBLISHED = Path(__file__).parents[2].parent / "shared/data/reference_values/option_prices_haug_ju.csv.gz"

spots = st.floats(30, 300)
years = st.floats(1 / 365 / 24 / 60, 3)
rates = st.floats(-0.02, 0.12)
yields = st.floats(-0.02, 0.12)
sigmas = st.floats(0.03, 2)


def oracle(spot, strike, t, rate, dividend_yield, sigma, is_call):
    """QuantLib's price. Time is made one year and everything else scaled to it, as its calendar knows whole days only."""
    today, days = QuantLib.Date(1, 1, 2024), QuantLib.Actual365Fixed()
    QuantLib.Settings.instance().evaluationDate = today
    curve = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, float(x * t), days))
        for x in (dividend_yield, rate)
    ]
    smile = QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), float(sigma * np.sqrt(t)), days)
    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(spot))), *curve, QuantLib.BlackVolTermStructureHandle(smile)
    )
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if is_call else QuantLib.Option.Put, float(strike))
    option = QuantLib.VanillaOption(payoff, QuantLib.AmericanExercise(today, today + 365))
    option.setPricingEngine(QuantLib.QdFpAmericanEngine(process, QuantLib.QdFpAmericanEngine.highPrecisionScheme()))
    return option.NPV()


def is_modelled(rate, dividend_yield, is_call):
    own, other = (dividend_yield, rate) if is_call else (rate, dividend_yield)
    return not other < own < 0


def markets(n: int, seed: int, sigma: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Random markets around the money with one boundary or none: 5 minutes to 3 years, every sign of rate and yield."""
    random = np.random.default_rng(seed)
    t = np.exp(random.uniform(np.log(5 / 365 / 24 / 60), np.log(3), n))
    vol = np.exp(random.uniform(*np.log(sigma), n))
    rate = np.where(random.random(n) < 0.1, 0.0, random.uniform(-0.02, 0.12, n))
    dividends = np.where(random.random(n) < 0.2, 0.0, random.uniform(-0.05, 0.12, n))
    spot = 100 * np.exp(random.normal(0, 1.2, n) * np.minimum(vol * np.sqrt(t), 1))
    is_call = random.random(n) < 0.5
    kept = np.array([is_modelled(*one) for one in zip(rate, dividends, is_call, strict=True)])
    return tuple(x[kept] for x in (spot, np.full(n, 100.0), t, rate, dividends, vol, is_call))


def errors(market) -> np.ndarray:
    """Differences to QuantLib, as shares of the larger of spot and strike."""
    expected = np.array([oracle(*one) for one in zip(*market, strict=True)])
    return np.abs(american.price(*market) - expected) / np.maximum(market[0], market[1])


def test_prices_are_quantlibs_to_a_hundred_thousandth():
    found = errors(markets(250, seed=11, sigma=(0.08, 2.5)))
    assert found.max() < 1e-5
    assert np.quantile(found, 0.9) < 1e-6


def test_where_drift_dominates_volatility_prices_are_still_good():
    # Volatilities of 2 to 8 % at rates of up to 12 %: the plain fixed-point iteration errs by 2e-3 here.
    assert errors(markets(150, seed=12, sigma=(0.02, 0.08))).max() < 6e-5


def test_volatilities_of_many_hundred_percent_have_prices():
    assert errors(markets(60, seed=13, sigma=(2.5, 8.0))).max() < 3e-5


def test_an_option_on_vix_like_terms_with_minutes_to_live_is_priced():
    minute = 1 / 365 / 24 / 60
    for minutes in (1, 5, 30):
        market = (20.1, 20.0, minutes * minute, 0.05, 0.03, 1.2, False)
        assert american.price(*market) == pytest.approx(oracle(*market), abs=2e-6)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason=f"the published prices are not at {PUBLISHED}")
@pytest.mark.parametrize(
    ("model", "origin", "rows", "limit"),
    [
        ("american_ju_true", "Exhibit 3", 27, 0.016),
        ("american_ju_true", "Exhibit 6", 20, 0.08),
        ("american_baw", "Haug", 36, 0.04),
        ("american_bjs", "Haug", 2, 0.04),
    ],
)
def test_prices_are_the_published_ones_within_their_approximation(model, origin, rows, limit):
    table = pl.read_csv(PUBLISHED).filter(pl.col("origin").str.contains(origin), model=model)
    market = tuple(table[name].to_numpy() for name in ("spot", "strike", "t", "r", "q", "vol"))
    market = (*market, (table["right"] == "call").to_numpy())
    assert table.height == rows
    assert np.abs(american.price(*market) - table["value"].to_numpy()).max() < limit
    assert errors(market).max() < 1e-5


@given(spots, years, rates, yields, sigmas)
def test_a_call_is_the_put_with_spot_and_strike_and_rate_and_yield_exchanged(spot, t, rate, dividends, sigma):
    call = american.price(spot, 100, t, rate, dividends, sigma, True)
    put = american.price(100, spot, t, dividends, rate, sigma, False)
    assert call == pytest.approx(put, rel=1e-14, nan_ok=True)


@given(spots, years, rates, yields, sigmas, st.booleans())
@example(spot=30.0, t=1.0, rate=0.0, dividends=-1e-17, sigma=0.25, is_call=False)
def test_an_american_option_is_worth_its_exercise_and_its_european_twin(spot, t, rate, dividends, sigma, is_call):
    worth = american.price(spot, 100, t, rate, dividends, sigma, is_call)
    premium = american.early_exercise_premium(spot, 100, t, rate, dividends, sigma, is_call)
    if not is_modelled(rate, dividends, is_call):
        assert np.isnan(worth)
        assert np.isnan(premium)
        return
    european = black.price(spot * np.exp((rate - dividends) * t), 100, t, np.exp(-rate * t), sigma, is_call)
    exercise = max(spot - 100 if is_call else 100 - spot, 0)
    assert premium >= 0
    # Where rate and yield are both next to zero the boundary lies too high, so exercise is taken for the better by up to
    # two millionths of the strike.
    is_exercised = worth == pytest.approx(exercise, abs=1e-11)
    assert worth == pytest.approx(european + premium, abs=2e-4 if is_exercised and abs(rate) <= 1e-4 else 1e-11)
    assert worth >= exercise - 1e-12


@given(spots, years, st.floats(0, 0.12), st.floats(0, 0.12), sigmas, st.booleans())
def test_prices_rise_with_volatility_and_time(spot, t, rate, dividends, sigma, is_call):
    # At a step in which the true price is flat, two boundaries may err by 1e-5 in opposite directions.
    slack = 2e-5 * max(spot, 100)
    base, volatile, longer = (
        american.price(spot, 100, t * k, rate, dividends, sigma * h, is_call) for k, h in ((1, 1), (1, 1.1), (1.1, 1))
    )
    assert volatile >= base - slack
    assert longer >= base - slack


@given(spots, years, sigmas, st.floats(0, 0.12))
def test_without_dividends_a_call_and_without_interest_a_put_are_european(spot, t, sigma, rate):
    assert american.early_exercise_premium(spot, 100, t, rate, 0.0, sigma, True) == 0
    assert american.early_exercise_premium(spot, 100, t, 0.0, rate, sigma, False) == 0
    assert american.early_exercise_premium(spot, 100, t, -0.01, 0.0, sigma, False) == 0


def test_the_premium_is_left_out_only_where_it_is_nothing():
    spot = 100 * np.exp(np.linspace(0, 2.5, 500))
    premium = american.early_exercise_premium(spot, 100, 1, 0.08, 0.0, 0.2, False)
    assert (np.diff(premium) <= 0).all()
    assert premium[-1] == 0
    assert premium[premium > 0].min() < 1e-10 * 100


def test_deep_in_the_money_it_is_worth_its_exercise_to_the_digit():
    assert american.price(60, 100, 1, 0.05, 0.0, 0.2, False) == pytest.approx(40, rel=1e-15)
    assert american.price(200, 100, 1, 0.01, 0.08, 0.2, True) == pytest.approx(100, rel=1e-15)


def test_exercised_between_two_prices_it_is_not_priced():
    # Rate and yield negative: a put is exercised below one price but not below another (Andersen and Lake, 2021).
    put = (80.0, 100.0, 1.0, -0.01, -0.03, 0.2, False)
    assert np.isnan(american.price(*put))
    assert np.isnan(american.early_exercise_premium(*put))
    assert np.isnan(american.greeks(*put)).all()
    assert np.isfinite(american.price(80.0, 100.0, 1.0, -0.03, -0.01, 0.2, False))


def test_without_volatility_or_time_the_best_certain_payoff_is_the_price():
    assert american.price(90, 100, 1, 0.05, 0, 0, False) == pytest.approx(10)
    assert american.price(110, 100, 2, 0.02, 0, 0, True) == pytest.approx(110 - 100 * np.exp(-0.04))
    assert american.price(90, 100, 0, 0.05, 0.1, 0.3, False) == pytest.approx(10)
    # A spot that drifts down pays to wait for, until the interest on the strike is worth more.
    when = np.log(0.08 / 0.02 * 0.5) / 0.06
    worth = 100 * np.exp(-0.02 * when) - 50 * np.exp(-0.08 * when)
    assert american.price(50, 100, 30, 0.02, 0.08, 0, False) == pytest.approx(worth, rel=1e-12)
    assert american.price(50, 100, 30, 0.02, 0.08, 1e-4, False) == pytest.approx(worth, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("spot", [0, -1, np.nan, np.inf]),
        ("strike", [0, -1, np.nan, np.inf]),
        ("years", [-1e-9, np.nan, np.inf]),
        ("rate", [np.nan, np.inf, -np.inf]),
        ("dividend_yield", [np.nan, np.inf, -np.inf]),
        ("sigma", [-1e-9, np.nan, np.inf]),
    ],
)
def test_an_impossible_market_has_no_price(name, values):
    market = {"spot": 100, "strike": 100, "years": 1, "rate": 0.05, "dividend_yield": 0.02, "sigma": 0.2}
    for is_call in (True, False):
        given = market | {name: values, "is_call": is_call}
        assert np.isnan(american.price(**given)).all()
        assert np.isnan(american.greeks(**given)).all()
