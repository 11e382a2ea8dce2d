"""The pictures that the option and regime assets show: of the busiest symbols, as of their newest session.

What a picture is drawn from is identified by the times at which its rows were published, without reading the rows.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from hd_pipelines.analytics.gamma.snapshot_profile import compute_profile
from hd_pipelines.analytics.volatility.iv_classes import REGIME_CUT_OFFS
from hd_pipelines.analytics.volatility.smile import interpolate_at_delta, interpolate_at_forward
from hd_pipelines.assets.pictures import Drawing
from hd_pipelines.charts.figure import Picture
from hd_pipelines.charts.gamma import draw_gamma
from hd_pipelines.charts.regime import draw_regime
from hd_pipelines.charts.smile import draw_smile
from hd_pipelines.charts.volatility import draw_volatility
from hd_pipelines.loading.derived.fingerprints import keep_chain_valued
from hd_pipelines.tables.vocabulary import OptionType
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.options import (
    read_gamma_snapshots,
    read_gamma_strikes,
    read_iv_percentiles,
    read_regime_history,
    read_valued,
)
from hd_pipelines.warehouse.records.derivations import (
    MARKET,
    read_fingerprints,
    read_publication_times,
    read_row_counts,
)

PICTURED = 2
"""Symbols that get a picture of their own: those with most contracts."""
TWO_YEARS, FIVE_YEARS = timedelta(days=731), timedelta(days=1827)
_SMILE = ("historical_greeks",)
_GAMMA = ("historical_greeks", "gamma_exposure_snapshots")
CHEAP_BELOW, RICH_ABOVE = REGIME_CUT_OFFS[1], REGIME_CUT_OFFS[3]


def prepare_smiles(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Drawing:
    """Prepare `smile_<symbol>` of the busiest symbols, from their newest valued session in `sessions` (ascending)."""
    busiest = _find_busiest(database, symbols, sessions)

    def draw() -> dict[str, Picture]:
        with database.connect() as connection:
            return {
                f"smile_{symbol}": draw_last_smile(read_valued(connection, [symbol], session, session))
                for symbol, session in busiest
            }

    return Drawing([_read_publications(database, [symbol], day, day, *_SMILE) for symbol, day in busiest], draw)


def draw_last_smile(valued: pl.DataFrame) -> Picture:
    """Draw the smile of the last snapshot in `valued` (`market.option_chains.VALUED`), with its level and skew."""
    last = valued.filter(pl.col("timestamp") == pl.col("timestamp").max())
    puts, calls = (interpolate_at_delta(last, side, 0.25) for side in (OptionType.PUT, OptionType.CALL))
    return draw_smile(last, interpolate_at_forward(last), puts, calls)


def prepare_gamma_profiles(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Drawing:
    """Prepare `gamma_<symbol>` of the busiest symbols, from their newest snapshot in `sessions` (ascending)."""
    busiest = _find_busiest(database, symbols, sessions)

    def draw() -> dict[str, Picture]:
        pictures: dict[str, Picture] = {}
        for symbol, session in busiest:
            with database.connect() as connection:
                snapshots = read_gamma_snapshots(connection, [symbol], session, session)
                strikes = read_gamma_strikes(connection, [symbol], session, session)
                valued = read_valued(connection, [symbol], session, session)
            if snapshots.is_empty():
                continue
            newest = snapshots.row(-1, named=True)
            is_newest = pl.col("timestamp") == newest["timestamp"]
            spots, profile = compute_profile(valued.filter(is_newest))
            pictures[f"gamma_{symbol}"] = draw_gamma(newest, strikes.filter(is_newest), spots, profile)
        return pictures

    return Drawing([_read_publications(database, [symbol], day, day, *_GAMMA) for symbol, day in busiest], draw)


def prepare_volatility_histories(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Drawing:
    """Prepare `volatility_<symbol>` of the busiest symbols: two years up to the last of `sessions` (ascending)."""
    busiest = [symbol for symbol, _ in _find_busiest(database, symbols, sessions)]
    first, last = sessions[-1] - TWO_YEARS, sessions[-1]

    def draw() -> dict[str, Picture]:
        with database.connect() as connection:
            return {
                f"volatility_{symbol}": draw_volatility(
                    read_iv_percentiles(connection, [symbol], first, last),
                    cheap_below=CHEAP_BELOW,
                    rich_above=RICH_ABOVE,
                )
                for symbol in busiest
            }

    return Drawing((busiest, last, _read_publications(database, busiest, first, last, "iv_percentile_cache")), draw)


def prepare_regime(database: Database, sessions: Sequence[date]) -> Drawing:
    """Prepare `regime`: five years up to the last of `sessions` (ascending)."""
    first, last = sessions[-1] - FIVE_YEARS, sessions[-1]

    def draw() -> dict[str, Picture]:
        with database.connect() as connection:
            return {"regime": draw_regime(read_regime_history(connection, first, last))}

    return Drawing((last, _read_publications(database, [MARKET], first, last, "market_regime_history")), draw)


def _find_busiest(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> list[tuple[str, date]]:
    """Find the symbols with most contracts in their newest session that has a chain, and that session."""
    with database.connect() as connection:
        held = read_row_counts(connection, "historical_greeks", symbols, sessions[0], sessions[-1])
        chains = keep_chain_valued(
            read_fingerprints(connection, "historical_greeks", symbols, sessions[0], sessions[-1])
        )
    by_session = sorted(chains, key=lambda pair: pair[1])
    newest = {symbol: session for symbol, session in by_session if held.get((symbol, session))}
    ranked = sorted(newest, key=lambda symbol: (-held[symbol, newest[symbol]], symbol))
    return [(symbol, newest[symbol]) for symbol in ranked[:PICTURED]]


def _read_publications(
    database: Database, symbols: Sequence[str], first: date, last: date, *tables: str
) -> list[tuple[str, list[tuple[tuple[str, date], datetime]]]]:
    """Read when each session's rows of `tables` were published: what a picture of them is drawn from."""
    with database.connect() as connection:
        return [
            (table, sorted(read_publication_times(connection, table, symbols, first, last).items())) for table in tables
        ]
