"""Minutes in which options traded on a session of the synthetic market, and the prices paid.

Activity is heavy at the money and near expiration, with a long thin tail; prices are on the vendor's ticks. Listing rules
are in `option_chains`, fair values in `option_values`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE
from hd_pipelines.sandbox.market.daily_paths import Floats
from hd_pipelines.sandbox.market.minute_paths import MinuteGrid, compute_volume_profile
from hd_pipelines.sandbox.market.option_chains import ListedContracts
from hd_pipelines.sandbox.market.option_values import ContractTerms, Volatilities, compute_fair_values


@dataclass(frozen=True, slots=True)
class Underlyings:
    """Inputs of the option tape per root: regular-hours log prices (roots, minutes + 1) and volatilities."""

    knots: Floats
    volatilities: Volatilities


def compute_trading_weights(
    contracts: ListedContracts, log_open: Floats, near_vol: Floats, session: date, rng: np.random.Generator
) -> Floats:
    """Compute the relative number of active minutes per contract on this day, including random variation of the day.

    `log_open` and `near_vol`: per root, the underlying's log price at the open and its one-month volatility.
    """
    days = np.array([(day - session).days for day in contracts.expirations])[contracts.expiration]
    deliverable = np.array([root.deliverable for root in contracts.roots])[contracts.root]
    spot = np.exp(log_open[contracts.root]) * deliverable
    deviation = near_vol[contracts.root] * np.sqrt(np.maximum(days, 1.5) / 365)
    x = np.log(contracts.strike / spot) / deviation
    out_of_the_money = np.where(contracts.is_call, x, -x)
    shape = 1 / (1 + (np.abs(x) / 0.7) ** 2.4) * np.where(out_of_the_money < -0.3, 0.25, 1.0)
    step = np.array([root.strike_step for root in contracts.roots])[contracts.root]
    steps = contracts.strike / step
    roundness = np.where(steps % 10 == 0, 3.0, np.where(steps % 5 == 0, 1.8, 1.0))
    popularity = np.array([root.activity for root in contracts.roots])[contracts.root]
    when = np.where(contracts.is_monthly, 1.8, 1.0) / (days + 1.0) ** 0.8
    luck = np.exp(rng.normal(0.0, 0.8, len(shape)))
    return np.asarray(popularity * shape * roundness * when * luck)


def compute_expected_minutes(weights: Floats, minutes: int, target_rows: int) -> Floats:
    """Scale `weights` so that the expected number of distinct (contract, minute) cells is `target_rows`."""
    low, high = -30.0, 30.0
    for _ in range(36):
        middle = 0.5 * (low + high)
        rows = (minutes * -np.expm1(-np.exp(middle) * weights / minutes)).sum()
        low, high = (middle, high) if rows < target_rows else (low, middle)
    return np.asarray(np.exp(0.5 * (low + high)) * weights)


def _draw_active_cells(expected: Floats, profile: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw distinct contract × minutes + minute numbers, ascending, from each contract's expected count."""
    counts = rng.poisson(expected)
    minutes = len(profile)
    contract = np.repeat(np.arange(len(expected)), counts)
    minute = np.searchsorted(np.cumsum(profile), rng.random(len(contract)) * profile.sum()).clip(0, minutes - 1)
    return np.unique(contract * minutes + minute)


def find_tick_size(price: Floats, kind: NDArray[np.int64]) -> Floats:
    """Find the least price variation in dollars by `TICK_KINDS`: 0.01 and 0.05, or 0.05 and 0.10, below and from 3.00 on."""
    below_three = price < 3
    penny = np.where(below_three, 0.01, 0.05)
    nickel = np.where(below_three, 0.05, 0.10)
    return np.asarray(np.where(kind == 0, penny, nickel))


TICK_KINDS = {"penny": 0, "nickel": 1, "index": 2}


def build_option_minute_bars(
    contracts: ListedContracts,
    underlyings: Underlyings,
    *,
    weights: Floats,
    grid: MinuteGrid,
    target_rows: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Build about `target_rows` minutes with trades, sorted by ticker and time, in the lake's column names.

    `weights` are relative activities, see `compute_trading_weights`.
    Close = fair value at the end of the minute rounded to the contract's tick, so puts and calls of one strike and
    minute stay within a tick of parity; open, high and low carry a little noise. Volume is contracts.
    """
    minutes = grid.regular_minutes
    expected = compute_expected_minutes(weights, minutes, target_rows)
    cell = _draw_active_cells(expected, compute_volume_profile(grid)[grid.regular], rng)
    contract, minute = cell // minutes, cell % minutes
    root = contracts.root[contract]
    terms = ContractTerms.of(contracts, contract)
    starts_ns = grid.stamps_ns(minute + grid.regular.start)
    fair_open, fair_close = (
        compute_fair_values(
            terms,
            underlyings.volatilities,
            underlyings.knots[root, minute + ended],
            starts_ns + ended * NANOSECONDS_PER_MINUTE,
        ).value
        for ended in (0, 1)
    )
    kind = np.array([TICK_KINDS[r.tick] for r in contracts.roots])[root]
    tick = find_tick_size(fair_close, kind)
    transactions = 1 + rng.poisson(np.minimum(expected[contract] / minutes * 6, 400.0))
    noise = rng.integers(-1, 2, (3, len(cell))) * (transactions > 1)

    def round_to_ticks(price: Floats) -> Floats:
        return np.asarray(np.maximum(np.round(np.round(price / tick) * tick, 2), tick))

    close = round_to_ticks(fair_close)
    open_ = np.where(transactions > 1, round_to_ticks(fair_open + noise[0] * tick), close)
    sizes = np.exp(rng.normal(0.4, 0.9, len(cell)))
    frame = pl.DataFrame(
        {
            "volume": np.maximum(np.round(transactions * sizes), transactions),
            "open": open_,
            "close": close,
            "high": round_to_ticks(np.maximum(open_, close) + np.maximum(noise[1], 0) * tick),
            "low": round_to_ticks(np.minimum(open_, close) - np.maximum(noise[2], 0) * tick),
            "window_start": starts_ns,
            "transactions": transactions.astype(np.int64),
        }
    )
    traded, position = np.unique(contract, return_inverse=True)
    return _sort_by_ticker(frame, contracts.tickers(traded), position)


def _sort_by_ticker(frame: pl.DataFrame, tickers: pl.Series, position: NDArray[np.int64]) -> pl.DataFrame:
    """Sort rows by their contract's ticker, keeping time order inside; sorts the tickers, not the rows' strings."""
    ascending = tickers.arg_sort().to_numpy()
    rank = np.empty(len(ascending), dtype=np.int64)
    rank[ascending] = np.arange(len(ascending))
    order = np.argsort(rank[position], kind="stable")
    columns = frame.select(pl.all().gather(order))
    return columns.insert_column(0, tickers.gather(position[order]).alias("ticker"))


def build_option_day_bars(minutes: pl.DataFrame, day_stamp_ns: int) -> pl.DataFrame:
    """Build day bars of `build_option_minute_bars`."""
    return minutes.group_by("ticker", maintain_order=True).agg(
        pl.col("volume").sum(),
        pl.col("open").first(),
        pl.col("close").last(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.lit(day_stamp_ns, dtype=pl.Int64).alias("window_start"),
        pl.col("transactions").sum(),
    )
