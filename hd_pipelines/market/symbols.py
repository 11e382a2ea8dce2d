"""Names of things that trade: plain symbols, vendor tickers, OCC option symbols.

Belongs here: translating and checking names. A symbol is what people say (`SPX`, `BRK.B`); a ticker is what the
vendor's files say (`I:SPX`, `O:SPXW190501C01800000`). Grammar: OSI 21-character symbol, vendor notes §7 in docs/vendor.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

INDEX_SYMBOLS = frozenset({"SPX", "NDX", "VIX", "RUT", "DJI", "XSP", "OEX", "VIX3M", "VIX9D", "VVIX"})
"""Indices whose plain symbol would otherwise read as a stock. A symbol may also be given as a ticker, `I:COMP`."""

VOLUME_PROXIES: dict[str, str] = {"SPX": "SPY", "NDX": "QQQ", "RUT": "IWM"}
"""The fund whose traded volume stands for an index: an index prints values, never shares. VIX has no such fund."""

_OCC = re.compile(r"^O:(?P<root>[A-Z0-9.]{1,6})(?P<ymd>\d{6})(?P<right>[CP])(?P<strike>\d{8})$")
STOCK_TICKER_PATTERN = r"^[A-Z][A-Za-z0-9.\-/]{0,15}$"
"""What the vendor's stock files contain: `A`, `BRK.B`, `BACpA` (preferred), `AACT.WS`; `NA` is a ticker."""
INDEX_TICKER_PATTERN = r"^I:[A-Z0-9][A-Za-z0-9.\-_/&]{0,24}$"
OPTION_TICKER_PATTERN = r"^O:[A-Z0-9.]{1,6}\d{6}[CP]\d{8}$"


@dataclass(frozen=True, slots=True)
class OptionSymbol:
    """An OCC option symbol taken apart. `root` keeps an adjustment digit (`TSLA1`): it is another deliverable."""

    root: str
    expiration: date
    right: Literal["C", "P"]
    strike: Decimal

    @property
    def is_adjusted(self) -> bool:
        """Whether the root carries an OCC adjustment digit: deliverable or multiplier is not the standard one."""
        return self.root[-1].isdigit()

    @property
    def ticker(self) -> str:
        """The vendor's spelling, `O:` + root + yymmdd + right + strike × 1000 in eight digits."""
        return f"O:{self.root}{self.expiration:%y%m%d}{self.right}{int(self.strike * 1000):08d}"


def parse_option_ticker(ticker: str) -> OptionSymbol:
    """Take `O:SPXW190501C01800000` apart, from the right. Raises `ValueError` naming the ticker."""
    match = _OCC.match(ticker)
    if match is None:
        raise ValueError(f"{ticker!r} is not an OCC option ticker (O:ROOT + yymmdd + C|P + 8 strike digits)")
    ymd = match["ymd"]
    try:
        expiration = date(2000 + int(ymd[:2]), int(ymd[2:4]), int(ymd[4:]))
    except ValueError:
        raise ValueError(f"{ticker!r} has no valid expiration date ({ymd})") from None
    right: Literal["C", "P"] = "C" if match["right"] == "C" else "P"
    return OptionSymbol(match["root"], expiration, right, Decimal(int(match["strike"])) / 1000)


def ticker_of(symbol: str) -> str:
    """The vendor's ticker of a watchlist symbol: indices get `I:`, everything else stays. Raises `ValueError`."""
    name = symbol.strip()
    ticker = f"I:{name}" if name in INDEX_SYMBOLS else name
    if re.match(INDEX_TICKER_PATTERN, ticker) or re.match(STOCK_TICKER_PATTERN, ticker):
        return ticker
    raise ValueError(f"{symbol!r} is not a symbol; give one like SPY, BRK.B, SPX or I:COMP")


def symbol_of(ticker: str) -> str:
    """What people call a stock or index ticker: `I:SPX` → `SPX`."""
    return ticker.removeprefix("I:")


def canonical_symbol(symbol: str) -> str:
    """One name per instrument: `I:SPX` → `SPX`, while `I:COMP` stays, since `COMP` is a stock. Raises `ValueError`."""
    ticker = ticker_of(symbol)
    plain = symbol_of(ticker)
    return plain if ticker_of(plain) == ticker else symbol.strip()


def is_index(ticker_or_symbol: str) -> bool:
    """Whether the name is an index: no volume, its own files, day bars stamped in Chicago."""
    return ticker_or_symbol.startswith("I:") or ticker_or_symbol in INDEX_SYMBOLS
