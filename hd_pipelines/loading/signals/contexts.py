"""Reads the contexts of a scan from the warehouse: volatility, gamma, regime and flow, as values of `signals.tape`.

Also computes each symbol's typical gamma and option volume. Contexts are used by `signals.engines` and `signals.features`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.pricing.settlement import find_settlement_session
from hd_pipelines.signals.tape import Contexts, GammaContext, IvContext, Prints, RegimeContext, to_day_number
from hd_pipelines.tables.vocabulary import (
    DealerPositioning,
    ExpectedBehavior,
    IvRegime,
    MarketRegime,
    PositioningStrength,
    VixRegime,
)
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read import scan_inputs as signal_queries
from hd_pipelines.warehouse.read.symbol_arrays import (
    NO_STRIKES,
    GammaArrays,
    StrikeArrays,
    read_gamma_arrays,
    read_strike_arrays,
)

USUAL_SESSIONS = 20
"""Sessions from which a symbol's typical gamma and option volume are computed."""
READING_SESSIONS = 12
"""Sessions of volatility that the IV gate uses for comparison."""
LOOK_BACK = timedelta(minutes=30)
"""How far before the first instant snapshots are read: for a level that was crossed a quarter of an hour ago."""
_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000
LEAST_CLOSES, LEAST_SESSIONS = 10, 5
"""With fewer closes or sessions there is no typical value."""
NEAR_MINUTES = 5
"""Snapshots at most this far apart in the time of day count as taken at the same minute."""


def read_contexts(database: Database, symbols: Sequence[str], since: datetime, until: datetime) -> dict[str, Contexts]:
    """Read what was known of `symbols` from `since` to `until` (timezone-aware, in sessions), with the reader role."""
    first, last = since.date(), until.date()
    with database.connect() as connection:
        volatility = signal_queries.read_volatility(
            connection, symbols, list_last_sessions(first, READING_SESSIONS)[0], last
        )
        usual = read_gamma_arrays(connection, symbols, list_last_sessions(first, USUAL_SESSIONS + 2)[0], until)
        gamma = signal_queries.read_gamma(connection, symbols, since - LOOK_BACK, until)
        oldest = gamma.group_by("symbol").agg(pl.col("timestamp").min())
        strikes = read_strike_arrays(connection, dict(oldest.iter_rows()), until)
        regime = signal_queries.read_regimes(connection, list_last_sessions(first, 6)[0], last)
        prints = signal_queries.read_prints(connection, symbols, list_last_sessions(first, 2)[0], last)
    market = tuple(_to_regime(row) for row in regime.iter_rows(named=True))
    iv = volatility.partition_by("symbol", as_dict=True)
    rows = gamma.partition_by("symbol", as_dict=True)
    flow = None if prints is None else prints.partition_by("symbol", as_dict=True)
    return {
        symbol: Contexts(
            iv=tuple(_to_iv(row) for row in iv[symbol,].iter_rows(named=True)) if (symbol,) in iv else (),
            gamma=_to_gammas(rows.get((symbol,)), usual.get(symbol), strikes.get(symbol, NO_STRIKES)),
            regime=market,
            prints=None if flow is None else _to_prints(flow.get((symbol,), prints.clear())),  # type: ignore[union-attr]
        )
        for symbol in symbols
    }


def _to_iv(row: Mapping[str, Any]) -> IvContext:
    known_at = row["timestamp"] or get_regular_hours(row["date"]).closes_at
    return IvContext(
        to_ns(known_at),
        row["iv30"],
        row["iv_rank"],
        row["iv_percentile"],
        IvRegime(row["iv_regime"]) if row["iv_regime"] else None,
        row["n_observations"],
        row["iv_reason"] or row["percentile_reason"],
    )


def _to_regime(row: Mapping[str, Any]) -> RegimeContext:
    return RegimeContext(
        get_regular_hours(row["date"]).closes_at_ns,
        row["date"],
        MarketRegime(row["market_regime"]) if row["market_regime"] else None,
        VixRegime(row["vix_regime"]) if row["vix_regime"] else None,
        _to_number(row["vix_level"]),
        row["confidence_score"],
        row["regime_reason"],
    )


def _to_gammas(
    rows: pl.DataFrame | None, snapshots: GammaArrays | None, strikes: StrikeArrays
) -> tuple[GammaContext, ...]:
    if rows is None or snapshots is None:
        return ()
    usual = _Usual(snapshots)
    return tuple(_to_gamma(row, usual, strikes) for row in rows.iter_rows(named=True))


class _Usual:
    """Typical values of one symbol: absolute gamma at closes, and option volume up to a minute of the session."""

    def __init__(self, snapshots: GammaArrays) -> None:
        days, of_row = np.unique(snapshots.at_us // _DAY_US, return_inverse=True)
        opens_us = np.array([_find_open_us(int(day)) for day in days])
        self._session, self._minute = days[of_row], (snapshots.at_us - opens_us[of_row]) / 60_000_000
        is_known = snapshots.is_close & ~np.isnan(snapshots.gex_usd_per_1pct)
        self._close_sessions = self._session[is_known]
        self._close_sizes = np.abs(snapshots.gex_usd_per_1pct[is_known])
        self._volume = snapshots.option_volume
        self._gamma_before: dict[int, float] = {}

    def compute_typical_gamma(self, session: date) -> float:
        """Compute the median absolute gamma of the last 20 closes before `session`; NaN below `LEAST_CLOSES`."""
        day = to_day_number(session)
        if day not in self._gamma_before:
            known = self._close_sizes[: self._close_sessions.searchsorted(day)][-USUAL_SESSIONS:]
            self._gamma_before[day] = float(np.median(known)) if known.size >= LEAST_CLOSES else np.nan
        return self._gamma_before[day]

    def compute_typical_volume(self, at: datetime) -> float:
        """Compute the mean volume at the same minute of up to 20 earlier sessions; NaN below `LEAST_SESSIONS`."""
        before = slice(0, self._session.searchsorted(to_day_number(at.date())))
        known = self._volume[before][np.abs(self._minute[before] - _minutes_from_open(at)) <= NEAR_MINUTES]
        known = known[~np.isnan(known)][-USUAL_SESSIONS:]
        return float(known.mean()) if known.size >= LEAST_SESSIONS else np.nan


@cache
def _find_open_us(day: int) -> int:
    return get_regular_hours(_EPOCH + timedelta(days=day)).opens_at_ns // 1_000


def _to_gamma(row: Mapping[str, Any], usual: _Usual, strikes: StrikeArrays) -> GammaContext:
    at: datetime = row["timestamp"]
    known_at_ns = to_ns(at)
    return GammaContext(
        known_at_ns=known_at_ns,
        underlying_price=_to_number(row["underlying_price"]),
        gex_usd_per_1pct=_to_number(row["gex_usd_per_1pct"]),
        call_gex_usd_per_1pct=_to_number(row["call_gex_usd_per_1pct"]),
        put_gex_usd_per_1pct=_to_number(row["put_gex_usd_per_1pct"]),
        positioning=DealerPositioning(row["dealer_positioning"]) if row["dealer_positioning"] else None,
        strength=PositioningStrength(row["positioning_strength"]) if row["positioning_strength"] else None,
        behavior=ExpectedBehavior(row["expected_behavior"]) if row["expected_behavior"] else None,
        resistance=_to_number(row["gamma_wall_resistance"]),
        support=_to_number(row["gamma_wall_support"]),
        zero_gamma=_to_number(row["zero_gamma"]),
        absolute_gamma_strike=_to_number(row["absolute_gamma_strike"]),
        max_pain=_to_number(row["max_pain"]),
        max_pain_expires_at_ns=_find_expiration_close_ns(row["max_pain_expiration"]),
        total_open_interest=_to_number(row["total_open_interest"]),
        option_volume=_to_number(row["option_volume"]),
        zero_dte_share=_to_number(row["zero_dte_share"]),
        by_strike=strikes.select_snapshot(known_at_ns // 1_000),
        typical_gex=usual.compute_typical_gamma(row["session"]),
        typical_option_volume=usual.compute_typical_volume(at),
    )


def _find_expiration_close_ns(expiration: date | None) -> int | None:
    """Find the close of the session in which the expiration settles, also for contracts that settled at its open."""
    return None if expiration is None else get_regular_hours(find_settlement_session(expiration)).closes_at_ns


def _to_prints(rows: pl.DataFrame) -> Prints:
    sentiment = rows["sentiment"].replace_strict(
        {"BULLISH": 1.0, "BEARISH": -1.0}, default=0.0, return_dtype=pl.Float64
    )
    return Prints(
        at_ns=rows["timestamp"].cast(pl.Int64).to_numpy() * 1_000,
        premium=rows["premium"].cast(pl.Float64).to_numpy(),
        size=rows["size"].cast(pl.Float64).to_numpy(),
        is_call=(rows["option_type"] == "call").to_numpy(),
        sentiment=sentiment.to_numpy(),
        is_sweep=rows["is_sweep"].to_numpy(),
        is_block=rows["is_block"].to_numpy(),
        is_large=(rows["trade_type"] == "LARGE").to_numpy(),
    )


def _minutes_from_open(at: datetime) -> float:
    return (at - get_regular_hours(at.date()).opens_at).total_seconds() / 60


def _to_number(value: float | None) -> float:
    return np.nan if value is None else float(value)
