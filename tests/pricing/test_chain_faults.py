"""Faults of chains beyond single quotes: impossible terms, unknown rights, no vendor values; laws of the results."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.pricing import black
from hd_pipelines.pricing.forwards import find_implied_forward
from hd_pipelines.pricing.valuation import value_chain
from tests.pricing.synthetic_chain import as_chain, contract, european_chain, years_to

SNAPSHOT = datetime(2023, 9, 14, 19, 0, tzinfo=UTC)
OCTOBER, NOVEMBER = date(2023, 10, 20), date(2023, 11, 17)
STRIKES = [float(strike) for strike in range(3600, 5401, 50)]


@pytest.fixture(scope="module")
def chain() -> pl.DataFrame:
    return european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES)


def test_an_option_with_hardly_any_vega_still_has_its_volatility():
    # Three minutes to the close, nine standard deviations out: worth 1e-18 or so, where Newton's step is 0 / 0.
    moment, expiration = datetime(2023, 9, 15, 19, 57, tzinfo=UTC), date(2023, 9, 15)
    whole = european_chain(
        moment, [("SPXW", expiration), ("SPXW", NOVEMBER)], [*STRIKES, 4495.0, 4505.0], rate=0.0, dividends=0.0
    )
    sigma, deviation = 0.18, 0.18 * math.sqrt(years_to(moment, "SPXW", expiration))
    strike = 4500 * math.exp(9 * deviation)

    def upper_tail(distance: float) -> float:
        return math.erfc(distance / math.sqrt(2)) / 2

    price = 4500 * upper_tail(9 - deviation / 2) - strike * upper_tail(9 + deviation / 2)
    assert 0 < price < 1e-15
    far = contract(moment, "SPXW", expiration, "call", strike, price, price, 4500.0, "I:SPX")
    valued = value_chain(pl.concat([whole, as_chain([far])])).filter(pl.col("contract_ticker") == far["ticker"])
    assert valued["implied_volatility"].to_list() == pytest.approx([sigma], rel=1e-3)
    assert 0 < valued["vega"].item() < 1e-12


@pytest.mark.parametrize("strike", [0.0, -100.0, math.nan, math.inf, None])
def test_an_impossible_strike_has_no_volatility_and_does_not_affect_others(chain, strike):
    strange = as_chain(
        [
            contract(SNAPSHOT, "SPXW", NOVEMBER, kind, 9999.0, 10.0, 10.2, 4500.0, "I:SPX") | {"strike": strike}
            for kind in ("call", "put")
        ]
    )
    valued = value_chain(pl.concat([chain, strange]))
    impossible = pl.col("contract_ticker").is_in(strange["ticker"].to_list())
    assert valued.filter(impossible)["iv_reason"].unique().to_list() == ["no_strike"]
    assert valued.filter(~impossible).equals(value_chain(chain))


@pytest.mark.parametrize("spot", [0.0, -4500.0, math.nan, math.inf, None])
def test_an_impossible_price_of_the_underlying_counts_as_missing(chain, spot):
    blind = value_chain(chain.with_columns(underlying_price=pl.lit(spot, pl.Float64)))
    assert blind["underlying_price"].null_count() == blind.height
    assert blind["implied_volatility"].equals(value_chain(chain)["implied_volatility"])


@pytest.mark.parametrize("carry", [(-0.005, 0.0), (0.02, 0.09), (0.0, 0.0)])
def test_negative_rates_and_yields_above_the_rate_are_ordinary(carry):
    rate, dividends = carry
    valued = value_chain(european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES, rate=rate, dividends=dividends))
    moneyness = (pl.col("strike") / pl.col("forward")).log()
    error = (pl.col("implied_volatility") - (0.18 - 0.35 * moneyness + 0.6 * moneyness**2)).abs()
    assert valued.filter(moneyness.abs() < 0.1).select(error.max()).item() < 1e-4


@pytest.mark.parametrize("right", ["C", "Call", "CALL", "", None])
def test_a_right_that_is_neither_call_nor_put_is_refused(chain, right):
    wrong = chain.with_columns(
        option_type=pl.when(pl.col("option_type") == "call").then(pl.lit(right)).otherwise("option_type")
    )
    for valuation in (value_chain, find_implied_forward):
        with pytest.raises(ValueError, match=r"O:SPXW231117C0\d+ with option_type"):
            valuation(wrong)


def test_every_value_names_its_model(chain):
    valued = value_chain(chain)
    assert valued.filter(pl.col("implied_volatility").is_not_null())["model"].null_count() == 0


def test_the_vendors_figures_have_no_influence(chain):
    without = value_chain(chain)
    vendor = [name for name in CHAIN if name.startswith("vendor_")]
    assert without["implied_volatility"].null_count() < without.height
    for value in (0.0, 9.99, math.nan):
        assert value_chain(chain.with_columns(pl.lit(value).alias(name) for name in vendor)).equals(without)


def test_a_snapshot_in_two_pages_that_repeat_a_contract_is_one_snapshot(chain):
    first, second = chain.head(40), chain.slice(35)
    assert value_chain(pl.concat([first, second])).equals(value_chain(chain))


def test_duplicates_without_times_are_settled_by_the_last_page(chain):
    timeless = chain.with_columns(quote_at=pl.lit(None, CHAIN["quote_at"]))
    stale = timeless.with_columns(pl.col("bid", "ask") * 2)
    assert value_chain(pl.concat([stale, timeless])).equals(value_chain(timeless))


def test_a_chain_of_calls_below_and_puts_above_has_no_parity_but_volatilities_by_carry():
    # Half of each side missing, the halves disjoint: no strike has both.
    whole = european_chain(SNAPSHOT, [("SPXW", OCTOBER), ("SPXW", NOVEMBER)], STRIKES)
    is_call = pl.col("option_type") == "call"
    halved = whole.filter((pl.col("expiration") != OCTOBER) | (is_call == (pl.col("strike") >= 4500)))
    valued, known = value_chain(halved), value_chain(whole)
    both = valued.join(known, on="contract_ticker", suffix="_whole").filter(expiration=OCTOBER)
    assert both["model"].unique().to_list() == ["black_76_spot_carry"]
    assert both.select((pl.col("forward") / pl.col("forward_whole") - 1).abs().max()).item() < 1e-5
    near = both.filter(pl.col("strike").is_between(4300, 4700))
    off = pl.col("implied_volatility") - pl.col("implied_volatility_whole")
    assert near["implied_volatility"].null_count() == 0
    assert near.select(off.abs().max()).item() < 1e-4


@settings(deadline=None, max_examples=30)
@given(
    spot=st.floats(50, 8000),
    level=st.floats(0.05, 1.5),
    rate=st.floats(-0.01, 0.12),
    dividends=st.floats(0, 0.08),
    days=st.integers(0, 700),
)
def test_what_has_a_volatility_gives_its_price_back_and_keeps_the_laws(spot, level, rate, dividends, days):
    expiration = (SNAPSHOT + timedelta(days=days)).date()
    strikes = [round(spot * ratio, 1) for ratio in np.linspace(0.7, 1.3, 13)]
    listed = european_chain(
        SNAPSHOT,
        [("SPXW", expiration)],
        strikes,
        spot=spot,
        rate=rate,
        dividends=dividends,
        smile=lambda _: level,
        spread=0.0,
    )
    curve = pl.DataFrame({"date": [SNAPSHOT.date()], "years": [1.0], "rate": [rate]})
    valued = value_chain(listed, curve)
    assert (valued["implied_volatility"].is_null() == valued["iv_reason"].is_not_null()).all()
    answered = valued.filter(pl.col("implied_volatility").is_not_null())
    assert answered.height >= 1
    numbers = (answered[name] for name in ("forward", "strike", "years", "discount", "implied_volatility"))
    is_call = (answered["option_type"] == "call").to_numpy()
    again = black.price(*numbers, is_call)
    assert np.abs(again - answered["mid_price"].to_numpy()).max() < 1e-8 * spot
    assert (answered["gamma"] >= 0).all()
    assert (answered["vega"] >= 0).all()
    largest = (answered["forward"] * answered["discount"] / answered["underlying_price"]).to_numpy() * (1 + 1e-12)
    delta = answered["delta"].to_numpy()
    assert (np.where(is_call, delta, -delta) >= 0).all()
    assert (np.abs(delta) <= largest).all()
    for right, falls in (("call", True), ("put", False)):
        prices = answered.filter(option_type=right).sort("strike")["mid_price"].diff().drop_nulls()
        assert ((prices <= 0) if falls else (prices >= 0)).all()
