"""Reads the bars and chains that a scan needs from the warehouse, as values of `signals.tape`.

Contexts are read by `loading.signals.contexts`; results are stored by `loading.signals.scan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from hd_pipelines.loading.signals.contexts import read_contexts
from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.market.symbols import VOLUME_PROXIES
from hd_pipelines.signals.asset_classes import classify_symbol
from hd_pipelines.signals.frame import Floats
from hd_pipelines.signals.option_chain import ChainAt, OptionQuotes
from hd_pipelines.signals.tape import Bars, SymbolTape, empty_bars
from hd_pipelines.tables.vocabulary import AssetClass, Timeframe
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read import scan_inputs as signal_queries
from hd_pipelines.warehouse.read.symbol_arrays import read_bar_arrays

HISTORY_SESSIONS = 20
"""Sessions of 5-minute bars before the first session that is scanned."""
DAY_SESSIONS = 280
"""Sessions of day bars before it: a year of days, and enough complete weeks."""
_READERS = 2
"""Connections that read in parallel; more do not help on two cores."""


@dataclass(frozen=True)
class Inputs:
    """Tapes by symbol, and each symbol's chain at an instant."""

    tapes: Mapping[str, SymbolTape]
    chains: Mapping[str, ChainAt]


def read_inputs(
    database: Database,
    symbols: Sequence[str],
    sessions: Sequence[date],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Inputs:
    """Read the inputs for scanning `symbols` in `sessions` (ascending, at least one), as reader over two connections.

    since, until: instants (timezone-aware) of the first and last row to scan; None for the whole sessions.
    """
    first, last = sessions[0], sessions[-1]
    since, until = since or get_regular_hours(first).opens_at, until or get_regular_hours(last).closes_at
    wanted = sorted({*symbols, *(VOLUME_PROXIES[symbol] for symbol in symbols if symbol in VOLUME_PROXIES)})
    back = list_last_sessions(first, HISTORY_SESSIONS + 1)[0]
    year = list_last_sessions(first, DAY_SESSIONS + 1)[0]

    def bars(timeframe: Timeframe, begin: date, of_symbols: Sequence[str]) -> dict[str, Bars]:
        with database.connect() as connection:
            return read_bar_arrays(connection, of_symbols, timeframe, begin, last)

    with ThreadPoolExecutor(_READERS, thread_name_prefix="read-tapes") as readers:
        # The longest read starts first, in two parts, so that no connection is idle at the end.
        half = len(wanted) // 2
        five = [readers.submit(bars, Timeframe.M5, back, part) for part in (wanted[:half], wanted[half:]) if part]
        contexts = readers.submit(read_contexts, database, symbols, since, until)
        minutes = readers.submit(bars, Timeframe.M1, first, wanted)
        days = readers.submit(bars, Timeframe.DAY, year, wanted)
        of_five = {symbol: found for part in five for symbol, found in part.result().items()}
        parts = {
            symbol: (
                minutes.result().get(symbol, empty_bars()),
                of_five.get(symbol, empty_bars()),
                days.result().get(symbol, empty_bars()),
            )
            for symbol in wanted
        }
        known = contexts.result()
    tapes = {
        symbol: SymbolTape(
            symbol,
            classify_symbol(symbol),
            *parts[symbol],
            contexts=known[symbol],
            proxy=_build_proxy_tape(symbol, parts),
        )
        for symbol in symbols
    }
    return Inputs(tapes, {symbol: make_chain_reader(database, symbol) for symbol in symbols})


def _build_proxy_tape(symbol: str, parts: Mapping[str, tuple[Bars, Bars, Bars]]) -> SymbolTape | None:
    fund = VOLUME_PROXIES.get(symbol)
    return None if fund is None else SymbolTape(fund, AssetClass.EQUITY_ETF, *parts[fund])


def make_chain_reader(database: Database, symbol: str) -> ChainAt:
    """Make a function that returns the symbol's newest chain known at an instant; each snapshot is read once."""
    kept: dict[datetime, OptionQuotes] = {}

    def chain_at(as_of_ns: int) -> OptionQuotes | None:
        as_of = datetime.fromtimestamp(as_of_ns // 1_000_000_000, UTC)
        with database.connect() as connection:
            stamp = signal_queries.find_newest_chain(connection, symbol, as_of)
            if stamp is None:
                return None
            if stamp not in kept:
                kept[stamp] = _to_quotes(stamp, signal_queries.read_chain(connection, symbol, stamp))
        return kept[stamp]

    return chain_at


def _to_quotes(stamp: datetime, rows: pl.DataFrame) -> OptionQuotes:
    def numbers(name: str) -> Floats:
        return rows[name].cast(pl.Float64).to_numpy()

    return OptionQuotes(
        known_at_ns=to_ns(stamp),
        tickers=tuple(rows["contract_ticker"].to_list()),
        expirations=rows["expiration"].to_numpy(),
        is_call=(rows["option_type"] == "call").to_numpy(),
        **{
            name: numbers(name)
            for name in (
                "strike",
                "dte",
                "bid",
                "ask",
                "volume",
                "open_interest",
                "implied_volatility",
                "delta",
                "gamma",
                "theta",
                "vega",
            )
        },
    )
