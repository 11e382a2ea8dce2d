"""Parses and converts names of instruments: plain symbols, vendor tickers and OCC option symbols.

A symbol is what people write (`SPX`, `BRK.B`). A ticker is what the vendor's files contain (`I:SPX`,
`O:SPXW190501C01800000`). The grammar of option tickers is OCC's 21-character OSI symbol without its padding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

INDEX_SYMBOLS = frozenset({"SPX", "NDX", "VIX", "RUT", "DJI", "XSP", "OEX", "VIX3M", "VIX9D", "VVIX"})
"""Indices whose plain symbol would otherwise be taken for a stock. Other indices are given as a ticker, `I:COMP`."""

VOLUME_PROXIES: dict[str, str] = {"SPX": "SPY", "NDX": "QQQ", "RUT": "IWM"}
"""The fund whose traded volume stands in for an index, which has none of its own. VIX has no such fund."""

_OCC = re.compile(r"^O:(?P<root>[A-Z0-9.]{1,6})(?P<ymd>\d{6})(?P<right>[CP])(?P<strike>\d{8})$")
STOCK_TICKER_PATTERN = r"^[A-Z][A-Za-z0-9.\-/]{0,15}$"
"""Tickers in the vendor's stock files: `A`, `BRK.B`, `BACpA` (preferred), `AACT.WS`. `NA` is a ticker, not a null."""
INDEX_TICKER_PATTERN = r"^I:[A-Z0-9][A-Za-z0-9.\-_/&]{0,24}$"
OPTION_TICKER_PATTERN = r"^O:[A-Z0-9.]{1,6}\d{6}[CP]\d{8}$"


@dataclass(frozen=True, slots=True)
class OptionSymbol:
    """A parsed OCC option symbol. `root` keeps an adjustment digit (`TSLA1`), which marks another deliverable."""

    root: str
    expiration: date
    right: Literal["C", "P"]
    strike: Decimal

    @property
    def is_adjusted(self) -> bool:
        """Whether the root ends with an OCC adjustment digit: deliverable or multiplier is not the standard one."""
        return self.root[-1].isdigit()

    @property
    def ticker(self) -> str:
        """The vendor's spelling, `O:` + root + yymmdd + right + strike × 1000 in eight digits."""
        return f"O:{self.root}{self.expiration:%y%m%d}{self.right}{int(self.strike * 1000):08d}"


def parse_option_ticker(ticker: str) -> OptionSymbol:
    """Parse a ticker such as `O:SPXW190501C01800000`. Raises `ValueError` naming the ticker."""
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


def to_ticker(symbol: str) -> str:
    """Convert a watchlist symbol to the vendor's ticker: indices get `I:`, all others stay. Raises `ValueError`."""
    name = symbol.strip()
    ticker = f"I:{name}" if name in INDEX_SYMBOLS else name
    if re.match(INDEX_TICKER_PATTERN, ticker) or re.match(STOCK_TICKER_PATTERN, ticker):
        return ticker
    raise ValueError(f"{symbol!r} is not a symbol; give one like SPY, BRK.B, SPX or I:COMP")


def to_symbol(ticker: str) -> str:
    """Convert a stock or index ticker to its plain symbol: `I:SPX` → `SPX`."""
    return ticker.removeprefix("I:")


def canonicalize_symbol(symbol: str) -> str:
    """Convert to the one name of an instrument: `I:SPX` → `SPX`; `I:COMP` stays, as `COMP` is a stock.

    Raises `ValueError` for a name that is no symbol.
    """
    ticker = to_ticker(symbol)
    plain = to_symbol(ticker)
    return plain if to_ticker(plain) == ticker else symbol.strip()


def is_index(ticker_or_symbol: str) -> bool:
    """Whether the name is an index. Indices have no volume, separate files, and day bars stamped at midnight in Chicago."""
    return ticker_or_symbol.startswith("I:") or ticker_or_symbol in INDEX_SYMBOLS
