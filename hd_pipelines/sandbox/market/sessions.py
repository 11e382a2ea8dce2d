"""The synthetic market: one seeded session as the six datasets of the vendor.

A session's data is a pure function of (seed, session): the requested window, its order and the number of processes change
nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
import polars as pl

from hd_pipelines.market.sessions import CHICAGO, compute_midnight_ns, get_regular_hours
from hd_pipelines.providers.massive.flat_files.layout import (
    DATASETS,
    INDEX_DAY,
    INDEX_MINUTE,
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    FlatFileDataset,
)
from hd_pipelines.sandbox.market.daily_paths import (
    IDIO_VOL,
    LOADINGS,
    MARKET_DAILY_VARIANCE,
    MINUTE_STREAM,
    OPTION_STREAM,
    DayState,
    Floats,
    get_daily_paths,
)
from hd_pipelines.sandbox.market.minute_paths import (
    Liquidity,
    MinuteGrid,
    build_index_day_bars,
    build_index_minute_bars,
    build_stock_day_bars,
    build_stock_minute_bars,
    draw_factor_paths,
    draw_price_paths,
)
from hd_pipelines.sandbox.market.option_chains import list_contracts
from hd_pipelines.sandbox.market.option_tape import (
    Underlyings,
    build_option_day_bars,
    build_option_minute_bars,
    compute_trading_weights,
)
from hd_pipelines.sandbox.market.option_values import Volatilities
from hd_pipelines.sandbox.market.universe import INSTRUMENTS, OPTION_ROOTS, Kind, OptionRoot, compute_split_factor
from hd_pipelines.sandbox.vendor_csv import SIX_DECIMALS_SINCE

OPTION_MINUTE_ROWS = 20_000
HALF_DAY_ROW_SHARE = 0.45
AT_THE_MONEY_SHARE_OF_VIX = 0.92
"""The index sums the whole smile, which leans to the puts; at the money is less."""
REPORT_DAYS = 91
POSITION = {instrument.ticker: i for i, instrument in enumerate(INSTRUMENTS)}
"""Row of each instrument in the arrays of `daily_paths`."""

SessionData = dict[FlatFileDataset, pl.DataFrame]
"""Frames in the vendor's column names; stock minutes carry an extra `minute`, the number in the session's grid."""


def build_synthetic_session(seed: int, session: date, datasets: Collection[FlatFileDataset] = DATASETS) -> SessionData:
    """Build the `datasets` of `session`. Raises `ValueError` for a closed day or one before the market's epoch."""
    hours = get_regular_hours(session)
    grid = MinuteGrid.of(hours)
    day = get_daily_paths(seed, session).state(session)
    knots, rng = build_minute_knots(seed, session)

    stocks = [
        i
        for i, instrument in sorted(enumerate(INSTRUMENTS), key=lambda item: item[1].ticker)
        if instrument.kind is Kind.STOCK and (instrument.listed is None or instrument.listed <= session)
    ]
    indices = [
        i
        for i, instrument in sorted(enumerate(INSTRUMENTS), key=lambda item: item[1].ticker)
        if instrument.kind is Kind.INDEX
    ]
    stock_minutes = build_stock_minute_bars(
        [INSTRUMENTS[i].ticker for i in stocks],
        knots[stocks],
        _build_liquidity(stocks, knots, session),
        stress=day.stress,
        grid=grid,
        fractional_volume=session >= SIX_DECIMALS_SINCE,
        rng=rng,
    )
    index_minutes = build_index_minute_bars([INSTRUMENTS[i].ticker for i in indices], knots[indices], grid, rng)
    new_york, chicago = compute_midnight_ns(session), compute_midnight_ns(session, CHICAGO)
    made = {
        STOCK_DAY: build_stock_day_bars(stock_minutes, grid, new_york),
        STOCK_MINUTE: stock_minutes,
        INDEX_DAY: build_index_day_bars(index_minutes, chicago),
        INDEX_MINUTE: index_minutes,
    }
    if OPTION_DAY in datasets or OPTION_MINUTE in datasets:
        option_minutes = _build_option_minutes(seed, session, grid, knots, day)
        made |= {OPTION_DAY: build_option_day_bars(option_minutes, new_york), OPTION_MINUTE: option_minutes}
    return {dataset: made[dataset] for dataset in DATASETS if dataset in datasets}


def build_minute_knots(seed: int, session: date) -> tuple[Floats, np.random.Generator]:
    """Build log prices of all instruments at the knots of the session's minute grid, and the generator for further draws."""
    day, grid = get_daily_paths(seed, session).state(session), MinuteGrid.of(get_regular_hours(session))
    rng = np.random.default_rng([seed, session.toordinal(), MINUTE_STREAM])
    return draw_price_paths(day, draw_factor_paths(day, grid, rng), grid, rng), rng


def _build_liquidity(stocks: list[int], knots: Floats, session: date) -> Liquidity:
    """Shares scale with splits; prints grow with price and size so that the busiest names print some 10^5 times."""
    factor = np.array([compute_split_factor(INSTRUMENTS[i].ticker, session) for i in stocks])
    shares = np.array([INSTRUMENTS[i].shares for i in stocks]) * 1e6 / factor
    price = np.exp(knots[stocks, 0])
    dollars = shares * price
    dollars_per_print = np.clip(2_500.0 * (dollars / 1e6) ** 0.24, 2_000.0, 60_000.0)
    return Liquidity(shares, np.maximum(dollars_per_print / price, 1.0))


def compute_long_run_volatilities() -> Floats:
    """Compute the yearly volatility of each instrument when the market is calm."""
    sector = np.array([0.0060] * (LOADINGS.shape[1] - 1))
    variance = LOADINGS[:, 0] ** 2 * MARKET_DAILY_VARIANCE + (LOADINGS[:, 1:] ** 2) @ (sector**2)
    variance += np.array([instrument.idio_vol for instrument in INSTRUMENTS]) ** 2
    return np.asarray(np.sqrt(252 * variance))


def list_option_roots(session: date) -> list[OptionRoot]:
    """List roots whose underlying is listed on `session`."""
    listed = {instrument.ticker: instrument.listed for instrument in INSTRUMENTS}
    return [root for root in OPTION_ROOTS if (since := listed[root.underlying]) is None or since <= session]


def compute_option_volatilities(roots: Sequence[OptionRoot], log_prices: Floats, session: date) -> Volatilities:
    """Compute volatilities by root from `log_prices`, led by the volatility indices.

    A high VIX inverts the term structure and makes the smiles lean more; a company's own volatility rises towards its
    quarterly report and falls with it.
    """
    rows = [POSITION[root.underlying] for root in roots]
    vix, vix3m = (np.exp(log_prices[POSITION[ticker]]) / 100 for ticker in ("I:VIX", "I:VIX3M"))
    relative = compute_long_run_volatilities()[rows] / compute_long_run_volatilities()[POSITION["I:SPX"]]
    is_volatility = np.array([root.underlying == "I:VIX" for root in roots])
    is_company = IDIO_VOL[rows] > 0
    tempered = relative * (vix / 0.17) ** np.where(relative > 1.2, -0.25, 0.0)
    at_the_money = (
        AT_THE_MONEY_SHARE_OF_VIX * vix * tempered * np.where(is_company, _find_report_factor(roots, session), 1.0)
    )
    near = np.where(is_volatility, 0.95 * (vix / 0.17) ** 0.3, at_the_money)
    far = np.where(
        is_volatility, 0.50, AT_THE_MONEY_SHARE_OF_VIX * (0.5 * vix3m + 0.5 * 0.20) * np.minimum(tempered, 3.0)
    )
    lean = np.where(is_company, 0.05, 0.10) * np.clip((vix / 0.17) ** 0.5, 0.75, 1.5)
    return Volatilities(near, far, np.where(is_volatility, -0.10, lean), is_volatility)


def _find_report_factor(roots: Sequence[OptionRoot], session: date) -> Floats:
    """Compute the factor on a company's volatility before its quarterly report. Dates are invented."""
    since = np.array([(session.toordinal() + zlib.crc32(root.underlying.encode())) % REPORT_DAYS for root in roots])
    return np.asarray(1 + 0.22 * (since / REPORT_DAYS) ** 3)


def _build_option_minutes(seed: int, session: date, grid: MinuteGrid, knots: Floats, day: DayState) -> pl.DataFrame:
    roots = list_option_roots(session)
    rows = [POSITION[root.underlying] for root in roots]
    volatilities = compute_option_volatilities(roots, day.open_, session)
    underlyings = Underlyings(knots[rows][:, grid.regular.start : grid.regular.stop + 1], volatilities)
    contracts = list_contracts(roots, np.exp(day.open_[rows]), volatilities.near, session)
    target = OPTION_MINUTE_ROWS * (1.0 if grid.regular_minutes > 300 else HALF_DAY_ROW_SHARE) * day.stress**0.3
    rng = np.random.default_rng([seed, session.toordinal(), OPTION_STREAM])
    return build_option_minute_bars(
        contracts,
        underlyings,
        weights=compute_trading_weights(contracts, day.open_[rows], volatilities.near, session, rng),
        grid=grid,
        target_rows=int(target),
        rng=rng,
    )
