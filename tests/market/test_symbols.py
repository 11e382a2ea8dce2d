"""Names of instruments: parsing, and conversion in both directions."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.symbols import (
    INDEX_SYMBOLS,
    OptionSymbol,
    canonicalize_symbol,
    is_index,
    parse_option_ticker,
    to_symbol,
    to_ticker,
)


@pytest.mark.parametrize(
    ("ticker", "parts"),
    [
        ("O:SPXW190501C01800000", ("SPXW", date(2019, 5, 1), "C", Decimal(1800))),
        ("O:AAPL260619P00192500", ("AAPL", date(2026, 6, 19), "P", Decimal("192.5"))),
        ("O:BRKB261218C00450000", ("BRKB", date(2026, 12, 18), "C", Decimal(450))),
        ("O:TSLA1260116C00005500", ("TSLA1", date(2026, 1, 16), "C", Decimal("5.5"))),
        ("O:SPY241231P00000500", ("SPY", date(2024, 12, 31), "P", Decimal("0.5"))),
    ],
)
def test_an_option_ticker_is_taken_apart_from_the_right(ticker, parts):
    option = parse_option_ticker(ticker)
    assert (option.root, option.expiration, option.right, option.strike) == parts
    assert option.ticker == ticker


def test_an_adjusted_root_is_another_deliverable():
    assert parse_option_ticker("O:TSLA1260116C00005500").is_adjusted
    assert not parse_option_ticker("O:TSLA260116C00005500").is_adjusted


@pytest.mark.parametrize(
    "wrong", ["SPY", "O:SPY", "O:SPY241331C00500000", "O:spy241231C00500000", "O:TOOLONGX241231C00500000", ""]
)
def test_what_is_no_option_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=wrong or "''"):
        parse_option_ticker(wrong)


@given(
    root=st.from_regex(r"[A-Z]{1,5}[0-9]?", fullmatch=True),
    expiration=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    right=st.sampled_from("CP"),
    strike=st.integers(1, 99_999_999),
)
def test_any_option_survives_the_round_trip(root, expiration, right, strike):
    option = OptionSymbol(root, expiration, right, Decimal(strike) / 1000)
    assert parse_option_ticker(option.ticker) == option


@pytest.mark.parametrize(
    ("symbol", "ticker"),
    [("SPY", "SPY"), ("BRK.B", "BRK.B"), ("NA", "NA"), (" QQQ ", "QQQ"), ("SPX", "I:SPX"), ("I:COMP", "I:COMP")],
)
def test_a_symbol_has_the_vendors_ticker(symbol, ticker):
    assert to_ticker(symbol) == ticker


@pytest.mark.parametrize("wrong", ["", "spy", "SP Y", "O:SPY241231C00500000", "'; drop table watchlist"])
def test_what_is_no_symbol_is_refused(wrong):
    with pytest.raises(ValueError, match="is not a symbol"):
        to_ticker(wrong)


@given(st.one_of(st.from_regex(r"[A-Z]{1,5}(\.[A-Z])?", fullmatch=True), st.sampled_from(sorted(INDEX_SYMBOLS))))
def test_a_plain_symbol_comes_back_from_its_ticker_and_keeps_its_kind(symbol):
    ticker = to_ticker(symbol)
    assert to_symbol(ticker) == symbol
    assert is_index(ticker) == is_index(symbol) == (symbol in INDEX_SYMBOLS)
    assert to_ticker(ticker) == ticker


@pytest.mark.parametrize(
    ("given", "canonical"), [("I:SPX", "SPX"), ("SPX", "SPX"), (" SPY ", "SPY"), ("I:COMP", "I:COMP"), ("COMP", "COMP")]
)
def test_an_instrument_has_one_name(given, canonical):
    assert canonicalize_symbol(given) == canonical
