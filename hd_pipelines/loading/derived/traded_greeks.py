"""Refresh `historical_greeks` from option bars in the lake, for sessions that have no chain.

- One row per contract and session: its last bar, stamped with the end of that bar. Minute bars are preferred to day bars,
  which are only used if the option or the underlying has no minutes.
- All contracts of the underlying that traded in the same minute are valued with it, because parity needs them. So a row
  depends only on bars up to its timestamp, whatever trades later.
- A chain is better, since it has two-sided quotes of all contracts at one instant. Sessions with a recorded chain are
  skipped here, and `greeks` replaces the whole session when its chain arrives. Percentiles and gamma leave these rows
  out (`fingerprints.keep_chain_valued`), and the rows have no rank.

Outdated sessions are found from the manifest of files, before any file is read. Sessions are published one by one.
Contracts are valued by `pricing.aggregates`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from datetime import time as clock_time

import polars as pl

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.fingerprints import TRADED, Marks, Pair, digest, find_outdated, keep_chain_valued
from hd_pipelines.loading.derived.refresh import Computed, DerivedReport, DerivedTable, Publication, Validator, refresh
from hd_pipelines.market.option_chains import VALUED
from hd_pipelines.market.option_products import find_product, list_roots
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, get_regular_hours
from hd_pipelines.market.symbols import is_index, to_symbol, to_ticker
from hd_pipelines.pricing.aggregates import value_aggregates
from hd_pipelines.pricing.discounting import select_curves
from hd_pipelines.providers.massive.flat_files.layout import (
    INDEX_DAY,
    INDEX_MINUTE,
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    FlatFileDataset,
    Interval,
)
from hd_pipelines.providers.massive.flat_files.reading import BAR_SCHEMA
from hd_pipelines.tables.vocabulary import PriceSource
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.greeks import Scope, publish_greeks
from hd_pipelines.warehouse.records.chains import read_recorded_chains
from hd_pipelines.warehouse.records.derivations import read_fingerprints
from hd_pipelines.warehouse.records.files import read_current_loads

TABLE = "historical_greeks"
TRADED_VALUATION = 1
"""Raise it when the same bars and curve give other rows; rows of an older version are then computed again."""
READ_FROM = (OPTION_MINUTE, OPTION_DAY, STOCK_MINUTE, STOCK_DAY, INDEX_MINUTE, INDEX_DAY)
_FOUR = clock_time(16)
_QUARTER_HOUR_NS = 15 * NANOSECONDS_PER_MINUTE
_VALUED = pl.Schema(VALUED)


@dataclass(frozen=True, slots=True)
class _Input:
    """Files from which a symbol's session is valued; an index does not need its own (`underlyings` is None)."""

    options: FlatFileDataset
    underlyings: FlatFileDataset | None
    price_source: PriceSource


def refresh_traded_greeks(
    database: Database,
    lake: Lake,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    run_id: str | None = None,
    validate: Validator | None = None,
) -> DerivedReport:
    """Bring rows valued from option bars up to date, for `symbols` in those `sessions` (ascending) that have no chain.

    Run it after `refresh_greeks`. Rows that were made from a chain stay, even when the chain is gone from the lake.
    """
    began = time.perf_counter()
    first, last = sessions[0], sessions[-1]
    tickers = sorted(ticker for ticker in map(to_ticker, set(symbols)) if list_roots(ticker))
    with database.connect() as connection:
        chained = {
            (chain.underlying, chain.session) for chain in read_recorded_chains(connection, first, last, tickers)
        }
        loads = read_current_loads(connection, [dataset.name for dataset in READ_FROM], first, last)
        stored = read_fingerprints(connection, TABLE, [to_symbol(ticker) for ticker in tickers], first, last)
    files = {(load.dataset, load.session): load.sha256 for load in loads if load.rows}
    valued_from_chains = keep_chain_valued(stored)
    inputs = {
        (to_symbol(ticker), session): found
        for session in sessions
        for ticker in tickers
        if (ticker, session) not in chained and (to_symbol(ticker), session) not in valued_from_chains
        if (found := _choose_input(files, ticker, session)) is not None
    }
    if not inputs:
        return DerivedReport(seconds=time.perf_counter() - began)
    curve = lake.treasury_yields.read()
    due = find_outdated(_compute_marks(inputs, files, curve), stored)

    def compute(batch: pl.DataFrame) -> Computed:
        session = batch["session"][0]
        symbols_of_session = sorted(set(batch["symbol"]))
        return Computed(_value(lake, session, {name: inputs[name, session] for name in symbols_of_session}, curve))

    def publish(publication: Publication) -> int:
        publish_greeks(
            database,
            publication.rows,
            scope=Scope(frozenset(publication.scope.select("symbol", "session").iter_rows())),
            fingerprints=publication.fingerprints,
            findings=publication.findings,
            checked=publication.checked,
            run_id=run_id,
        )
        return publication.rows.height

    table = DerivedTable(
        TABLE,
        compute=compute,
        publish=publish,
        batches=lambda scope: scope.sort("session", "symbol").partition_by("session", maintain_order=True),
    )
    return refresh(table, due, stored, validate=validate, began=began)


def _choose_input(files: Mapping[tuple[str, date], str], ticker: str, session: date) -> _Input | None:
    """Choose the best input that the lake has for `ticker` in `session`; None if it cannot be valued from bars."""
    index = is_index(ticker)
    for options, underlyings, source in (
        (OPTION_MINUTE, INDEX_MINUTE if index else STOCK_MINUTE, PriceSource.OPTION_MINUTE),
        (OPTION_DAY, INDEX_DAY if index else STOCK_DAY, PriceSource.OPTION_DAY),
    ):
        has_underlying = (underlyings.name, session) in files
        if (options.name, session) in files and (has_underlying or index):
            return _Input(options, underlyings if has_underlying else None, source)
    return None


def _compute_marks(
    inputs: Mapping[Pair, _Input], files: Mapping[tuple[str, date], str], curve: pl.DataFrame
) -> dict[Pair, Marks]:
    """Compute one mark per pair, at the session's close: its rows have hundreds of times, and are replaced together."""
    curves = select_curves(curve, sorted({session for _, session in inputs}))
    curve_marks = {day: digest(*(numbers.tobytes().hex() for numbers in points)) for day, points in curves.items()}
    marks: dict[Pair, Marks] = {}
    for (symbol, session), read in inputs.items():
        names = [dataset.name for dataset in (read.options, read.underlyings) if dataset is not None]
        made_from = [part for name in names for part in (name, files[name, session])]
        mark = TRADED + digest(TRADED_VALUATION, *made_from, curve_marks.get(session, "no curve"))
        marks[symbol, session] = {get_regular_hours(session).closes_at: mark}
    return marks


def _value(lake: Lake, session: date, inputs: Mapping[str, _Input], curve: pl.DataFrame) -> pl.DataFrame:
    """Value the last bar of every contract on the symbols of `inputs` that traded in `session`: `VALUED`, null ranks."""
    valued = [pl.DataFrame(schema=_VALUED)]
    for read in sorted(set(inputs.values()), key=str):
        tickers = [to_ticker(symbol) for symbol, each in inputs.items() if each == read]
        spots = pl.DataFrame(schema=BAR_SCHEMA)
        if read.underlyings is not None:
            spots = lake.read(read.underlyings, session, session, tickers=tickers)
        options = _keep_last_minutes(_read_option_bars(lake, read.options, session, tickers))
        # One by one: without a curve an index lends its rates, and rows must not depend on which symbols are requested.
        valued += [
            value_aggregates(bars, spots, curve, read.price_source)
            for bars in options.partition_by("underlying", maintain_order=True)
        ]
    is_last = pl.col("timestamp") == pl.col("timestamp").max().over("contract_ticker")
    unranked = {name: pl.lit(None, pl.Float64) for name in ("iv_rank", "iv_percentile")}
    return pl.concat(valued).filter(is_last).with_columns(**unranked)


def _read_option_bars(lake: Lake, dataset: FlatFileDataset, session: date, tickers: Sequence[str]) -> pl.DataFrame:
    """Read bars of options on `tickers`, with `underlying`; minutes only while the contract's market is open.

    `volume` is cumulative since the open. A full market's file has two million rows: only the ranges of tickers that
    begin with a root of `tickers` are read.
    """
    stretches = [(pl.lit(f"O:{root}0"), pl.lit(f"O:{root}:")) for ticker in tickers for root in list_roots(ticker)]
    name = pl.col("ticker")
    is_wanted = pl.any_horizontal(name.is_between(*stretch, closed="left") for stretch in stretches)
    bars = lake.read(dataset, session, session, where=is_wanted).with_columns(root=name.str.slice(2).str.head(-15))
    roots = bars["root"].unique().to_list()
    products = [find_product(root) for root in roots]
    late = [product.closes > _FOUR for product in products]
    known = pl.DataFrame(
        {"root": roots, "underlying": [product.underlying for product in products], "is_late": late},
        schema={"root": pl.String, "underlying": pl.String, "is_late": pl.Boolean},
    )
    bars = bars.join(known, on="root").filter(pl.col("underlying").is_in(tickers))
    if dataset.interval is Interval.MINUTE:
        hours = get_regular_hours(session)
        closes = hours.closes_at_ns + pl.when("is_late").then(_QUARTER_HOUR_NS).otherwise(0)
        bars = bars.filter(pl.col("window_start") >= hours.opens_at_ns, pl.col("window_start") < closes)
    return bars.sort("ticker", "window_start").with_columns(pl.col("volume").cum_sum().over("ticker"))


def _keep_last_minutes(bars: pl.DataFrame) -> pl.DataFrame:
    """Keep the bars of those minutes, by underlying, in which one of its contracts traded for the last time."""
    last = bars.group_by("ticker").agg(pl.col("underlying").first(), pl.col("window_start").max())
    return bars.join(last, on=["underlying", "window_start"], how="semi").sort("underlying", "window_start", "ticker")
