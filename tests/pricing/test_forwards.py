"""Forwards and discounts from option prices alone."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.pricing.forwards import find_implied_forward
from hd_pipelines.pricing.valuation import value_chain
from tests.pricing.synthetic_chain import european_chain, years_to

SNAPSHOT = datetime(2023, 9, 14, 19, 0, tzinfo=UTC)
OCTOBER, NOVEMBER, DECEMBER = date(2023, 10, 20), date(2023, 11, 17), date(2023, 12, 15)
STRIKES = [float(strike) for strike in range(3600, 5401, 25)]


def rates_of(rate: float, day: date = date(2023, 9, 14)) -> pl.DataFrame:
    return pl.DataFrame({"date": [day, day], "years": [0.1, 1.0], "rate": [rate, rate]})


def forwards(valued: pl.DataFrame) -> dict[tuple[str, date], tuple[float, float, str]]:
    rows = valued.select("root", "expiration", "forward", "discount", "model").unique().rows()
    return {(root, expiration): (forward, discount, model) for root, expiration, forward, discount, model in rows}


@settings(deadline=None, max_examples=25)
@given(rate=st.floats(-0.01, 0.10), dividends=st.floats(0.0, 0.05))
def test_forward_and_rate_are_recovered_from_prices(rate, dividends):
    chain = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES, rate=rate, dividends=dividends)
    years = years_to(SNAPSHOT, "SPXW", NOVEMBER)
    answer = find_implied_forward(chain)
    assert answer.reason is None
    assert answer.forward == pytest.approx(4500 * math.exp((rate - dividends) * years), rel=1e-6)
    assert answer.discount == pytest.approx(math.exp(-rate * years), rel=1e-5)
    assert answer.residual == pytest.approx(0, abs=1e-3)


def test_a_wrong_quote_does_not_move_the_forward():
    chain = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES)
    wrong = (pl.col("strike") == 4600) & (pl.col("option_type") == "call")
    broken = chain.with_columns(pl.when(wrong).then(pl.col("bid", "ask") + 60).otherwise(pl.col("bid", "ask")))
    assert find_implied_forward(broken).forward == pytest.approx(find_implied_forward(chain).forward, rel=2e-6)


def test_spx_and_spxw_of_one_date_have_forwards_of_their_own():
    listed = [("SPX", OCTOBER), ("SPXW", OCTOBER), ("SPXW", DECEMBER)]
    found = forwards(value_chain(european_chain(SNAPSHOT, listed, STRIKES, rate=0.05, dividends=0.0)))
    morning, afternoon = found["SPX", OCTOBER], found["SPXW", OCTOBER]
    six_and_a_half_hours = 6.5 / (24 * 365)
    assert math.log(afternoon[0] / morning[0]) == pytest.approx(0.05 * six_and_a_half_hours, rel=1e-3)
    assert afternoon[1] < morning[1]


def test_two_pairs_are_no_parity():
    chain = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], [4500.0, 4525.0])
    answer = find_implied_forward(chain, rates_of(0.05))
    assert (answer.forward, answer.pairs, answer.reason) == (None, 2, "no_forward")


def test_a_short_expiration_takes_the_rate_of_its_neighbours():
    listed = [("SPXW", date(2023, 9, 18)), ("SPXW", NOVEMBER), ("SPXW", DECEMBER)]
    found = forwards(value_chain(european_chain(SNAPSHOT, listed, STRIKES, rate=0.05)))
    years = years_to(SNAPSHOT, "SPXW", date(2023, 9, 18))
    assert -math.log(found["SPXW", date(2023, 9, 18)][1]) / years == pytest.approx(0.05, abs=2e-4)


def test_a_chain_without_any_pair_grows_the_spot_at_the_rate_with_a_label():
    chain = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES, dividends=0.0)
    puts = chain.filter(pl.col("option_type") == "put")
    years = years_to(SNAPSHOT, "SPXW", NOVEMBER)
    ((forward, _, model),) = forwards(value_chain(puts, rates_of(0.05))).values()
    assert forward == pytest.approx(4500 * math.exp(0.05 * years), rel=1e-9)
    assert model == "black_76_spot_rate"


def test_without_pairs_and_rates_there_is_no_forward_and_no_volatility():
    chain = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES)
    valued = value_chain(chain.filter(pl.col("option_type") == "put"))
    assert valued["forward"].null_count() == valued["implied_volatility"].null_count() == valued.height
    assert valued["iv_reason"].unique().to_list() == ["no_discount"]
    assert valued["model"].null_count() == valued.height


def test_an_expiration_without_pairs_is_carried_between_its_neighbours_with_a_label():
    listed = [("SPXW", date(2023, 10, 6)), ("SPXW", NOVEMBER), ("SPXW", DECEMBER)]
    chain = european_chain(SNAPSHOT, listed, STRIKES)
    halved = chain.filter(
        (pl.col("expiration") != NOVEMBER) | ((pl.col("option_type") == "put") == (pl.col("strike") % 50 == 0))
    )
    whole, partial = forwards(value_chain(chain)), forwards(value_chain(halved))
    assert partial["SPXW", NOVEMBER][2] == "black_76_spot_carry"
    assert partial["SPXW", NOVEMBER][0] == pytest.approx(whole["SPXW", NOVEMBER][0], rel=1e-5)
    assert partial["SPXW", DECEMBER][2] == "black_76"


def test_rates_of_a_later_day_are_not_known_yet():
    puts = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES).filter(pl.col("option_type") == "put")
    assert value_chain(puts, rates_of(0.05, date(2023, 9, 15)))["forward"].null_count() == puts.height
    assert value_chain(puts, rates_of(0.05, date(2023, 9, 13)))["forward"].null_count() == 0


def test_a_curve_of_last_month_is_not_todays():
    puts = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES).filter(pl.col("option_type") == "put")
    assert value_chain(puts, rates_of(0.05, date(2023, 8, 14)))["forward"].null_count() == puts.height


def test_rates_with_another_layout_are_refused_by_name():
    puts = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES)
    with pytest.raises(ValueError, match="rate"):
        value_chain(puts, pl.DataFrame({"date": [date(2023, 9, 14)], "years": [1.0]}))


def test_a_split_adjusted_spot_beside_raw_strikes_is_noticed():
    chain = european_chain(SNAPSHOT, [("SPXW", NOVEMBER)], STRIKES).with_columns(pl.col("underlying_price") / 7)
    valued = value_chain(chain)
    assert valued["iv_reason"].unique().to_list() == ["spot_mismatch"]
    assert valued["forward"].null_count() == valued.height


def test_options_on_vix_have_the_forwards_of_its_futures_or_none():
    # The index at 14, its futures at 17 and 19: no carry explains that, and none may be made up.
    october, november = date(2023, 10, 18), date(2023, 11, 15)
    strikes = [float(strike) for strike in range(10, 31)]
    listed = {october: 17.0, november: 19.0}
    chain = pl.concat(
        european_chain(
            SNAPSHOT,
            [("VIX", expiration)],
            strikes,
            spot=future,
            rate=0.05,
            dividends=0.05,
            spread=0.02,
            smile=lambda _: 0.9,
            underlying="I:VIX",
        )
        for expiration, future in listed.items()
    ).with_columns(underlying_price=pl.lit(14.0))
    found = forwards(value_chain(chain, rates_of(0.05)))
    assert {key: round(forward, 4) for (_, key), (forward, _, _) in found.items()} == listed
    only_calls = chain.filter((pl.col("expiration") == october) | (pl.col("option_type") == "call"))
    valued = value_chain(only_calls, rates_of(0.05))
    assert valued.filter(expiration=november)["iv_reason"].unique().to_list() == ["no_forward"]
    assert valued.filter(expiration=october)["implied_volatility"].null_count() == 0
