"""Which pictures the option and regime assets show: of the busiest symbols, as of the newest session they have.

Belongs here: choosing symbols and reading what a picture needs. Drawing is in the `*_picture` modules.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg

from hd_pipelines.assets.gamma_picture import gamma_picture, profile_of
from hd_pipelines.assets.iv_history_picture import iv_history_picture
from hd_pipelines.assets.regime_picture import regime_picture
from hd_pipelines.assets.smile_picture import smile_picture
from hd_pipelines.loading.derived.fingerprints import keep_chain_valued
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.options import (
    read_gamma_snapshots,
    read_iv_percentiles,
    read_regime_history,
    read_valued,
)
from hd_pipelines.warehouse.records.derivations import read_fingerprints, read_row_counts

PICTURED = 2
"""Symbols with a picture of their own: those with most contracts. The others are a query away."""
TWO_YEARS, FIVE_YEARS = timedelta(days=731), timedelta(days=1827)
Pictures = dict[str, dg.MarkdownMetadataValue]


def smile_pictures(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Pictures:
    """`smile_<symbol>` of the busiest symbols, from their newest valued session in `sessions` (ascending)."""
    with database.connect() as connection:
        return {
            f"smile_{symbol}": smile_picture(read_valued(connection, [symbol], session, session))
            for symbol, session in _busiest(database, symbols, sessions)
        }


def gamma_pictures(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Pictures:
    """`gamma_<symbol>` of the busiest symbols, from their newest snapshot in `sessions` (ascending)."""
    pictures: Pictures = {}
    for symbol, session in _busiest(database, symbols, sessions):
        with database.connect() as connection:
            snapshots = read_gamma_snapshots(connection, [symbol], session, session)
            valued = read_valued(connection, [symbol], session, session)
        if snapshots.is_empty():
            continue
        newest = snapshots.row(-1, named=True)
        profile = profile_of(valued.filter(valued["timestamp"] == newest["timestamp"]))
        pictures[f"gamma_{symbol}"] = gamma_picture(newest, *profile)
    return pictures


def volatility_pictures(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Pictures:
    """`volatility_<symbol>` of the busiest symbols: two years up to the last of `sessions` (ascending)."""
    last = sessions[-1]
    with database.connect() as connection:
        return {
            f"volatility_{symbol}": iv_history_picture(
                read_iv_percentiles(connection, [symbol], last - TWO_YEARS, last)
            )
            for symbol, _ in _busiest(database, symbols, sessions)
        }


def regime_pictures(database: Database, sessions: Sequence[date]) -> Pictures:
    """`regime`: five years up to the last of `sessions` (ascending)."""
    with database.connect() as connection:
        return {"regime": regime_picture(read_regime_history(connection, sessions[-1] - FIVE_YEARS, sessions[-1]))}


def _busiest(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> list[tuple[str, date]]:
    """Symbols with most contracts in the newest session of which they have a chain, and that session."""
    with database.connect() as connection:
        held = read_row_counts(connection, "historical_greeks", symbols, sessions[0], sessions[-1])
        chains = keep_chain_valued(
            read_fingerprints(connection, "historical_greeks", symbols, sessions[0], sessions[-1])
        )
    by_session = sorted(chains, key=lambda pair: pair[1])
    newest = {symbol: session for symbol, session in by_session if held.get((symbol, session))}
    ranked = sorted(newest, key=lambda symbol: (-held[symbol, newest[symbol]], symbol))
    return [(symbol, newest[symbol]) for symbol in ranked[:PICTURED]]
