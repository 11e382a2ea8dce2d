"""American chains: the forward and volatility without the early exercise premium.

Prices come from `american.price`, which test_american_prices checks against QuantLib. These tests show that a chain of such
prices, known only by bid and ask, gives back the forward and the volatility that made it.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hd_pipelines.pricing import american, implied
from hd_pipelines.pricing.aggregates import value_aggregates
from hd_pipelines.pricing.forwards import find_implied_forward
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.tables.vocabulary import PriceSource
from tests.pricing.synthetic_chain import as_chain, contract, years_to
from validation.iv_against_vendor import compare_sides_of_strike, value_beside_vendor

SNAPSHOT = datetime(2023, 9, 14, 19, 0, tzinfo=UTC)
MONTH, QUARTER, YEAR, LEAPS = date(2023, 10, 20), date(2023, 12, 15), date(2024, 9, 20), date(2026, 1, 16)
STRIKES = np.arange(300.0, 601.0, 5.0)
SHARED = Path(__file__).parents[2].parent / "shared"


def rates_of(rate: float, day: date = date(2023, 9, 14)) -> pl.DataFrame:
    return pl.DataFrame({"date": [day, day], "years": [0.1, 1.0], "rate": [rate, rate]})


def american_chain(rate: float, dividends: float, sigma: float, *expirations: date) -> pl.DataFrame:
    """SPY at 450, quoted two cents to either side of the model's price."""
    rows = []
    for expiration in expirations:
        years = years_to(SNAPSHOT, "SPY", expiration)
        for kind in ("call", "put"):
            values = american.price(450.0, STRIKES, years, rate, dividends, sigma, kind == "call")
            for strike, value in zip(STRIKES.tolist(), values.tolist(), strict=True):
                half = min(0.02, value / 20)
                rows.append(
                    contract(SNAPSHOT, "SPY", expiration, kind, strike, value - half, value + half, 450.0, "SPY")
                )
    return as_chain(rows)


@pytest.mark.parametrize(
    ("rate", "dividends", "sigma"),
    [
        (0.05, 0.015, 0.20),
        (0.05, 0.0, 0.40),
        (0.02, 0.06, 0.25),
        (0.053, 0.013, 0.13),
        (0.10, 0.0, 0.80),
        (0.0, 0.0, 0.3),
    ],
)
def test_forward_and_volatility_are_found_without_the_premium(rate, dividends, sigma):
    chain = american_chain(rate, dividends, sigma, MONTH, QUARTER, YEAR, LEAPS)
    valued = value_chain(chain, rates_of(rate))
    assert valued["model"].unique().to_list() == ["american"]
    true = 450 * ((rate - dividends) * pl.col("years")).exp()
    off = valued.group_by("expiration").agg((pl.col("forward") / true - 1).abs().max().alias("off"))
    assert off.filter(pl.col("expiration") < LEAPS)["off"].max() < 3e-6
    assert off["off"].max() < 2e-5
    near = valued.filter((pl.col("strike") / 450).log().abs() < 0.1, pl.col("implied_volatility").is_not_null())
    assert near.select((pl.col("implied_volatility") - sigma).abs().max()).item() < 5e-5


def test_mids_taken_as_european_would_be_far_off():
    # What the test above would not notice if the premium were small: it is not.
    valued = value_chain(american_chain(0.05, 0.015, 0.2, YEAR), rates_of(0.05))
    put = valued.filter(strike=500.0, option_type="put").row(0, named=True)
    taken = implied.implied_volatility(
        put["mid_price"], put["forward"], 500.0, put["years"], put["discount"], is_call=False
    )
    assert taken - put["implied_volatility"] > 0.02


def test_a_price_at_its_exercise_value_has_no_volatility():
    valued = value_chain(american_chain(0.05, 0.0, 0.2, MONTH), rates_of(0.05))
    deep = valued.filter(strike=580.0, option_type="put").row(0, named=True)
    assert deep["mid_price"] == pytest.approx(130.0, abs=1e-9)
    assert deep["iv_reason"] == "exercise_now"
    assert deep["implied_volatility"] is deep["delta"] is deep["gamma"] is None


def test_an_american_chain_does_not_imply_its_own_rate():
    chain = american_chain(0.05, 0.015, 0.2, QUARTER)
    assert value_chain(chain)["iv_reason"].unique().to_list() == ["no_discount"]
    known = find_implied_forward(chain, rates_of(0.05))
    years = years_to(SNAPSHOT, "SPY", QUARTER)
    assert known.discount == pytest.approx(math.exp(-0.05 * years), rel=1e-12)
    assert known.forward == pytest.approx(450 * math.exp(0.035 * years), rel=1e-6)


def test_without_a_price_of_the_underlying_there_is_no_american_volatility():
    blind = american_chain(0.05, 0.015, 0.2, QUARTER).with_columns(underlying_price=pl.lit(None, pl.Float64))
    assert value_chain(blind, rates_of(0.05))["iv_reason"].unique().to_list() == ["no_forward"]


def test_exercise_style_comes_from_the_source_or_else_from_the_root():
    chain = american_chain(0.05, 0.015, 0.2, QUARTER)
    silent = chain.with_columns(exercise_style=pl.lit(None, pl.String))
    assert value_chain(silent, rates_of(0.05)).equals(
        value_chain(chain, rates_of(0.05)).with_columns(exercise_style=pl.lit(None, pl.String))
    )
    european = value_chain(chain.with_columns(exercise_style=pl.lit("european")), rates_of(0.05))
    assert european["model"].unique().to_list() == ["black_76"]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the market recordings are not at {SHARED}")
def test_call_and_put_of_recorded_spy_strikes_agree_better_than_the_vendors():
    # SPY of 2021, 20 contracts a day; the vendor's figures come in steps of 0.00976.
    beside = value_beside_vendor(SHARED / "recordings" / "spy-2021", "SPY")
    assert beside["iv_reason"].drop_nulls().value_counts().sort("count").rows() == [
        ("below_intrinsic", 1),
        ("crossed", 17),
    ]
    (strikes, ours, vendors, _) = compare_sides_of_strike(beside).row(0)
    assert strikes > 450
    assert ours < 0.3 * vendors


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the recorded option minutes are not at {SHARED}")
def test_a_day_of_recorded_stock_option_trades_has_volatilities():
    # AAPL on 2014-06-06, the Friday before its split of 7:1: raw strikes beside a raw price of 647.
    folder, eastern = SHARED / "data" / "lean_intraday", "America/New_York"
    begins = pl.col("time_et").dt.replace_time_zone(eastern).dt.epoch("ns")
    strike = (pl.col("strike") * 1000).round().cast(pl.Int64).cast(pl.String).str.zfill(8)
    right = pl.col("right").str.head(1).str.to_uppercase()
    ymd = pl.col("expiration").dt.strftime("%y%m%d")
    trades = pl.read_parquet(folder / "options_minute" / "aapl_20140606_trade.parquet").with_columns(
        ticker=pl.concat_str(pl.lit("O:AAPL"), ymd, right, strike), window_start=begins
    )
    stock = pl.read_parquet(folder / "underlying_minute_trade.parquet").filter(symbol="AAPL")
    valued = value_aggregates(
        trades,
        stock.with_columns(ticker="symbol", window_start=begins),
        rates_of(0.001, date(2014, 6, 6)),
        PriceSource.OPTION_MINUTE,
    )
    assert valued.height == 22_067
    assert set(valued["model"]) == {"american", "american_spot_carry", "american_spot_rate"}
    assert valued["implied_volatility"].count() / valued.height > 0.96
    # One week out, within 3 % of the money: the three ways to a forward agree, and the day is a calm one.
    week = valued.filter(
        pl.col("expiration") == date(2014, 6, 13), (pl.col("strike") / pl.col("underlying_price")).log().abs() < 0.03
    )
    levels = week.group_by("model").agg(
        level=pl.col("implied_volatility").median(), spread=pl.col("implied_volatility").std()
    )
    assert levels["level"].is_between(0.265, 0.275).all()
    assert (levels["spread"] < 0.01).all()
