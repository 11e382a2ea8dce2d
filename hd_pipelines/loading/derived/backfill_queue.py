"""Backfills the history of symbols that were added to the watchlist, from the lake.

Symbols of the ingestion queue are claimed one by one until it is empty. After a crash another process takes over the
claim. A failure is counted, and the symbol is given up after the third retry.
"""

from __future__ import annotations

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.bars import BarsReport, Validator, list_lake_sessions, refresh_bars
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.watchlist import claim_next_symbol, mark_completed, mark_failed


def backfill_queue(
    database: Database, lake: Lake, *, run_id: str | None = None, validate: Validator | None = None
) -> dict[str, BarsReport]:
    """Derive the bars of every queued symbol over the last sessions of the lake. Returns reports by symbol.

    Raises the first error after counting it. The next call takes the symbols that are still in the queue.
    """
    sessions = list_lake_sessions(lake)
    reports: dict[str, BarsReport] = {}
    while True:
        with database.begin() as connection:
            claimed = claim_next_symbol(connection)
        if claimed is None:
            return reports
        try:
            if sessions:
                window = sessions[-claimed.days_to_backfill :]
                reports[claimed.symbol] = refresh_bars(
                    database, lake, symbols=[claimed.symbol], sessions=window, run_id=run_id, validate=validate
                )
        except Exception as error:
            with database.begin() as connection:
                mark_failed(connection, claimed.symbol, f"{type(error).__name__}: {error}")
            raise
        with database.begin() as connection:
            mark_completed(connection, [claimed.symbol])
