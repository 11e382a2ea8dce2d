"""Bars, natively partitioned by session, and the fingerprints of their inputs.

Partitions are monthly and created when a load needs them; there is no DEFAULT partition, because attaching would have to
scan and lock it. A partition has row-level security without any policy or grant: rows are reached through the parent.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE historical_bars (
            symbol text COLLATE "C" NOT NULL,
            timeframe text COLLATE "C" NOT NULL,
            "timestamp" timestamptz NOT NULL,
            session date NOT NULL,
            open numeric NOT NULL,
            high numeric NOT NULL,
            low numeric NOT NULL,
            close numeric NOT NULL,
            volume numeric,
            vwap numeric,
            trades bigint,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT historical_bars_pkey PRIMARY KEY (symbol, timeframe, "timestamp", session),
            CONSTRAINT historical_bars_symbol CHECK (symbol <> ''),
            CONSTRAINT historical_bars_timeframe
                CHECK (timeframe IN ('1m', '5m', '15m', '1h', '4h', 'day', 'week')),
            CONSTRAINT historical_bars_prices CHECK (
                low > 0 AND low <= open AND low <= close AND high >= open AND high >= close
                AND high < 'Infinity'::numeric
            ),
            CONSTRAINT historical_bars_volume CHECK (volume >= 0 AND volume < 'Infinity'::numeric),
            CONSTRAINT historical_bars_vwap CHECK (vwap >= low AND vwap <= high),
            CONSTRAINT historical_bars_trades CHECK (trades >= 0),
            CONSTRAINT historical_bars_session CHECK (
                session - ("timestamp" AT TIME ZONE interval '-04:00')::date
                BETWEEN 0 AND CASE timeframe WHEN 'week' THEN 6 ELSE 0 END
            )
        ) PARTITION BY RANGE (session)
        """
    )
    op.execute("CREATE SCHEMA staging")  # where partitions are built before they are exchanged
    op.execute("GRANT USAGE ON SCHEMA staging TO hd_service")
    op.execute(
        """
        CREATE TABLE bars_manifest (
            symbol text COLLATE "C" NOT NULL,
            session date NOT NULL,
            fingerprint text NOT NULL,
            rows integer NOT NULL,
            run_id text,
            loaded_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT bars_manifest_pkey PRIMARY KEY (symbol, session),
            CONSTRAINT bars_manifest_rows CHECK (rows >= 0)
        )
        """
    )
    op.execute("CREATE INDEX bars_manifest_session_idx ON bars_manifest (session)")
    for table in ("historical_bars", "bars_manifest"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_service ON {table} TO hd_service USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY {table}_reader ON {table} FOR SELECT TO hd_reader USING (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hd_service")
        op.execute(f"GRANT SELECT ON {table} TO hd_reader")


def downgrade() -> None:
    op.execute("DROP TABLE bars_manifest, historical_bars")
    op.execute("DROP SCHEMA staging CASCADE")
