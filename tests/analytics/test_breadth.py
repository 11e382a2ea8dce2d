"""Market breadth: by hand, against a plain recomputation, across splits and gaps."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.regime.breadth import BREADTH, classify_breadth, compute_breadth
from hd_pipelines.analytics.regime.breadth_universe import is_stock
from hd_pipelines.market.sessions import list_last_sessions

LAST = date(2026, 11, 18)


def names(count):
    return [f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(count)]


def market(closes, *, sessions=None, volume=1e6, tickers=None):
    """`closes`: stocks × sessions, NaN where a stock did not trade; a bar is as high and low as its close ± 1 %."""
    closes = np.asarray(closes, float)
    sessions = sessions or list_last_sessions(LAST, closes.shape[1])
    tickers = tickers or names(closes.shape[0])
    volumes = np.broadcast_to(volume, closes.shape)
    rows = [
        {"ticker": t, "session": s, "open": c, "high": c * 1.01, "low": c * 0.99, "close": c, "volume": float(v)}
        for t, prices, traded in zip(tickers, closes, volumes, strict=True)
        for s, c, v in zip(sessions, prices, traded, strict=True)
        if not np.isnan(c)
    ]
    return pl.DataFrame(rows, schema_overrides={"session": pl.Date})


def last(frame):
    return frame.row(-1, named=True)


def test_a_session_is_counted_against_the_one_before():
    closes = np.full((30, 2), 50.0)
    closes[:18, 1], closes[18:24, 1] = 51.0, 49.0
    row = last(compute_breadth(market(closes)))
    assert (row["advancers"], row["decliners"], row["unchanged"], row["n_stocks"]) == (18, 6, 6, 30)
    assert (row["advance_decline_ratio"], row["advance_decline_diff"]) == (3.0, 12)
    assert row["breadth_regime"] == "BULLISH"


def test_without_a_decliner_there_is_a_class_and_no_ratio():
    closes = np.full((25, 2), 50.0)
    closes[:, 1] = 51.0
    row = last(compute_breadth(market(closes)))
    assert row["advance_decline_ratio"] is None
    assert row["high_low_ratio"] is None
    assert row["breadth_regime"] == "EXTREMELY_BULLISH"


def test_the_first_session_and_a_handful_of_stocks_have_no_breadth_and_a_reason():
    first = compute_breadth(market(np.full((30, 2), 50.0))).row(0, named=True)
    assert (first["advancers"], first["breadth_regime"]) == (None, None)
    assert first["breadth_reason"] == "no session before it"
    few = last(compute_breadth(market(np.full((5, 2), 50.0))))
    assert (few["advancers"], few["n_stocks"]) == (None, 5)
    assert few["breadth_reason"] == "5 stocks, fewer than 20"


def test_a_sample_is_called_one():
    assert (
        "30 stocks: a sample, not the market" in last(compute_breadth(market(np.full((30, 2), 50.0))))["breadth_reason"]
    )


def test_a_stock_that_did_not_trade_yesterday_is_in_neither_count():
    closes = np.full((30, 3), 50.0)
    closes[:10, 1] = np.nan
    closes[:10, 2] = 40.0
    row = last(compute_breadth(market(closes)))
    assert (row["decliners"], row["unchanged"]) == (0, 20)


def test_a_stock_listed_when_another_left_does_not_inherit_its_price():
    closes = np.full((30, 2), 50.0)
    closes[0, 1], closes[1, 0] = np.nan, np.nan
    closes[1, 1] = 10.0
    assert last(compute_breadth(market(closes)))["decliners"] == 0


def test_nothing_advances_over_a_session_that_is_missing_for_everyone():
    sessions = list_last_sessions(LAST, 3)
    frame = market(np.tile([50.0, 51.0], (30, 1)), sessions=[sessions[0], sessions[2]])
    counted = compute_breadth(frame, sessions=sessions)
    assert counted["date"].to_list() == sessions
    assert counted["advancers"].to_list() == [None, None, None]


SPLIT_SESSION = 30


def split_market(factor, volume_factor):
    """Thirty quiet stocks; the first changes its price by 1/`factor` overnight and trades `volume_factor` times more."""
    closes = np.full((30, 40), 50.0)
    closes[0] = 645.57  # AAPL before its 7:1 split of 2014-06-09
    closes[0, SPLIT_SESSION:] = 645.57 / factor * 1.001
    volume = np.full((30, 40), 1e6)
    volume[0, SPLIT_SESSION:] *= volume_factor
    return market(closes, volume=volume)


@pytest.mark.parametrize(("ratio", "more_shares"), [(7.0, 7.0), (2.0, 2.0), (1.5, 1.5), (20.0, 22.0)])
def test_a_split_is_neither_decline_nor_new_low(ratio, more_shares):
    counted = compute_breadth(split_market(ratio, more_shares))
    assert counted["decliners"].drop_nulls().sum() == 0
    assert counted["new_lows"].drop_nulls().sum() == 0
    assert counted["advancers"].drop_nulls().sum() == 1  # the tenth of a percent that it rose that night


def test_a_merger_of_shares_is_neither_advance_nor_new_high():
    counted = compute_breadth(split_market(0.1 * 1.08, 0.1))  # one for ten, and 7 % down, as such mornings are
    assert counted["advancers"].drop_nulls().sum() == 0
    assert counted["decliners"].drop_nulls().sum() == 1
    assert counted["new_highs"].drop_nulls().sum() == 0


def test_a_stock_that_halves_while_everybody_sells_is_a_decline_and_a_new_low():
    counted = compute_breadth(split_market(2.0, 25.0))
    assert counted["decliners"].drop_nulls().sum() == 1
    assert counted["new_lows"].drop_nulls().sum() == 1


def test_a_table_of_splits_replaces_the_guess():
    frame = split_market(2.0, 25.0)
    session = frame["session"].unique().sort()[SPLIT_SESSION]
    splits = pl.DataFrame({"ticker": ["SAA"], "session": [session], "ratio": [2.0]})
    assert compute_breadth(frame, splits=splits)["decliners"].drop_nulls().sum() == 0
    assert compute_breadth(split_market(2.0, 2.0), splits=splits.clear())["decliners"].drop_nulls().sum() == 1


def test_highs_use_the_available_sessions_and_the_reason_counts_them():
    closes = np.tile(np.linspace(50, 60, 60), (30, 1))
    row = last(compute_breadth(market(closes)))
    assert (row["new_highs"], row["new_lows"], row["high_low_sessions"]) == (30, 0, 60)
    assert "highs and lows over 60 sessions" in row["breadth_reason"]


def test_a_high_older_than_a_year_is_forgotten():
    closes = np.full((20, 260), 50.0)
    closes[:, 3] = 90.0
    closes[:, 253], closes[:, 256] = 60.0, 61.0
    new_highs = compute_breadth(market(closes))["new_highs"].to_list()
    assert new_highs[253] == 0  # session 3 is the 250th before it
    assert new_highs[256] == 20  # it is the 253rd before this one


def test_shares_above_an_average_wait_for_the_average():
    closes = np.tile(np.linspace(50, 60, 60), (30, 1))
    row = last(compute_breadth(market(closes)))
    assert (row["share_above_20d"], row["share_above_50d"], row["share_above_200d"]) == (1.0, 1.0, None)
    assert "too few stocks with 200 bars" in row["breadth_reason"]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sessions=st.integers(2, 70))
def test_counts_equal_a_plain_recomputation(seed, sessions):
    rng = np.random.default_rng(seed)
    closes = np.round(20 * np.exp(rng.normal(0, 0.02, (24, sessions)).cumsum(axis=1)), 2)
    counted = compute_breadth(market(closes))
    row = last(counted)
    high, low = closes * 1.01, closes * 0.99
    assert row["advancers"] == (closes[:, -1] > closes[:, -2]).sum()
    assert row["decliners"] == (closes[:, -1] < closes[:, -2]).sum()
    if sessions > 20:
        assert row["new_highs"] == (high[:, -1] > high[:, :-1].max(axis=1)).sum()
        assert row["new_lows"] == (low[:, -1] < low[:, :-1].min(axis=1)).sum()
    if sessions >= 50:
        assert row["share_above_50d"] == pytest.approx((closes[:, -1] > closes[:, -50:].mean(axis=1)).mean())
    if sessions > 10:
        moves = np.sign(np.diff(closes[:, -11:], axis=1))
        net = [(m > 0).sum() - (m < 0).sum() for m in moves.T]
        both = [(m != 0).sum() for m in moves.T]
        assert row["net_advances_10d"] == pytest.approx(np.mean(np.array(net) / np.array(both)))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 44))
def test_what_comes_later_changes_nothing(seed, cut):
    rng = np.random.default_rng(seed)
    closes = 20 * np.exp(rng.normal(0, 0.05, (24, 45)).cumsum(axis=1))
    closes[0, 30:] /= 3
    frame = market(closes)
    session = list_last_sessions(LAST, 45)[cut]
    whole = compute_breadth(frame).filter(pl.col("date") <= session)
    assert compute_breadth(frame.filter(pl.col("session") <= session)).equals(whole)


def test_the_columns_are_as_published():
    assert dict(compute_breadth(market(np.full((30, 2), 50.0))).schema) == BREADTH


@pytest.mark.parametrize("ticker", ["AAPL", "BRK.B", "GOOGL", "CMCSA", "A", "NA", "TRUE", "T", "BF.A", "ZION", "TEST"])
def test_shares_of_companies_count(ticker):
    assert pl.select(is_stock(pl.lit(ticker))).item()


@pytest.mark.parametrize(
    "ticker",
    ["BACpL", "AACT.WS", "AACT.U", "ABCr", "ABCw", "ACAHW", "ACAHU", "AGNCN", "ZVZZT", "ZWZZT", "NTEST", "SPY", "TQQQ"],
)
def test_other_securities_funds_and_test_symbols_do_not(ticker):
    assert not pl.select(is_stock(pl.lit(ticker))).item()


@pytest.mark.parametrize(
    ("advancers", "decliners", "highs", "lows", "expected"),
    [
        (301, 100, None, None, "EXTREMELY_BULLISH"),
        (301, 100, 21, 10, "EXTREMELY_BULLISH"),
        (301, 100, 20, 10, "BULLISH"),
        (301, 100, 0, 0, "EXTREMELY_BULLISH"),
        (150, 100, None, None, "NEUTRAL"),
        (67, 100, None, None, "BEARISH"),
        (33, 100, None, None, "EXTREMELY_BEARISH"),
        (0, 0, None, None, None),
        (None, 100, None, None, None),
    ],
)
def test_breadth_classes_at_their_cut_offs(advancers, decliners, highs, lows, expected):
    columns = {"a": [advancers], "d": [decliners], "h": [highs], "l": [lows]}
    frame = pl.DataFrame(columns, schema=dict.fromkeys("adhl", pl.Int64))
    assert frame.select(classify_breadth(*(pl.col(c) for c in "adhl"))).item() == expected
