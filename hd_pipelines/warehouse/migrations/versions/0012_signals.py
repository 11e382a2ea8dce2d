"""Signals and the scans that found them. The facts of a signal stay as written: a trigger refuses changes."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("composite_signals", "signal_scans")
_FACTS = (
    "signal_id, symbol, detector, strategy, direction, asset_class, resolution, session, bar_time, as_of, base_score,"
    " scalp_score, day_trade_score, swing_score, style, style_score, data_confidence, entry_price, stop_price, target_1,"
    " target_2, target_3, risk_reward, size_multiplier, valid_until, detector_version, parameter_version,"
    " policy_version, contract_ticker, contract, explanation"
)


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE composite_signals (
            signal_id text COLLATE "C" NOT NULL,
            symbol text COLLATE "C" NOT NULL,
            detector text COLLATE "C" NOT NULL,
            strategy text NOT NULL,
            direction text NOT NULL,
            asset_class text NOT NULL,
            resolution text NOT NULL,
            session date NOT NULL,
            bar_time timestamptz NOT NULL,
            as_of timestamptz NOT NULL,
            base_score double precision NOT NULL,
            scalp_score double precision NOT NULL,
            day_trade_score double precision NOT NULL,
            swing_score double precision NOT NULL,
            style text NOT NULL,
            style_score double precision NOT NULL,
            data_confidence double precision NOT NULL,
            entry_price numeric NOT NULL,
            stop_price numeric NOT NULL,
            target_1 numeric NOT NULL,
            target_2 numeric NOT NULL,
            target_3 numeric NOT NULL,
            risk_reward double precision NOT NULL,
            size_multiplier double precision NOT NULL,
            valid_until timestamptz NOT NULL,
            detector_version integer NOT NULL,
            parameter_version text NOT NULL,
            policy_version text NOT NULL,
            contract_ticker text,
            contract jsonb,
            explanation jsonb NOT NULL,
            status text NOT NULL,
            alerted_at timestamptz,
            dismissed_at timestamptz,
            filled_at timestamptz,
            fill_price numeric,
            exit_reason text,
            exit_price numeric,
            exited_at timestamptz,
            r_multiple double precision,
            max_favorable_excursion_r double precision,
            max_adverse_excursion_r double precision,
            hold_minutes double precision,
            run_id text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT composite_signals_pkey PRIMARY KEY (signal_id),
            CONSTRAINT composite_signals_symbol_detector_bar_time_key UNIQUE (symbol, detector, bar_time),
            CONSTRAINT composite_signals_strategy CHECK (
                strategy IN ('breakout', 'mean_reversion', 'trend_continuation', 'gamma_squeeze',
                'power_hour_reversal', 'index_mean_reversion', 'opening_drive', 'gamma_flip', 'eod_pin')
            ),
            CONSTRAINT composite_signals_direction CHECK (direction IN ('LONG', 'SHORT')),
            CONSTRAINT composite_signals_asset_class CHECK (asset_class IN ('INDEX', 'EQUITY_ETF', 'STOCK')),
            CONSTRAINT composite_signals_resolution CHECK (resolution IN ('minute', 'day')),
            CONSTRAINT composite_signals_style CHECK (style IN ('scalp', 'day_trade', 'swing')),
            CONSTRAINT composite_signals_status CHECK (
                status IN ('ACTIVE', 'FILLED', 'EXPIRED', 'DISMISSED', 'STOPPED', 'TARGET_HIT')
            ),
            CONSTRAINT composite_signals_exit_reason CHECK (
                exit_reason IN ('STOP', 'T1', 'T2', 'T3', 'MANUAL', 'EXPIRED')
            ),
            CONSTRAINT composite_signals_signal_id CHECK (signal_id ~ '^[0-9a-f]{32}$'),
            CONSTRAINT composite_signals_names CHECK (symbol <> '' AND detector <> ''),
            CONSTRAINT composite_signals_session CHECK (("bar_time" AT TIME ZONE interval '0')::date = session),
            CONSTRAINT composite_signals_times CHECK (bar_time < as_of AND as_of < valid_until),
            CONSTRAINT composite_signals_scores CHECK (
                base_score BETWEEN 0 AND 100 AND scalp_score BETWEEN 0 AND 100 AND
                day_trade_score BETWEEN 0 AND 100 AND swing_score BETWEEN 0 AND 100 AND style_score BETWEEN
                0 AND 100 AND data_confidence BETWEEN 0 AND 100
            ),
            CONSTRAINT composite_signals_prices CHECK (
                entry_price > 0 AND entry_price < 'Infinity'::numeric AND stop_price > 0 AND stop_price <
                'Infinity'::numeric AND target_1 > 0 AND target_1 < 'Infinity'::numeric AND target_2 > 0 AND
                target_2 < 'Infinity'::numeric AND target_3 > 0 AND target_3 < 'Infinity'::numeric
            ),
            CONSTRAINT composite_signals_plan CHECK (
                (direction = 'LONG' AND stop_price < entry_price AND entry_price < target_1 AND target_1 <=
                target_2 AND target_2 <= target_3) OR (direction = 'SHORT' AND stop_price > entry_price AND
                entry_price > target_1 AND target_1 >= target_2 AND target_2 >= target_3)
            ),
            CONSTRAINT composite_signals_risk_reward CHECK (
                risk_reward > 0 AND risk_reward < 'Infinity'::double precision
                AND size_multiplier >= 0 AND size_multiplier < 'Infinity'::double precision
            ),
            CONSTRAINT composite_signals_versions CHECK (
                detector_version >= 1 AND parameter_version <> '' AND policy_version <> ''
            ),
            CONSTRAINT composite_signals_contract CHECK (num_nulls(contract_ticker, contract) IN (0, 2)),
            CONSTRAINT composite_signals_explanation CHECK (jsonb_typeof(explanation) = 'object'),
            CONSTRAINT composite_signals_outcome CHECK (
                num_nulls(exit_reason, exit_price, exited_at, r_multiple) IN (0, 4) AND (status IN
                ('STOPPED', 'TARGET_HIT', 'EXPIRED')) = (exit_reason IS NOT NULL)
            ),
            CONSTRAINT composite_signals_excursions CHECK (
                max_favorable_excursion_r >= 0 AND max_favorable_excursion_r < 'Infinity'::double precision
                AND max_adverse_excursion_r <= 0 AND max_adverse_excursion_r > '-Infinity'::double precision
                AND hold_minutes >= 0 AND abs(r_multiple) < 'Infinity'::double precision AND exit_price > 0
                AND exit_price < 'Infinity'::numeric AND fill_price > 0 AND fill_price < 'Infinity'::numeric
            )
        )
        """
    )
    op.execute("CREATE INDEX composite_signals_session_idx ON composite_signals (session, as_of)")
    op.execute("CREATE INDEX composite_signals_active_idx ON composite_signals (valid_until) WHERE status = 'ACTIVE'")
    op.execute(
        """
        CREATE TABLE signal_scans (
            scan_id text COLLATE "C" NOT NULL,
            session date NOT NULL,
            resolution text NOT NULL,
            first_as_of timestamptz NOT NULL,
            last_as_of timestamptz NOT NULL,
            symbols bigint NOT NULL,
            rows bigint NOT NULL,
            candidates bigint NOT NULL,
            stored bigint NOT NULL,
            rejections jsonb NOT NULL,
            labels jsonb NOT NULL,
            policy_version text NOT NULL,
            seconds double precision,
            run_id text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT signal_scans_pkey PRIMARY KEY (scan_id),
            CONSTRAINT signal_scans_resolution CHECK (resolution IN ('minute', 'day')),
            CONSTRAINT signal_scans_scan_id CHECK (scan_id ~ '^[0-9a-f]{32}$'),
            CONSTRAINT signal_scans_times CHECK (first_as_of <= last_as_of),
            CONSTRAINT signal_scans_counts CHECK (symbols >= 0 AND rows >= 0 AND candidates >= 0 AND stored >= 0),
            CONSTRAINT signal_scans_documents CHECK (
                jsonb_typeof(rejections) = 'array' AND jsonb_typeof(labels) = 'array'
            )
        )
        """
    )
    op.execute("CREATE INDEX signal_scans_session_idx ON signal_scans (session, last_as_of)")
    op.execute(
        """
        CREATE FUNCTION refuse_changed_signal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what signal % says never changes; only its outcome does', OLD.signal_id
                USING ERRCODE = 'check_violation';
        END
        $$
        """
    )
    old, new = (", ".join(f"{row}.{name.strip()}" for name in _FACTS.split(",")) for row in ("OLD", "NEW"))
    op.execute(
        f"CREATE TRIGGER facts_stay BEFORE UPDATE ON composite_signals FOR EACH ROW"
        f" WHEN (ROW({old}) IS DISTINCT FROM ROW({new})) EXECUTE FUNCTION refuse_changed_signal()"
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
    op.execute("DROP FUNCTION refuse_changed_signal()")
