"""Alerts, the outbox of their messages, and the rate limit of each channel."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("alerts", "alert_outbox", "alert_channels")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE alerts (
            alert_id text COLLATE "C" NOT NULL,
            rule text NOT NULL,
            subject text NOT NULL,
            severity text NOT NULL,
            state text NOT NULL,
            title text NOT NULL,
            detail text NOT NULL,
            cure text NOT NULL,
            episode integer NOT NULL,
            occurrences bigint NOT NULL,
            escalations integer NOT NULL,
            repeats integer NOT NULL,
            told_episode integer,
            awaits_digest boolean NOT NULL,
            first_seen_at timestamptz NOT NULL,
            opened_at timestamptz NOT NULL,
            last_seen_at timestamptz NOT NULL,
            notified_at timestamptz,
            resolved_at timestamptz,
            run_id text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT alerts_pkey PRIMARY KEY (alert_id),
            CONSTRAINT alerts_severity CHECK (severity IN ('info', 'warning', 'error', 'critical')),
            CONSTRAINT alerts_state CHECK (state IN ('open', 'resolved')),
            CONSTRAINT alerts_alert_id CHECK (alert_id ~ '^[0-9a-f]{32}$'),
            CONSTRAINT alerts_names CHECK (rule <> '' AND subject <> '' AND title <> ''),
            CONSTRAINT alerts_counts CHECK (
                episode >= 1 AND occurrences >= 1 AND escalations BETWEEN 0 AND 2 AND repeats >= 0
            ),
            CONSTRAINT alerts_told_episode CHECK (told_episode BETWEEN 1 AND episode),
            CONSTRAINT alerts_told_at CHECK ((told_episode IS NULL) = (notified_at IS NULL)),
            CONSTRAINT alerts_times CHECK (first_seen_at <= opened_at AND opened_at <= last_seen_at),
            CONSTRAINT alerts_resolved CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX alerts_open_idx ON alerts (opened_at) WHERE state = 'open'")
    op.execute(
        """
        CREATE TABLE alert_outbox (
            message_id text COLLATE "C" NOT NULL,
            position bigint GENERATED ALWAYS AS IDENTITY,
            event_key text COLLATE "C" NOT NULL,
            channel text COLLATE "C" NOT NULL,
            kind text NOT NULL,
            alert_id text COLLATE "C",
            message jsonb NOT NULL,
            picture bytea,
            status text NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL,
            expires_at timestamptz,
            lease_id text,
            leased_until timestamptz,
            delivered_at timestamptz,
            receipt text,
            last_error text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT alert_outbox_pkey PRIMARY KEY (message_id),
            CONSTRAINT alert_outbox_event_key_key UNIQUE (event_key, channel),
            CONSTRAINT alert_outbox_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alerts (alert_id),
            CONSTRAINT alert_outbox_kind CHECK (
                kind IN ('open', 'repeat', 'escalate', 'resolve', 'digest', 'signal', 'test')
            ),
            CONSTRAINT alert_outbox_status CHECK (status IN ('pending', 'delivered', 'dead')),
            CONSTRAINT alert_outbox_message_id CHECK (message_id ~ '^[0-9a-f]{32}$'),
            CONSTRAINT alert_outbox_names CHECK (event_key <> '' AND channel <> ''),
            CONSTRAINT alert_outbox_message CHECK (jsonb_typeof(message) = 'object'),
            CONSTRAINT alert_outbox_picture CHECK (octet_length(picture) BETWEEN 1 AND 8000000),
            CONSTRAINT alert_outbox_attempts CHECK (attempts >= 0),
            CONSTRAINT alert_outbox_delivered CHECK ((status = 'delivered') = (delivered_at IS NOT NULL)),
            CONSTRAINT alert_outbox_dead CHECK (status <> 'dead' OR last_error IS NOT NULL),
            CONSTRAINT alert_outbox_lease CHECK ((lease_id IS NULL) = (leased_until IS NULL)),
            CONSTRAINT alert_outbox_lease_is_pending CHECK (lease_id IS NULL OR status = 'pending'),
            CONSTRAINT alert_outbox_last_error CHECK (char_length(last_error) <= 500)
        )
        """
    )
    op.execute("CREATE INDEX alert_outbox_pending_idx ON alert_outbox (channel, position) WHERE status = 'pending'")
    op.execute("CREATE INDEX alert_outbox_alert_idx ON alert_outbox (alert_id, channel, position)")
    op.execute(
        """
        CREATE TABLE alert_channels (
            channel text COLLATE "C" NOT NULL,
            service text NOT NULL,
            tokens double precision NOT NULL,
            refilled_at timestamptz NOT NULL,
            held_until timestamptz,
            failures integer NOT NULL DEFAULT 0,
            last_delivered_at timestamptz,
            last_error text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT alert_channels_pkey PRIMARY KEY (channel),
            CONSTRAINT alert_channels_names CHECK (channel <> '' AND service <> ''),
            CONSTRAINT alert_channels_tokens CHECK (tokens >= 0 AND tokens < 'Infinity'::double precision),
            CONSTRAINT alert_channels_failures CHECK (failures >= 0),
            CONSTRAINT alert_channels_last_error CHECK (char_length(last_error) <= 500)
        )
        """
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER stamp_updated_at BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION stamp_updated_at()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_service ON {table} TO hd_service USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY {table}_reader ON {table} FOR SELECT TO hd_reader USING (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hd_service")
        op.execute(f"GRANT SELECT ON {table} TO hd_reader")


def downgrade() -> None:
    op.execute(f"DROP TABLE {', '.join(reversed(_TABLES))}")
