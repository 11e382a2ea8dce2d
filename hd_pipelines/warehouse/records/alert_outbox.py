"""The outbox of alert messages: writes them, hands them out under a lease, and records what became of each.

A message is written in the transaction that causes it; whoever delivers claims a message, commits, and only then contacts
the receiver. If a process dies in between, its lease expires and the message is handed out again. How fast a channel may
be used is decided in `alert_channels`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.alerts.fingerprint import message_id
from hd_pipelines.alerts.messages import Message
from hd_pipelines.alerts.redaction import Redactor, cut
from hd_pipelines.tables.alerts import MAX_ERROR_LENGTH
from hd_pipelines.tables.vocabulary import DeliveryStatus
from hd_pipelines.warehouse.schema.tables import alert_outbox

KEPT = timedelta(days=90)
"""How long messages are kept after they were written."""
GIVEN_UP_AFTER = timedelta(hours=24)
"""A message not delivered by then is dead; it stays visible."""
MOST_UNFINISHED = 10
"""Limit of attempts for a message whose sending crashes the process or fails unexpectedly."""
_box = alert_outbox.c


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message claimed by one deliverer until `leased_until`.

    `is_repeat`: an earlier attempt ended without an answer, so the receiver may have it already.
    """

    message_id: str
    lease_id: str
    message: Message
    picture: bytes | None
    attempts: int
    created_at: datetime
    leased_until: datetime
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivery of a message on one channel. `due_at`: earliest next attempt, if it is pending."""

    channel: str
    status: DeliveryStatus
    due_at: datetime
    receipt: str | None
    last_error: str | None


def enqueue(
    connection: Connection,
    event_key: str,
    message: Message,
    channels: Collection[str],
    redactor: Redactor,
    *,
    now: datetime,
    alert_id: str | None = None,
    picture: bytes | None = None,
    expires_at: datetime | None = None,
) -> int:
    """Write `message` once for each of `channels`, redacted; return how many are new.

    The same `event_key` and channel is the same message: writing it again changes nothing. Nothing is sent before the
    caller's transaction commits.
    """
    if not channels:
        return 0
    clean = redactor.clean_message(message)
    rows = [
        {
            "message_id": message_id(event_key, channel),
            "event_key": event_key,
            "channel": channel,
            "kind": message.kind.value,
            "alert_id": alert_id,
            "message": clean.document(),
            "picture": picture,
            "status": DeliveryStatus.PENDING.value,
            "due_at": now,
            "expires_at": expires_at,
            "created_at": now,
        }
        for channel in sorted(set(channels))
    ]
    written = insert(alert_outbox).values(rows).on_conflict_do_nothing().returning(_box.message_id)
    return len(connection.execute(written).all())


def claim_message(
    connection: Connection, channel: str, *, lease_id: str, now: datetime, lease: timedelta
) -> Claimed | None:
    """Take the oldest message of `channel` that is due, or None. Commit before delivering it.

    Two claimers never get the same one. Messages of one alert go out in the order in which they were written: a later
    one waits until the earlier one is delivered or dead.
    """
    earlier = alert_outbox.alias("earlier")
    is_first = ~exists().where(
        earlier.c.alert_id == _box.alert_id,
        earlier.c.channel == _box.channel,
        earlier.c.position < _box.position,
        earlier.c.status == DeliveryStatus.PENDING.value,
    )
    chosen = (
        select(_box.message_id, _box.lease_id)
        .where(
            _box.channel == channel,
            _box.status == DeliveryStatus.PENDING.value,
            _box.due_at <= now,
            _is_free(now),
            or_(_box.expires_at.is_(None), _box.expires_at > now),
            is_first,
        )
        .order_by(_box.position)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(chosen).one_or_none()
    if found is None:
        return None
    leased_until = now + lease
    row = connection.execute(
        update(alert_outbox)
        .where(_box.message_id == found.message_id)
        .values(lease_id=lease_id, leased_until=leased_until, attempts=_box.attempts + 1)
        .returning(_box.message, _box.picture, _box.attempts, _box.created_at)
    ).one()
    return Claimed(
        message_id=found.message_id,
        lease_id=lease_id,
        message=Message.from_document(row.message),
        picture=bytes(row.picture) if row.picture is not None else None,
        attempts=row.attempts,
        created_at=row.created_at,
        leased_until=leased_until,
        is_repeat=found.lease_id is not None,
    )


def mark_delivered(connection: Connection, message: str, *, now: datetime, receipt: str | None = None) -> bool:
    """Mark the message as delivered, also by a deliverer that lost the lease; return False if it was marked already."""
    arrived = (
        update(alert_outbox)
        .where(_box.message_id == message, _box.status != DeliveryStatus.DELIVERED.value)
        .values(
            status=DeliveryStatus.DELIVERED.value,
            delivered_at=now,
            receipt=receipt,
            last_error=None,
            lease_id=None,
            leased_until=None,
        )
    )
    return connection.execute(arrived).rowcount == 1


def schedule_retry(
    connection: Connection, claimed: Claimed, due_at: datetime, error: str, redactor: Redactor, *, may_have_it: bool
) -> bool:
    """Schedule the next attempt at `due_at`. `may_have_it`: no answer came, so the next attempt counts as a repeat.

    Returns False if the lease was lost: another process delivers it.
    """
    lease: dict[str, Any] = {"leased_until": due_at} if may_have_it else {"lease_id": None, "leased_until": None}
    return _update_claimed(connection, claimed, due_at=due_at, last_error=_clean_error(error, redactor), **lease)


def mark_dead(connection: Connection, claimed: Claimed, error: str, redactor: Redactor) -> bool:
    """Give up with the reason `error`; return False if the lease was lost."""
    return _update_claimed(
        connection,
        claimed,
        status=DeliveryStatus.DEAD.value,
        last_error=_clean_error(error, redactor),
        lease_id=None,
        leased_until=None,
    )


def give_up_stale(connection: Connection, configured: Collection[str], *, now: datetime) -> int:
    """Mark messages dead that can no longer be delivered; the row holds the reason.

    These are past `expires_at`; or a day old and their channel is not configured, or after `MOST_UNFINISHED` attempts.
    """
    reasons: Sequence[tuple[Any, str]] = (
        (_box.expires_at <= now, "It expired before the channel took it."),
        (
            and_(_box.channel.not_in(sorted(configured)), _box.created_at <= now - GIVEN_UP_AFTER),
            "Its channel is no longer in HD_ALERT_URLS.",
        ),
        (
            and_(_box.attempts >= MOST_UNFINISHED, _box.created_at <= now - GIVEN_UP_AFTER),
            "Every attempt to send it ended without a word.",
        ),
    )
    return sum(
        connection.execute(
            update(alert_outbox)
            .where(_box.status == DeliveryStatus.PENDING.value, condition, _is_free(now))
            .values(status=DeliveryStatus.DEAD.value, last_error=reason, lease_id=None, leased_until=None)
        ).rowcount
        for condition, reason in reasons
    )


def revive_messages(connection: Connection, channels: Collection[str], *, now: datetime) -> int:
    """Make dead messages of `channels` pending again; return how many. Expired ones stay dead."""
    return connection.execute(
        update(alert_outbox)
        .where(
            _box.status == DeliveryStatus.DEAD.value,
            _box.channel.in_(sorted(channels)),
            or_(_box.expires_at.is_(None), _box.expires_at > now),
        )
        .values(status=DeliveryStatus.PENDING.value, due_at=now)
    ).rowcount


def read_deliveries(connection: Connection, event_key: str) -> list[Delivery]:
    """Read the delivery of an event's message on each channel, by channel name."""
    columns = (_box.channel, _box.status, _box.due_at, _box.receipt, _box.last_error)
    rows: Sequence[Any] = connection.execute(
        select(*columns).where(_box.event_key == event_key).order_by(_box.channel)
    ).all()
    return [Delivery(row.channel, DeliveryStatus(row.status), row.due_at, row.receipt, row.last_error) for row in rows]


def find_next_due(connection: Connection, channel: str) -> datetime | None:
    """Find when the next pending message of `channel` may be tried, or None."""
    moment = func.min(func.greatest(_box.due_at, func.coalesce(_box.leased_until, _box.due_at)))
    return connection.execute(
        select(moment).where(_box.channel == channel, _box.status == DeliveryStatus.PENDING.value)
    ).scalar_one()


def count_outbox(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Count messages by (channel, status)."""
    counted = select(_box.channel, _box.status, func.count()).group_by(_box.channel, _box.status)
    rows: Sequence[Any] = connection.execute(counted).all()
    return {(channel, status): int(count) for channel, status, count in rows}


def drop_old_messages(connection: Connection, *, now: datetime) -> int:
    """Delete messages older than `KEPT` that are delivered or dead; return how many. Pending ones are kept."""
    return connection.execute(
        delete(alert_outbox).where(_box.status != DeliveryStatus.PENDING.value, _box.created_at < now - KEPT)
    ).rowcount


def _is_free(now: datetime) -> Any:  # noqa: ANN401  (an SQL condition)
    return or_(_box.leased_until.is_(None), _box.leased_until <= now)


def _update_claimed(connection: Connection, claimed: Claimed, **values: object) -> bool:
    held = and_(
        _box.message_id == claimed.message_id,
        _box.lease_id == claimed.lease_id,
        _box.status == DeliveryStatus.PENDING.value,
    )
    return connection.execute(update(alert_outbox).where(held).values(**values)).rowcount == 1


def _clean_error(error: str, redactor: Redactor) -> str:
    return cut(redactor.clean(error) or "no reason given", MAX_ERROR_LENGTH)
