"""Adds, removes and claims symbols: the watchlist, and the queue of symbols whose history is to be derived.

The queue is filled by a trigger of the database, so a symbol inserted by hand is backfilled too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, and_, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.market.symbols import canonicalize_symbol, to_ticker
from hd_pipelines.warehouse.schema.tables import historical_ingestion_queue as queue
from hd_pipelines.warehouse.schema.tables import watchlist

MAX_RETRIES = 3
ABANDONED_AFTER = timedelta(minutes=30)
"""A claim this old belongs to a process that has died, so the symbol may be claimed again."""


@dataclass(frozen=True, slots=True)
class QueuedSymbol:
    """A symbol taken from the queue; `retry_count` failures came before."""

    symbol: str
    ticker: str
    days_to_backfill: int
    retry_count: int


def add_to_watchlist(connection: Connection, symbols: Iterable[str], *, note: str | None = None) -> list[str]:
    """Put `symbols` on the watchlist and thereby into the queue; return those that were not active before.

    Raises `ValueError` for a name that is not a symbol; nothing is added then.
    """
    rows = [{"symbol": name, "ticker": to_ticker(name), "note": note} for name in _canonicalize(symbols)]
    if not rows:
        return []
    statement = insert(watchlist).values(rows)
    added = statement.on_conflict_do_update(
        index_elements=["symbol"], set_={"active": True}, where=watchlist.c.active.is_(False)
    ).returning(watchlist.c.symbol)
    return sorted(connection.execute(added).scalars())


def remove_from_watchlist(connection: Connection, symbols: Iterable[str]) -> list[str]:
    """Take `symbols` off the watchlist and keep their bars; return those that were active."""
    left = (
        update(watchlist)
        .where(watchlist.c.symbol.in_(_canonicalize(symbols)), watchlist.c.active)
        .values(active=False)
        .returning(watchlist.c.symbol)
    )
    return sorted(connection.execute(left).scalars())


def read_active_symbols(connection: Connection) -> list[str]:
    """Read all active symbols, sorted."""
    return list(
        connection.execute(select(watchlist.c.symbol).where(watchlist.c.active).order_by(watchlist.c.symbol)).scalars()
    )


def claim_next_symbol(connection: Connection, *, abandoned_after: timedelta = ABANDONED_AFTER) -> QueuedSymbol | None:
    """Claim the oldest waiting symbol, or one whose claimer has died; None if there is none.

    Two processes never get the same symbol, and neither waits for the other. Commit the claim before working on it.
    """
    is_abandoned = and_(queue.c.status == "processing", queue.c.started_at < func.now() - literal(abandoned_after))
    chosen = (
        select(queue.c.queue_id)
        .join(watchlist, watchlist.c.symbol == queue.c.symbol)
        .where(watchlist.c.active, or_(queue.c.status == "pending", is_abandoned))
        .order_by(queue.c.queue_id)
        .limit(1)
        .with_for_update(skip_locked=True, of=queue)
        .scalar_subquery()
    )
    claimed = connection.execute(
        update(queue)
        .where(queue.c.queue_id == chosen, watchlist.c.symbol == queue.c.symbol)
        .values(status="processing", started_at=func.now(), finished_at=None)
        .returning(queue.c.symbol, watchlist.c.ticker, queue.c.days_to_backfill, queue.c.retry_count)
    ).mappings()
    row = claimed.one_or_none()
    return QueuedSymbol(**row) if row else None


def mark_completed(connection: Connection, symbols: Iterable[str]) -> int:
    """Mark the history of `symbols` as derived; return how many were in the queue."""
    done = (
        update(queue)
        .where(queue.c.symbol.in_(_canonicalize(symbols)))
        .values(status="completed", finished_at=func.now(), last_error=None)
    )
    return connection.execute(done).rowcount


def mark_failed(connection: Connection, symbol: str, error: str) -> str:
    """Count a failure of `symbol`; return `pending`, or `failed` after the third retry. Raises `KeyError`."""
    retries = queue.c.retry_count
    failed = (
        update(queue)
        .where(queue.c.symbol == symbol)
        .values(
            status=case((retries < MAX_RETRIES, "pending"), else_="failed"),
            retry_count=func.least(retries + 1, MAX_RETRIES),
            finished_at=func.now(),
            last_error=error,
        )
        .returning(queue.c.status)
    )
    status = connection.execute(failed).scalar_one_or_none()
    if status is None:
        raise KeyError(f"{symbol} is not in the ingestion queue; add it to the watchlist first")
    return str(status)


def _canonicalize(symbols: Iterable[str]) -> list[str]:
    return sorted({canonicalize_symbol(symbol) for symbol in symbols})
