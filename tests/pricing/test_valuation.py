"""Implied volatility and Greeks from quotes of whole chains, and the contracts that have none."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hd_pipelines.market.option_chains import CHAIN, VALUED
from hd_pipelines.pricing.valuation import value_chain
from tests.pricing.synthetic_chain import as_chain, black_76, contract, european_chain, years_to

SNAPSHOT = datetime(2023, 9, 14, 19, 0, tzinfo=UTC)
NOVEMBER = date(2023, 11, 17)
STRIKES = [float(strike) for strike in range(3600, 5401, 25)]
ANSWERS = ["implied_volatility", "delta", "gamma", "theta", "vega", "rho"]


@pytest.fixture(scope="module")
def chain() -> pl.DataFrame:
    return european_chain(SNAPSHOT, [("SPXW", NOVEMBER), ("SPX", NOVEMBER)], STRIKES)


def changed(chain: pl.DataFrame, strike: float, option_type: str, **columns: object) -> pl.DataFrame:
    """`chain` with the columns of the contracts at that strike replaced."""
    chosen = (pl.col("strike") == strike) & (pl.col("option_type") == option_type)
    return chain.with_columns(
        pl.when(chosen).then(pl.lit(value, CHAIN[name])).otherwise(pl.col(name)).alias(name)
        for name, value in columns.items()
    )


def reason_at(valued: pl.DataFrame, strike: float, option_type: str) -> str:
    """The one reason of the contracts at that strike, which then have no answers at all."""
    there = valued.filter((pl.col("strike") == strike) & (pl.col("option_type") == option_type))
    assert there.height > 0
    assert there.select(ANSWERS).null_count().row(0) == (there.height,) * len(ANSWERS)
    (reason,) = there["iv_reason"].unique().to_list()
    return reason


def test_the_valued_frame_has_the_published_schema(chain):
    valued = value_chain(chain)
    assert dict(valued.schema) == VALUED
    assert valued.height == chain.height
    assert valued.equals(valued.sort("symbol", "timestamp", "contract_ticker"))
    assert valued["symbol"].unique().to_list() == ["SPX"]
    assert valued["dte"].unique().to_list() == [64]
    assert valued["session"].unique().to_list() == [date(2023, 9, 14)]


def test_an_empty_chain_values_to_an_empty_frame(chain):
    assert value_chain(chain.clear()).schema == pl.Schema(VALUED)


def test_a_chain_with_missing_columns_is_refused_by_name(chain):
    with pytest.raises(ValueError, match="vendor_iv"):
        value_chain(chain.drop("vendor_iv"))


def test_the_volatility_that_made_the_prices_is_found_again(chain):
    valued = value_chain(chain).with_columns(moneyness=(pl.col("strike") / pl.col("forward")).log())
    m = pl.col("moneyness")
    error = (pl.col("implied_volatility") - (0.18 - 0.35 * m + 0.6 * m**2)).abs()
    assert valued.filter(m.abs() < 0.1).select(error.max()).item() < 1e-4


def test_greeks_are_slopes_in_the_spot(chain):
    valued = value_chain(chain).filter(pl.col("root") == "SPXW")
    rate, years = 0.05, years_to(SNAPSHOT, "SPXW", NOVEMBER)
    forward = 4500 * math.exp((rate - 0.015) * years)

    def worth(
        strike: float, is_call: bool, sigma: float, *, up: float = 0.0, later: float = 0.0, more: float = 0.0
    ) -> float:
        left = years - later
        moved = forward * (1 + up / 4500) * math.exp(-rate * later) * (1 + more * years)
        return black_76(moved, strike, left, math.exp(-(rate + more) * left), sigma, is_call)

    for row in valued.filter(pl.col("strike").is_in([4200.0, 4500.0, 4700.0])).iter_rows(named=True):
        at = row["strike"], row["option_type"] == "call", row["implied_volatility"]
        up, here, down = (worth(*at, up=step) for step in (1.0, 0.0, -1.0))
        assert row["delta"] == pytest.approx((up - down) / 2, abs=2e-5)
        assert row["gamma"] == pytest.approx(up - 2 * here + down, rel=2e-3)
        assert row["theta"] == pytest.approx((worth(*at, later=1 / 36_500) - here) * 100, rel=2e-3)
        assert row["rho"] == pytest.approx((worth(*at, more=1e-4) - worth(*at, more=-1e-4)) * 50, rel=1e-3)
        strike, is_call, sigma = at
        wider, narrower = worth(strike, is_call, sigma + 5e-4), worth(strike, is_call, sigma - 5e-4)
        assert row["vega"] == pytest.approx((wider - narrower) * 10, rel=1e-4)


def test_call_and_put_of_one_strike_agree(chain):
    valued = value_chain(chain)
    both = valued.filter(option_type="call").join(
        valued.filter(option_type="put"), on=["root", "strike"], suffix="_put"
    )
    near = both.filter(pl.col("strike").is_between(4200, 4800))
    assert near.select((pl.col("implied_volatility") - pl.col("implied_volatility_put")).abs().max()).item() < 1e-4
    assert near.select((pl.col("gamma") - pl.col("gamma_put")).abs().max()).item() < 1e-6
    assert (
        near.select(
            (pl.col("delta") - pl.col("delta_put") - pl.col("discount") * pl.col("forward") / 4500).abs().max()
        ).item()
        < 1e-6
    )


@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        ({"bid": 0.0}, "no_bid"),
        ({"bid": 0.0, "ask": 0.0}, "no_quote"),
        ({"bid": None, "ask": None}, "no_quote"),
        ({"bid": None}, "one_sided"),
        ({"ask": None}, "one_sided"),
        ({"ask": 0.0}, "one_sided"),
        ({"bid": 99.0, "ask": 98.0}, "crossed"),
        ({"bid": 10.0, "ask": 90.0}, "wide"),
        ({"bid": math.nan}, "one_sided"),
        ({"bid": -1.0}, "one_sided"),
        ({"quote_at": SNAPSHOT - timedelta(hours=2)}, "stale"),
    ],
)
def test_an_unusable_quote_has_its_reason(chain, quote, reason):
    valued = value_chain(changed(chain, 4600.0, "call", **quote))
    assert reason_at(valued, 4600.0, "call") == reason
    one = valued.filter(strike=4600.0, option_type="call")
    assert one["mid_price"].null_count() == one.height
    assert valued.filter(strike=4600.0, option_type="put")["implied_volatility"].null_count() == 0


def test_a_locked_quote_is_a_price(chain):
    mid = chain.filter(strike=4600.0, option_type="call", root="SPX").select((pl.col("bid") + pl.col("ask")) / 2).item()
    valued = value_chain(changed(chain, 4600.0, "call", bid=mid, ask=mid))
    assert valued.filter(strike=4600.0, option_type="call")["mid_price"].to_list() == [mid, mid]
    assert valued.filter(strike=4600.0)["implied_volatility"].null_count() == 0


def test_a_chain_read_after_the_close_is_not_stale_as_a_whole(chain):
    late = chain.with_columns(snapshot_at=pl.col("snapshot_at") + timedelta(hours=3))
    assert value_chain(late)["implied_volatility"].null_count() == 0
    assert value_chain(late)["price_age_seconds"].unique().to_list() == [3 * 3600]


def test_quotes_of_the_day_before_are_stale_however_many_they_are(chain):
    old = chain.with_columns(quote_at=pl.col("quote_at") - timedelta(days=1))
    assert value_chain(old)["iv_reason"].unique().to_list() == ["stale"]


def test_a_price_below_intrinsic_or_above_its_bound_has_no_volatility(chain):
    valued = value_chain(
        changed(changed(chain, 3700.0, "call", bid=700.0, ask=702.0), 4550.0, "call", bid=4510.0, ask=4511.0)
    )
    assert reason_at(valued, 3700.0, "call") == "below_intrinsic"
    assert reason_at(valued, 4550.0, "call") == "above_bound"
    # The price stays visible; what is null is the answer.
    assert valued.filter(strike=3700.0, option_type="call")["mid_price"].to_list() == [701.0, 701.0]


def test_nothing_is_valued_at_or_after_its_settlement():
    session = date(2023, 9, 15)
    listed = [("SPXW", session), ("SPX", session), ("SPXW", NOVEMBER)]
    for clock, dead in (
        (timedelta(0), {"SPX"}),
        (timedelta(hours=6.5), {"SPX", "SPXW"}),
        (timedelta(hours=8), {"SPX", "SPXW"}),
    ):
        opening = datetime(2023, 9, 15, 13, 30, tzinfo=UTC)
        whole = european_chain(opening - timedelta(minutes=5), listed, STRIKES)
        moved = whole.with_columns(snapshot_at=pl.lit(opening + clock).cast(CHAIN["snapshot_at"]))
        valued = value_chain(moved).filter(expiration=session)
        over = valued.filter(iv_reason="no_time_left")
        assert set(over["root"]) == dead
        assert over.height == valued.filter(pl.col("root").is_in(sorted(dead))).height
        assert over["years"].max() <= 0


def test_the_last_minute_of_an_option_still_has_an_answer():
    moment = datetime(2023, 9, 15, 19, 59, tzinfo=UTC)
    chain = european_chain(moment, [("SPXW", date(2023, 9, 15)), ("SPXW", NOVEMBER)], STRIKES, spread=0.02)
    today = value_chain(chain).filter(pl.col("dte") == 0)
    assert today["years"].unique().to_list() == [1 / 525_600]
    assert today.filter(strike=4500.0)["implied_volatility"].to_list() == pytest.approx([0.18, 0.18], abs=2e-3)


def test_a_half_day_ends_at_one_oclock():
    moment = datetime(2023, 7, 3, 16, 30, tzinfo=UTC)
    chain = european_chain(moment, [("SPXW", date(2023, 7, 3)), ("SPXW", date(2023, 8, 31))], STRIKES)
    assert value_chain(chain).filter(pl.col("dte") == 0)["years"].unique().to_list() == [30 / 525_600]
    later = value_chain(chain.with_columns(pl.col("snapshot_at") + timedelta(minutes=30)))
    assert later.filter(pl.col("dte") == 0)["iv_reason"].unique().to_list() == ["no_time_left"]


def test_a_file_of_a_holiday_gives_no_values(chain):
    memorial_day = datetime(2023, 5, 29, 19, 0, tzinfo=UTC)
    valued = value_chain(chain.with_columns(snapshot_at=pl.lit(memorial_day).cast(CHAIN["snapshot_at"])))
    assert valued["iv_reason"].unique().to_list() == ["no_session"]
    assert valued["implied_volatility"].null_count() == valued.height


def test_a_contract_given_twice_is_valued_once_at_its_newest_quote(chain):
    older = chain.with_columns(pl.col("quote_at") - timedelta(minutes=1), bid=0.1, ask=0.2)
    once = value_chain(chain)
    assert value_chain(pl.concat([chain, older])).equals(once)
    assert value_chain(pl.concat([older, chain])).equals(once)


def test_half_the_strikes_still_give_forwards_and_volatilities(chain):
    whole, half = value_chain(chain), value_chain(chain.filter(pl.col("strike") % 50 == 0))
    both = half.join(whole, on="contract_ticker", suffix="_whole")
    assert both.height == half.height
    assert both.select((pl.col("forward") / pl.col("forward_whole") - 1).abs().max()).item() < 1e-6
    assert set(half["model"]) == {"black_76"}


def test_adjusted_and_flex_roots_are_not_valued_and_do_not_affect_others():
    snapshot, expiration = SNAPSHOT, NOVEMBER
    rates = pl.DataFrame({"date": [date(2023, 9, 14)], "years": [1.0], "rate": [0.05]})
    plain = european_chain(snapshot, [("AAPL", expiration)], STRIKES, underlying="AAPL", dividends=0.0)
    others = [
        contract(snapshot, root, expiration, kind, 4500.0, 1.0, 1.1, 4500.0, "AAPL")
        for root in ("AAPL1", "2AAPL")
        for kind in ("call", "put")
    ]
    valued = value_chain(pl.concat([plain, as_chain(others)]), rates)
    assert valued.filter(root="AAPL1")["iv_reason"].unique().to_list() == ["adjusted_deliverable"]
    assert valued.filter(root="2AAPL")["iv_reason"].unique().to_list() == ["flex_terms"]
    ours = valued.filter(root="AAPL")
    assert ours.equals(value_chain(plain, rates))
    assert ours["implied_volatility"].null_count() < ours.height


def test_an_index_root_whose_settlement_is_unknown_is_not_guessed(chain):
    strange = chain.filter(pl.col("root") == "SPX").with_columns(root=pl.lit("SPXQQ"))
    assert value_chain(strange)["iv_reason"].unique().to_list() == ["no_settlement_time"]


def test_without_a_price_of_the_underlying_there_are_answers_all_the_same(chain):
    blind = value_chain(chain.with_columns(underlying_price=pl.lit(None, pl.Float64)))
    seen = value_chain(chain)
    assert blind["underlying_price"].null_count() == blind.height
    assert blind["implied_volatility"].equals(seen["implied_volatility"])
    # The discounted forward stands in for the spot: two months of dividends, 0.26 % of delta.
    assert blind.select((pl.col("delta") / seen["delta"] - 1).abs().max()).item() == pytest.approx(0.0026, abs=2e-4)


def test_volatility_does_not_depend_on_the_price_of_the_underlying(chain):
    old = chain.with_columns(pl.col("underlying_price") * 1.003)
    assert value_chain(old)["implied_volatility"].equals(value_chain(chain)["implied_volatility"])


def test_what_is_missing_is_null_and_never_zero(chain):
    valued = value_chain(changed(chain, 4600.0, "call", volume=None, open_interest=None, bid=0.0))
    one = valued.filter(strike=4600.0, option_type="call")
    assert one["open_interest"].null_count() == one["volume"].null_count() == one.height
    assert one["bid"].to_list() == [0.0, 0.0]


def test_snapshots_and_underlyings_in_one_call_do_not_see_each_other(chain):
    later = european_chain(SNAPSHOT + timedelta(minutes=15), [("SPXW", NOVEMBER)], STRIKES, spot=4520.0)
    ndx = european_chain(SNAPSHOT, [("NDXP", NOVEMBER)], [s * 3 for s in STRIKES], spot=13500.0, underlying="I:NDX")
    together = value_chain(pl.concat([chain, later, ndx]))
    alone = pl.concat([value_chain(one) for one in (ndx, chain, later)])
    key = ["symbol", "timestamp", "contract_ticker"]
    assert together.equals(alone.sort(key))


def test_rows_in_any_order_give_the_same_values(chain):
    assert value_chain(chain.sample(fraction=1.0, shuffle=True, seed=7)).equals(value_chain(chain))
