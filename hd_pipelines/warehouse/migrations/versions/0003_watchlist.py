"""The watchlist, and the queue of symbols whose history is still to be derived from the lake."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE watchlist (
            symbol text COLLATE "C" NOT NULL,
            ticker text NOT NULL,
            added_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            active boolean NOT NULL DEFAULT true,
            note text,
            CONSTRAINT watchlist_pkey PRIMARY KEY (symbol),
            CONSTRAINT watchlist_ticker_key UNIQUE (ticker),
            CONSTRAINT watchlist_names CHECK (symbol <> '' AND ticker <> '')
        )
        """
    )
    op.execute(
        """
        CREATE TABLE historical_ingestion_queue (
            queue_id bigint GENERATED ALWAYS AS IDENTITY,
            symbol text COLLATE "C" NOT NULL,
            status text NOT NULL DEFAULT 'pending',
            retry_count integer NOT NULL DEFAULT 0,
            days_to_backfill integer NOT NULL DEFAULT 90,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            started_at timestamptz,
            finished_at timestamptz,
            last_error text,
            CONSTRAINT historical_ingestion_queue_pkey PRIMARY KEY (queue_id),
            CONSTRAINT historical_ingestion_queue_symbol_key UNIQUE (symbol),
            CONSTRAINT historical_ingestion_queue_symbol_fkey FOREIGN KEY (symbol)
                REFERENCES watchlist (symbol) ON DELETE CASCADE,
            CONSTRAINT historical_ingestion_queue_status
                CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
            CONSTRAINT historical_ingestion_queue_retries CHECK (retry_count BETWEEN 0 AND 3),
            CONSTRAINT historical_ingestion_queue_days CHECK (days_to_backfill > 0)
        )
        """
    )
    op.execute(
        """
        CREATE FUNCTION stamp_updated_at() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION queue_symbol_for_backfill() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            INSERT INTO public.historical_ingestion_queue (symbol) VALUES (NEW.symbol)
            ON CONFLICT (symbol) DO UPDATE
                SET status = 'pending', retry_count = 0, started_at = NULL, finished_at = NULL, last_error = NULL;
            RETURN NULL;
        END $$
        """
    )
    for table in ("watchlist", "historical_ingestion_queue"):
        op.execute(
            f"CREATE TRIGGER stamp_updated_at BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION stamp_updated_at()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_service ON {table} TO hd_service USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY {table}_reader ON {table} FOR SELECT TO hd_reader USING (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hd_service")
        op.execute(f"GRANT SELECT ON {table} TO hd_reader")
    op.execute(
        "CREATE TRIGGER queue_new_symbol AFTER INSERT ON watchlist"
        " FOR EACH ROW WHEN (NEW.active) EXECUTE FUNCTION queue_symbol_for_backfill()"
    )
    op.execute(
        "CREATE TRIGGER queue_returning_symbol AFTER UPDATE OF active ON watchlist"
        " FOR EACH ROW WHEN (NEW.active AND NOT OLD.active) EXECUTE FUNCTION queue_symbol_for_backfill()"
    )


def downgrade() -> None:
    op.execute("DROP TABLE historical_ingestion_queue, watchlist")
    op.execute("DROP FUNCTION queue_symbol_for_backfill()")
    op.execute("DROP FUNCTION stamp_updated_at()")
