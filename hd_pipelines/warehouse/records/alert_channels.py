"""The state of each alert channel: its token bucket, and until when it asked to pause.

The state is a row and not a variable, so that a limit met by one process binds the next one, and all processes together.
The arithmetic is in `alerts.token_bucket`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.alerts.redaction import Redactor, cut
from hd_pipelines.alerts.token_bucket import Rate
from hd_pipelines.tables.alerts import MAX_ERROR_LENGTH
from hd_pipelines.warehouse.schema.tables import alert_channels

_channel = alert_channels.c


@dataclass(frozen=True, slots=True)
class ChannelState:
    """State of a channel. `failures`: consecutive failed attempts."""

    channel: str
    service: str
    held_until: datetime | None
    failures: int
    last_delivered_at: datetime | None
    last_error: str | None


def take_token(connection: Connection, channel: str, service: str, rate: Rate, *, now: datetime) -> datetime | None:
    """Take the token for one message now; return None, or the earliest instant to ask again.

    The row stays locked until the caller's transaction ends, so that only one process at a time claims from a channel. A
    caller that finds no message rolls back and has taken nothing.
    """
    connection.execute(
        insert(alert_channels)
        .values(channel=channel, service=service, tokens=float(rate.burst), refilled_at=now)
        .on_conflict_do_nothing()
    )
    row = connection.execute(
        select(_channel.tokens, _channel.refilled_at, _channel.held_until)
        .where(_channel.channel == channel)
        .with_for_update()
    ).one()
    if row.held_until is not None and row.held_until > now:
        held: datetime = row.held_until
        return held
    tokens = rate.filled(row.tokens, row.refilled_at, now)
    if tokens < 1.0:
        return now + rate.wait(tokens)
    connection.execute(
        update(alert_channels).where(_channel.channel == channel).values(tokens=tokens - 1.0, refilled_at=now)
    )
    return None


def hold_channel(connection: Connection, channel: str, until: datetime) -> None:
    """Pause the channel until `until`, as it asked; a shorter pause never shortens a longer one."""
    connection.execute(
        update(alert_channels)
        .where(_channel.channel == channel)
        .values(held_until=func.greatest(func.coalesce(_channel.held_until, until), until))
    )


def lift_holds(connection: Connection, channels: Collection[str]) -> int:
    """End the pauses of `channels`; return how many were under way or over."""
    return connection.execute(
        update(alert_channels)
        .where(_channel.channel.in_(sorted(channels)), _channel.held_until.is_not(None))
        .values(held_until=None)
    ).rowcount


def note_delivered(connection: Connection, channel: str, *, now: datetime) -> None:
    """Record a successful delivery."""
    connection.execute(
        update(alert_channels)
        .where(_channel.channel == channel)
        .values(failures=0, last_error=None, last_delivered_at=now)
    )


def note_failure(connection: Connection, channel: str, error: str, redactor: Redactor) -> None:
    """Record a failed attempt."""
    connection.execute(
        update(alert_channels)
        .where(_channel.channel == channel)
        .values(failures=_channel.failures + 1, last_error=cut(redactor.clean(error), MAX_ERROR_LENGTH))
    )


def read_channel_states(connection: Connection) -> dict[str, ChannelState]:
    """Read the state of every channel that was ever used, by name."""
    columns = (getattr(_channel, name) for name in ChannelState.__dataclass_fields__)
    rows = connection.execute(select(*columns).order_by(_channel.channel)).mappings()
    return {row["channel"]: ChannelState(**row) for row in rows}
