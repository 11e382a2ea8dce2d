"""One session of the synthetic market, minute by minute: paths of log prices and the bars that trades leave on them.

Arrays in, arrays or frames out, for any number of instruments. Levels and volatilities come from `daily_paths`;
`universe` lists the instruments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, Hours
from hd_pipelines.sandbox.market.daily_paths import DayState, Floats

PRE_MARKET_MINUTES = 330
"""04:00 to 09:30 New York."""
POST_MARKET_MINUTES = 240
"""Four hours after the close: 16:00 to 20:00, or 13:00 to 17:00 on a half day."""
EXTENDED_PRINT_SIZE = 8.0
"""Mean size of a print outside regular hours over one inside: few trades, but larger, leave most minutes empty."""


@dataclass(frozen=True, slots=True)
class MinuteGrid:
    """Minutes of one session from 04:00 New York on; minute `regular.start` opens the regular session."""

    first_ns: int
    regular: slice
    minutes: int

    @classmethod
    def of(cls, hours: Hours) -> MinuteGrid:
        """The grid of a session's hours, in UTC: 04:00 New York is 330 minutes before the open in either season."""
        first_ns = hours.opens_at_ns - PRE_MARKET_MINUTES * NANOSECONDS_PER_MINUTE
        end = PRE_MARKET_MINUTES + hours.minutes
        return cls(first_ns, slice(PRE_MARKET_MINUTES, end), end + POST_MARKET_MINUTES)

    def stamps_ns(self, minutes: NDArray[np.int64]) -> NDArray[np.int64]:
        """`window_start` of grid minutes, integer nanoseconds."""
        return self.first_ns + minutes * NANOSECONDS_PER_MINUTE

    @property
    def regular_minutes(self) -> int:
        """390, or 210 on a half day."""
        return int(self.regular.stop - self.regular.start)


def compute_variance_profile(minutes: int) -> Floats:
    """Compute the share of the open-to-close variance in each regular minute: high after the open, rising into the close."""
    t = np.arange(minutes)
    shape = 0.55 + 2.4 * np.exp(-t / 22) + 0.7 * np.exp(-(minutes - 1 - t) / 18)
    return np.asarray(shape / shape.sum())


def compute_volume_profile(grid: MinuteGrid, extended_share: float = 0.035) -> Floats:
    """Compute the share of the day's volume in each grid minute: U-shaped inside regular hours, `extended_share` outside."""
    n = grid.regular_minutes
    t = np.arange(n)
    regular = 0.6 + 1.9 * np.exp(-t / 25) + 2.0 * np.exp(-(n - 1 - t) / 14)
    regular[0] *= 2.2
    regular[-1] *= 3.5
    before = 0.15 + np.exp(-(PRE_MARKET_MINUTES - 1 - np.arange(PRE_MARKET_MINUTES)) / 60)
    after = 0.10 + 2.5 * np.exp(-np.arange(POST_MARKET_MINUTES) / 20)
    extended = np.concatenate((before / before.sum() * 0.55, after / after.sum() * 0.45)) * extended_share
    regular = regular / regular.sum() * (1 - extended_share)
    return np.concatenate((extended[:PRE_MARKET_MINUTES], regular, extended[PRE_MARKET_MINUTES:]))


def compute_relative_print_size(grid: MinuteGrid) -> Floats:
    """Compute the mean size of a print by grid minute, 1 inside regular hours."""
    size = np.full(grid.minutes, EXTENDED_PRINT_SIZE)
    size[grid.regular] = 1.0
    return size


def _draw_bridges(total: Floats, jump: Floats, vol: Floats, profile: Floats, rng: np.random.Generator) -> Floats:
    """Paths from 0 to `total` at the knots between minutes, shape (rows, minutes + 1); `jump` falls into one minute."""
    rows, minutes = len(total), len(profile)
    steps = rng.standard_normal((rows, minutes)) * np.sqrt(profile) * vol[:, None]
    elapsed = np.cumsum(profile)
    walk = np.cumsum(steps, axis=1)
    walk += elapsed * (total - jump - walk[:, -1])[:, None]
    jump_minute = rng.integers(0, minutes, rows)
    walk += jump[:, None] * (np.arange(minutes) >= jump_minute[:, None])
    return np.concatenate((np.zeros((rows, 1)), walk), axis=1)


def draw_factor_paths(day: DayState, grid: MinuteGrid, rng: np.random.Generator) -> Floats:
    """Draw log returns of the common factors since the open at the knots of regular hours, shape (factors, minutes + 1)."""
    profile = compute_variance_profile(grid.regular_minutes)
    return _draw_bridges(day.factor_intraday, day.factor_jump, day.factor_vol, profile, rng)


def draw_price_paths(day: DayState, factors: Floats, grid: MinuteGrid, rng: np.random.Generator) -> Floats:
    """Draw log prices at the knots between grid minutes, shape (instruments, grid.minutes + 1).

    Regular hours run from the day's open to its close exactly. The pre-market leads from near the last close to the
    open, the post-market wanders away from the close.
    """
    profile = compute_variance_profile(grid.regular_minutes)
    own = _draw_bridges(day.idio_intraday, day.idio_jump, day.idio_vol, profile, rng)
    regular = day.open_[:, None] + day.loadings @ factors + own

    overnight = day.open_ - day.previous_close
    total_vol = np.sqrt((day.loadings**2) @ (day.factor_vol**2) + day.idio_vol**2)
    quiet = np.zeros_like(overnight)
    flat = np.full(PRE_MARKET_MINUTES, 1 / PRE_MARKET_MINUTES)
    before = _draw_bridges(0.4 * overnight, quiet, 0.25 * total_vol, flat, rng) + (day.open_ - 0.4 * overnight)[:, None]
    after_steps = (
        rng.standard_normal((len(overnight), POST_MARKET_MINUTES))
        * (0.15 * total_vol / np.sqrt(POST_MARKET_MINUTES))[:, None]
    )
    after = regular[:, -1:] + np.cumsum(after_steps, axis=1)
    return np.concatenate((before[:, :-1], regular, after), axis=1)


def round_to_tick(price: Floats) -> Floats:
    """Round stock prices as printed: cents from one dollar on, hundredths of a cent below, at least 0.0001. Keeps order."""
    return np.asarray(np.maximum(np.where(price >= 1, np.round(price, 2), np.round(price, 4)), 0.0001))


@dataclass(frozen=True, slots=True)
class Liquidity:
    """Liquidity per instrument: shares of a normal day (not millions) and shares per print."""

    shares: Floats
    shares_per_print: Floats


def _draw_bar_prices(
    knots: Floats, row: NDArray[np.int64], minute: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Open, close, high, low of the given (row, minute) cells before rounding, shape (4, cells)."""
    start, end = knots[row, minute], knots[row, minute + 1]
    excursion = np.abs(end - start) + 2e-5
    noise = rng.standard_normal((3, len(row)))
    reach = np.abs(noise[:2]) * (0.45 * excursion + 6e-5)
    open_, close = start + noise[2] * 1.5e-5, end
    high, low = np.maximum(open_, close) + reach[0], np.minimum(open_, close) - reach[1]
    return np.asarray(np.exp(np.stack((open_, close, high, low))))


def build_stock_minute_bars(
    tickers: list[str],
    knots: Floats,
    liquidity: Liquidity,
    *,
    stress: float,
    grid: MinuteGrid,
    fractional_volume: bool,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Build minutes that have trades, sorted by ticker and time, in the lake's column names; `minute` is the grid's.

    `tickers` must be ascending. Volume is shares, with six decimals if `fractional_volume`; it grows with `stress` and
    with the size of the minute's move.
    """
    surprise = np.ones((len(tickers), grid.minutes))
    moves = np.abs(np.diff(knots[:, grid.regular.start : grid.regular.stop + 1], axis=1))
    moves /= np.sqrt(compute_variance_profile(grid.regular_minutes))
    surprise[:, grid.regular] = moves / (moves.mean(axis=1, keepdims=True) + 1e-9)
    busy = np.exp(rng.normal(0.0, 0.25, (len(tickers), 1)) - 0.03) * stress**0.8
    expected_shares = liquidity.shares[:, None] * compute_volume_profile(grid) * busy * (0.55 + 0.45 * surprise)
    print_size = compute_relative_print_size(grid)
    prints = rng.poisson(np.minimum(expected_shares / (liquidity.shares_per_print[:, None] * print_size), 1e6))
    row, minute = np.nonzero(prints)
    transactions = prints[row, minute].astype(np.int64)
    size = np.exp(rng.normal(-0.18, 0.6, len(row)) / np.sqrt(np.minimum(transactions, 60)))
    mean_size = liquidity.shares_per_print[row] * print_size[minute]
    volume = np.maximum(np.round(transactions * mean_size * size), transactions).astype(np.float64)
    if fractional_volume:
        has_fraction = rng.random(len(row)) < 1 - 0.75 ** np.minimum(transactions, 40)
        volume += np.where(has_fraction, rng.integers(1, 1_000_000, len(row)) / 1e6, 0.0)
    open_, close, high, low = round_to_tick(_draw_bar_prices(knots, row, minute, rng))
    return pl.DataFrame(
        {
            "ticker": pl.Series(tickers, dtype=pl.String).gather(row),
            "volume": volume,
            "open": open_,
            "close": close,
            "high": high,
            "low": low,
            "window_start": grid.stamps_ns(minute),
            "transactions": transactions,
            "minute": minute,
        }
    )


def build_index_minute_bars(
    tickers: list[str], knots: Floats, grid: MinuteGrid, rng: np.random.Generator
) -> pl.DataFrame:
    """Build every regular minute of each index, two decimals, sorted by ticker and time. `tickers` must be ascending."""
    minutes = np.arange(grid.regular.start, grid.regular.stop)
    row, minute = np.repeat(np.arange(len(tickers)), len(minutes)), np.tile(minutes, len(tickers))
    open_, close, high, low = np.round(_draw_bar_prices(knots, row, minute, rng), 2)
    return pl.DataFrame(
        {
            "ticker": pl.Series(tickers, dtype=pl.String).gather(row),
            "open": open_,
            "close": close,
            "high": high,
            "low": low,
            "window_start": grid.stamps_ns(minute),
        }
    )


def build_stock_day_bars(minutes: pl.DataFrame, grid: MinuteGrid, day_stamp_ns: int) -> pl.DataFrame:
    """Build day bars of `build_stock_minute_bars`: prices of regular hours, volume and transactions of the whole day.

    A stock that traded only outside regular hours has no day bar.
    """
    regular = pl.col("minute").is_between(grid.regular.start, grid.regular.stop, closed="left")
    return (
        minutes.group_by("ticker", maintain_order=True)
        .agg(
            pl.col("volume").sum().round(6),
            pl.col("open").filter(regular).first(),
            pl.col("close").filter(regular).last(),
            pl.col("high").filter(regular).max(),
            pl.col("low").filter(regular).min(),
            pl.lit(day_stamp_ns, dtype=pl.Int64).alias("window_start"),
            pl.col("transactions").sum(),
        )
        .filter(pl.col("open").is_not_null())
    )


def build_index_day_bars(minutes: pl.DataFrame, day_stamp_ns: int) -> pl.DataFrame:
    """Build day bars of `build_index_minute_bars`."""
    return minutes.group_by("ticker", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("close").last(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.lit(day_stamp_ns, dtype=pl.Int64).alias("window_start"),
    )
