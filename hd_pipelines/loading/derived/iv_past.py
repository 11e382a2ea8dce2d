"""Ranks contracts against their underlying's earlier 30-day volatilities while chains are valued.

Published observations are read once. Sessions that are valued but not observed yet (because the previous load died, or
because this load valued them) are observed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl

from hd_pipelines.analytics.iv_percentile import WINDOW, Floats, rank_against_history, select_session_observations
from hd_pipelines.analytics.volatility.constant_maturity import observe
from hd_pipelines.loading.derived.fingerprints import find_span, keep_chain_valued
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.options import read_iv_history, read_valued
from hd_pipelines.warehouse.records.derivations import read_fingerprints

OBSERVED_FROM = (
    *(
        "symbol",
        "timestamp",
        "session",
        "kind",
        "expiration",
        "settles_at",
        "years",
        "strike",
        "option_type",
        "exercise_style",
    ),
    *("forward", "implied_volatility", "delta", "price_source"),
)
"""Columns of `VALUED` that an observation is computed from."""


class IvPast:
    """30-day volatilities by symbol and session. Each ranked batch adds its own, so batches must be in time order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, dict[date, float]] = {}

    def rank(self, valued: pl.DataFrame) -> pl.DataFrame:
        """Add `iv_rank` and `iv_percentile` to `valued` (`VALUED`): each contract's volatility in its underlying's past.

        Ranked against the 252 sessions before its own; null if fewer than 126 of them have a value.
        """
        if valued.is_empty():
            return valued.with_columns(iv_rank=pl.lit(None, pl.Float64), iv_percentile=pl.lit(None, pl.Float64))
        self._read_past(sorted(valued["symbol"].unique()), find_span(valued["session"])[0])
        for symbol, session, value in _observe_closes(valued):
            self._known[symbol][session] = value
        ranked = []
        for rows in valued.partition_by("symbol", "session", maintain_order=True):
            symbol, session = rows.select("symbol", "session").row(0)
            iv = rows["implied_volatility"].fill_null(np.nan).to_numpy()
            rank, percentile = rank_against_history(iv, self._list_past(symbol, session))
            ranked.append(
                rows.with_columns(
                    pl.Series("iv_rank", rank, nan_to_null=True),
                    pl.Series("iv_percentile", percentile, nan_to_null=True),
                )
            )
        return pl.concat(ranked)

    def _list_past(self, symbol: str, session: date) -> Floats:
        known = self._known[symbol]
        days = list_last_sessions(session, WINDOW + 1)[:-1]
        return np.array([known.get(day, np.nan) for day in days])

    def _read_past(self, symbols: list[str], first: date) -> None:
        new = [symbol for symbol in symbols if symbol not in self._known]
        if not new:
            return
        begin = list_last_sessions(first, WINDOW + 1)[0]
        with self._database.connect() as connection:
            stored = read_iv_history(connection, new, date.max)
            valued = set(keep_chain_valued(read_fingerprints(connection, "historical_greeks", new, begin, date.max)))
            unobserved = valued - set(stored.select("symbol", "date").iter_rows())
            for symbol in new:
                of_symbol = stored.filter(pl.col("symbol") == symbol)
                self._known[symbol] = _to_values(of_symbol.select("date", "iv30"))
            for symbol, session in sorted(unobserved):
                rows = read_valued(connection, [symbol], session, session, columns=OBSERVED_FROM)
                self._known[symbol] |= {day: value for _, day, value in _observe_closes(rows)}


def _observe_closes(valued: pl.DataFrame) -> list[tuple[str, date, float]]:
    observed = select_session_observations(observe(valued)).drop_nulls("current_iv")
    return list(observed.select("symbol", "date", "current_iv").iter_rows())


def _to_values(rows: pl.DataFrame) -> dict[date, float]:
    known: Mapping[date, float] = dict(rows.drop_nulls("iv30").iter_rows())
    return dict(known)
