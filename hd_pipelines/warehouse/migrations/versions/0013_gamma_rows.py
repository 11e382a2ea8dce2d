"""Move gamma by strike and by expiration from JSON columns of each snapshot to rows of tables of their own.

The new tables have the partitions, rights and retention of `gamma_exposure_snapshots`. Moved rows keep the times of writing
of their snapshot. The owner sees no rows, so the service moves them.
"""

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SNAPSHOTS = "gamma_exposure_snapshots"
_TABLES = ("gamma_by_strike", "gamma_by_expiration")
_DOCUMENTS = ("gamma_by_strike", "gamma_by_expiration", "oi_by_strike", "volume_by_strike")
_KEPT_BY_INSTANT = ("historical_greeks", "options_flow_history", _SNAPSHOTS)


def upgrade() -> None:
    _keep_loads_out()
    _create_tables()
    for table in _TABLES:
        _copy_partitions(table)
    op.execute("SET LOCAL ROLE hd_service")
    _move_to_rows()
    # It selects columns that are about to go; the next dbt build makes it again. Marts are tables and do not depend on it.
    op.execute("DROP VIEW IF EXISTS marts.stg_gamma_exposure")
    op.execute("SET LOCAL ROLE hd_owner")
    op.execute(
        f"ALTER TABLE {_SNAPSHOTS} DROP CONSTRAINT {_SNAPSHOTS}_documents,"
        f" {', '.join(f'DROP COLUMN {name}' for name in _DOCUMENTS)},"
        f" ADD CONSTRAINT {_SNAPSHOTS}_documents CHECK (jsonb_typeof(zero_gamma_crossings) = 'array')"
    )
    _define_forgetting((*_KEPT_BY_INSTANT, *_TABLES))
    _define_cleanup((_SNAPSHOTS, *_TABLES))


def _keep_loads_out() -> None:
    """Wait for a running load and block the next ones: what one commits meanwhile would be lost with the columns."""
    op.execute(f"SELECT pg_advisory_xact_lock(hashtextextended('hd_pipelines:{_SNAPSHOTS}', 0))")
    op.execute(f"LOCK TABLE {_SNAPSHOTS} IN SHARE ROW EXCLUSIVE MODE")


def _create_tables() -> None:
    op.execute(
        """
        CREATE TABLE gamma_by_strike (
            symbol text COLLATE "C" NOT NULL,
            timestamp timestamptz NOT NULL,
            strike numeric NOT NULL,
            session date NOT NULL,
            call_gex_usd_per_1pct double precision,
            put_gex_usd_per_1pct double precision,
            gex_usd_per_1pct double precision,
            call_oi bigint,
            put_oi bigint,
            call_volume bigint,
            put_volume bigint,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT gamma_by_strike_pkey PRIMARY KEY (symbol, timestamp, strike),
            CONSTRAINT gamma_by_strike_strike CHECK (strike > 0 AND strike < 'Infinity'::numeric),
            CONSTRAINT gamma_by_strike_finite CHECK (
                abs(call_gex_usd_per_1pct) < 'Infinity'::double precision AND abs(put_gex_usd_per_1pct) <
                'Infinity'::double precision AND abs(gex_usd_per_1pct) < 'Infinity'::double precision
            ),
            CONSTRAINT gamma_by_strike_counts CHECK (
                call_oi >= 0 AND put_oi >= 0 AND call_volume >= 0 AND put_volume >= 0
            ),
            CONSTRAINT gamma_by_strike_exposures CHECK (
                num_nulls(call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct) IN (0, 3)
            ),
            CONSTRAINT gamma_by_strike_session CHECK (("timestamp" AT TIME ZONE interval '0')::date = session),
            CONSTRAINT gamma_by_strike_symbol CHECK (symbol <> '')
        ) PARTITION BY RANGE ("timestamp")
        """
    )
    op.execute(
        """
        CREATE TABLE gamma_by_expiration (
            symbol text COLLATE "C" NOT NULL,
            timestamp timestamptz NOT NULL,
            expiration date NOT NULL,
            session date NOT NULL,
            call_gex_usd_per_1pct double precision NOT NULL,
            put_gex_usd_per_1pct double precision NOT NULL,
            gex_usd_per_1pct double precision NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT gamma_by_expiration_pkey PRIMARY KEY (symbol, timestamp, expiration),
            CONSTRAINT gamma_by_expiration_finite CHECK (
                abs(call_gex_usd_per_1pct) < 'Infinity'::double precision AND abs(put_gex_usd_per_1pct) <
                'Infinity'::double precision AND abs(gex_usd_per_1pct) < 'Infinity'::double precision
            ),
            CONSTRAINT gamma_by_expiration_session CHECK (("timestamp" AT TIME ZONE interval '0')::date = session),
            CONSTRAINT gamma_by_expiration_symbol CHECK (symbol <> '')
        ) PARTITION BY RANGE ("timestamp")
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


def _copy_partitions(table: str) -> None:
    """Give `table` the months that the snapshots have; like every partition they are reached through the parent only."""
    held = op.get_bind().execute(
        text(
            "SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) FROM pg_inherits"
            " JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = cast(:parent AS regclass) ORDER BY 1"
        ),
        {"parent": f"public.{_SNAPSHOTS}"},
    )
    for name, bounds in held.all():
        partition = f"{table}{str(name).removeprefix(_SNAPSHOTS)}"
        op.execute(f"CREATE TABLE {partition} PARTITION OF {table} {bounds}")
        op.execute(f"ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def _move_to_rows() -> None:
    # A strike is in all three lists, but only those of which a contract could be valued are in gamma_by_strike.
    op.execute(
        """
        INSERT INTO gamma_by_strike (
            symbol, "timestamp", strike, session, call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct, call_oi,
            put_oi, call_volume, put_volume, created_at, updated_at
        )
        SELECT
            held.symbol, held."timestamp", listed.strike, held.session, listed.call_gex, listed.put_gex, listed.gex,
            listed.call_oi, listed.put_oi, listed.call_volume, listed.put_volume, held.created_at, held.updated_at
        FROM gamma_exposure_snapshots AS held
        CROSS JOIN LATERAL (
            SELECT
                trim_scale(strike) AS strike, gamma.call AS call_gex, gamma.put AS put_gex, gamma.net AS gex,
                interest.call AS call_oi, interest.put AS put_oi, traded.call AS call_volume, traded.put AS put_volume
            FROM jsonb_to_recordset(held.gamma_by_strike)
                AS gamma (strike numeric, call double precision, put double precision, net double precision)
            FULL JOIN jsonb_to_recordset(held.oi_by_strike) AS interest (strike numeric, call bigint, put bigint)
                USING (strike)
            FULL JOIN jsonb_to_recordset(held.volume_by_strike) AS traded (strike numeric, call bigint, put bigint)
                USING (strike)
        ) AS listed
        ORDER BY held.symbol, held."timestamp", listed.strike
        """
    )
    op.execute(
        """
        INSERT INTO gamma_by_expiration (
            symbol, "timestamp", expiration, session, call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct,
            created_at, updated_at
        )
        SELECT
            held.symbol, held."timestamp", listed.expiration, held.session, listed.call, listed.put, listed.net,
            held.created_at, held.updated_at
        FROM gamma_exposure_snapshots AS held
        CROSS JOIN LATERAL jsonb_to_recordset(held.gamma_by_expiration)
            AS listed (expiration date, call double precision, put double precision, net double precision)
        ORDER BY held.symbol, held."timestamp", listed.expiration
        """
    )


def _define_forgetting(kept_by_instant: tuple[str, ...]) -> None:
    """Define which tables the clean-ups may count; it belongs to the service, which sees the rows."""
    op.execute("GRANT CREATE ON SCHEMA public TO hd_service")
    op.execute("SET LOCAL ROLE hd_service")
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION forget_rows_before(parent text, first_kept date) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
        DECLARE
            kept_by text;
            dropped bigint;
        BEGIN
            kept_by := CASE
                WHEN parent IN ({", ".join(f"'{table}'" for table in kept_by_instant)}) THEN 'timestamp'
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
        """  # noqa: S608  (the names are constants of this file)
    )
    op.execute("SET LOCAL ROLE hd_owner")
    op.execute("REVOKE CREATE ON SCHEMA public FROM hd_service")


def _define_cleanup(tables: tuple[str, ...]) -> None:
    """Let the clean-up of the snapshots drop the rows that belong to them too: alone, neither could be derived again."""
    dropped = " + ".join(f"public.drop_old_leaves('{table}', 'month', keep)" for table in tables)
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION cleanup_old_gamma(keep interval DEFAULT '90 days') RETURNS bigint
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '30s' AS $$
            SELECT {dropped}
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION cleanup_old_gamma(interval) IS"
        f" 'Drops the leaves of {', '.join(tables)} that lie wholly before now - keep; returns the rows deleted'"
    )


def downgrade() -> None:
    _keep_loads_out()
    op.execute(
        f"ALTER TABLE {_SNAPSHOTS} DROP CONSTRAINT {_SNAPSHOTS}_documents,"
        f" {', '.join(f'ADD COLUMN {name} jsonb' for name in _DOCUMENTS)}, ADD CONSTRAINT {_SNAPSHOTS}_documents CHECK ("
        "jsonb_typeof(gamma_by_strike) = 'array' AND jsonb_typeof(gamma_by_expiration) = 'array' AND"
        " jsonb_typeof(oi_by_strike) = 'array' AND jsonb_typeof(volume_by_strike) = 'array' AND"
        " jsonb_typeof(zero_gamma_crossings) = 'array')"
    )
    op.execute(f"ALTER TABLE {_SNAPSHOTS} DISABLE TRIGGER stamp_updated_at")  # the snapshots themselves do not change
    op.execute("SET LOCAL ROLE hd_service")
    _move_to_documents()
    op.execute("SET LOCAL ROLE hd_owner")
    op.execute(f"ALTER TABLE {_SNAPSHOTS} ENABLE TRIGGER stamp_updated_at")
    _define_cleanup((_SNAPSHOTS,))
    _define_forgetting(_KEPT_BY_INSTANT)
    op.execute(f"DROP TABLE {', '.join(_TABLES)}")


def _move_to_documents() -> None:
    op.execute(
        """
        UPDATE gamma_exposure_snapshots AS held SET
            gamma_by_strike = coalesce(strikes.gamma, '[]'),
            oi_by_strike = coalesce(strikes.interest, '[]'),
            volume_by_strike = coalesce(strikes.traded, '[]'),
            gamma_by_expiration = coalesce(expirations.gamma, '[]')
        FROM gamma_exposure_snapshots AS again
        LEFT JOIN (
            SELECT
                symbol, "timestamp",
                jsonb_agg(
                    jsonb_build_object(
                        'strike', strike, 'call', call_gex_usd_per_1pct, 'put', put_gex_usd_per_1pct, 'net',
                        gex_usd_per_1pct
                    ) ORDER BY strike
                ) FILTER (WHERE gex_usd_per_1pct IS NOT NULL) AS gamma,
                jsonb_agg(jsonb_build_object('strike', strike, 'call', call_oi, 'put', put_oi) ORDER BY strike)
                    AS interest,
                jsonb_agg(jsonb_build_object('strike', strike, 'call', call_volume, 'put', put_volume) ORDER BY strike)
                    AS traded
            FROM gamma_by_strike
            GROUP BY symbol, "timestamp"
        ) AS strikes USING (symbol, "timestamp")
        LEFT JOIN (
            SELECT
                symbol, "timestamp",
                jsonb_agg(
                    jsonb_build_object(
                        'expiration', expiration, 'call', call_gex_usd_per_1pct, 'put', put_gex_usd_per_1pct, 'net',
                        gex_usd_per_1pct
                    ) ORDER BY expiration
                ) AS gamma
            FROM gamma_by_expiration
            GROUP BY symbol, "timestamp"
        ) AS expirations USING (symbol, "timestamp")
        WHERE held.symbol = again.symbol AND held."timestamp" = again."timestamp"
        """
    )
