"""SQL functions about options and the market, and retention by dropping whole partitions.

Queries are SECURITY INVOKER: the row-level security of the caller applies. Clean-ups follow cleanup_old_historical_bars:
hd_service counts and deletes manifest rows; hd_owner, which sees no rows, drops partitions. Unknown values are null or have
no row.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_QUESTIONS = (
    "get_latest_iv_percentile(text)",
    "get_flow_summary(text, integer)",
    "get_latest_gamma_exposure(text)",
    "get_current_market_regime()",
)
_RETENTION = (
    # function, table, kept by default, unit of its partitions
    ("cleanup_old_greeks", "historical_greeks", "1 year", "month"),
    ("cleanup_old_flow", "options_flow_history", "90 days", "month"),
    ("cleanup_old_iv", "iv_percentile_cache", "2 years", "year"),
    ("cleanup_old_gamma", "gamma_exposure_snapshots", "90 days", "month"),
    ("cleanup_old_regime", "market_regime_history", "5 years", "year"),
)


def upgrade() -> None:
    _create_questions()
    op.execute("GRANT CREATE ON SCHEMA public TO hd_service")
    op.execute("SET LOCAL ROLE hd_service")
    _create_forgetting()
    op.execute("SET LOCAL ROLE hd_owner")
    op.execute("REVOKE CREATE ON SCHEMA public FROM hd_service")
    _create_dropping()
    for function, table, kept, unit in _RETENTION:
        op.execute(
            f"""
            CREATE FUNCTION {function}(keep interval DEFAULT '{kept}') RETURNS bigint
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '30s' AS $$
                SELECT public.drop_old_leaves('{table}', '{unit}', keep)
            $$
            """
        )
        op.execute(
            f"COMMENT ON FUNCTION {function}(interval) IS"
            f" 'Drops the leaves of {table} that lie wholly before now - keep; returns the rows deleted'"
        )
        op.execute(f"REVOKE ALL ON FUNCTION {function}(interval) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function}(interval) TO hd_service")
    op.execute(
        """
        CREATE FUNCTION cleanup_all_historical_data() RETURNS TABLE (table_name text, rows_deleted bigint)
        LANGUAGE sql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
            VALUES
                ('historical_greeks', public.cleanup_old_greeks()),
                ('options_flow_history', public.cleanup_old_flow()),
                ('iv_percentile_cache', public.cleanup_old_iv()),
                ('gamma_exposure_snapshots', public.cleanup_old_gamma()),
                ('market_regime_history', public.cleanup_old_regime()),
                ('historical_bars', public.cleanup_old_historical_bars())
        $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION cleanup_all_historical_data() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION cleanup_all_historical_data() TO hd_service")


def _create_questions() -> None:
    op.execute(
        """
        CREATE FUNCTION get_latest_iv_percentile(sym text)
        RETURNS TABLE (
            symbol text, current_iv double precision, iv_rank double precision, iv_percentile double precision,
            iv_regime text
        )
        LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
            SELECT held.symbol, held.current_iv, held.iv_rank, held.iv_percentile, held.iv_regime
            FROM public.iv_percentile_cache AS held
            WHERE held.symbol = sym
            ORDER BY held.date DESC
            LIMIT 1
        $$
        """
    )
    # Without any print of the symbol in the window nothing is known about its flow: every figure is null, not 0.
    op.execute(
        """
        CREATE FUNCTION get_flow_summary(sym text, minutes integer DEFAULT 60)
        RETURNS TABLE (
            symbol text, total_sweeps bigint, bullish_sweeps bigint, bearish_sweeps bigint, total_premium numeric,
            smart_money_bias text
        )
        LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
            SELECT
                sym,
                CASE WHEN prints > 0 THEN sweeps END,
                CASE WHEN prints > 0 THEN bullish END,
                CASE WHEN prints > 0 THEN bearish END,
                premium,
                CASE
                    WHEN sweeps > 0 AND bullish > 1.5 * bearish THEN 'BULLISH'
                    WHEN sweeps > 0 AND bearish > 1.5 * bullish THEN 'BEARISH'
                    WHEN sweeps > 0 THEN 'NEUTRAL'
                END
            FROM (
                SELECT
                    count(*) AS prints,
                    count(*) FILTER (WHERE held.is_sweep) AS sweeps,
                    count(*) FILTER (WHERE held.is_sweep AND held.sentiment = 'BULLISH') AS bullish,
                    count(*) FILTER (WHERE held.is_sweep AND held.sentiment = 'BEARISH') AS bearish,
                    sum(held.premium) AS premium
                FROM public.options_flow_history AS held
                WHERE held.symbol = sym AND held."timestamp" > now() - make_interval(mins => minutes)
            ) AS counted
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION get_latest_gamma_exposure(sym text)
        RETURNS TABLE (
            symbol text, dealer_positioning text, gamma_wall_resistance numeric, gamma_wall_support numeric,
            expected_behavior text
        )
        LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
            SELECT
                held.symbol, held.dealer_positioning, held.gamma_wall_resistance, held.gamma_wall_support,
                held.expected_behavior
            FROM public.gamma_exposure_snapshots AS held
            WHERE held.symbol = sym
            ORDER BY held."timestamp" DESC
            LIMIT 1
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION get_current_market_regime()
        RETURNS TABLE (
            date date, vix_level numeric, vix_regime text, breadth_regime text, market_regime text,
            confidence_score double precision
        )
        LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
            SELECT
                held.date, held.vix_level, held.vix_regime, held.breadth_regime, held.market_regime,
                held.confidence_score
            FROM public.market_regime_history AS held
            ORDER BY held.date DESC
            LIMIT 1
        $$
        """
    )
    for function in _QUESTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO hd_reader, hd_service")


def _create_forgetting() -> None:
    op.execute(
        """
        CREATE FUNCTION forget_rows_before(parent text, first_kept date) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
        DECLARE
            kept_by text;
            dropped bigint;
        BEGIN
            kept_by := CASE
                WHEN parent IN ('historical_greeks', 'options_flow_history', 'gamma_exposure_snapshots') THEN 'timestamp'
                WHEN parent IN ('iv_percentile_cache', 'market_regime_history') THEN 'date'
            END;
            IF kept_by IS NULL THEN
                RAISE EXCEPTION '% is not kept by leaves', parent;
            END IF;
            DELETE FROM public.derivation_manifest WHERE table_name = parent AND session < first_kept;
            EXECUTE format('SELECT count(*) FROM public.%I WHERE %I < $1', parent, kept_by)
                INTO dropped USING first_kept;
            RETURN dropped;
        END $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION forget_rows_before(text, date)"
        " IS 'Part of the clean-ups: counts the rows that are about to be dropped'"
    )
    op.execute("REVOKE ALL ON FUNCTION forget_rows_before(text, date) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION forget_rows_before(text, date) TO hd_owner")


def _create_dropping() -> None:
    op.execute(
        """
        CREATE FUNCTION drop_old_leaves(parent text, unit text, keep interval) RETURNS bigint
        LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            leaf record;
            first_kept date;
            dropped bigint;
        BEGIN
            IF keep < interval '0' THEN
                RAISE EXCEPTION 'keep must not be negative, got %', keep;
            END IF;
            -- Whole leaves only: everything before the first day of the oldest leaf that still has a kept session.
            first_kept := date_trunc(unit, (now() AT TIME ZONE 'America/New_York') - keep)::date;
            PERFORM pg_advisory_xact_lock(hashtextextended('hd_pipelines:' || parent, 0));
            dropped := public.forget_rows_before(parent, first_kept);
            FOR leaf IN
                SELECT child.relname
                FROM pg_inherits
                JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
                WHERE pg_inherits.inhparent = format('public.%I', parent)::regclass
                  AND to_date(
                      substring(child.relname FROM '_y(\\d{4}m\\d{2}|\\d{4})$'),
                      CASE unit WHEN 'month' THEN 'YYYY"m"MM' ELSE 'YYYY' END
                  ) < first_kept
                ORDER BY child.relname
            LOOP
                EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', parent, leaf.relname);
                EXECUTE format('DROP TABLE public.%I', leaf.relname);
            END LOOP;
            RETURN dropped;
        END $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION drop_old_leaves(text, text, interval) FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION cleanup_all_historical_data()")
    for function, *_ in _RETENTION:
        op.execute(f"DROP FUNCTION {function}(interval)")
    op.execute("DROP FUNCTION drop_old_leaves(text, text, interval)")
    for function in _QUESTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("SET LOCAL ROLE hd_service")
    op.execute("DROP FUNCTION forget_rows_before(text, date)")
    op.execute("SET LOCAL ROLE hd_owner")
