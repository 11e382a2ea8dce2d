"""Looks up the contract specification of an option root: underlying, exercise, settlement and trading hours.

The instant at which one expiration settles needs the calendar and is found in `pricing.settlement`. What an adjusted root
delivers is stated only in OCC's memo, so it is read from the vendor's contract reference and never guessed.

Sources: contract specifications on cboe.com (SPX, SPXW "SPX Weeklys and End-of-Month", XSP, VIX, RUT, OEX/XEO, DJX) and
nasdaq.com (NDX, NDXP); OCC by-laws on adjustments; OSI symbology for roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from functools import cache

from hd_pipelines.tables.vocabulary import ExerciseStyle


class SettlementTime(StrEnum):
    """The price of the expiration day on which an option settles."""

    MORNING = "am"
    """A special opening quotation (SET of SPX, VRO of VIX); the last trade was the session before."""

    AFTERNOON = "pm"
    """The closing price of the underlying."""


@dataclass(frozen=True, slots=True)
class OptionProduct:
    """The specification that all contracts of one root share.

    underlying     vendor ticker, `I:SPX` or `SPY`
    settlement     `MORNING` or `AFTERNOON`
    is_cash        settled in cash; otherwise shares are delivered
    closes         end of regular trading, New York; expiring contracts of a 16:15 product stop trading at 16:00
    is_adjusted    the root ends with OCC's adjustment digit: its deliverable is not the standard one
    is_flex        FLEX series (the root begins with a digit): individual terms, hardly ever quoted
    """

    root: str
    underlying: str
    exercise_style: ExerciseStyle
    settlement: SettlementTime
    is_cash: bool
    closes: time
    is_adjusted: bool = False
    is_flex: bool = False

    @property
    def is_standard(self) -> bool:
        """Whether prices of this root can be compared with the underlying directly (neither adjusted nor FLEX)."""
        return not (self.is_adjusted or self.is_flex)


_FOUR, _QUARTER_PAST = time(16), time(16, 15)

# root: (index, whether it settles in the morning). All settle in cash; all are European except OEX.
_INDEX_ROOTS = {
    "SPX": ("SPX", True),
    "SPXW": ("SPX", False),
    "SPXPM": ("SPX", False),
    "XSP": ("XSP", False),
    "XSPAM": ("XSP", True),
    "NDX": ("NDX", True),
    "NDXP": ("NDX", False),
    "XND": ("XND", False),
    "RUT": ("RUT", True),
    "RUTW": ("RUT", False),
    "MRUT": ("MRUT", False),
    "VIX": ("VIX", True),
    "VIXW": ("VIX", True),
    "DJX": ("DJX", True),
    "OEX": ("OEX", False),
    "XEO": ("OEX", False),
}
_AMERICAN_INDEX_ROOTS = frozenset({"OEX"})

# Funds whose options trade until 16:15 (Cboe "Options Trading Hours"), limited to those a watchlist is likely to hold.
_QUARTER_PAST_FUNDS = """
DBA DBC DIA EEM EFA GLD IWM IWN IWO IYR KBE KRE MDY QQQ RSP SLV SMH SPY SVXY UNG USO UUP UVXY VIXY VXX XHB XLB XLE XLF
XLI XLK XLP XLU XLV XLY XME XRT
"""

# OCC roots drop the dot that tickers have.
_DOTTED_STOCKS = {"BRKA": "BRK.A", "BRKB": "BRK.B", "BFA": "BF.A", "BFB": "BF.B", "LENB": "LEN.B", "HEIA": "HEI.A"}


@cache
def find_product(root: str) -> OptionProduct:
    """Find the product of `root` (`SPXW`, `AAPL`, `TSLA1`). Any root that is no known index root is a stock or fund.

    Raises `ValueError` for an empty root, or one of digits only.
    """
    is_flex = root[:1].isdigit()
    plain = root.lstrip("0123456789") if is_flex else root.rstrip("0123456789")
    if not plain:
        raise ValueError(f"{root!r} is not an option root (1-6 letters, perhaps with a digit of OCC at the end)")
    is_adjusted = not is_flex and plain != root
    index = _INDEX_ROOTS.get(plain)
    if index is None:
        return OptionProduct(
            root=root,
            underlying=_DOTTED_STOCKS.get(plain, plain),
            exercise_style=ExerciseStyle.AMERICAN,
            settlement=SettlementTime.AFTERNOON,
            is_cash=False,
            closes=_QUARTER_PAST if plain in _QUARTER_PAST_FUNDS.split() else _FOUR,
            is_adjusted=is_adjusted,
            is_flex=is_flex,
        )
    name, is_morning = index
    return OptionProduct(
        root=root,
        underlying=f"I:{name}",
        exercise_style=ExerciseStyle.AMERICAN if plain in _AMERICAN_INDEX_ROOTS else ExerciseStyle.EUROPEAN,
        settlement=SettlementTime.MORNING if is_morning else SettlementTime.AFTERNOON,
        is_cash=True,
        closes=_QUARTER_PAST,
        is_adjusted=is_adjusted,
        is_flex=is_flex,
    )


def find_underlying(root: str) -> str:
    """Find the vendor ticker of the underlying of `root`: `SPXW` → `I:SPX`, `BRKB` → `BRK.B`, `TSLA1` → `TSLA`."""
    return find_product(root).underlying


def list_roots(ticker: str) -> tuple[str, ...]:
    """List the roots of the standard options on a vendor ticker: `I:SPX` → `SPX`, `SPXW`, `SPXPM`; `BRK.B` → `BRKB`.

    Empty for an index without listed options. Adjusted roots (`TSLA1`) begin with one of these.
    """
    if ticker.startswith("I:"):
        return tuple(root for root, (name, _) in _INDEX_ROOTS.items() if name == ticker.removeprefix("I:"))
    return tuple(root for root, stock in _DOTTED_STOCKS.items() if stock == ticker) or (ticker,)
