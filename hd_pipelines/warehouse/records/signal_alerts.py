"""Reads new signals that have not been sent yet and the bars of their charts, and marks signals as sent.

Mark a signal in the transaction that writes its message, so that it is sent exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import Connection, select, update

from hd_pipelines.alerts.signal_message import SignalNotice, list_reasons
from hd_pipelines.market.sessions import NEW_YORK, find_last_completed_session, get_regular_hours, is_session
from hd_pipelines.tables.vocabulary import SignalStatus, Timeframe
from hd_pipelines.warehouse.schema.tables import composite_signals, gamma_exposure_snapshots, historical_bars

OLDEST_GAMMA = timedelta(days=4)
"""Maximum age of a gamma snapshot: a weekend and a holiday."""
_GAMMA_LEVELS = ("call_wall", "put_wall", "zero_gamma")
_signal = composite_signals.c
_BAR_SCHEMA: dict[str, Any] = {
    "session": pl.Date,
    "timestamp": pl.Datetime("us", "UTC"),
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "vwap": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class UnsentSignal:
    """A signal to be sent. `as_of`: the instant whose data it was made from."""

    notice: SignalNotice
    session: date
    as_of: datetime


def lock_unsent_signals(connection: Connection, *, now: datetime, most: int) -> list[UnsentSignal]:
    """Lock and read active signals still valid at `now` that were never sent, oldest first, until the transaction ends.

    Signals that another transaction has locked are skipped. A signal that has expired, or is of an earlier session than the
    newest (from a scan over past sessions), is not sent: acting on it would be too late.
    """
    unsent = (
        select(composite_signals)
        .where(_signal.status == SignalStatus.ACTIVE.value, _signal.alerted_at.is_(None), _signal.valid_until > now)
        .where(_signal.as_of >= _find_newest_open(now))
        .order_by(_signal.as_of, _signal.signal_id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [_to_unsent(row) for row in connection.execute(unsent).mappings()]


def mark_sent(connection: Connection, signal_id: str, *, now: datetime) -> None:
    """Record that the message of the signal is written."""
    connection.execute(update(composite_signals).where(_signal.signal_id == signal_id).values(alerted_at=now))


def _find_newest_open(now: datetime) -> datetime:
    """Find the open of the newest session that has begun."""
    today = now.astimezone(NEW_YORK).date()
    if is_session(today) and (opens_at := get_regular_hours(today).opens_at) <= now:
        return opens_at
    return get_regular_hours(find_last_completed_session(now)).opens_at


def read_bars_before(connection: Connection, symbol: str, as_of: datetime, *, minutes: int, most: int) -> pl.DataFrame:
    """Read the last `most` bars of `minutes` that had ended at `as_of`, ascending: session, timestamp, prices, volume, vwap.

    Floats, for charts only.
    """
    bar = historical_bars.c
    newest_first = (
        select(*(bar[name] for name in _BAR_SCHEMA))
        .where(bar.symbol == symbol, bar.timeframe == Timeframe(f"{minutes}m").value)
        .where(bar.timestamp <= as_of - timedelta(minutes=minutes))
        .order_by(bar.timestamp.desc())
        .limit(most)
    )
    rows: Sequence[Any] = connection.execute(newest_first).all()
    numbers = [[_to_float(value) for value in row] for row in reversed(rows)]
    return pl.DataFrame(numbers, schema=_BAR_SCHEMA, orient="row")


def read_gamma_levels_before(connection: Connection, symbol: str, as_of: datetime) -> dict[str, float]:
    """Read the known walls and zero gamma of the newest snapshot at `as_of`, by name; empty without a snapshot."""
    gamma = gamma_exposure_snapshots.c
    newest = (
        select(*(gamma[name] for name in _GAMMA_LEVELS))
        .where(gamma.symbol == symbol, gamma.timestamp <= as_of, gamma.timestamp > as_of - OLDEST_GAMMA)
        .order_by(gamma.timestamp.desc())
        .limit(1)
    )
    row = connection.execute(newest).mappings().one_or_none()
    return {name: float(price) for name, price in (row or {}).items() if price is not None}


def _to_float(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _to_unsent(row: Mapping[Any, Any]) -> UnsentSignal:
    explanation: Mapping[str, Any] = row["explanation"]
    return UnsentSignal(
        notice=SignalNotice(
            signal_id=row["signal_id"],
            symbol=row["symbol"],
            detector=row["detector"],
            direction=row["direction"],
            style=row["style"],
            score=row["style_score"],
            entry=row["entry_price"],
            stop=row["stop_price"],
            targets=(row["target_1"], row["target_2"], row["target_3"]),
            risk_reward=row["risk_reward"],
            valid_until=row["valid_until"],
            bar_time=row["bar_time"],
            context_line=str(explanation.get("context_line") or ""),
            contract=row["contract_ticker"],
            reasons=list_reasons(explanation),
        ),
        session=row["session"],
        as_of=row["as_of"],
    )
