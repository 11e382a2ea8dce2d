"""Option chains of the synthetic market: as frames at any minute, and as an archive folder at the close.

Belongs here: putting contracts, values and quotes together. The archive is how a desk gets history: chains of the past
come from own snapshots or are bought, in the layout of docs/vendor.md. A chain is a pure function of (seed, moment).
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, NEW_YORK, Hours, regular_hours
from hd_pipelines.market.symbols import canonical_symbol, is_index, ticker_of
from hd_pipelines.market.vocabulary import ExerciseStyle, OptionType
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.daily_paths import CHAIN_STREAM, Floats, daily_paths
from hd_pipelines.sandbox.generation import GenerationReport, Progress, WrittenObject, fill, put_object
from hd_pipelines.sandbox.market import POSITION, minute_knots, option_roots, option_volatilities
from hd_pipelines.sandbox.minute_paths import MinuteGrid, round_to_tick
from hd_pipelines.sandbox.option_chains import ListedContracts, list_contracts
from hd_pipelines.sandbox.option_quotes import luck, open_interest, quote, vendor_greeks, volume
from hd_pipelines.sandbox.option_tape import TICK_KINDS
from hd_pipelines.sandbox.option_values import ContractTerms, fair_values
from hd_pipelines.sandbox.universe import OPTION_ROOTS, OptionRoot
from hd_pipelines.settings import DEFAULT_WATCHLIST
from hd_pipelines.vendor.chain_archive import folder_of

CHAINS_VERSION = "chains-1"
"""Part of every file's origin; raise it whenever the same seed and session would give another chain."""
SLOW_SESSIONS = 25
"""Open interest lies around the mean close of so many sessions: positions were opened at other prices."""
SPARSE_DAYS, SPARSE_STRIKES = 30, 15
_WIDEST_SPARSE_STRIKE = 1.5
"""In standard deviations to expiration: beyond the strikes of 25 delta."""
NOT_ARCHIVED = ("bid_size", "ask_size", "exercise_style", "shares_per_contract", "quote_at_ns")
Ints = NDArray[np.int64]


def synthetic_chains(
    seed: int, moment: datetime, underlyings: Sequence[str] = DEFAULT_WATCHLIST, *, is_sparse: bool = False
) -> pl.DataFrame:
    """Chains of `underlyings` (symbols or tickers; one without options gives no rows) at `moment` of a session.

    Sorted by underlying and ticker. Columns as in an archive file, and `bid_size`, `ask_size`, `exercise_style`,
    `shares_per_contract`, `quote_at`. `is_sparse`: about 60 contracts around the money on the expirations that bracket
    30 days. A moment after the close shows the close. Raises `ValueError` for a moment before the open or on a closed day.
    """
    hours = _hours_of(moment)
    session = hours.session
    minute = min(int((moment - hours.opens_at).total_seconds()) // 60, hours.minutes)
    if minute < 0:
        raise ValueError(f"{moment}: the synthetic market has no chain before the open at {hours.opens_at}")
    wanted = {ticker_of(name) for name in underlyings}
    roots = [root for root in option_roots(session) if root.underlying in wanted]
    if not roots:
        return pl.DataFrame()
    day = daily_paths(seed).state(session)
    rows = [POSITION[root.underlying] for root in roots]
    volatilities = option_volatilities(roots, day)
    contracts = list_contracts(roots, np.exp(day.open_[rows]), volatilities.near, session)
    log_spot = _log_spot(seed, session, minute, hours.minutes)[rows]
    chosen = _sparse(contracts, log_spot, volatilities.near, session) if is_sparse else np.arange(len(contracts.strike))
    terms = ContractTerms.of(contracts, chosen)
    at_ns = hours.opens_at_ns + minute * NANOSECONDS_PER_MINUTE
    fair = fair_values(terms, volatilities, log_spot[terms.root], at_ns)

    rng = np.random.default_rng([seed, session.toordinal(), minute, CHAIN_STREAM, int(is_sparse)])
    activity = np.array([root.activity for root in roots])[terms.root]
    days = np.array([(expiration - session).days for expiration in contracts.expirations])[contracts.expiration[chosen]]
    quotes = quote(fair, np.array([TICK_KINDS[root.tick] for root in roots])[terms.root], activity, rng)
    greeks = vendor_greeks(terms, fair, quotes, rng)
    root_seeds = np.array([zlib.crc32(f"{seed} {root.root}".encode()) for root in roots])[terms.root]
    ordinals = np.array([day.toordinal() for day in contracts.expirations])[contracts.expiration[chosen]]
    held = open_interest(
        terms,
        _slow_spot(seed, session)[rows][terms.root],
        days=days,
        is_monthly=contracts.is_monthly[chosen],
        activity=activity,
        chance=luck(root_seeds, ordinals, terms.strike, terms.is_call),
    )
    traded = (volume(terms, fair, days, activity, rng) * min(minute / hours.minutes + 0.02, 1.0)).astype(np.int64)
    middle = np.round(0.5 * (quotes.bid + quotes.ask), 2)
    quote_age = np.minimum(rng.exponential(4.0, len(chosen)) / np.sqrt(activity), 600.0)
    root = pl.Series([r.root for r in roots])
    return (
        pl.DataFrame(
            {
                "underlying": pl.Series([r.underlying for r in roots]).gather(terms.root),
                "session": pl.repeat(session, len(chosen), dtype=pl.Date, eager=True),
                "snapshot_note": pl.repeat(f"synthetic market, seed {seed}", len(chosen), eager=True),
                "underlying_price": _printed(roots, log_spot)[terms.root],
                "ticker": contracts.tickers(chosen),
                "root": root.gather(terms.root),
                "expiration": pl.Series(contracts.expirations).gather(contracts.expiration[chosen]),
                "option_type": np.where(terms.is_call, OptionType.CALL.value, OptionType.PUT.value),
                "strike": terms.strike,
                "bid": quotes.bid,
                "ask": quotes.ask,
                "last": np.where(traded > 0, np.maximum(middle, 0.01), np.nan),
                "volume": traded,
                "open_interest": held,
                "vendor_iv": greeks.sigma,
                "vendor_delta": greeks.delta,
                "vendor_gamma": greeks.gamma,
                "vendor_theta": greeks.theta,
                "vendor_vega": greeks.vega,
                "bid_size": quotes.bid_size,
                "ask_size": quotes.ask_size,
                "exercise_style": np.where(
                    terms.is_european, ExerciseStyle.EUROPEAN.value, ExerciseStyle.AMERICAN.value
                ),
                "shares_per_contract": np.round(100 * terms.deliverable),
                "quote_at_ns": at_ns - (quote_age * 1e9).astype(np.int64),
            }
        )
        .with_columns(pl.col("^(last|vendor_.*)$").fill_nan(None))
        .sort("underlying", "ticker")
    )


def write_chain_archive(
    folder: Path,
    sessions: Sequence[date],
    underlyings: Sequence[str] = DEFAULT_WATCHLIST,
    *,
    seed: int = 7,
    sparse_sessions: Sequence[date] = (),
    on_progress: Progress | None = None,
) -> GenerationReport:
    """Have `chains/<UNDERLYING>/<session>.parquet` of the synthetic market's closes in `folder`.

    Full chains for `sessions`, sparse ones (see `synthetic_chains`) for `sparse_sessions`, which a volatility history
    needs and nothing else. What is there from the same seed stays. Underlyings without options get no file.
    """
    wanted = sorted({canonical_symbol(name) for name in underlyings})
    with_options = sorted({name for name in wanted if any(root.underlying == ticker_of(name) for root in OPTION_ROOTS)})
    reports = []
    for days, is_sparse in ((sparse_sessions, True), (sessions, False)):
        keys = {day: [f"chains/{folder_of(name)}/{day}.parquet" for name in with_options] for day in days}
        origin = f"{CHAINS_VERSION} seed={seed}{' sparse' if is_sparse else ''}"
        write = partial(_write, Bucket(folder), origin, with_options, seed=seed, is_sparse=is_sparse)
        reports.append(fill(Bucket(folder), keys, origin, write, on_progress if not is_sparse else None))
    return GenerationReport(
        sessions=sum(report.sessions for report in reports),
        objects_written=sum(report.objects_written for report in reports),
        objects_skipped=sum(report.objects_skipped for report in reports),
        rows=sum(report.rows for report in reports),
        size_bytes=sum(report.size_bytes for report in reports),
        seconds=sum(report.seconds for report in reports),
    )


def _write(
    bucket: Bucket, origin: str, underlyings: Sequence[str], days: Sequence[date], *, seed: int, is_sparse: bool
) -> Iterator[list[WrittenObject]]:
    for day in days:
        chains = synthetic_chains(seed, regular_hours(day).closes_at, underlyings, is_sparse=is_sparse)
        archived = chains.select(pl.all().exclude(NOT_ARCHIVED))
        written = []
        for (underlying,), rows in archived.partition_by("underlying", as_dict=True).items():
            body = io.BytesIO()
            rows.write_parquet(body, compression="zstd", compression_level=1, statistics=False)
            key = f"chains/{folder_of(underlying)}/{day}.parquet"
            written.append(put_object(bucket, key, origin, rows.height, body.getvalue()))
        yield written


def _hours_of(moment: datetime) -> Hours:
    return regular_hours(moment.astimezone(NEW_YORK).date())


def _log_spot(seed: int, session: date, minute: int, minutes: int) -> Floats:
    """Log prices of all instruments at a knot of regular hours."""
    if minute < minutes:
        return regular_knots(seed, session)[:, minute]
    day = daily_paths(seed).state(session)
    return np.asarray(day.open_ + day.loadings @ day.factor_intraday + day.idio_intraday)


@lru_cache(maxsize=2)
def regular_knots(seed: int, session: date) -> Floats:
    """Log prices of all instruments at the knots of regular hours, shape (instruments, minutes + 1)."""
    knots, _ = minute_knots(seed, session)
    regular = MinuteGrid.of(regular_hours(session)).regular
    return knots[:, regular.start : regular.stop + 1]


def _slow_spot(seed: int, session: date) -> Floats:
    """Mean close of all instruments over the sessions before, on the session's own split basis."""
    paths = daily_paths(seed)
    i = paths.position[session]
    recent = paths.close[max(i - SLOW_SESSIONS, 0) : i] if i else paths.close[:1]
    basis = paths.state(session).previous_close - paths.close[max(i - 1, 0)]
    return np.asarray(np.exp(recent.mean(axis=0) + basis))


def _printed(roots: Sequence[OptionRoot], log_spot: Floats) -> Floats:
    """Prices of the roots' underlyings as their bars print them."""
    price = np.exp(log_spot)
    return np.asarray(np.where([is_index(root.underlying) for root in roots], np.round(price, 2), round_to_tick(price)))


def _sparse(contracts: ListedContracts, log_spot: Floats, near_vol: Floats, session: date) -> Ints:
    """Contracts of each underlying's busiest root: two expirations around 30 days, strikes evenly around the money."""
    days = np.array([(expiration - session).days for expiration in contracts.expirations])[contracts.expiration]
    busiest: dict[str, int] = {}
    for position, root in enumerate(contracts.roots):
        known = busiest.get(root.underlying)
        if known is None or root.activity > contracts.roots[known].activity:
            busiest[root.underlying] = position
    chosen = []
    for position in busiest.values():
        of_root = contracts.root == position
        listed = np.unique(days[of_root])
        bracket = [*listed[listed <= SPARSE_DAYS][-1:], *listed[listed > SPARSE_DAYS][:1]]
        for expires in bracket:
            series = np.flatnonzero(of_root & (days == expires))
            strikes = np.unique(contracts.strike[series])
            deviation = near_vol[position] * np.sqrt(max(expires, 1) / 365)
            aims = np.exp(log_spot[position] + np.linspace(-1, 1, SPARSE_STRIKES) * _WIDEST_SPARSE_STRIKE * deviation)
            nearest = strikes[np.abs(strikes[:, None] - aims).argmin(axis=0)]
            chosen.append(series[np.isin(contracts.strike[series], nearest)])
    return np.sort(np.concatenate(chosen))
