"""The vendor file of every lake session, and data findings.

At most one row per dataset and session is current; a republished file supersedes, it never overwrites.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE load_manifest (
            load_id text NOT NULL,
            dataset text NOT NULL,
            session date NOT NULL,
            etag text NOT NULL,
            size bigint NOT NULL,
            sha256 text NOT NULL,
            rows bigint NOT NULL,
            rows_set_aside bigint NOT NULL DEFAULT 0,
            object_key text NOT NULL,
            landed_at timestamptz NOT NULL,
            ingested_at timestamptz NOT NULL DEFAULT now(),
            superseded_by text,
            CONSTRAINT load_manifest_pkey PRIMARY KEY (load_id),
            CONSTRAINT load_manifest_superseded_by_fkey FOREIGN KEY (superseded_by)
                REFERENCES load_manifest (load_id) DEFERRABLE INITIALLY DEFERRED,
            CONSTRAINT load_manifest_load_id CHECK (load_id ~ '^[0-9a-f]{32}$'),
            CONSTRAINT load_manifest_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$'),
            CONSTRAINT load_manifest_counts CHECK (size >= 0 AND rows >= 0 AND rows_set_aside >= 0),
            CONSTRAINT load_manifest_not_its_own_successor CHECK (superseded_by <> load_id)
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX load_manifest_current_idx ON load_manifest (dataset, session) WHERE superseded_by IS NULL"
    )
    op.execute(
        """
        CREATE TABLE data_findings (
            finding_id text NOT NULL,
            rule text NOT NULL,
            severity text NOT NULL,
            dataset text NOT NULL,
            session date,
            subject text NOT NULL,
            detail text NOT NULL,
            cure text NOT NULL,
            rows bigint NOT NULL,
            first_row bigint,
            first_seen_at timestamptz NOT NULL DEFAULT now(),
            last_seen_at timestamptz NOT NULL DEFAULT now(),
            resolved_at timestamptz,
            run_id text,
            CONSTRAINT data_findings_pkey PRIMARY KEY (finding_id),
            CONSTRAINT data_findings_severity CHECK (severity IN ('error', 'warning')),
            CONSTRAINT data_findings_rows CHECK (rows >= 0)
        )
        """
    )
    op.execute("CREATE INDEX data_findings_open_idx ON data_findings (dataset, session) WHERE resolved_at IS NULL")
    op.execute(
        """
        CREATE FUNCTION stamp_last_seen() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
            NEW.first_seen_at := OLD.first_seen_at;
            IF NEW.resolved_at IS NULL THEN
                NEW.last_seen_at := now();  -- seen again; resolving is not seeing
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER stamp_last_seen BEFORE UPDATE ON data_findings FOR EACH ROW EXECUTE FUNCTION stamp_last_seen()"
    )
    for table in ("load_manifest", "data_findings"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_service ON {table} TO hd_service USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY {table}_reader ON {table} FOR SELECT TO hd_reader USING (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hd_service")
        op.execute(f"GRANT SELECT ON {table} TO hd_reader")


def downgrade() -> None:
    op.execute("DROP TABLE data_findings, load_manifest")
    op.execute("DROP FUNCTION stamp_last_seen()")
