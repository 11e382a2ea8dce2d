"""Greeks from option bars: which prices are matched, how their age is reported, and what is refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.market.option_chains import VALUED
from hd_pipelines.pricing.aggregates import value_aggregates
from hd_pipelines.tables.vocabulary import PriceSource
from tests.pricing.synthetic_chain import black_76, years_to

MINUTES, DAYS = PriceSource.OPTION_MINUTE, PriceSource.OPTION_DAY
SESSION, NOVEMBER, DECEMBER = date(2023, 9, 14), date(2023, 11, 17), date(2023, 12, 15)
MINUTE = datetime(2023, 9, 14, 15, 0, tzinfo=UTC)
SIGMA, RATE, DIVIDENDS = 0.2, 0.05, 0.015
STRIKES = [4300.0, 4400.0, 4450.0, 4500.0, 4550.0, 4600.0, 4700.0]
RATES = pl.DataFrame({"date": [SESSION, SESSION], "years": [0.1, 1.0], "rate": [RATE, RATE]})
RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "lean_intraday"


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def bar(ticker: str, begins: datetime, close: float | None, **columns: object) -> dict[str, object]:
    values = {"high": close, "low": close, "close": close, "volume": 3} | columns
    return {"ticker": ticker, "window_start": nanoseconds(begins), **values}


def option_bars(
    begins: datetime,
    ends: datetime,
    spot: float = 4500.0,
    strikes: list[float] = STRIKES,
    expirations: tuple[date, ...] = (NOVEMBER, DECEMBER),
) -> pl.DataFrame:
    """Calls and puts of SPXW that trade at their value at the end of the bar."""
    rows = []
    for expiration in expirations:
        years = years_to(ends, "SPXW", expiration)
        forward, discount = spot * math.exp((RATE - DIVIDENDS) * years), math.exp(-RATE * years)
        for strike in strikes:
            for right in "CP":
                value = black_76(forward, strike, years, discount, SIGMA, right == "C")
                rows.append(bar(f"O:SPXW{expiration:%y%m%d}{right}{round(strike * 1000):08d}", begins, value))
    return pl.DataFrame(rows)


def index_bars(*bars: tuple[datetime, float]) -> pl.DataFrame:
    return pl.DataFrame([bar("I:SPX", begins, close) for begins, close in bars])


@pytest.fixture(scope="module")
def minute() -> pl.DataFrame:
    return option_bars(MINUTE, MINUTE + timedelta(minutes=1))


def test_minute_bars_give_back_the_volatility_that_made_them(minute):
    valued = value_aggregates(minute, index_bars((MINUTE, 4500.0)), RATES, MINUTES)
    assert dict(valued.schema) == VALUED
    assert valued.height == minute.height
    assert valued["implied_volatility"].to_list() == pytest.approx([SIGMA] * valued.height, abs=1e-4)
    assert valued["model"].unique().to_list() == ["black_76"]


def test_a_row_carries_the_source_and_age_of_its_price(minute):
    (row,) = value_aggregates(minute.head(1), index_bars((MINUTE, 4500.0)), RATES, MINUTES).iter_rows(named=True)
    assert (row["timestamp"], row["kind"]) == (MINUTE + timedelta(minutes=1), "intraday")
    assert (row["price_source"], row["price_age_seconds"]) == ("option_minute_aggs", 60)
    assert row["last"] == row["mid_price"] == minute["close"][0]
    assert (row["bid"], row["ask"], row["open_interest"], row["shares_per_contract"]) == (None,) * 4


def test_a_minute_is_matched_with_the_underlyings_price_of_that_minute(minute):
    around = index_bars(
        (MINUTE - timedelta(minutes=1), 4000.0), (MINUTE, 4500.0), (MINUTE + timedelta(minutes=1), 5000.0)
    )
    valued = value_aggregates(minute, around, RATES, MINUTES)
    assert valued["underlying_price"].unique().to_list() == [4500.0]


def test_a_silent_underlying_lends_its_last_price_with_its_age(minute):
    bars = index_bars((MINUTE - timedelta(minutes=4), 4490.0))
    valued = value_aggregates(minute, bars, RATES, MINUTES)
    assert valued["underlying_price"].unique().to_list() == [4490.0]
    assert valued["price_age_seconds"].unique().to_list() == [60 + 240]


def test_a_price_of_the_underlying_that_is_too_old_is_not_used():
    stock = pl.DataFrame([bar("O:AAPL231117C00180000", MINUTE, 7.0)])
    old = pl.DataFrame([bar("AAPL", MINUTE - timedelta(minutes=6), 175.0)])
    later = pl.DataFrame([bar("AAPL", MINUTE + timedelta(minutes=1), 175.0)])
    for spots in (old, later):
        (row,) = value_aggregates(stock, spots, RATES, MINUTES).iter_rows(named=True)
        assert row["iv_reason"] == "no_spot"
        assert row["implied_volatility"] is row["mid_price"] is row["underlying_price"] is row["delta"] is None
        assert row["last"] == 7.0


def test_options_on_an_index_without_bars_live_on_parity(minute):
    strangers = pl.DataFrame([bar("SPY", MINUTE, 450.0)])
    valued = value_aggregates(minute, strangers, RATES, MINUTES)
    assert valued["underlying_price"].null_count() == valued.height
    assert valued["implied_volatility"].to_list() == pytest.approx([SIGMA] * valued.height, abs=1e-4)
    alone = value_aggregates(minute.filter(pl.col("ticker").str.contains("C")), strangers, RATES, MINUTES)
    assert alone["iv_reason"].unique().to_list() == ["no_forward"]


def test_a_lonely_trade_is_valued_on_the_spot_and_the_rate_with_a_label(minute):
    lonely = minute.filter(pl.col("ticker") == "O:SPXW231117P04400000")
    (row,) = value_aggregates(lonely, index_bars((MINUTE, 4500.0)), RATES, MINUTES).iter_rows(named=True)
    assert row["model"] == "black_76_spot_rate"
    assert row["forward"] == pytest.approx(4500 * math.exp(RATE * row["years"]), rel=1e-12)
    # Without the dividends of two months the forward is 0.26 % high, and a put looks dearer in volatility.
    assert 0.005 < row["implied_volatility"] - SIGMA < 0.02


def test_day_bars_are_stamped_with_the_close_and_may_be_as_old_as_the_session():
    midnight, close = datetime(2023, 9, 14, 4, tzinfo=UTC), datetime(2023, 9, 14, 20, tzinfo=UTC)
    valued = value_aggregates(option_bars(midnight, close), index_bars((midnight, 4500.0)), RATES, DAYS)
    assert valued["timestamp"].unique().to_list() == [close]
    assert valued["price_age_seconds"].unique().to_list() == [6.5 * 3600]
    assert valued["price_source"].unique().to_list() == ["option_day_aggs"]
    assert valued["kind"].unique().to_list() == ["close"]
    assert valued["implied_volatility"].to_list() == pytest.approx([SIGMA] * valued.height, abs=1e-4)


def test_a_half_days_bar_ends_at_one_oclock():
    midnight, close = datetime(2023, 7, 3, 4, tzinfo=UTC), datetime(2023, 7, 3, 17, tzinfo=UTC)
    valued = value_aggregates(option_bars(midnight, close), index_bars((midnight, 4500.0)), RATES, DAYS)
    assert valued["timestamp"].unique().to_list() == [close]
    assert valued["price_age_seconds"].unique().to_list() == [3.5 * 3600]


def test_day_bars_of_a_holiday_are_left_out():
    labor_day = datetime(2023, 9, 4, 4, tzinfo=UTC)
    bars = option_bars(labor_day, labor_day + timedelta(hours=16))
    assert value_aggregates(bars, index_bars((labor_day, 4500.0)), RATES, DAYS).is_empty()


def test_the_last_minute_of_a_contract_is_over_when_its_bar_is():
    begins = datetime(2023, 9, 15, 19, 58, tzinfo=UTC)
    bars = [option_bars(at, begins, expirations=(date(2023, 9, 15),)) for at in (begins, begins + timedelta(minutes=1))]
    spots = index_bars((begins, 4500.0), (begins + timedelta(minutes=1), 4500.0))
    valued = value_aggregates(pl.concat(bars), spots, RATES, MINUTES)
    before, last = valued.partition_by("timestamp")
    assert last["iv_reason"].unique().to_list() == ["no_time_left"]
    assert before["years"].unique().to_list() == [1 / 525_600]


@pytest.mark.parametrize("close", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_bar_without_a_price_is_a_row_without_an_answer(minute, close):
    broken = minute.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(close, pl.Float64)).otherwise("close")
    )
    broken = broken.select("ticker", "window_start", "high", "low", close="literal", volume="volume")
    valued = value_aggregates(broken, index_bars((MINUTE, 4500.0)), RATES, MINUTES)
    (row,) = valued.filter(contract_ticker=minute["ticker"][3]).iter_rows(named=True)
    assert row["iv_reason"] == "no_price"
    assert row["mid_price"] is row["implied_volatility"] is None
    assert valued["implied_volatility"].null_count() == 1


def test_columns_beyond_those_of_bars_do_not_matter(minute):
    known = value_aggregates(minute, index_bars((MINUTE, 4500.0)), RATES, MINUTES)
    wider = minute.with_columns(underlying=pl.lit("SPX"), snapshot_at=pl.lit(0), open="close", transactions=1)
    assert value_aggregates(wider, index_bars((MINUTE, 4500.0)), RATES, MINUTES).equals(known)


def test_what_is_no_option_bar_is_refused_by_name(minute):
    spots = index_bars((MINUTE, 4500.0))
    with pytest.raises(ValueError, match="'SPY' in option_bars"):
        value_aggregates(minute.with_columns(ticker=pl.lit("SPY")), spots, RATES, MINUTES)
    with pytest.raises(ValueError, match=r"underlying_bars lacks the column.*close"):
        value_aggregates(minute, spots.drop("close"), RATES, MINUTES)
    with pytest.raises(ValueError, match="chain_snapshot"):
        value_aggregates(minute, spots, RATES, PriceSource.CHAIN_SNAPSHOT)


def test_no_bars_give_no_rows(minute):
    assert value_aggregates(minute.clear(), index_bars((MINUTE, 4500.0)), RATES, MINUTES).schema == pl.Schema(VALUED)


def recorded(file: str, root: str) -> pl.DataFrame:
    """A recorded day of option minutes with vendor tickers and UTC nanoseconds."""
    right = pl.col("right").str.head(1).str.to_uppercase()
    strike = (pl.col("strike") * 1000).round().cast(pl.Int64).cast(pl.String).str.zfill(8)
    ymd = pl.col("expiration").dt.strftime("%y%m%d")
    return pl.read_parquet(RECORDED / "options_minute" / file).with_columns(
        ticker=pl.concat_str(pl.lit(f"O:{root}"), ymd, right, strike),
        window_start=pl.col("time_et").dt.replace_time_zone("America/New_York").dt.epoch("ns"),
    )


@pytest.fixture(scope="module")
def traded() -> pl.DataFrame:
    """SPX and SPXW of 2021-01-04, strikes 3700 and 3800: 2266 minutes with trades, valued, beside the quotes' mids."""
    if not RECORDED.is_dir():
        pytest.skip(f"recorded option minutes are not at {RECORDED}")
    trades = pl.concat(recorded(f"{root.lower()}_20210104_trade.parquet", root) for root in ("SPX", "SPXW"))
    index = pl.read_parquet(RECORDED / "underlying_minute_index.parquet").with_columns(
        ticker=pl.lit("I:SPX"), window_start=pl.col("time_ct").dt.replace_time_zone("America/Chicago").dt.epoch("ns")
    )
    day = date(2021, 1, 4)
    # Treasury bills of that day paid 0.09 %.
    rates = pl.DataFrame({"date": [day, day], "years": [1 / 12, 1.0], "rate": [0.0009, 0.0010]})
    valued = value_aggregates(trades, index, rates, MINUTES)
    quotes = pl.concat(recorded(f"{root.lower()}_20210104_quote.parquet", root) for root in ("SPX", "SPXW")).select(
        contract_ticker="ticker",
        timestamp=(pl.from_epoch(pl.col("window_start") + 60_000_000_000, "ns").dt.replace_time_zone("UTC")).cast(
            VALUED["timestamp"]
        ),
        quoted=(pl.col("bid_close") + pl.col("ask_close")) / 2,
    )
    return valued.join(quotes, on=["contract_ticker", "timestamp"], how="left")


def test_nearly_every_recorded_trade_has_a_volatility(traded):
    assert traded.height == 2266
    assert traded["iv_reason"].drop_nulls().value_counts().sort("count").rows() == [
        ("no_time_left", 3),
        ("below_intrinsic", 5),
    ]
    assert traded["price_age_seconds"].unique().to_list() == [60]


def test_forwards_of_trades_are_those_of_the_quotes(traded):
    # Parity of the quotes' mids at 3700, minute by minute, which the trades know nothing of.
    at = traded.filter(pl.col("strike") == 3700, pl.col("root") == "SPXW")
    key = ["timestamp", "expiration"]
    pairs = at.filter(option_type="call").join(at.filter(option_type="put"), on=key, suffix="_put")
    off = pairs.select(
        (pl.col("forward") / (3700 + (pl.col("quoted") - pl.col("quoted_put")) / pl.col("discount")) - 1) * 1e4
    ).to_series()
    assert len(off) == 445
    assert abs(off.median()) < 0.3
    assert off.abs().quantile(0.95) < 7.5


def test_volatilities_of_trades_are_those_of_the_quotes(traded):
    # Two days to settlement and more; a trade is up to a minute older than the quote it is compared with.
    rows = traded.filter(pl.col("dte") >= 2, pl.col("strike").is_between(3700, 3800), pl.col("quoted") > 0)
    off = (pl.col("mid_price") - pl.col("quoted")) / (pl.col("vega") * 100)
    assert rows.select(off.abs().median()).item() < 0.003
    assert rows.height > 1200
