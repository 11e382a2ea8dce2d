"""Definitions of alerts: the alerts, the outbox of their messages, and the state of each channel."""

from hd_pipelines.tables.model import FROM_ZERO, Check, Column, Index, Reference, Table, Type, Unique
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT
from hd_pipelines.tables.vocabulary import AlertSeverity, AlertState, DeliveryStatus, MessageKind

MAX_ERROR_LENGTH = 500
"""Characters of a delivery's last error that are kept."""

ALERTS = Table(
    name="alerts",
    about="What deserves a person's attention: failed runs and checks, late data. An alert opens when a problem "
    "is found and is resolved when it is gone; it may open again. See alerts.md.",
    grain="One row per rule and subject; `episode` counts how often it opened.",
    written_by="`warehouse.records.alerts.AlertBook`, in the transaction that writes its messages.",
    key=("alert_id",),
    columns=(
        Column(
            "alert_id",
            Type.KEY_TEXT,
            "Key, a pure function of rule and subject.",
            "32 hex digits",
            source="`alerts.fingerprint`",
        ),
        Column(
            "rule",
            Type.TEXT,
            "What is broken: `run_failed`, `check_failed`, `data_late`, `channel_refused`, or a rule of data-quality.md.",
            source="`sensors.failure_alerts`, `sensors.late_data_alerts`, `sensors.alert_delivery`",
        ),
        Column(
            "subject", Type.TEXT, "What it is broken for: a job and its partitions, a check, a dataset and its session."
        ),
        Column(
            "severity",
            Type.TEXT,
            "`error` and `critical` are sent at once, `warning` and `info` in a digest. The worst of the episode.",
            enum=AlertSeverity,
        ),
        Column("state", Type.TEXT, "`open` or `resolved`.", enum=AlertState),
        Column("title", Type.TEXT, "One line for people, without secrets."),
        Column("detail", Type.TEXT, "Detail of the last occurrence."),
        Column("cure", Type.TEXT, "What to do; may be empty."),
        Column("episode", Type.INTEGER, "How often it has opened.", "count", source="`alerts.lifecycle`"),
        Column("occurrences", Type.COUNT, "Occurrences in this episode.", "count"),
        Column(
            "escalations", Type.INTEGER, "Reminders sent in this episode: 1 after 15 minutes, 2 after 60.", "0 to 2"
        ),
        Column(
            "repeats",
            Type.INTEGER,
            "Repeat messages in this episode, sent because it occurred again after a quiet period.",
            "count",
        ),
        Column("told_episode", Type.INTEGER, "The last episode with a message of its own.", null="none had one"),
        Column("awaits_digest", Type.BOOLEAN, "Whether the next digest has to mention it."),
        Column("first_seen_at", Type.INSTANT, "When it first occurred."),
        Column("opened_at", Type.INSTANT, "When this episode began."),
        Column("last_seen_at", Type.INSTANT, "When it last occurred."),
        Column("notified_at", Type.INSTANT, "When the last message of its own was written.", null="there was none"),
        Column("resolved_at", Type.INSTANT, "When it was found resolved.", null="it is open"),
        Column("run_id", Type.TEXT, "Dagster run that showed it last.", null="no run did", source="Dagster"),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        Check("names", "rule <> '' AND subject <> '' AND title <> ''"),
        Check("resolved", "(state = 'resolved') = (resolved_at IS NOT NULL)"),
        Check("told_episode", "told_episode BETWEEN 1 AND episode"),
        Check("times", "first_seen_at <= opened_at AND opened_at <= last_seen_at"),
        Check("alert_id", "alert_id ~ '^[0-9a-f]{32}$'"),
        Check("counts", "episode >= 1 AND occurrences >= 1 AND escalations BETWEEN 0 AND 2 AND repeats >= 0"),
        Check("told_at", "(told_episode IS NULL) = (notified_at IS NULL)"),
    ),
    indexes=(Index("alerts_open_idx", ("opened_at",), where="state = 'open'"),),
)

ALERT_OUTBOX = Table(
    name="alert_outbox",
    about="Outgoing messages: written in the transaction that caused them, delivered afterwards under a lease. "
    "Kept 90 days.",
    grain="One row per event and channel; writing the same event again adds no row.",
    written_by="`warehouse.records.alert_outbox.enqueue`; `notifier.delivery` records what became of them.",
    key=("message_id",),
    columns=(
        Column(
            "message_id",
            Type.KEY_TEXT,
            "Key, a pure function of event and channel; sent to the receiver as idempotency key.",
            "32 hex digits",
            source="`alerts.fingerprint`",
        ),
        Column(
            "position",
            Type.COUNT,
            "Order in which messages were written; messages of one alert are delivered in this order.",
            source="identity",
            is_identity=True,
        ),
        Column(
            "event_key",
            Type.KEY_TEXT,
            "`alert:<alert>:<episode>:<kind>:<number>`, `signal:<id>`, `digest:<time>`, `test:<time>`.",
        ),
        Column(
            "channel",
            Type.KEY_TEXT,
            "Name of the channel: service and a digest of its URL that reveals nothing.",
            source="`notifier.channels`",
        ),
        Column(
            "kind",
            Type.TEXT,
            "`open`, `repeat`, `escalate`, `resolve`, `digest`, `signal` or `test`.",
            enum=MessageKind,
        ),
        Column(
            "alert_id",
            Type.KEY_TEXT,
            "Alert that it is about.",
            null="a signal, digest or test",
            source="`alerts`",
            references=Reference("alerts.alert_id"),
        ),
        Column(
            "message",
            Type.JSON,
            "Title, body and fields, without secrets and mentions.",
            "JSON",
            source="`alerts.messages`",
        ),
        Column("picture", Type.BYTES, "Chart.", "PNG", null="it has none", source="`charts.signal`"),
        Column(
            "status",
            Type.TEXT,
            "`pending`, `delivered`, or `dead`: given up, `last_error` says why.",
            enum=DeliveryStatus,
        ),
        Column("attempts", Type.INTEGER, "Claims so far.", "count", bounds=FROM_ZERO, default="0"),
        Column("due_at", Type.INSTANT, "Earliest time of the next attempt."),
        Column(
            "expires_at",
            Type.INSTANT,
            "Latest time of delivery; for a signal the end of its validity.",
            null="it never expires",
        ),
        Column(
            "lease_id",
            Type.TEXT,
            "Delivery process that holds the message, or held it last and got no answer.",
            "16 hex digits",
            null="nobody",
        ),
        Column(
            "leased_until",
            Type.INSTANT,
            "When another process may take the message over.",
            null="nobody is delivering it",
        ),
        Column("delivered_at", Type.INSTANT, "When the receiver accepted it.", null="it has not"),
        Column(
            "receipt",
            Type.TEXT,
            "The receiver's identifier of the message.",
            null="it gave none, or is not delivered",
            source="receiver",
        ),
        Column("last_error", Type.TEXT, "Last error, without secrets.", null="nothing"),
        Column("created_at", Type.INSTANT, "When it was written.", source="writer's clock", default="now()"),
        UPDATED_AT,
    ),
    checks=(
        Check("message_id", "message_id ~ '^[0-9a-f]{32}$'"),
        Check("picture", "octet_length(picture) BETWEEN 1 AND 8000000"),
        Check("lease", "(lease_id IS NULL) = (leased_until IS NULL)"),
        Check("dead", "status <> 'dead' OR last_error IS NOT NULL"),
        Check("lease_is_pending", "lease_id IS NULL OR status = 'pending'"),
        Check("delivered", "(status = 'delivered') = (delivered_at IS NOT NULL)"),
        Check("last_error", f"char_length(last_error) <= {MAX_ERROR_LENGTH}"),
        Check("names", "event_key <> '' AND channel <> ''"),
        Check("message", "jsonb_typeof(message) = 'object'"),
    ),
    unique=(Unique("alert_outbox_event_key_key", ("event_key", "channel")),),
    indexes=(
        Index("alert_outbox_alert_idx", ("alert_id", "channel", "position")),
        Index("alert_outbox_pending_idx", ("channel", "position"), where="status = 'pending'"),
    ),
)

ALERT_CHANNELS = Table(
    name="alert_channels",
    about="Rate limit state of each channel, shared by all processes.",
    grain="One row per channel that a message was ever written to.",
    written_by="`notifier.delivery`.",
    key=("channel",),
    columns=(
        Column("channel", Type.KEY_TEXT, "Key, as in `alert_outbox`.", source="`notifier.channels`"),
        Column(
            "service",
            Type.TEXT,
            "Scheme of its URL: `discord`, `slack`, `tgram`, `mailtos`, `json`.",
            source="HD_ALERT_URLS",
        ),
        Column(
            "tokens",
            Type.NUMBER,
            "Messages that could be sent at once at `refilled_at`.",
            "count",
            source="`alerts.token_bucket`",
            bounds=FROM_ZERO,
        ),
        Column("refilled_at", Type.INSTANT, "When `tokens` was computed."),
        Column(
            "held_until",
            Type.INSTANT,
            "No delivery before this time, as the receiver asked (`Retry-After`).",
            null="it never did",
            source="receiver",
        ),
        Column(
            "failures",
            Type.INTEGER,
            "Failed attempts in a row.",
            "count",
            bounds=FROM_ZERO,
            default="0",
        ),
        Column("last_delivered_at", Type.INSTANT, "When a message was last delivered.", null="none did"),
        Column("last_error", Type.TEXT, "Last error, without secrets.", null="the last attempt succeeded"),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        Check("names", "channel <> '' AND service <> ''"),
        Check("last_error", f"char_length(last_error) <= {MAX_ERROR_LENGTH}"),
    ),
)
