"""One session of the synthetic market at the size of the real one, for benchmarks.

It adds tickers, contracts and trades until the counts match a vendor day of May 2026; how they move and print is the
small market's code.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from hd_pipelines.market.sessions import compute_midnight_ns, get_regular_hours
from hd_pipelines.providers.massive.flat_files.layout import (
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    FlatFileDataset,
)
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.generation import GenerationReport, Progress, WrittenObject, fill, put_object
from hd_pipelines.sandbox.market.daily_paths import FULL_MARKET_STREAM, DayState, Floats, get_daily_paths
from hd_pipelines.sandbox.market.minute_paths import (
    Liquidity,
    MinuteGrid,
    build_stock_day_bars,
    build_stock_minute_bars,
    compute_relative_print_size,
    compute_volume_profile,
    draw_factor_paths,
    draw_price_paths,
)
from hd_pipelines.sandbox.market.option_chains import list_contracts
from hd_pipelines.sandbox.market.option_tape import (
    Underlyings,
    build_option_day_bars,
    build_option_minute_bars,
    compute_expected_minutes,
    compute_trading_weights,
)
from hd_pipelines.sandbox.market.option_values import Volatilities
from hd_pipelines.sandbox.market.universe import INSTRUMENTS, SECTORS, Kind, OptionCalendar, OptionRoot
from hd_pipelines.sandbox.vendor_csv import LIKE_THE_VENDOR, SIX_DECIMALS_SINCE, compress, to_csv_bytes

FULL_MARKET_VERSION = "full-market-2"
FULL_MARKET_DATASETS = (STOCK_DAY, STOCK_MINUTE, OPTION_DAY, OPTION_MINUTE)
STOCK_TICKERS, STOCK_MINUTES = 12_250, 1_830_000
OPTIONABLE_STOCKS, OPTION_CONTRACTS, OPTION_MINUTES = 5_200, 362_000, 3_060_000
DAILY_ROOTS, WEEKLY_ROOTS = 8, 620
"""How many of the busiest stocks have daily and weekly expirations."""
STOCKS_AT_ONCE = 2_000
"""Rows of the price matrix held in memory at a time."""


def generate_full_market(
    bucket: Path, session: date, seed: int = 7, on_progress: Progress | None = None
) -> GenerationReport:
    """Write stock and option aggregates of `session` at real size into `bucket`. About half a minute on two cores.

    Raises `ValueError` for a closed day. The day's market moves as in the small market of the same seed.
    """
    origin = f"{FULL_MARKET_VERSION} seed={seed}"
    folder = Bucket(bucket)
    keys = {session: [dataset.key(session) for dataset in FULL_MARKET_DATASETS]}
    return fill(folder, keys, origin, partial(_write, folder, origin, seed), on_progress)


def _write(bucket: Bucket, origin: str, seed: int, sessions: Sequence[date]) -> Iterator[list[WrittenObject]]:
    for session in sessions:

        def write(item: tuple[FlatFileDataset, pl.DataFrame], day: date = session) -> WrittenObject:
            dataset, frame = item
            body = compress(to_csv_bytes(frame, dataset, day), LIKE_THE_VENDOR)
            return put_object(bucket, dataset.key(day), origin, len(frame), body)

        with ThreadPoolExecutor(2) as pool:
            yield list(pool.map(write, build_full_market_session(seed, session).items()))


def build_full_market_session(seed: int, session: date) -> dict[FlatFileDataset, pl.DataFrame]:
    """Build the frames of the four datasets: about 1.8 M stock minutes, 12 k days, 3 M option minutes, 360 k days."""
    grid = MinuteGrid.of(get_regular_hours(session))
    rng = np.random.default_rng([seed, session.toordinal(), FULL_MARKET_STREAM])
    tickers = _invent_tickers(rng)
    day = _build_state_of_all_tickers(get_daily_paths(seed, session).state(session), rng)
    liquidity = _build_liquidity(day, grid, rng)
    factors = draw_factor_paths(day, grid, rng)
    parts, knots = [], []
    for start in range(0, STOCK_TICKERS, STOCKS_AT_ONCE):
        rows = slice(start, start + STOCKS_AT_ONCE)
        paths = draw_price_paths(_select_rows(day, rows), factors, grid, rng)
        parts.append(
            build_stock_minute_bars(
                tickers[rows],
                paths,
                Liquidity(liquidity.shares[rows], liquidity.shares_per_print[rows]),
                stress=1.0,
                grid=grid,
                fractional_volume=session >= SIX_DECIMALS_SINCE,
                rng=rng,
            )
        )
        knots.append(paths[:, grid.regular.start : grid.regular.stop + 1])
    stock_minutes = pl.concat(parts, rechunk=True)
    dollars = liquidity.shares * np.exp(day.open_)
    option_minutes = _build_option_minutes(
        tickers, np.concatenate(knots), day, dollars=dollars, session=session, grid=grid, rng=rng
    )
    stamp = compute_midnight_ns(session)
    return {
        STOCK_MINUTE: stock_minutes,
        OPTION_MINUTE: option_minutes,
        STOCK_DAY: build_stock_day_bars(stock_minutes, grid, stamp),
        OPTION_DAY: build_option_day_bars(option_minutes, stamp),
    }


def _invent_tickers(rng: np.random.Generator) -> list[str]:
    """List the small market's stocks and invented ones, ascending; some preferreds, warrants and units among them."""
    names = {instrument.ticker for instrument in INSTRUMENTS if instrument.kind is Kind.STOCK}
    letters = np.array(list(string.ascii_uppercase))
    while len(names) < STOCK_TICKERS:
        name = "".join(rng.choice(letters, rng.choice((2, 3, 4, 5), p=(0.03, 0.30, 0.60, 0.07))))
        suffix = rng.choice(("", "p" + rng.choice(letters), ".WS", ".U"), p=(0.93, 0.04, 0.02, 0.01))
        names.add(name + str(suffix))
    return sorted(names)


def _build_state_of_all_tickers(market: DayState, rng: np.random.Generator) -> DayState:
    """Build the day state of all tickers: the market's factor returns, and each ticker's own level, exposure and shocks."""
    n = STOCK_TICKERS
    loadings = np.zeros((n, 1 + len(SECTORS)))
    loadings[:, 0] = rng.normal(0.95, 0.4, n)
    loadings[np.arange(n), 1 + rng.integers(0, len(SECTORS) - 1, n)] = rng.normal(0.7, 0.25, n)
    idio_vol = np.exp(rng.normal(np.log(0.018), 0.6, n)) * market.stress**0.6
    open_ = np.log(np.maximum(np.exp(rng.normal(np.log(21.0), 1.25, n)), 0.05))
    return replace(
        market,
        previous_close=open_ - 0.5 * idio_vol * rng.standard_normal(n),
        open_=open_,
        loadings=loadings,
        idio_intraday=idio_vol * rng.standard_normal(n),
        idio_vol=idio_vol,
        idio_jump=np.zeros(n),
    )


def _select_rows(day: DayState, rows: slice) -> DayState:
    return replace(
        day,
        previous_close=day.previous_close[rows],
        open_=day.open_[rows],
        loadings=day.loadings[rows],
        idio_intraday=day.idio_intraday[rows],
        idio_vol=day.idio_vol[rows],
        idio_jump=day.idio_jump[rows],
    )


def _build_liquidity(day: DayState, grid: MinuteGrid, rng: np.random.Generator) -> Liquidity:
    """Draw log-normal turnover, scaled so that about `STOCK_MINUTES` minutes hold a trade."""
    prints = np.exp(rng.normal(0.0, 2.1, STOCK_TICKERS))
    bins = np.quantile(prints, np.linspace(0.0005, 0.9995, 1000))
    profile = compute_volume_profile(grid) / compute_relative_print_size(grid)
    low, high = -5.0, 20.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        minutes = -np.expm1(-np.exp(middle) * bins[:, None] * profile).sum() * STOCK_TICKERS / len(bins)
        low, high = (middle, high) if minutes < STOCK_MINUTES else (low, middle)
    shares_per_print = np.maximum(4_000 / np.exp(day.open_), 1.0) * rng.uniform(0.5, 1.5, STOCK_TICKERS)
    return Liquidity(np.exp(low) * prints * shares_per_print, np.maximum(shares_per_print, 1.0))


def _build_option_minutes(
    tickers: list[str],
    knots: Floats,
    day: DayState,
    *,
    dollars: Floats,
    session: date,
    grid: MinuteGrid,
    rng: np.random.Generator,
) -> pl.DataFrame:
    plain = np.array([ticker.isalpha() and ticker.isupper() for ticker in tickers])
    busiest = np.argsort(np.where(plain, -dollars, 0.0), kind="stable")[:OPTIONABLE_STOCKS]
    roots = [_invent_root(tickers[row], rank, float(np.exp(day.open_[row]))) for rank, row in enumerate(busiest)]
    vol = np.sqrt(252 * ((day.loadings[busiest] ** 2) @ (day.factor_vol**2) + day.idio_vol[busiest] ** 2) / 0.7)
    near = np.clip(vol, 0.12, 1.8)
    volatilities = Volatilities(
        near, 0.5 * near + 0.15, np.full(len(roots), 0.085), np.zeros(len(roots), dtype=np.bool_)
    )
    contracts = list_contracts(roots, np.exp(day.open_[busiest]), near, session)
    weights = compute_trading_weights(contracts, day.open_[busiest], near, session, rng)
    return build_option_minute_bars(
        contracts,
        Underlyings(knots[busiest], volatilities),
        weights=weights ** _find_concentration(weights, grid.regular_minutes, rng),
        grid=grid,
        target_rows=OPTION_MINUTES,
        rng=rng,
    )


def _invent_root(ticker: str, rank: int, price: float) -> OptionRoot:
    calendar: OptionCalendar = "daily" if rank < DAILY_ROOTS else "weekly" if rank < WEEKLY_ROOTS else "monthly"
    step = next(step for limit, step in ((12, 0.5), (50, 1.0), (200, 2.5), (600, 5.0), (1e9, 10.0)) if price < limit)
    return OptionRoot(ticker, ticker, calendar, step, 1000.0 / (rank + 5.0), "penny" if rank < 400 else "nickel")


def _find_concentration(weights: Floats, minutes: int, rng: np.random.Generator) -> float:
    """Find the exponent for `weights` at which `OPTION_MINUTES` minutes fall on about `OPTION_CONTRACTS` contracts."""
    sample = rng.choice(weights, min(len(weights), 40_000), replace=False)
    share = len(sample) / len(weights)
    low, high = 0.3, 3.0
    for _ in range(16):
        middle = 0.5 * (low + high)
        expected = compute_expected_minutes(sample**middle, minutes, int(OPTION_MINUTES * share))
        traded = -np.expm1(-expected).sum() / share
        low, high = (middle, high) if traded > OPTION_CONTRACTS else (low, middle)
    return low
