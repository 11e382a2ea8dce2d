"""What trades in the synthetic market: stocks, ETFs, indices, their splits and their option roots.

Constants only. Prices, volatilities and volumes are round numbers of the right size, not estimates; only the symbols are
real. Levels are unadjusted prices of `LEVEL_DATE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Literal

LEVEL_DATE = date(2026, 1, 2)

SECTORS = (
    "technology",
    "communication",
    "discretionary",
    "staples",
    "financials",
    "health",
    "energy",
    "materials",
    "industrials",
    "utilities",
    "real_estate",
    "small_caps",
    "gold",
    "bonds",
    "volatility",
)
"""Common factors beside the market itself, in the order of the factor arrays."""


class Kind(StrEnum):
    """How an instrument is published: stock files or index files."""

    STOCK = "stock"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One line of the tape.

    `level` is the unadjusted price on `LEVEL_DATE`; `growth` the yearly log drift of its trend; `idio_vol` the daily
    volatility that neither market nor sector explains; `shares` the millions of shares of a normal day.
    """

    ticker: str
    sector: str
    level: float
    beta: float
    sector_load: float
    idio_vol: float
    shares: float
    growth: float = 0.08
    listed: date | None = None
    kind: Kind = Kind.STOCK


@dataclass(frozen=True, slots=True)
class Split:
    """`ratio` new shares for one old share, effective at the open of `session`; 0.05 is a 1:20 reverse split."""

    ticker: str
    session: date
    ratio: float


OptionCalendar = Literal["daily", "weekly", "monthly", "vix_weekly", "vix_monthly"]


@dataclass(frozen=True, slots=True)
class OptionRoot:
    """One family of option contracts.

    `deliverable` is shares per 100 of contract size: 1.5 for a contract adjusted by a 3:2 split.
    `settles_in_the_morning` contracts stop trading on the session before expiration. `strike_step` is dollars near the
    money. An adjusted root lives from `since` on and has no expiration beyond `until`.
    """

    root: str
    underlying: str
    calendar: OptionCalendar
    strike_step: float
    activity: float
    tick: Literal["penny", "nickel", "index"]
    deliverable: float = 1.0
    settles_in_the_morning: bool = False
    is_european: bool = False
    since: date | None = None
    until: date | None = None


VOLATILITY_INDICES = ("I:VIX", "I:VIX3M")
"""These follow the variance of the market factor instead of a trend."""

INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument("I:SPX", "technology", 6850.0, 1.00, 0.0, 0.0, 0.0, kind=Kind.INDEX),
    Instrument("I:NDX", "technology", 25200.0, 1.10, 0.55, 0.0, 0.0, kind=Kind.INDEX),
    Instrument("I:RUT", "small_caps", 2500.0, 1.10, 1.0, 0.0, 0.0, kind=Kind.INDEX),
    Instrument("I:VIX", "volatility", 16.0, -4.2, 1.0, 0.008, 0.0, 0.0, kind=Kind.INDEX),
    Instrument("I:VIX3M", "volatility", 19.0, -2.3, 0.6, 0.006, 0.0, 0.0, kind=Kind.INDEX),
    # broad and sector ETFs: no volatility of their own, so that they track their index
    Instrument("SPY", "technology", 683.0, 1.00, 0.0, 0.0, 72.0),
    Instrument("VOO", "technology", 628.0, 1.00, 0.0, 0.0, 7.0),
    Instrument("QQQ", "technology", 613.0, 1.10, 0.55, 0.0, 52.0),
    Instrument("IWM", "small_caps", 248.0, 1.10, 1.0, 0.0, 33.0),
    Instrument("DIA", "industrials", 482.0, 0.90, 0.4, 0.0, 4.0),
    Instrument("GLD", "gold", 398.0, 0.05, 1.0, 0.0, 11.0),
    Instrument("TLT", "bonds", 87.0, -0.10, 1.0, 0.0, 34.0),
    Instrument("XLB", "materials", 45.2, 1.0, 1.0, 0.0, 8.0),
    Instrument("XLC", "communication", 118.0, 1.0, 1.0, 0.0, 5.0),
    Instrument("XLE", "energy", 44.8, 0.8, 1.0, 0.0, 22.0),
    Instrument("XLF", "financials", 54.9, 1.0, 1.0, 0.0, 38.0),
    Instrument("XLI", "industrials", 156.0, 1.0, 1.0, 0.0, 8.0),
    Instrument("XLK", "technology", 144.0, 1.2, 1.0, 0.0, 10.0),
    Instrument("XLP", "staples", 77.6, 0.5, 1.0, 0.0, 14.0),
    Instrument("XLRE", "real_estate", 40.6, 0.8, 1.0, 0.0, 5.0),
    Instrument("XLU", "utilities", 42.9, 0.5, 1.0, 0.0, 12.0),
    Instrument("XLV", "health", 154.0, 0.7, 1.0, 0.0, 9.0),
    Instrument("XLY", "discretionary", 119.5, 1.1, 1.0, 0.0, 7.0),
    # large companies
    Instrument("AAPL", "technology", 271.0, 1.10, 0.6, 0.010, 46.0),
    Instrument("MSFT", "technology", 483.0, 1.05, 0.7, 0.009, 22.0),
    Instrument("NVDA", "technology", 188.0, 1.70, 1.2, 0.017, 185.0),
    Instrument("TSLA", "discretionary", 449.0, 1.80, 0.9, 0.026, 83.0),
    Instrument("AMD", "technology", 214.0, 1.70, 1.2, 0.021, 38.0),
    Instrument("META", "communication", 660.0, 1.25, 0.9, 0.014, 14.0),
    Instrument("AMZN", "discretionary", 231.0, 1.20, 0.8, 0.012, 39.0),
    Instrument("GOOGL", "communication", 313.0, 1.10, 0.8, 0.012, 31.0),
    Instrument("PLTR", "technology", 178.0, 1.9, 1.0, 0.027, 52.0, listed=date(2020, 9, 30)),
    Instrument("AVGO", "technology", 346.0, 1.5, 1.1, 0.016, 24.0),
    Instrument("NFLX", "communication", 94.0, 1.1, 0.7, 0.016, 34.0),
    Instrument("JPM", "financials", 322.0, 1.05, 0.9, 0.008, 9.0),
    Instrument("BAC", "financials", 55.0, 1.15, 1.0, 0.008, 34.0),
    Instrument("BRK.B", "financials", 502.0, 0.80, 0.6, 0.006, 4.2),
    Instrument("V", "financials", 351.0, 0.90, 0.4, 0.008, 6.0),
    Instrument("UNH", "health", 330.0, 0.60, 0.8, 0.015, 9.0),
    Instrument("PFE", "health", 24.9, 0.55, 0.8, 0.010, 52.0),
    Instrument("XOM", "energy", 120.0, 0.70, 1.0, 0.007, 15.0),
    Instrument("WMT", "staples", 111.0, 0.60, 0.7, 0.008, 17.0),
    Instrument("KO", "staples", 69.9, 0.45, 0.8, 0.006, 14.0),
    Instrument("CAT", "industrials", 573.0, 1.10, 0.9, 0.010, 3.0),
    Instrument("GE", "industrials", 308.0, 1.15, 0.8, 0.010, 5.0),
    Instrument("T", "communication", 24.8, 0.50, 0.5, 0.009, 36.0),
    Instrument("NEE", "utilities", 80.0, 0.60, 1.0, 0.009, 9.0),
    Instrument("INTC", "technology", 36.9, 1.35, 0.9, 0.022, 78.0),
    Instrument("F", "discretionary", 13.1, 1.20, 0.8, 0.013, 48.0),
    Instrument("A", "health", 136.0, 0.95, 0.8, 0.010, 1.9),
    # what trips parsers: names that read as null or boolean, preferreds, warrants, units, thin and cheap names
    Instrument("NA", "financials", 5.4, 1.2, 0.2, 0.045, 0.12, 0.0, date(2022, 7, 12)),
    Instrument("TRUE", "technology", 2.5, 1.3, 0.3, 0.028, 0.5),
    Instrument("NAN", "bonds", 11.9, 0.0, 0.4, 0.003, 0.06, 0.0),
    Instrument("BACpL", "bonds", 1240.0, 0.1, 0.5, 0.003, 0.005, 0.0),
    Instrument("JPMpD", "bonds", 24.6, 0.1, 0.5, 0.003, 0.06, 0.0),
    Instrument("WFCpL", "bonds", 1215.0, 0.1, 0.5, 0.003, 0.006, 0.0),
    Instrument("AACT.U", "financials", 11.4, 0.02, 0.0, 0.002, 0.004, 0.0, date(2023, 4, 26)),
    Instrument("AACT.WS", "financials", 0.62, 0.8, 0.0, 0.050, 0.05, 0.0, date(2023, 4, 26)),
    Instrument("GRRR", "technology", 11.2, 1.6, 0.4, 0.045, 1.1, 0.0, date(2022, 7, 14)),
    Instrument("CENX", "materials", 39.0, 1.6, 0.8, 0.028, 1.8, 0.05),
    Instrument("SNTG", "financials", 2.1, 0.9, 0.1, 0.055, 0.09, 0.0, date(2021, 2, 17)),
    Instrument("WKHS", "industrials", 4.8, 1.5, 0.3, 0.050, 0.9, 0.0),
    Instrument("UGA", "energy", 62.0, 0.4, 0.9, 0.006, 0.03, 0.0),
    Instrument("ZZK", "technology", 0.08, 0.6, 0.1, 0.060, 0.35, 0.0),
)

LEVELS = {instrument.ticker: instrument.level for instrument in INSTRUMENTS}

SPLITS: tuple[Split, ...] = (
    Split("AAPL", date(2020, 8, 31), 4.0),
    Split("TSLA", date(2020, 8, 31), 5.0),
    Split("NVDA", date(2021, 7, 20), 4.0),
    Split("AMZN", date(2022, 6, 6), 20.0),
    Split("GOOGL", date(2022, 7, 18), 20.0),
    Split("TSLA", date(2022, 8, 25), 3.0),
    Split("NVDA", date(2024, 6, 10), 10.0),
    Split("AMD", date(2025, 3, 17), 1.5),
    Split("WKHS", date(2025, 6, 16), 0.08),
    Split("META", date(2026, 9, 14), 5.0),
    Split("GRRR", date(2026, 10, 5), 0.1),
)
"""Those before 2025 happened; the others are invented so that recent windows hold some, reverse and odd ones."""

OPTION_ROOTS: tuple[OptionRoot, ...] = (
    OptionRoot("SPY", "SPY", "daily", 1.0, 22.0, "penny"),
    OptionRoot("QQQ", "QQQ", "daily", 1.0, 15.0, "penny"),
    OptionRoot("IWM", "IWM", "daily", 1.0, 6.0, "penny"),
    OptionRoot("SPX", "I:SPX", "monthly", 25.0, 3.0, "index", settles_in_the_morning=True, is_european=True),
    OptionRoot("SPXW", "I:SPX", "daily", 5.0, 18.0, "index", is_european=True),
    OptionRoot("NDX", "I:NDX", "monthly", 100.0, 0.4, "index", settles_in_the_morning=True, is_european=True),
    OptionRoot("NDXP", "I:NDX", "daily", 25.0, 1.6, "index", is_european=True),
    OptionRoot("VIX", "I:VIX", "vix_monthly", 1.0, 4.0, "nickel", settles_in_the_morning=True, is_european=True),
    OptionRoot("VIXW", "I:VIX", "vix_weekly", 1.0, 0.8, "nickel", settles_in_the_morning=True, is_european=True),
    OptionRoot("AAPL", "AAPL", "weekly", 2.5, 6.0, "penny"),
    OptionRoot("MSFT", "MSFT", "weekly", 2.5, 3.5, "penny"),
    OptionRoot("NVDA", "NVDA", "weekly", 2.5, 11.0, "penny"),
    OptionRoot("TSLA", "TSLA", "weekly", 2.5, 12.0, "penny"),
    OptionRoot("AMD", "AMD", "weekly", 2.5, 4.5, "penny"),
    OptionRoot("META", "META", "weekly", 5.0, 3.5, "penny"),
    OptionRoot("PLTR", "PLTR", "weekly", 2.5, 4.0, "penny"),
    OptionRoot("AMZN", "AMZN", "weekly", 2.5, 4.0, "penny"),
    OptionRoot("GOOGL", "GOOGL", "weekly", 2.5, 3.0, "penny"),
    OptionRoot("BRKB", "BRK.B", "monthly", 5.0, 0.4, "nickel"),
    OptionRoot("AMD1", "AMD", "monthly", 5.0, 0.15, "nickel", 1.5, since=date(2025, 3, 17), until=date(2028, 1, 21)),
    OptionRoot("TSLA1", "TSLA", "monthly", 5.0, 0.15, "nickel", 1.1, since=date(2016, 1, 4), until=date(2025, 3, 21)),
)
"""Roots under which contracts are listed. AMD1 and TSLA1 are adjusted: another deliverable, the same underlying."""


def compute_split_factor(ticker: str, session: date) -> float:
    """Compute shares of `LEVEL_DATE` per share of `session`: unadjusted price = split-adjusted price × this factor.

    Splits after `LEVEL_DATE` make it smaller than 1, so that `Instrument.level` stays the printed price of that date.
    """
    factor = 1.0
    for split in SPLITS:
        if split.ticker != ticker:
            continue
        if session < split.session <= LEVEL_DATE:
            factor *= split.ratio
        elif LEVEL_DATE < split.session <= session:
            factor /= split.ratio
    return factor


def check_universe() -> None:
    """Raise `ValueError` if the tables contradict themselves: unknown sectors, duplicate tickers, orphaned roots."""
    tickers = sorted(instrument.ticker for instrument in INSTRUMENTS)
    doubled = [first for first, second in pairwise(tickers) if first == second]
    unknown = [instrument.ticker for instrument in INSTRUMENTS if instrument.sector not in SECTORS]
    orphans = [root.root for root in OPTION_ROOTS if root.underlying not in tickers]
    orphans += [split.ticker for split in SPLITS if split.ticker not in tickers]
    if doubled or unknown or orphans:
        raise ValueError(f"universe: duplicate {doubled}, unknown sector {unknown}, without instrument {orphans}")
