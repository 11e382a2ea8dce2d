"""SQL functions of the warehouse, the function that runs a reader's query, and the schema that dbt builds in.

Functions that touch rows belong to `hd_service`, whose policies let it see them; the one that drops partitions belongs to
`hd_owner`, which sees none. Each sets its search_path and is closed to PUBLIC.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT CREATE ON SCHEMA public TO hd_service, hd_reader")
    op.execute("SET LOCAL ROLE hd_service")
    op.execute(
        """
        CREATE FUNCTION get_all_watchlist_symbols() RETURNS SETOF text
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            SELECT symbol FROM public.watchlist WHERE active ORDER BY symbol
        $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION get_all_watchlist_symbols() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION get_all_watchlist_symbols() TO hd_reader")
    op.execute(
        """
        CREATE FUNCTION forget_bars_before(first_kept date) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            dropped bigint;
        BEGIN
            DELETE FROM public.bars_manifest WHERE session < first_kept;
            SELECT count(*) INTO dropped FROM public.historical_bars WHERE session < first_kept;
            RETURN dropped;
        END $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION forget_bars_before(date)"
        " IS 'Part of cleanup_old_historical_bars: counts the rows that it is about to drop'"
    )
    op.execute("REVOKE ALL ON FUNCTION forget_bars_before(date) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION forget_bars_before(date) TO hd_owner")
    op.execute("SET LOCAL ROLE hd_reader")
    # Inside a SECURITY DEFINER function PostgreSQL refuses every change of role or session user, so a statement run
    # here stays the reader whatever it calls. It has no right that the caller's own session would not have.
    op.execute(
        """
        CREATE FUNCTION run_as_reader(statement text) RETURNS SETOF record
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, marts, pg_temp AS $$
        BEGIN
            RETURN QUERY EXECUTE statement;
        END $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION run_as_reader(text) FROM PUBLIC")
    op.execute("SET LOCAL ROLE hd_owner")
    op.execute("REVOKE CREATE ON SCHEMA public FROM hd_service, hd_reader")
    op.execute(
        """
        CREATE FUNCTION cleanup_old_historical_bars(keep interval DEFAULT '1 year') RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '30s' AS $$
        DECLARE
            leaf record;
            first_kept date;
            dropped bigint := 0;
        BEGIN
            IF keep < interval '0' THEN
                RAISE EXCEPTION 'keep must not be negative, got %', keep;
            END IF;
            -- Whole leaves only: everything before the first day of the oldest month that still has a kept session.
            first_kept := date_trunc('month', (now() AT TIME ZONE 'America/New_York') - keep)::date;
            PERFORM pg_advisory_xact_lock(hashtextextended('hd_pipelines:historical_bars', 0));
            dropped := public.forget_bars_before(first_kept);
            FOR leaf IN
                SELECT child.relname
                FROM pg_inherits
                JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
                WHERE pg_inherits.inhparent = 'public.historical_bars'::regclass
                  AND to_date(substring(child.relname FROM 'y(\\d{4}m\\d{2})$'), 'YYYY"m"MM') < first_kept
                ORDER BY child.relname
            LOOP
                EXECUTE format('ALTER TABLE public.historical_bars DETACH PARTITION public.%I', leaf.relname);
                EXECUTE format('DROP TABLE public.%I', leaf.relname);
            END LOOP;
            RETURN dropped;
        END $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION cleanup_old_historical_bars(interval) IS"
        " 'Drops the monthly leaves of historical_bars that lie wholly before now - keep; returns the rows deleted'"
    )
    op.execute("REVOKE ALL ON FUNCTION cleanup_old_historical_bars(interval) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION cleanup_old_historical_bars(interval) TO hd_service")
    op.execute("CREATE SCHEMA marts")
    op.execute("GRANT USAGE, CREATE ON SCHEMA marts TO hd_service")
    op.execute("GRANT USAGE ON SCHEMA marts TO hd_reader")
    op.execute("SET LOCAL ROLE hd_service")  # dbt builds as hd_service, so its defaults are the ones that count
    op.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA marts GRANT SELECT ON TABLES TO hd_reader")
    op.execute("SET LOCAL ROLE hd_owner")


def downgrade() -> None:
    op.execute("SET LOCAL ROLE hd_service")
    op.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA marts REVOKE SELECT ON TABLES FROM hd_reader")
    op.execute("DROP FUNCTION get_all_watchlist_symbols()")
    op.execute("DROP FUNCTION forget_bars_before(date)")
    op.execute("SET LOCAL ROLE hd_reader")
    op.execute("DROP FUNCTION run_as_reader(text)")
    op.execute("SET LOCAL ROLE hd_owner")
    op.execute("DROP FUNCTION cleanup_old_historical_bars(interval)")
    op.execute("DROP SCHEMA marts CASCADE")
