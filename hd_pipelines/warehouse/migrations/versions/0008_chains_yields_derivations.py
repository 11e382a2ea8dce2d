"""Which chains the lake holds, the yield curve, and the fingerprints of the inputs of derived rows."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("option_chain_snapshots", "treasury_yields", "derivation_manifest")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE option_chain_snapshots (
            underlying text COLLATE "C" NOT NULL,
            snapshot_at timestamptz NOT NULL,
            session date NOT NULL,
            kind text NOT NULL,
            source text NOT NULL,
            contracts bigint NOT NULL,
            with_quote bigint NOT NULL,
            with_open_interest bigint NOT NULL,
            with_vendor_iv bigint NOT NULL,
            completeness double precision,
            fingerprint text NOT NULL,
            landed_url text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT option_chain_snapshots_pkey PRIMARY KEY (underlying, snapshot_at),
            CONSTRAINT option_chain_snapshots_kind CHECK (kind IN ('close', 'intraday')),
            CONSTRAINT option_chain_snapshots_source CHECK (
                source IN ('chain_snapshot', 'chain_archive', 'option_minute_aggs', 'option_day_aggs')
            ),
            CONSTRAINT option_chain_snapshots_names CHECK (underlying <> '' AND fingerprint <> ''),
            CONSTRAINT option_chain_snapshots_session CHECK (
                ("snapshot_at" AT TIME ZONE interval '0')::date = session
            ),
            CONSTRAINT option_chain_snapshots_counts CHECK (
                contracts >= 0 AND with_quote BETWEEN 0 AND contracts AND with_open_interest BETWEEN 0 AND contracts
                AND with_vendor_iv BETWEEN 0 AND contracts
            ),
            CONSTRAINT option_chain_snapshots_completeness CHECK (completeness BETWEEN 0 AND 1)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE treasury_yields (
            date date NOT NULL,
            years double precision NOT NULL,
            rate double precision NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT treasury_yields_pkey PRIMARY KEY (date, years),
            CONSTRAINT treasury_yields_years CHECK (years > 0 AND years <= 100),
            CONSTRAINT treasury_yields_rate CHECK (rate BETWEEN -0.05 AND 0.5)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE derivation_manifest (
            table_name text COLLATE "C" NOT NULL,
            symbol text COLLATE "C" NOT NULL,
            session date NOT NULL,
            fingerprint text NOT NULL,
            rows bigint NOT NULL,
            run_id text,
            loaded_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT derivation_manifest_pkey PRIMARY KEY (table_name, symbol, session),
            CONSTRAINT derivation_manifest_names CHECK (table_name <> '' AND symbol <> ''),
            CONSTRAINT derivation_manifest_rows CHECK (rows >= 0)
        )
        """
    )
    for table in _TABLES:
        if table != "derivation_manifest":
            op.execute(
                f"CREATE TRIGGER stamp_updated_at BEFORE UPDATE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION stamp_updated_at()"
            )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_service ON {table} TO hd_service USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY {table}_reader ON {table} FOR SELECT TO hd_reader USING (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hd_service")
        op.execute(f"GRANT SELECT ON {table} TO hd_reader")


def downgrade() -> None:
    op.execute(f"DROP TABLE {', '.join(_TABLES)}")
