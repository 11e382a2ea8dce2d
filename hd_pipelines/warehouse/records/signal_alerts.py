"""New signals that nobody was told about yet, and the bars that their picture shows.

Belongs here: reading both, and marking a signal as told. Mark it in the transaction that writes its message: then it is
told once, or not yet.
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
"""Over a weekend and a holiday."""
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
    """A signal to be told. `as_of`: what was known when it was made."""

    notice: SignalNotice
    session: date
    as_of: datetime


def lock_unsent_signals(connection: Connection, *, now: datetime, most: int) -> list[UnsentSignal]:
    """Active signals still valid at `now` that were never told, oldest first; locked until the transaction ends.

    Signals that another transaction is telling are passed over. One whose validity is over, or that an earlier session than
    the newest gave, is not told: it would ask a person to do what is too late, as a scan over past sessions would.
    """
    untold = (
        select(composite_signals)
        .where(_signal.status == SignalStatus.ACTIVE.value, _signal.alerted_at.is_(None), _signal.valid_until > now)
        .where(_signal.as_of >= _newest_open(now))
        .order_by(_signal.as_of, _signal.signal_id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [_untold(row) for row in connection.execute(untold).mappings()]


def mark_sent(connection: Connection, signal_id: str, *, now: datetime) -> None:
    """Its message is written."""
    connection.execute(update(composite_signals).where(_signal.signal_id == signal_id).values(alerted_at=now))


def _newest_open(now: datetime) -> datetime:
    """When the newest session that has begun opened."""
    today = now.astimezone(NEW_YORK).date()
    if is_session(today) and (opens_at := get_regular_hours(today).opens_at) <= now:
        return opens_at
    return get_regular_hours(find_last_completed_session(now)).opens_at


def read_bars_before(connection: Connection, symbol: str, as_of: datetime, *, minutes: int, most: int) -> pl.DataFrame:
    """The last `most` bars of `minutes` that were over at `as_of`, ascending: session, timestamp, prices, volume, vwap.

    Floats, for drawing only.
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
    numbers = [[_as_drawn(value) for value in row] for row in reversed(rows)]
    return pl.DataFrame(numbers, schema=_BAR_SCHEMA, orient="row")


def read_gamma_levels_before(connection: Connection, symbol: str, as_of: datetime) -> dict[str, float]:
    """Walls and zero gamma of the newest snapshot at `as_of`, by name; those that it has. Empty without one."""
    gamma = gamma_exposure_snapshots.c
    newest = (
        select(*(gamma[name] for name in _GAMMA_LEVELS))
        .where(gamma.symbol == symbol, gamma.timestamp <= as_of, gamma.timestamp > as_of - OLDEST_GAMMA)
        .order_by(gamma.timestamp.desc())
        .limit(1)
    )
    row = connection.execute(newest).mappings().one_or_none()
    return {name: float(price) for name, price in (row or {}).items() if price is not None}


def _as_drawn(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _untold(row: Mapping[Any, Any]) -> UnsentSignal:
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
