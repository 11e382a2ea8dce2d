"""Laws of the synthetic market: what must hold on every session of every seed."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hd_pipelines.market.sessions import (
    CHICAGO,
    NANOSECONDS_PER_MINUTE,
    compute_midnight_ns,
    get_regular_hours,
    is_session,
    list_last_sessions,
    list_sessions_between,
)
from hd_pipelines.market.symbols import (
    INDEX_TICKER_PATTERN,
    OPTION_TICKER_PATTERN,
    STOCK_TICKER_PATTERN,
    parse_option_ticker,
    to_ticker,
)
from hd_pipelines.providers.massive.flat_files.layout import (
    DATASETS,
    INDEX_DAY,
    INDEX_MINUTE,
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    AssetClass,
    Interval,
)
from hd_pipelines.sandbox.market.daily_paths import MARKET_EPOCH, get_daily_paths, simulate_paths
from hd_pipelines.sandbox.market.minute_paths import PRE_MARKET_MINUTES
from hd_pipelines.sandbox.market.option_chains import find_third_friday, list_monthly_expirations
from hd_pipelines.sandbox.market.option_prices import RATE, black_76, normal_cdf
from hd_pipelines.sandbox.market.option_values import find_settlement_ns
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.sandbox.market.universe import INSTRUMENTS, OPTION_ROOTS, SPLITS, check_universe, compute_split_factor
from hd_pipelines.settings import DEFAULT_WATCHLIST

SESSIONS = list_sessions_between(MARKET_EPOCH, date(2026, 11, 20))
ORDINARY = date(2026, 10, 14)
HALF_DAY = date(2025, 11, 28)

any_session = st.sampled_from(SESSIONS)
any_seed = st.sampled_from((7, 8))


def within_regular_hours(minutes: pl.DataFrame, session: date) -> pl.DataFrame:
    hours = get_regular_hours(session)
    return minutes.filter((pl.col("window_start") >= hours.opens_at_ns) & (pl.col("window_start") < hours.closes_at_ns))


@given(any_seed, any_session)
@settings(max_examples=15, deadline=None)
def test_every_bar_is_believable_unique_and_in_order(seed, session):
    for dataset, bars in build_synthetic_session(seed, session).items():
        low, high = bars["low"], bars["high"]
        for price in (bars["open"], bars["close"]):
            assert ((price >= low) & (price <= high)).all(), dataset
        assert (low > 0).all(), dataset
        assert np.isfinite(bars.select("open", "high", "low", "close").to_numpy()).all()
        keys = bars.select("ticker", "window_start")
        assert_frame_equal(keys, keys.unique().sort("ticker", "window_start"))
        if dataset.asset_class is not AssetClass.INDEX:
            assert (bars["transactions"] >= 1).all()
            assert (bars["volume"] >= bars["transactions"] * 0.999).all()


@given(any_seed, any_session)
@settings(max_examples=10, deadline=None)
def test_day_bars_agree_with_their_minutes(seed, session):
    data = build_synthetic_session(seed, session)
    for day, minute in ((STOCK_DAY, STOCK_MINUTE), (OPTION_DAY, OPTION_MINUTE), (INDEX_DAY, INDEX_MINUTE)):
        regular = within_regular_hours(data[minute], session)
        expected = regular.group_by("ticker", maintain_order=True).agg(
            pl.col("open").first(), pl.col("close").last(), pl.col("high").max(), pl.col("low").min()
        )
        assert_frame_equal(data[day].select(expected.columns), expected)
        if day.asset_class is not AssetClass.INDEX:
            volume = data[minute].group_by("ticker").agg(pl.col("volume").sum(), pl.col("transactions").sum())
            joined = data[day].join(volume, on="ticker")
            assert len(joined) == len(data[day])
            assert (joined["volume"] - joined["volume_right"]).abs().max() < 1e-3
            assert (joined["transactions"] == joined["transactions_right"]).all()


@given(any_session)
@settings(max_examples=10, deadline=None)
def test_stamps_follow_new_york_and_chicago_through_the_year(session):
    data = build_synthetic_session(7, session)
    opens, closes = get_regular_hours(session).opens_at_ns, get_regular_hours(session).closes_at_ns
    four_in_the_morning = opens - PRE_MARKET_MINUTES * NANOSECONDS_PER_MINUTE
    assert data[STOCK_DAY]["window_start"].unique().to_list() == [compute_midnight_ns(session)]
    assert data[OPTION_DAY]["window_start"].unique().to_list() == [compute_midnight_ns(session)]
    assert data[INDEX_DAY]["window_start"].unique().to_list() == [compute_midnight_ns(session, CHICAGO)]
    for dataset, first, end in (
        (STOCK_MINUTE, four_in_the_morning, closes + 240 * NANOSECONDS_PER_MINUTE),
        (OPTION_MINUTE, opens, closes),
        (INDEX_MINUTE, opens, closes),
    ):
        stamps = data[dataset]["window_start"]
        assert stamps.dtype == pl.Int64
        assert (stamps % NANOSECONDS_PER_MINUTE == 0).all()
        assert first <= stamps.min() <= stamps.max() < end


@given(any_seed, any_session)
@settings(max_examples=10, deadline=None)
def test_option_contracts_are_listed_alive_and_expire_on_sessions(seed, session):
    tickers = build_synthetic_session(seed, session)[OPTION_DAY]["ticker"]
    assert tickers.str.contains(OPTION_TICKER_PATTERN).all()
    symbols = [parse_option_ticker(ticker) for ticker in tickers]
    morning = {root.root for root in OPTION_ROOTS if root.settles_in_the_morning}
    assert {symbol.root for symbol in symbols} <= {root.root for root in OPTION_ROOTS}
    for symbol in symbols:
        assert symbol.expiration >= session + timedelta(days=symbol.root in morning)
        assert is_session(symbol.expiration) or symbol.expiration > date(2027, 6, 1)


def test_an_expiration_on_a_holiday_moves_to_the_session_before():
    # Juneteenth 2026 is a third Friday; the vendor's real files have O:A260618C00100000.
    assert find_third_friday(2026, 6) == date(2026, 6, 19)
    assert date(2026, 6, 18) in list_monthly_expirations(date(2026, 5, 22))
    tickers = build_synthetic_session(7, date(2026, 5, 22))[OPTION_DAY]["ticker"]
    assert tickers.str.contains("260618C").any()
    assert not tickers.str.contains("260619C").any()


def test_one_session_is_the_same_alone_and_after_others():
    alone = build_synthetic_session(7, ORDINARY)
    simulate_paths.cache_clear()
    for session in list_last_sessions(ORDINARY, 3):
        after_others = build_synthetic_session(7, session)
    for dataset in DATASETS:
        assert_frame_equal(alone[dataset], after_others[dataset])


def test_another_seed_is_another_market():
    one, other = build_synthetic_session(7, ORDINARY), build_synthetic_session(8, ORDINARY)
    assert one[STOCK_DAY].filter(ticker="SPY")["close"].item() != other[STOCK_DAY].filter(ticker="SPY")["close"].item()


def test_a_closed_day_and_prehistory_are_refused():
    with pytest.raises(ValueError, match="2026-07-03"):
        build_synthetic_session(7, date(2026, 7, 3))
    with pytest.raises(ValueError, match="2016-01-04"):
        build_synthetic_session(7, date(2015, 12, 31))


def test_a_full_day_has_390_regular_minutes_and_a_half_day_210():
    for session, minutes in ((ORDINARY, 390), (HALF_DAY, 210)):
        data = build_synthetic_session(7, session)
        assert within_regular_hours(data[STOCK_MINUTE], session).filter(ticker="SPY").height == minutes
        assert data[INDEX_MINUTE].filter(ticker="I:SPX").height == minutes
    one_pm = datetime(2025, 11, 28, 18, 0, tzinfo=UTC)
    last = build_synthetic_session(7, HALF_DAY)[OPTION_MINUTE]["window_start"].max()
    assert last == int((one_pm - timedelta(minutes=1)).timestamp()) * 1_000_000_000


def test_the_default_watchlist_and_the_awkward_tickers_trade():
    data = build_synthetic_session(7, ORDINARY)
    listed = set(data[STOCK_DAY]["ticker"]) | set(data[INDEX_DAY]["ticker"])
    assert {to_ticker(symbol) for symbol in DEFAULT_WATCHLIST} <= listed
    assert {"NA", "TRUE", "NAN", "BRK.B", "BACpL", "AACT.WS", "AACT.U", "PLTR", "I:VIX", "I:RUT", "I:VIX3M"} <= listed
    assert data[STOCK_DAY]["ticker"].str.contains(STOCK_TICKER_PATTERN).all()
    assert data[INDEX_DAY]["ticker"].str.contains(INDEX_TICKER_PATTERN).all()


def test_options_trade_on_every_root_of_the_watchlist_and_on_an_adjusted_one():
    roots = {parse_option_ticker(ticker).root for ticker in build_synthetic_session(7, ORDINARY)[OPTION_DAY]["ticker"]}
    assert {"SPY", "QQQ", "IWM", "SPX", "SPXW", "NDX", "NDXP", "VIX", "AAPL", "BRKB", "AMD1"} <= roots
    earlier = build_synthetic_session(7, date(2024, 3, 5))[OPTION_DAY]["ticker"]
    assert {"TSLA1"} == {root for t in earlier if (root := parse_option_ticker(t).root)[-1].isdigit()}


def test_the_sizes_are_those_of_the_demo():
    sizes = {dataset: len(bars) for dataset, bars in build_synthetic_session(7, ORDINARY).items()}
    assert 25_000 < sizes[STOCK_MINUTE] < 40_000
    assert 15_000 < sizes[OPTION_MINUTE] < 25_000
    assert 3_500 < sizes[OPTION_DAY] < 6_500
    assert 55 <= sizes[STOCK_DAY] <= 70


def test_a_company_does_not_trade_before_its_listing():
    assert "PLTR" not in build_synthetic_session(7, date(2020, 9, 29))[STOCK_MINUTE]["ticker"]
    assert "PLTR" in build_synthetic_session(7, date(2020, 9, 30))[STOCK_MINUTE]["ticker"]


@pytest.mark.parametrize("split", [split for split in SPLITS if split.session.year >= 2024], ids=str)
def test_a_split_moves_the_unadjusted_price_by_its_ratio_and_the_volume_against_it(split):
    before, after = (
        build_synthetic_session(7, session)[STOCK_DAY].filter(ticker=split.ticker)
        for session in list_last_sessions(split.session, 2)
    )
    assert np.log(before["close"].item() / after["open"].item()) == pytest.approx(np.log(split.ratio), abs=0.25)
    assert after["volume"].item() / before["volume"].item() == pytest.approx(split.ratio, rel=0.8)


def test_levels_are_those_of_the_level_date_and_recent_windows_hold_splits():
    assert compute_split_factor("NVDA", date(2024, 6, 7)) == 10.0
    assert compute_split_factor("META", date(2026, 9, 14)) == 0.2
    assert compute_split_factor("META", date(2026, 9, 11)) == 1.0
    assert {split.ticker for split in SPLITS if split.session >= date(2023, 11, 20)} >= {"NVDA", "AMD", "META", "GRRR"}
    check_universe()


def test_volumes_are_whole_until_february_2026_and_fractional_after():
    before = build_synthetic_session(7, date(2026, 2, 20))[STOCK_MINUTE]["volume"]
    after = build_synthetic_session(7, date(2026, 2, 23))[STOCK_MINUTE]["volume"]
    assert (before % 1 == 0).all()
    assert 0.3 < (after % 1 != 0).mean() < 1


def test_volume_is_u_shaped_and_thin_outside_regular_hours():
    minutes = build_synthetic_session(7, ORDINARY)[STOCK_MINUTE]
    regular = within_regular_hours(minutes, ORDINARY)
    by_minute = regular.group_by("window_start").agg(pl.col("volume").sum()).sort("window_start")["volume"].to_numpy()
    assert by_minute[:15].mean() > 1.5 * by_minute[150:240].mean()
    assert by_minute[-15:].mean() > 1.5 * by_minute[150:240].mean()
    assert regular["volume"].sum() > 0.9 * minutes["volume"].sum()
    assert len(regular) < len(minutes)


def test_returns_have_the_stylised_facts_of_the_market():
    paths = get_daily_paths(7)
    row = {instrument.ticker: i for i, instrument in enumerate(INSTRUMENTS)}
    returns = np.diff(paths.close, axis=0)
    market = returns[:, row["I:SPX"]]
    assert 0.12 < market.std() * np.sqrt(252) < 0.24
    assert ((market - market.mean()) ** 4).mean() / market.var() ** 2 > 4
    assert np.corrcoef(np.abs(market[1:]), np.abs(market[:-1]))[0, 1] > 0.05
    assert abs(np.corrcoef(market[1:], market[:-1])[0, 1]) < 0.08
    assert np.corrcoef(market, returns[:, row["I:VIX"]])[0, 1] < -0.6
    assert 0.4 < np.corrcoef(market, returns[:, row["AAPL"]])[0, 1] < 0.9
    same, other = (np.corrcoef(returns[:, row["XLU"]], returns[:, row[t]])[0, 1] for t in ("NEE", "NVDA"))
    assert same > other
    vix = np.exp(paths.close[:, row["I:VIX"]])
    assert 8 < vix.min() < vix.max() < 120
    assert 13 < np.median(vix) < 22


def test_etfs_track_their_index_through_the_day():
    data = build_synthetic_session(7, ORDINARY)
    spx = data[INDEX_MINUTE].filter(ticker="I:SPX").select("window_start", "close")
    spy = data[STOCK_MINUTE].filter(ticker="SPY").select("window_start", "close")
    ratio = spx.join(spy, on="window_start", suffix="_spy").select(pl.col("close_spy") / pl.col("close"))
    assert ratio.to_series().std() / ratio.to_series().mean() < 1e-4


def test_option_activity_is_concentrated_near_the_money_and_the_next_expirations():
    data = build_synthetic_session(7, ORDINARY)
    volume = data[OPTION_DAY]["volume"].sort(descending=True).to_numpy()
    assert volume[: len(volume) // 10].sum() > 0.5 * volume.sum()
    spot = data[STOCK_DAY].filter(ticker="SPY")["close"].item()
    spy = [(parse_option_ticker(t), v) for t, v in data[OPTION_DAY].select("ticker", "volume").iter_rows()]
    spy = [(symbol, v) for symbol, v in spy if symbol.root == "SPY"]
    total = sum(v for _, v in spy)
    assert sum(v for s, v in spy if abs(float(s.strike) / spot - 1) < 0.03) > 0.7 * total
    assert sum(v for s, v in spy if (s.expiration - ORDINARY).days <= 7) > 0.5 * total


@pytest.mark.parametrize("session", [ORDINARY, HALF_DAY])
def test_european_calls_and_puts_of_one_minute_obey_parity_within_their_ticks(session):
    data = build_synthetic_session(7, session)
    options = (
        data[OPTION_MINUTE]
        .filter(pl.col("ticker").str.starts_with("O:SPXW"))
        .select(
            pl.col("ticker").str.slice(6, 6).alias("expiration"),
            pl.col("ticker").str.slice(12, 1).alias("right"),
            (pl.col("ticker").str.slice(13).cast(pl.Float64) / 1000).alias("strike"),
            "window_start",
            "close",
        )
    )
    spot = data[INDEX_MINUTE].filter(ticker="I:SPX").select("window_start", pl.col("close").alias("spot"))
    pairs = (
        options.filter(right="C")
        .join(options.filter(right="P"), on=["expiration", "strike", "window_start"], suffix="_put")
        .join(spot, on="window_start")
    )
    expirations = pairs["expiration"].str.to_date("%y%m%d")
    settles = np.array([find_settlement_ns(day, False) for day in expirations])
    minutes = (settles - pairs["window_start"].to_numpy()) / 60e9 - 1
    discount = np.exp(-RATE * np.maximum(minutes, 0.5) / 525_600)
    error = pairs["close"] - pairs["close_put"] - (pairs["spot"] - pairs["strike"] * discount)
    assert len(pairs) > 20
    assert error.abs().max() < 0.11, "one tick of 0.10 shared by both sides, and a cent of the index"


def test_normal_cdf_and_black_76_match_published_values():
    assert normal_cdf(np.array([0.0, 1.0, -1.0, 1.96, -3.0])) == pytest.approx(
        [0.5, 0.8413447461, 0.1586552539, 0.9750021049, 0.0013498980], abs=1e-7
    )
    # Hull, "Options, Futures, and Other Derivatives": S=42, K=40, r=0.1, sigma=0.2, T=0.5 gives 4.76 and 0.81;
    # here as Black-76 on F = S e^{rT}, so the values carry this market's discount instead of Hull's.
    forward = np.full(2, 42 * np.exp(0.05))
    value = black_76(forward, np.full(2, 40.0), np.full(2, 0.5), np.full(2, 0.2), np.array([True, False]))
    assert value * np.exp(0.5 * RATE - 0.05) == pytest.approx([4.7594, 0.8086], abs=1e-4)


def test_every_dataset_of_the_vendor_is_there_with_its_columns():
    data = build_synthetic_session(7, ORDINARY)
    assert set(data) == set(DATASETS)
    for dataset, bars in data.items():
        assert set(dataset.columns) <= set(bars.columns)
        assert bars["ticker"].is_unique().all() == (dataset.interval is Interval.DAY)
