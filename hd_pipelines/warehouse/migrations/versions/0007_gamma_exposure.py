"""Dealer gamma of each underlying and chain snapshot, natively partitioned by month."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = ("gamma_exposure_snapshots",)


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE gamma_exposure_snapshots (
            id uuid NOT NULL,
            symbol text COLLATE "C" NOT NULL,
            timestamp timestamptz NOT NULL,
            session date NOT NULL,
            kind text NOT NULL,
            underlying_price numeric,
            total_gamma double precision,
            total_gamma_notional double precision,
            gex_usd_per_1pct double precision,
            call_gex_usd_per_1pct double precision,
            put_gex_usd_per_1pct double precision,
            call_gamma double precision,
            put_gamma double precision,
            gamma_skew double precision,
            total_call_oi bigint,
            total_put_oi bigint,
            put_call_oi_ratio double precision,
            total_call_volume bigint,
            total_put_volume bigint,
            put_call_volume_ratio double precision,
            gamma_by_strike jsonb,
            gamma_by_expiration jsonb,
            oi_by_strike jsonb,
            volume_by_strike jsonb,
            max_call_oi_strike numeric,
            max_put_oi_strike numeric,
            max_call_volume_strike numeric,
            max_put_volume_strike numeric,
            call_wall numeric,
            put_wall numeric,
            absolute_gamma_strike numeric,
            gamma_wall_resistance numeric,
            gamma_wall_resistance_strength double precision,
            gamma_wall_support numeric,
            gamma_wall_support_strength double precision,
            zero_gamma double precision,
            zero_gamma_crossings jsonb,
            zero_gamma_reason text,
            max_pain numeric,
            max_pain_expiration date,
            dealer_net_gamma double precision,
            dealer_positioning text,
            positioning_strength text,
            positioning_reason text,
            n_history bigint,
            expected_behavior text,
            distance_to_resistance_pct double precision,
            distance_to_support_pct double precision,
            distance_to_zero_gamma_pct double precision,
            zero_dte_share double precision,
            expiration_focus date,
            expirations_included text[],
            sign_model text NOT NULL,
            oi_coverage double precision,
            contracts bigint NOT NULL,
            contracts_valued bigint NOT NULL,
            open_interest_as_of date,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT gamma_exposure_snapshots_pkey PRIMARY KEY (id, timestamp),
            CONSTRAINT gamma_exposure_snapshots_symbol_key UNIQUE (symbol, timestamp),
            CONSTRAINT gamma_exposure_snapshots_kind CHECK (kind IN ('close', 'intraday')),
            CONSTRAINT gamma_exposure_snapshots_dealer_positioning CHECK (
                dealer_positioning IN ('LONG_GAMMA', 'SHORT_GAMMA', 'NEUTRAL')
            ),
            CONSTRAINT gamma_exposure_snapshots_positioning_strength CHECK (
                positioning_strength IN ('WEAK', 'MODERATE', 'STRONG', 'EXTREME')
            ),
            CONSTRAINT gamma_exposure_snapshots_expected_behavior CHECK (
                expected_behavior IN ('PINNING', 'TRENDING', 'VOLATILE', 'RANGE_BOUND')
            ),
            CONSTRAINT gamma_exposure_snapshots_sign_model CHECK (sign_model IN ('naive_calls_long')),
            CONSTRAINT gamma_exposure_snapshots_symbol CHECK (symbol <> ''),
            CONSTRAINT gamma_exposure_snapshots_session CHECK (
                ("timestamp" AT TIME ZONE interval '0')::date = session
            ),
            CONSTRAINT gamma_exposure_snapshots_underlying_price CHECK (
                underlying_price > 0 AND underlying_price < 'Infinity'::numeric
            ),
            CONSTRAINT gamma_exposure_snapshots_strikes CHECK (
                max_call_oi_strike > 0 AND max_call_oi_strike < 'Infinity'::numeric AND max_put_oi_strike > 0 AND
                max_put_oi_strike < 'Infinity'::numeric AND max_call_volume_strike > 0 AND max_call_volume_strike <
                'Infinity'::numeric AND max_put_volume_strike > 0 AND max_put_volume_strike < 'Infinity'::numeric
                AND call_wall > 0 AND call_wall < 'Infinity'::numeric AND put_wall > 0 AND put_wall <
                'Infinity'::numeric AND absolute_gamma_strike > 0 AND absolute_gamma_strike < 'Infinity'::numeric
                AND gamma_wall_resistance > 0 AND gamma_wall_resistance < 'Infinity'::numeric AND gamma_wall_support
                > 0 AND gamma_wall_support < 'Infinity'::numeric AND max_pain > 0 AND max_pain < 'Infinity'::numeric
            ),
            CONSTRAINT gamma_exposure_snapshots_finite CHECK (
                abs(total_gamma) < 'Infinity'::double precision AND abs(total_gamma_notional) < 'Infinity'::double
                precision AND abs(gex_usd_per_1pct) < 'Infinity'::double precision AND abs(call_gex_usd_per_1pct) <
                'Infinity'::double precision AND abs(put_gex_usd_per_1pct) < 'Infinity'::double precision AND
                abs(call_gamma) < 'Infinity'::double precision AND abs(put_gamma) < 'Infinity'::double precision AND
                abs(gamma_skew) < 'Infinity'::double precision AND abs(zero_gamma) < 'Infinity'::double precision
                AND abs(dealer_net_gamma) < 'Infinity'::double precision AND abs(distance_to_resistance_pct) <
                'Infinity'::double precision AND abs(distance_to_support_pct) < 'Infinity'::double precision AND
                abs(distance_to_zero_gamma_pct) < 'Infinity'::double precision
            ),
            CONSTRAINT gamma_exposure_snapshots_ratios CHECK (
                put_call_oi_ratio >= 0 AND put_call_oi_ratio < 'Infinity'::double precision AND
                put_call_volume_ratio >= 0 AND put_call_volume_ratio < 'Infinity'::double precision
            ),
            CONSTRAINT gamma_exposure_snapshots_documents CHECK (
                jsonb_typeof(gamma_by_strike) = 'array' AND jsonb_typeof(gamma_by_expiration) = 'array' AND
                jsonb_typeof(oi_by_strike) = 'array' AND jsonb_typeof(volume_by_strike) = 'array' AND
                jsonb_typeof(zero_gamma_crossings) = 'array'
            ),
            CONSTRAINT gamma_exposure_snapshots_shares CHECK (
                gamma_wall_resistance_strength BETWEEN 0 AND 1.000001 AND gamma_wall_support_strength BETWEEN 0 AND
                1.000001 AND zero_dte_share BETWEEN 0 AND 1.000001 AND oi_coverage BETWEEN 0 AND 1
            ),
            CONSTRAINT gamma_exposure_snapshots_counts CHECK (
                total_call_oi >= 0 AND total_put_oi >= 0 AND total_call_volume >= 0 AND total_put_volume >= 0 AND
                n_history >= 0 AND contracts >= 0 AND contracts_valued >= 0 AND contracts_valued <= contracts
            ),
            CONSTRAINT gamma_exposure_snapshots_dealer_net_gamma CHECK (
                dealer_net_gamma IS NOT DISTINCT FROM gex_usd_per_1pct
            ),
            CONSTRAINT gamma_exposure_snapshots_zero_gamma_reason CHECK (
                num_nulls(zero_gamma, zero_gamma_reason) < 2
            ),
            CONSTRAINT gamma_exposure_snapshots_positioning_reason CHECK (
                num_nulls(dealer_positioning, positioning_reason) < 2
            )
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


def downgrade() -> None:
    op.execute(f"DROP TABLE {', '.join(_TABLES)}")
