"""Writes and reads signals and scans: a signal is stored once and settled once.

How signals are chosen is in `signals.scanner`, the order of steps in `loading.signals.scan`. A signal's identity is a
function of symbol, detector and bar, so storing it again writes nothing. The facts of a stored signal are never changed:
a trigger refuses it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.tables.vocabulary import ExitReason, Resolution, SignalStatus
from hd_pipelines.warehouse.engine import get_driver_connection
from hd_pipelines.warehouse.records.derivations import record_derivations
from hd_pipelines.warehouse.schema.tables import composite_signals, signal_scans

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('hd_pipelines:composite_signals', 0))")


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a signal: `signals.outcomes.Outcome` with its id."""

    signal_id: str
    status: SignalStatus
    exit_reason: ExitReason
    exit_price: Decimal
    exited_at: datetime
    r_multiple: float
    max_favorable_excursion_r: float
    max_adverse_excursion_r: float
    hold_minutes: float


def take_scan_lock(connection: Connection) -> None:
    """Wait for other scans to commit: cool-downs and caps count stored signals, so scans must store one after the other."""
    connection.execute(_LOCK)


def store_signals(connection: Connection, rows: Sequence[Mapping[str, Any]], *, run_id: str | None) -> list[str]:
    """Store those of `signals` (columns of `composite_signals` by name) that are not there yet; return their ids."""
    if not rows:
        return []
    statement = (
        insert(composite_signals)
        .values([{**row, "status": SignalStatus.ACTIVE.value, "run_id": run_id} for row in rows])
        .on_conflict_do_nothing(index_elements=["symbol", "detector", "bar_time"])
        .returning(composite_signals.c.signal_id)
    )
    return list(connection.execute(statement).scalars())


def record_scan(connection: Connection, row: Mapping[str, Any]) -> None:
    """Record what a scan looked at and refused. Repeating a scan changes its row only if its results differ."""
    row_insert = insert(signal_scans).values(row)
    kept = {name: row_insert.excluded[name] for name in ("symbols", "rows", "candidates", "rejections", "labels")}
    before = [signal_scans.c[name].is_distinct_from(value) for name, value in kept.items()]
    changed = before[0]
    for each in before[1:]:
        changed |= each
    connection.execute(
        row_insert.on_conflict_do_update(
            index_elements=["scan_id"],
            set_={
                **kept,
                "stored": signal_scans.c.stored + row_insert.excluded.stored,
                "run_id": row_insert.excluded.run_id,
            },
            where=changed | (row_insert.excluded.stored > 0),
        )
    )


def record_session_scans(
    connection: Connection,
    session: date,
    marks: Mapping[str, str],
    signals: Mapping[str, int],
    *,
    run_id: str | None,
) -> None:
    """Record the fingerprint of each symbol's scan of the whole session (`marks`), and how many signals it has."""
    symbols = sorted(marks)
    pairs = pl.DataFrame(
        {"symbol": symbols, "session": [session] * len(symbols), "rows": [signals[symbol] for symbol in symbols]},
        schema={"symbol": pl.String, "session": pl.Date, "rows": pl.Int64},
    )
    fingerprints = {(symbol, session): mark for symbol, mark in marks.items()}
    cursor = get_driver_connection(connection).cursor()
    record_derivations(cursor, composite_signals.name, pairs, fingerprints, run_id)


def read_earlier_signals(connection: Connection, symbols: Collection[str], sessions: Collection[date]) -> pl.DataFrame:
    """Read the stored signals of these symbols and sessions: symbol, session, detector, as_of, bar_time; by time."""
    columns = composite_signals.c
    statement = (
        select(columns.symbol, columns.session, columns.detector, columns.as_of, columns.bar_time)
        .where(columns.symbol.in_(sorted(symbols)), columns.session.in_(sorted(sessions)))
        .order_by(columns.as_of, columns.signal_id)
    )
    instant = pl.Datetime("us", "UTC")
    schema: dict[str, Any] = {
        "symbol": pl.String,
        "session": pl.Date,
        "detector": pl.String,
        "as_of": instant,
        "bar_time": instant,
    }
    return pl.DataFrame([tuple(row) for row in connection.execute(statement)], schema=schema, orient="row")


def read_settled_since(connection: Connection, first: date, before: datetime) -> pl.DataFrame:
    """Read outcomes of signals since `first` that ended before `before`: detector, style, exited_at, r_multiple; by time."""
    columns = composite_signals.c
    statement = (
        select(columns.detector, columns.style, columns.exited_at, columns.r_multiple)
        .where(columns.session >= first, columns.exited_at < before, columns.r_multiple.is_not(None))
        .order_by(columns.exited_at, columns.signal_id)
    )
    schema: dict[str, Any] = {
        "detector": pl.String,
        "style": pl.String,
        "exited_at": pl.Datetime("us", "UTC"),
        "r_multiple": pl.Float64,
    }
    return pl.DataFrame([tuple(row) for row in connection.execute(statement)], schema=schema, orient="row")


def read_active_signals(
    connection: Connection, *, symbols: Collection[str] | None = None, sessions: Collection[date] | None = None
) -> list[dict[str, Any]]:
    """Read the signals that are not settled, by time; None means all symbols or sessions."""
    columns = composite_signals.c
    statement = select(composite_signals).where(columns.status == SignalStatus.ACTIVE.value)
    if symbols is not None:
        statement = statement.where(columns.symbol.in_(sorted(symbols)))
    if sessions is not None:
        statement = statement.where(columns.session.in_(sorted(sessions)))
    ordered = statement.order_by(columns.as_of, columns.signal_id)
    return [dict(row) for row in connection.execute(ordered).mappings()]


def settle_signals(connection: Connection, settlements: Iterable[Settlement]) -> int:
    """Write outcomes of signals that are still active; return how many. Signals settled meanwhile stay as they are."""
    columns = composite_signals.c
    written = 0
    for each in settlements:
        changed = connection.execute(
            update(composite_signals)
            .where(columns.signal_id == each.signal_id, columns.status == SignalStatus.ACTIVE.value)
            .values(
                status=each.status.value,
                exit_reason=each.exit_reason.value,
                exit_price=each.exit_price,
                exited_at=each.exited_at,
                r_multiple=each.r_multiple,
                max_favorable_excursion_r=each.max_favorable_excursion_r,
                max_adverse_excursion_r=each.max_adverse_excursion_r,
                hold_minutes=each.hold_minutes,
            )
        )
        written += changed.rowcount
    return written


def dismiss_signals(connection: Connection, signal_ids: Collection[str], *, at: datetime) -> int:
    """Dismiss active signals that will never have an outcome; return how many."""
    columns = composite_signals.c
    changed = connection.execute(
        update(composite_signals)
        .where(columns.signal_id.in_(sorted(signal_ids)), columns.status == SignalStatus.ACTIVE.value)
        .values(status=SignalStatus.DISMISSED.value, dismissed_at=at)
    )
    return changed.rowcount


def find_signals(connection: Connection, beginning: str) -> list[dict[str, Any]]:
    """Find the signals whose id starts with `beginning`: whole rows, at most ten, by id."""
    columns = composite_signals.c
    statement = select(composite_signals).where(columns.signal_id.startswith(beginning, autoescape=True))
    return [dict(row) for row in connection.execute(statement.order_by(columns.signal_id).limit(10)).mappings()]


def read_signals(
    connection: Connection, first: date, last: date, *, limit: int | None = None, is_complete: bool = False
) -> list[dict[str, Any]]:
    """Read the signals of sessions `first` to `last`, newest first; with explanation and contract only if `is_complete`."""
    left_out = set() if is_complete else {"explanation", "contract"}
    columns = [column for column in composite_signals.c if column.name not in left_out]
    statement = (
        select(*columns)
        .where(composite_signals.c.session.between(first, last))
        .order_by(composite_signals.c.as_of.desc(), composite_signals.c.signal_id)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def count_rejections(connection: Connection, first: date, last: date) -> dict[tuple[str, str], int]:
    """Count how often each (detector, reason) rejected a candidate in scans of the sessions `first` to `last`."""
    rows = connection.execute(
        text(
            "SELECT rejected.detector, rejected.reason, sum(rejected.count)::bigint FROM public.signal_scans,"
            " jsonb_to_recordset(rejections) AS rejected (detector text, reason text, count bigint)"
            " WHERE session BETWEEN :first AND :last GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        {"first": first, "last": last},
    )
    return {(row[0], row[1]): row[2] for row in rows}


def find_last_scanned(connection: Connection, session: date) -> datetime | None:
    """Find until when the minutes of `session` were scanned, or None."""
    held = signal_scans.c
    statement = select(func.max(held.last_as_of)).where(
        held.session == session, held.resolution == Resolution.MINUTE.value
    )
    return connection.execute(statement).scalar()
