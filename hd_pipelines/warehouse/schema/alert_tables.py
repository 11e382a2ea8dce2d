"""Tables of alerts: the alerts themselves, the outbox of their messages, and the state of every channel.

Belongs here: columns, keys and checks. How rows move is `alert_records`, `alert_outbox` and `alert_channels`; what
the words mean is `tables.vocabulary.alerts`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from hd_pipelines.tables.vocabulary import AlertSeverity, AlertState, DeliveryStatus, MessageKind
from hd_pipelines.warehouse.schema.columns import byte_ordered_text, check, metadata, moment, now, vocabulary, word

MAX_ERROR_LENGTH = 500
"""Characters of a delivery's last error that are kept."""

alerts = Table(
    "alerts",
    metadata,
    byte_ordered_text("alert_id"),
    word("rule", nullable=False),
    word("subject", nullable=False),
    word("severity", nullable=False),
    word("state", nullable=False),
    word("title", nullable=False),
    word("detail", nullable=False),
    word("cure", nullable=False),
    Column("episode", Integer, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("escalations", Integer, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("told_episode", Integer),
    Column("awaits_digest", Boolean, nullable=False),
    moment("first_seen_at", nullable=False),
    moment("opened_at", nullable=False),
    moment("last_seen_at", nullable=False),
    moment("notified_at"),
    moment("resolved_at"),
    word("run_id"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("alert_id", name="alerts_pkey"),
    *vocabulary("alerts", {"severity": AlertSeverity, "state": AlertState}),
    check("alerts", "alert_id", "alert_id ~ '^[0-9a-f]{32}$'"),
    check("alerts", "names", "rule <> '' AND subject <> '' AND title <> ''"),
    check("alerts", "counts", "episode >= 1 AND occurrences >= 1 AND escalations BETWEEN 0 AND 2 AND repeats >= 0"),
    check("alerts", "told_episode", "told_episode BETWEEN 1 AND episode"),
    check("alerts", "told_at", "(told_episode IS NULL) = (notified_at IS NULL)"),
    check("alerts", "times", "first_seen_at <= opened_at AND opened_at <= last_seen_at"),
    check("alerts", "resolved", "(state = 'resolved') = (resolved_at IS NOT NULL)"),
)
Index("alerts_open_idx", alerts.c.opened_at, postgresql_where=alerts.c.state == "open")

alert_outbox = Table(
    "alert_outbox",
    metadata,
    byte_ordered_text("message_id"),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    byte_ordered_text("event_key"),
    byte_ordered_text("channel"),
    word("kind", nullable=False),
    Column("alert_id", Text(collation="C"), ForeignKey("alerts.alert_id", name="alert_outbox_alert_id_fkey")),
    Column("message", JSONB, nullable=False),
    Column("picture", LargeBinary),
    word("status", nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("due_at", nullable=False),
    moment("expires_at"),
    word("lease_id"),
    moment("leased_until"),
    moment("delivered_at"),
    word("receipt"),
    word("last_error"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("message_id", name="alert_outbox_pkey"),
    UniqueConstraint("event_key", "channel", name="alert_outbox_event_key_key"),
    *vocabulary("alert_outbox", {"kind": MessageKind, "status": DeliveryStatus}),
    check("alert_outbox", "message_id", "message_id ~ '^[0-9a-f]{32}$'"),
    check("alert_outbox", "names", "event_key <> '' AND channel <> ''"),
    check("alert_outbox", "message", "jsonb_typeof(message) = 'object'"),
    check("alert_outbox", "picture", "octet_length(picture) BETWEEN 1 AND 8000000"),
    check("alert_outbox", "attempts", "attempts >= 0"),
    check("alert_outbox", "delivered", "(status = 'delivered') = (delivered_at IS NOT NULL)"),
    check("alert_outbox", "dead", "status <> 'dead' OR last_error IS NOT NULL"),
    check("alert_outbox", "lease", "(lease_id IS NULL) = (leased_until IS NULL)"),
    check("alert_outbox", "lease_is_pending", "lease_id IS NULL OR status = 'pending'"),
    check("alert_outbox", "last_error", f"char_length(last_error) <= {MAX_ERROR_LENGTH}"),
)
Index(
    "alert_outbox_pending_idx",
    alert_outbox.c.channel,
    alert_outbox.c.position,
    postgresql_where=alert_outbox.c.status == "pending",
)
Index("alert_outbox_alert_idx", alert_outbox.c.alert_id, alert_outbox.c.channel, alert_outbox.c.position)

alert_channels = Table(
    "alert_channels",
    metadata,
    byte_ordered_text("channel"),
    word("service", nullable=False),
    Column("tokens", Double, nullable=False),
    moment("refilled_at", nullable=False),
    moment("held_until"),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    moment("last_delivered_at"),
    word("last_error"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("channel", name="alert_channels_pkey"),
    check("alert_channels", "names", "channel <> '' AND service <> ''"),
    check("alert_channels", "tokens", "tokens >= 0 AND tokens < 'Infinity'::double precision"),
    check("alert_channels", "failures", "failures >= 0"),
    check("alert_channels", "last_error", f"char_length(last_error) <= {MAX_ERROR_LENGTH}"),
)
