"""Value an option chain, find its zero-gamma level, and scan a session for signals: plain functions, no database.

`python examples/value_a_chain.py`. The input is the sandbox's synthetic market, so the prices mean nothing.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.gamma_exposure import compute_gamma_exposure
from hd_pipelines.market.bars import build_hours_frame, derive_day_bars, derive_intraday_bars
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, get_regular_hours, list_last_sessions
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.providers.massive.flat_files.layout import STOCK_DAY, STOCK_MINUTE
from hd_pipelines.sandbox.market.chains import build_synthetic_chains
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.signals.features import build_frames
from hd_pipelines.signals.scanner.scan import DEFAULT_POLICY, scan
from hd_pipelines.signals.tape import Bars, Contexts, SymbolTape, to_day_number
from hd_pipelines.tables.vocabulary import AssetClass, PriceSource, SnapshotKind

SEED, SESSION = 7, date(2026, 11, 20)
CLOSE = get_regular_hours(SESSION).closes_at


def read_chain(underlying: str) -> pl.DataFrame:
    """Return a chain at the close in the columns of `CHAIN`; a chain of your own needs the same columns."""
    given = build_synthetic_chains(SEED, CLOSE, [underlying])
    known = given.with_columns(
        snapshot_at=CLOSE,
        kind=pl.lit(SnapshotKind.CLOSE.value),
        source=pl.lit(PriceSource.CHAIN_ARCHIVE.value),
        quote_at=pl.from_epoch("quote_at_ns", "ns").dt.replace_time_zone("UTC"),
        open_interest_as_of=list_last_sessions(SESSION, 2)[0],
    )
    return known.select(pl.col(name).cast(dtype) for name, dtype in CHAIN.items())


def read_tape(symbol: str, sessions: int) -> SymbolTape:
    """Return minute, 5-minute and day bars of the last `sessions` sessions."""
    window = list_last_sessions(SESSION, sessions)
    files = [build_synthetic_session(SEED, session, (STOCK_MINUTE, STOCK_DAY)) for session in window]
    minutes, days = (
        pl.concat(
            file[dataset].filter(ticker=symbol).with_columns(symbol="ticker", session=pl.lit(session))
            for session, file in zip(window, files, strict=True)
        )
        for dataset in (STOCK_MINUTE, STOCK_DAY)
    )
    hours = build_hours_frame(window)
    intraday = derive_intraday_bars(minutes, hours)
    return SymbolTape(
        symbol,
        AssetClass.EQUITY_ETF,
        *(to_bars(intraday.filter(timeframe=f"{length}m"), length) for length in (1, 5)),
        to_bars(derive_day_bars(days, intraday, hours), ends_ns=hours["closes_ns"].to_numpy()),
    )


def to_bars(frame: pl.DataFrame, minutes: int = 0, ends_ns: NDArray[np.int64] | None = None) -> Bars:
    """Return bars as arrays. Each ends `minutes` after its start, or at `ends_ns`."""
    starts_ns = frame["timestamp"].dt.epoch("ns").to_numpy()
    numbers = (frame[name].cast(float).to_numpy() for name in ("open", "high", "low", "close", "volume"))
    return Bars(
        starts_ns,
        starts_ns + minutes * NANOSECONDS_PER_MINUTE if ends_ns is None else ends_ns,
        np.array([to_day_number(day) for day in frame["session"]]),
        *numbers,
    )


def main() -> None:
    """Print the three results."""
    valued = value_chain(read_chain("SPX"))
    without = valued["implied_volatility"].null_count()
    print(f"{valued.height:,} SPX contracts, {without} without an implied volatility, each with its reason")
    monthly = valued.filter(pl.col("contract_ticker").str.contains("O:SPX261218[CP]08100000"))
    for row in monthly.iter_rows(named=True):
        print(
            f"  {row['contract_ticker']}  IV {row['implied_volatility']:.4f}  delta {row['delta']:+.3f}"
            f"  gamma {row['gamma']:.5f}  {row['model']}"
        )
    (snapshot,) = compute_gamma_exposure(valued).snapshots.iter_rows(named=True)
    print(
        f"SPX at {snapshot['underlying_price']:,.2f}: dealers' gamma {snapshot['gex_usd_per_1pct'] / 1e9:+.2f} bn dollars"
        f" per 1 %, zero gamma at {snapshot['zero_gamma']:,.0f}"
    )
    policy = DEFAULT_POLICY.vary({"thresholds.default.base": 40.0, "thresholds.default.style": 40.0})
    outcome = scan(build_frames(read_tape("IWM", 30), [SESSION]), Contexts(), policy=policy)
    print(f"IWM on {SESSION}: {len(outcome.signals)} signals, {sum(outcome.rejections.values())} candidates rejected")
    for signal in outcome.signals:
        print(
            f"  {signal.as_of:%H:%M} UTC {signal.detector} {signal.direction}: entry {signal.entry_price:.2f},"
            f" stop {signal.stop_price:.2f}, first target {signal.target_1:.2f}"
        )


if __name__ == "__main__":
    main()
