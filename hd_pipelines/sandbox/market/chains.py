"""Option chains of the synthetic market: as frames at any minute, and as an archive folder of closes.

The archive is how an installation gets history: its own past snapshots or bought chains, in the layout of docs/vendor.md.
A contract's numbers are a pure function of (seed, moment, contract), so an archived close equals the REST service's chain
of that close, whatever else was requested.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, NEW_YORK, Hours, get_regular_hours
from hd_pipelines.market.symbols import canonicalize_symbol, is_index, to_ticker
from hd_pipelines.providers.archive.files import to_folder_name
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.generation import GenerationReport, Progress, Workers, WrittenObject, fill, put_object
from hd_pipelines.sandbox.market.chain_extent import Extent, choose_contracts
from hd_pipelines.sandbox.market.daily_paths import Floats, get_daily_paths
from hd_pipelines.sandbox.market.minute_paths import MinuteGrid, round_to_tick
from hd_pipelines.sandbox.market.option_chains import ListedContracts, list_contracts
from hd_pipelines.sandbox.market.option_quotes import (
    ContractRandomness,
    Purpose,
    compute_contract_keys,
    compute_open_interest,
    compute_vendor_greeks,
    compute_volume,
    make_quotes,
)
from hd_pipelines.sandbox.market.option_tape import TICK_KINDS
from hd_pipelines.sandbox.market.option_values import ContractTerms, Volatilities, compute_fair_values
from hd_pipelines.sandbox.market.sessions import (
    POSITION,
    build_minute_knots,
    compute_option_volatilities,
    list_option_roots,
)
from hd_pipelines.sandbox.market.universe import OPTION_ROOTS, OptionRoot
from hd_pipelines.settings import DEFAULT_WATCHLIST
from hd_pipelines.tables.vocabulary import ExerciseStyle, OptionType

CHAINS_VERSION = "chains-4"
"""Part of every file's origin; raise it whenever the same seed and session would give another chain."""
SLOW_SESSIONS = 25
"""Open interest follows the price by so many sessions: positions were opened at other prices."""
NOT_ARCHIVED = ("bid_size", "ask_size", "exercise_style", "shares_per_contract", "quote_at_ns")
Ints = NDArray[np.int64]


def build_synthetic_chains(
    seed: int, moment: datetime, underlyings: Sequence[str] = DEFAULT_WATCHLIST, extent: Extent = Extent.FULL
) -> pl.DataFrame:
    """Build the chains of `underlyings` (symbols or tickers; none without options) at `moment` of a session.

    Sorted by underlying and ticker. Columns as in an archive file, and `bid_size`, `ask_size`, `exercise_style`,
    `shares_per_contract`, `quote_at_ns`. A moment after the close shows the close. Raises `ValueError` for a moment before
    the open or on a closed day.
    """
    hours = _get_hours(moment)
    session = hours.session
    minute = min(int((moment - hours.opens_at).total_seconds()) // 60, hours.minutes)
    if minute < 0:
        raise ValueError(f"{moment}: the synthetic market has no chain before the open at {hours.opens_at}")
    wanted = {to_ticker(name) for name in underlyings}
    roots = [root for root in list_option_roots(session) if root.underlying in wanted]
    if not roots:
        return pl.DataFrame()
    day = get_daily_paths(seed, session).state(session)
    rows = [POSITION[root.underlying] for root in roots]
    at_open = compute_option_volatilities(roots, day.open_, session)
    contracts = list_contracts(roots, np.exp(day.open_[rows]), at_open.near, session)
    log_prices = _read_log_prices(seed, session, minute, hours.minutes)
    open_interest_, traded, randomness = _compute_interest_and_volume(
        seed, session, contracts, at_open, minute / hours.minutes
    )

    chosen = choose_contracts(extent, contracts, day.open_[rows], at_open.near, session)
    randomness, held, volume_ = randomness.of(chosen), open_interest_[chosen], traded[chosen]
    terms = ContractTerms.of(contracts, chosen)
    at_ns = hours.opens_at_ns + minute * NANOSECONDS_PER_MINUTE
    now = compute_option_volatilities(roots, log_prices, session)
    fair = compute_fair_values(terms, now, log_prices[rows][terms.root], at_ns)

    moment_key = (session.toordinal(), minute)
    activity = np.array([root.activity for root in roots])[terms.root]
    ticks = np.array([TICK_KINDS[root.tick] for root in roots])[terms.root]
    quotes = make_quotes(fair, ticks, activity, randomness, session=session.toordinal(), minute=minute)
    greeks = compute_vendor_greeks(terms, fair, quotes, randomness.chance(Purpose.VENDOR_IV, *moment_key))
    middle = np.round(0.5 * (quotes.bid + quotes.ask), 2)
    quote_age = np.minimum(-4.0 * np.log(randomness.chance(Purpose.QUOTE_AGE, *moment_key)) / np.sqrt(activity), 600.0)
    root = pl.Series([r.root for r in roots])
    return (
        pl.DataFrame(
            {
                "underlying": pl.Series([r.underlying for r in roots]).gather(terms.root),
                "session": pl.repeat(session, len(chosen), dtype=pl.Date, eager=True),
                "snapshot_note": pl.repeat(f"synthetic market, seed {seed}", len(chosen), eager=True),
                "underlying_price": _round_as_printed(roots, log_prices[rows])[terms.root],
                "ticker": contracts.tickers(chosen),
                "root": root.gather(terms.root),
                "expiration": pl.Series(contracts.expirations).gather(contracts.expiration[chosen]),
                "option_type": np.where(terms.is_call, OptionType.CALL.value, OptionType.PUT.value),
                "strike": terms.strike,
                "bid": quotes.bid,
                "ask": quotes.ask,
                "last": np.where(volume_ > 0, np.maximum(middle, 0.01), np.nan),
                "volume": volume_,
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


def _compute_interest_and_volume(
    seed: int, session: date, contracts: ListedContracts, at_open: Volatilities, share_of_day: float
) -> tuple[Ints, Ints, ContractRandomness]:
    """Compute open interest, volume so far and random numbers of all listed contracts, whatever the extent."""
    roots, every = contracts.roots, np.arange(len(contracts.strike))
    rows = [POSITION[root.underlying] for root in roots]
    terms = ContractTerms.of(contracts, every)
    root_seeds = np.array([zlib.crc32(f"{seed} {root.root}".encode()) for root in roots])[terms.root]
    ordinals = np.array([day.toordinal() for day in contracts.expirations])[contracts.expiration]
    days = ordinals - session.toordinal()
    randomness = ContractRandomness(compute_contract_keys(root_seeds, ordinals, terms.strike, terms.is_call))
    activity = np.array([root.activity for root in roots])[terms.root]
    held = compute_open_interest(
        terms,
        _average_recent_closes(seed, session)[rows][terms.root],
        days=days,
        is_monthly=contracts.is_monthly,
        activity=activity,
        randomness=randomness,
    )
    traded = compute_volume(
        terms,
        np.exp(get_daily_paths(seed, session).state(session).open_[rows])[terms.root],
        at_open.near[terms.root],
        days=days,
        activity=activity,
        randomness=randomness,
        session=session.toordinal(),
        share=min(share_of_day + 0.02, 1.0),
    )
    return held, traded, randomness


def write_chain_archive(
    folder: Path,
    sessions: Sequence[date],
    underlyings: Sequence[str] = DEFAULT_WATCHLIST,
    *,
    seed: int = 7,
    extent: Extent = Extent.FULL,
    sparse_sessions: Sequence[date] = (),
    workers: Workers | None = None,
    on_progress: Progress | None = None,
) -> GenerationReport:
    """Write `chains/<UNDERLYING>/<session>.parquet` of the synthetic market's closes into `folder`.

    `extent` for `sessions`, `Extent.SPARSE` for `sparse_sessions`, which a volatility history needs and nothing else.
    Files from the same seed and extent are kept. Underlyings without options get no file.
    """
    wanted = sorted({canonicalize_symbol(name) for name in underlyings})
    with_options = sorted({name for name in wanted if any(root.underlying == to_ticker(name) for root in OPTION_ROOTS)})
    reports = []
    with workers or Workers() as hands:
        for days, shown in ((sparse_sessions, Extent.SPARSE), (sessions, extent)):
            keys = {day: [f"chains/{to_folder_name(name)}/{day}.parquet" for name in with_options] for day in days}
            origin = f"{CHAINS_VERSION} seed={seed} {shown}"
            write = partial(_write_day, folder, origin, seed=seed, underlyings=with_options, extent=shown)
            report_progress = on_progress if days is sessions else None
            reports.append(fill(Bucket(folder), keys, origin, partial(hands.map, write), report_progress))
    return GenerationReport(
        sessions=sum(report.sessions for report in reports),
        objects_written=sum(report.objects_written for report in reports),
        objects_skipped=sum(report.objects_skipped for report in reports),
        rows=sum(report.rows for report in reports),
        size_bytes=sum(report.size_bytes for report in reports),
        seconds=sum(report.seconds for report in reports),
    )


def _write_day(
    folder: Path, origin: str, day: date, *, seed: int, underlyings: Sequence[str], extent: Extent
) -> list[WrittenObject]:
    """Write all underlyings' files of one close. Runs in worker processes."""
    chains = build_synthetic_chains(seed, get_regular_hours(day).closes_at, underlyings, extent)
    archived = chains.select(pl.all().exclude(NOT_ARCHIVED))
    written = []
    for (underlying,), rows in archived.partition_by("underlying", as_dict=True).items():
        body = io.BytesIO()
        rows.write_parquet(body, compression="zstd", compression_level=1, statistics=False)
        key = f"chains/{to_folder_name(underlying)}/{day}.parquet"
        written.append(put_object(Bucket(folder), key, origin, rows.height, body.getvalue()))
    return written


def _get_hours(moment: datetime) -> Hours:
    return get_regular_hours(moment.astimezone(NEW_YORK).date())


def _read_log_prices(seed: int, session: date, minute: int, minutes: int) -> Floats:
    """Read log prices of all instruments at a knot of regular hours."""
    if minute < minutes:
        return build_regular_knots(seed, session)[:, minute]
    day = get_daily_paths(seed, session).state(session)
    return np.asarray(day.open_ + day.loadings @ day.factor_intraday + day.idio_intraday)


@lru_cache(maxsize=2)
def build_regular_knots(seed: int, session: date) -> Floats:
    """Build log prices of all instruments at the knots of regular hours, shape (instruments, minutes + 1)."""
    knots, _ = build_minute_knots(seed, session)
    regular = MinuteGrid.of(get_regular_hours(session)).regular
    return knots[:, regular.start : regular.stop + 1]


def _average_recent_closes(seed: int, session: date) -> Floats:
    """Compute instruments' last closes, pulled half way to the mean of the sessions before, on the session's split basis."""
    paths = get_daily_paths(seed, session)
    i = paths.position[session]
    recent = paths.close[max(i - SLOW_SESSIONS, 0) : i] if i else paths.close[:1]
    basis = paths.state(session).previous_close - paths.close[max(i - 1, 0)]
    return np.asarray(np.exp(0.5 * recent.mean(axis=0) + 0.5 * recent[-1] + basis))


def _round_as_printed(roots: Sequence[OptionRoot], log_spot: Floats) -> Floats:
    """Round the prices of the roots' underlyings as their bars print them."""
    price = np.exp(log_spot)
    return np.asarray(np.where([is_index(root.underlying) for root in roots], np.round(price, 2), round_to_tick(price)))
