"""The data of the sandbox's REST service: the synthetic market at any minute, or a recording.

Chains, minutes, index values and yields as frames; `rest.wire` turns them into JSON, `rest.app` serves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.option_products import find_product
from hd_pipelines.market.sessions import (
    NEW_YORK,
    get_regular_hours,
    is_session,
    list_last_sessions,
    list_sessions_between,
)
from hd_pipelines.market.symbols import is_index, to_ticker
from hd_pipelines.providers.archive.files import list_archived_days, to_folder_name
from hd_pipelines.providers.massive.flat_files.layout import INDEX_MINUTE, STOCK_MINUTE
from hd_pipelines.providers.massive.rest.treasury_yields import ARCHIVE_FILE, MATURITIES
from hd_pipelines.sandbox.market.chain_extent import Extent
from hd_pipelines.sandbox.market.chains import build_regular_knots, build_synthetic_chains
from hd_pipelines.sandbox.market.daily_paths import MARKET_EPOCH, get_daily_paths
from hd_pipelines.sandbox.market.option_prices import RATE
from hd_pipelines.sandbox.market.sessions import POSITION, SessionData, build_synthetic_session
from hd_pipelines.sandbox.market.universe import INSTRUMENTS, OPTION_ROOTS, Kind, compute_split_factor
from hd_pipelines.sandbox.recording import MINUTE_FILE


@dataclass(frozen=True, slots=True)
class IndexDay:
    """One index at a moment: the session so far, and the close before."""

    ticker: str
    open: float
    high: float
    low: float
    close: float
    previous_close: float


class RestMarket(Protocol):
    """The data that a REST service needs. Moments are UTC."""

    def last_moment(self) -> datetime:
        """Return the newest moment: the close of the last session."""

    def chain(self, underlying: str, moment: datetime) -> pl.DataFrame | None:
        """Return a ticker's chain, columns as `chains.build_synthetic_chains`, sorted by ticker; None if it has none."""

    def minutes(self, ticker: str, session: date) -> pl.DataFrame:
        """Return all minutes of a session in a minute file's columns, ascending; no rows if there are none."""

    def split_ratio(self, ticker: str, earlier: date, later: date) -> float:
        """Return the shares of `later` per share of `earlier`; 1 without a split between them."""

    def indices(self, moment: datetime) -> list[IndexDay]:
        """Return all indices, by ticker."""

    def yields(self, first: date, last: date) -> list[dict[str, str | float]]:
        """Return rows of the Treasury curve in the vendor's names, by date; maturities without a yield are left out."""


class SyntheticRest:
    """The synthetic market of `seed`, until the close of `last`; `extent` is how much of its chains it shows."""

    def __init__(self, last: date, seed: int = 7, extent: Extent = Extent.FULL) -> None:
        self._last, self._seed, self._extent = last, seed, extent

    def last_moment(self) -> datetime:
        """Close of the last session."""
        return get_regular_hours(self._last).closes_at

    def chain(self, underlying: str, moment: datetime) -> pl.DataFrame | None:
        """The chain of a moment in or after the regular hours of its session."""
        is_known = any(root.underlying == underlying for root in OPTION_ROOTS)
        return (
            _build_synthetic_chain(self._seed, underlying, _find_session_moment(moment), self._extent)
            if is_known
            else None
        )

    def minutes(self, ticker: str, session: date) -> pl.DataFrame:
        """The minutes that the session's file will have, whether or not they are over: the service cuts them."""
        if session < MARKET_EPOCH:
            return pl.DataFrame()
        minutes = _build_synthetic_minutes(self._seed, session)[INDEX_MINUTE if is_index(ticker) else STOCK_MINUTE]
        return minutes.filter(ticker=ticker)

    def split_ratio(self, ticker: str, earlier: date, later: date) -> float:
        """From the market's table of splits."""
        return compute_split_factor(ticker, earlier) / compute_split_factor(ticker, later)

    def indices(self, moment: datetime) -> list[IndexDay]:
        """Values of the session's minutes so far."""
        at = _find_session_moment(moment)
        hours = get_regular_hours(at.astimezone(NEW_YORK).date())
        minute = min(int((at - hours.opens_at).total_seconds()) // 60, hours.minutes)
        knots = np.round(np.exp(build_regular_knots(self._seed, hours.session)[:, : minute + 1]), 2)
        before = np.round(np.exp(get_daily_paths(self._seed, hours.session).state(hours.session).previous_close), 2)
        return [
            IndexDay(name, *(float(value) for value in (path[0], path.max(), path.min(), path[-1], before[row])))
            for name in sorted(i.ticker for i in INSTRUMENTS if i.kind is Kind.INDEX)
            for row in (POSITION[name],)
            for path in (knots[row],)
        ]

    def yields(self, first: date, last: date) -> list[dict[str, str | float]]:
        """The market's one flat rate, as bond-equivalent yields."""
        percent = round(200 * float(np.expm1(RATE / 2)), 2)
        days = list_sessions_between(first, min(last, self._last))
        return [{"date": str(day), **{f"yield_{name}": percent for name in MATURITIES}} for day in days]


class RecordedRest:
    """A recording's chains, with quotes stamped at the requested moment, its minutes, and day bars for indices."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        self._days = {to_ticker(folder): days for folder, days in list_archived_days(recording).items()}
        bars = recording / "day_bars.parquet"
        self._bars = pl.read_parquet(bars).filter(pl.col("ticker").str.starts_with("I:")) if bars.is_file() else None

    def last_moment(self) -> datetime:
        """Close of the last session that has a chain. Raises `ValueError` for a recording without chains."""
        days = [day for have in self._days.values() for day in have if is_session(day)]
        if not days:
            raise ValueError(f"{self._recording.name} has no option chains; play one that has, or set the clock")
        return get_regular_hours(max(days)).closes_at

    def chain(self, underlying: str, moment: datetime) -> pl.DataFrame | None:
        """The chain recorded on the moment's day; None on days without one."""
        day = moment.astimezone(NEW_YORK).date()
        if day not in self._days.get(underlying, ()):
            return None
        rows = pl.read_parquet(self._recording / "chains" / to_folder_name(underlying) / f"{day}.parquet")
        styles = {root: find_product(root).exercise_style.value for root in rows["root"].unique()}
        return rows.with_columns(
            pl.lit(None, dtype=pl.Int64).alias("bid_size"),
            pl.lit(None, dtype=pl.Int64).alias("ask_size"),
            pl.col("root").replace_strict(styles).alias("exercise_style"),
            pl.lit(100.0).alias("shares_per_contract"),
            pl.lit(to_ns(moment.replace(microsecond=0))).alias("quote_at_ns"),
        ).sort("ticker")

    def minutes(self, ticker: str, session: date) -> pl.DataFrame:
        """The recorded minutes of a day; none for a recording without minutes."""
        file = self._recording / MINUTE_FILE
        if not file.is_file():
            return pl.DataFrame()
        day = pl.col("window_start").dt.convert_time_zone(str(NEW_YORK)).dt.date()
        rows = pl.scan_parquet(file).filter(pl.col("ticker") == ticker, day == session).collect()
        return rows.with_columns(pl.col("window_start").dt.timestamp("us") * 1000).sort("window_start")

    def split_ratio(self, ticker: str, earlier: date, later: date) -> float:  # noqa: ARG002
        """A recording does not know its splits."""
        return 1.0

    def indices(self, moment: datetime) -> list[IndexDay]:
        """Day bars of the moment's day, with the close before."""
        if self._bars is None:
            return []
        day = moment.astimezone(NEW_YORK).date()
        bars = self._bars.sort("ticker", "session").with_columns(
            pl.col("close").shift(1).over("ticker").alias("previous_close")
        )
        names = ("ticker", "open", "high", "low", "close", "previous_close")
        return [IndexDay(*row) for row in bars.filter(session=day).select(names).drop_nulls().iter_rows()]

    def yields(self, first: date, last: date) -> list[dict[str, str | float]]:
        """Yields of the recording's own file."""
        file = self._recording / ARCHIVE_FILE
        if not file.is_file():
            return []
        rows = pl.read_parquet(file).filter(pl.col("date").is_between(first, last)).sort("date")
        fred = {f"yield_{name}": f"DGS{name.replace('_month', 'MO').replace('_year', '')}" for name in MATURITIES}
        known = (
            (row["date"], {name: row[column] for name, column in fred.items() if row.get(column) is not None})
            for row in rows.iter_rows(named=True)
        )
        # The source has empty rows on holidays; the vendor has none.
        return [{"date": str(day), **points} for day, points in known if points]


def _find_session_moment(moment: datetime) -> datetime:
    """Return `moment`, or the last close before it if the exchange is closed then."""
    day = moment.astimezone(NEW_YORK).date()
    if is_session(day) and moment >= get_regular_hours(day).opens_at:
        return moment
    return get_regular_hours(list_last_sessions(day - timedelta(days=1), 1)[0]).closes_at


@lru_cache(maxsize=4)
def _build_synthetic_minutes(seed: int, session: date) -> SessionData:
    return build_synthetic_session(seed, session, (STOCK_MINUTE, INDEX_MINUTE))


@lru_cache(maxsize=16)
def _build_synthetic_chain(seed: int, underlying: str, moment: datetime, extent: Extent) -> pl.DataFrame:
    return build_synthetic_chains(seed, moment, [underlying], extent)
