"""Valued option contracts and option prints, natively partitioned by month of their instant.

Prices are exact decimals, results of a model float64. Partitions are created when a load needs them, as those of bars.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("historical_greeks", "options_flow_history")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE historical_greeks (
            symbol text COLLATE "C" NOT NULL,
            contract_ticker text COLLATE "C" NOT NULL,
            timestamp timestamptz NOT NULL,
            session date NOT NULL,
            kind text NOT NULL,
            root text NOT NULL,
            expiration date NOT NULL,
            strike numeric NOT NULL,
            option_type text NOT NULL,
            exercise_style text NOT NULL,
            shares_per_contract numeric,
            settles_at timestamptz,
            dte integer NOT NULL,
            years double precision,
            underlying_price numeric,
            forward double precision,
            discount double precision,
            bid numeric,
            ask numeric,
            last numeric,
            mid_price numeric,
            volume bigint,
            open_interest bigint,
            open_interest_as_of date,
            implied_volatility double precision,
            iv_reason text,
            delta double precision,
            gamma double precision,
            theta double precision,
            vega double precision,
            rho double precision,
            iv_rank double precision,
            iv_percentile double precision,
            price_source text NOT NULL,
            price_age_seconds bigint,
            model text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT historical_greeks_pkey PRIMARY KEY (contract_ticker, timestamp),
            CONSTRAINT historical_greeks_kind CHECK (kind IN ('close', 'intraday')),
            CONSTRAINT historical_greeks_option_type CHECK (option_type IN ('call', 'put')),
            CONSTRAINT historical_greeks_exercise_style CHECK (exercise_style IN ('american', 'european')),
            CONSTRAINT historical_greeks_price_source CHECK (
                price_source IN ('chain_snapshot', 'chain_archive', 'option_minute_aggs', 'option_day_aggs')
            ),
            CONSTRAINT historical_greeks_names CHECK (symbol <> '' AND contract_ticker <> '' AND root <> ''),
            CONSTRAINT historical_greeks_session CHECK (("timestamp" AT TIME ZONE interval '0')::date = session),
            CONSTRAINT historical_greeks_dte CHECK (dte = expiration - session),
            CONSTRAINT historical_greeks_strike CHECK (
                strike > 0 AND strike < 'Infinity'::numeric AND shares_per_contract > 0 AND shares_per_contract <
                'Infinity'::numeric AND underlying_price > 0 AND underlying_price < 'Infinity'::numeric
            ),
            CONSTRAINT historical_greeks_prices CHECK (
                bid >= 0 AND bid < 'Infinity'::numeric AND ask >= 0 AND ask < 'Infinity'::numeric AND last >= 0 AND
                last < 'Infinity'::numeric AND mid_price >= 0 AND mid_price < 'Infinity'::numeric
            ),
            CONSTRAINT historical_greeks_counts CHECK (
                volume >= 0 AND open_interest >= 0 AND price_age_seconds >= 0
            ),
            CONSTRAINT historical_greeks_finite CHECK (
                abs(years) < 'Infinity'::double precision AND abs(forward) < 'Infinity'::double precision AND
                abs(discount) < 'Infinity'::double precision AND abs(delta) < 'Infinity'::double precision AND
                abs(gamma) < 'Infinity'::double precision AND abs(theta) < 'Infinity'::double precision AND
                abs(vega) < 'Infinity'::double precision AND abs(rho) < 'Infinity'::double precision
            ),
            CONSTRAINT historical_greeks_implied_volatility CHECK (
                implied_volatility > 0 AND implied_volatility < 'Infinity'::double precision
            ),
            CONSTRAINT historical_greeks_iv_reason CHECK ((implied_volatility IS NULL) = (iv_reason IS NOT NULL)),
            CONSTRAINT historical_greeks_greeks_need_a_volatility CHECK (
                implied_volatility IS NOT NULL OR num_nonnulls(delta, gamma, theta, vega, rho) = 0
            ),
            CONSTRAINT historical_greeks_rank CHECK (iv_rank BETWEEN 0 AND 1 AND iv_percentile BETWEEN 0 AND 1)
        ) PARTITION BY RANGE ("timestamp")
        """
    )
    op.execute("CREATE INDEX historical_greeks_symbol_idx ON historical_greeks (symbol, timestamp)")
    op.execute(
        """
        CREATE TABLE options_flow_history (
            id uuid NOT NULL,
            symbol text COLLATE "C" NOT NULL,
            contract_ticker text COLLATE "C" NOT NULL,
            timestamp timestamptz NOT NULL,
            session date NOT NULL,
            price numeric NOT NULL,
            size bigint NOT NULL,
            premium numeric,
            trade_type text NOT NULL,
            sentiment text,
            aggressiveness text,
            strike numeric NOT NULL,
            expiration date NOT NULL,
            option_type text NOT NULL,
            underlying_price numeric,
            dte integer NOT NULL,
            is_sweep boolean NOT NULL DEFAULT false,
            is_block boolean NOT NULL DEFAULT false,
            is_above_ask boolean NOT NULL DEFAULT false,
            is_below_bid boolean NOT NULL DEFAULT false,
            is_unusual_volume boolean NOT NULL DEFAULT false,
            size_percentile double precision,
            premium_percentile double precision,
            exchange text,
            conditions text[],
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT options_flow_history_pkey PRIMARY KEY (id, timestamp),
            CONSTRAINT options_flow_history_trade_type CHECK (
                trade_type IN ('SWEEP', 'BLOCK', 'SPLIT', 'LARGE', 'REGULAR')
            ),
            CONSTRAINT options_flow_history_sentiment CHECK (sentiment IN ('BULLISH', 'BEARISH', 'NEUTRAL')),
            CONSTRAINT options_flow_history_aggressiveness CHECK (
                aggressiveness IN ('PASSIVE', 'NORMAL', 'AGGRESSIVE')
            ),
            CONSTRAINT options_flow_history_option_type CHECK (option_type IN ('call', 'put')),
            CONSTRAINT options_flow_history_names CHECK (symbol <> '' AND contract_ticker <> ''),
            CONSTRAINT options_flow_history_session CHECK (("timestamp" AT TIME ZONE interval '0')::date = session),
            CONSTRAINT options_flow_history_dte CHECK (dte = expiration - session),
            CONSTRAINT options_flow_history_strike CHECK (
                strike > 0 AND strike < 'Infinity'::numeric AND underlying_price > 0 AND underlying_price <
                'Infinity'::numeric
            ),
            CONSTRAINT options_flow_history_prices CHECK (
                price >= 0 AND price < 'Infinity'::numeric AND premium >= 0 AND premium < 'Infinity'::numeric
            ),
            CONSTRAINT options_flow_history_size CHECK (size > 0),
            CONSTRAINT options_flow_history_percentiles CHECK (
                size_percentile BETWEEN 0 AND 100 AND premium_percentile BETWEEN 0 AND 100
            )
        ) PARTITION BY RANGE ("timestamp")
        """
    )
    op.execute("CREATE INDEX options_flow_history_symbol_idx ON options_flow_history (symbol, timestamp)")
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
