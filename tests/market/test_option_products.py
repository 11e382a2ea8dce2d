"""Contract specifications that follow from an option root."""

from __future__ import annotations

from datetime import time

import pytest

from hd_pipelines.market.option_products import SettlementTime, find_product, find_underlying, list_roots
from hd_pipelines.tables.vocabulary import ExerciseStyle


@pytest.mark.parametrize(
    ("root", "underlying"),
    [
        ("SPX", "I:SPX"),
        ("SPXW", "I:SPX"),
        ("XSP", "I:XSP"),
        ("NDXP", "I:NDX"),
        ("RUTW", "I:RUT"),
        ("VIXW", "I:VIX"),
        ("SPY", "SPY"),
        ("BRKB", "BRK.B"),
        ("TSLA1", "TSLA"),
        ("2SPX", "I:SPX"),
    ],
)
def test_a_root_leads_to_the_vendors_ticker_of_its_underlying(root, underlying):
    assert find_underlying(root) == underlying


def test_index_options_are_european_and_cash_settled_shares_and_funds_are_not():
    for root in ("SPX", "SPXW", "NDX", "RUT", "VIX", "XSP"):
        product = find_product(root)
        assert product.exercise_style is ExerciseStyle.EUROPEAN
        assert product.is_cash
    for root in ("SPY", "AAPL", "QQQ"):
        product = find_product(root)
        assert product.exercise_style is ExerciseStyle.AMERICAN
        assert not product.is_cash
        assert product.settlement is SettlementTime.AFTERNOON


def test_oex_is_the_american_exception_among_index_options():
    assert find_product("OEX").exercise_style is ExerciseStyle.AMERICAN
    assert find_product("XEO").exercise_style is ExerciseStyle.EUROPEAN


def test_a_digit_at_the_end_is_an_adjustment_and_at_the_front_a_flex_series():
    assert find_product("TSLA1").is_adjusted
    assert find_product("2SPX").is_flex
    assert not find_product("2SPX").is_adjusted
    assert [root for root in ("TSLA", "TSLA1", "2SPX") if find_product(root).is_standard] == ["TSLA"]


def test_index_products_and_broad_funds_trade_a_quarter_of_an_hour_longer():
    assert find_product("SPX").closes == time(16, 15)
    assert find_product("SPY").closes == time(16, 15)
    assert find_product("AAPL").closes == time(16)


@pytest.mark.parametrize("root", ["", "7", "12"])
def test_a_root_without_letters_is_refused(root):
    with pytest.raises(ValueError, match="not an option root"):
        find_product(root)


def test_the_roots_of_an_underlying_are_those_that_lead_back_to_it():
    assert list_roots("I:SPX") == ("SPX", "SPXW", "SPXPM")
    assert list_roots("BRK.B") == ("BRKB",)
    assert list_roots("AAPL") == ("AAPL",)
    assert list_roots("I:VVIX") == ()
    for ticker in ("I:SPX", "I:VIX", "I:OEX", "BRK.B", "SPY"):
        assert {find_underlying(root) for root in list_roots(ticker)} == {ticker}
