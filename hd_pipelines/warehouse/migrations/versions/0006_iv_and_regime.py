"""The IV percentile of each underlying and session, and the regime of the market per session.

Partitions are yearly: a session has one row, the newest row is read all day, and few partitions make planning fast.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("iv_percentile_cache", "market_regime_history")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE iv_percentile_cache (
            symbol text COLLATE "C" NOT NULL,
            date date NOT NULL,
            timestamp timestamptz,
            current_iv double precision,
            current_iv_call double precision,
            current_iv_put double precision,
            iv30 double precision,
            model_free_iv30 double precision,
            iv_52w_high double precision,
            iv_52w_low double precision,
            iv_52w_mean double precision,
            iv_52w_median double precision,
            iv_52w_stddev double precision,
            iv_rank double precision,
            iv_percentile double precision,
            iv_zscore double precision,
            iv_regime text,
            iv_change_5d double precision,
            iv_change_20d double precision,
            iv_trend text,
            iv_skew double precision,
            skew_percentile double precision,
            n_observations integer NOT NULL,
            data_points_52w integer NOT NULL,
            iv_recommendation text,
            iv_reason text,
            percentile_reason text,
            price_source text,
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT iv_percentile_cache_pkey PRIMARY KEY (symbol, date),
            CONSTRAINT iv_percentile_cache_iv_regime CHECK (
                iv_regime IN ('EXTREMELY_LOW', 'LOW', 'NORMAL', 'ELEVATED', 'HIGH', 'EXTREMELY_HIGH')
            ),
            CONSTRAINT iv_percentile_cache_iv_trend CHECK (iv_trend IN ('EXPANDING', 'STABLE', 'CONTRACTING')),
            CONSTRAINT iv_percentile_cache_iv_recommendation CHECK (
                iv_recommendation IN ('BUY_PREMIUM', 'BUY_FAVORABLE', 'NEUTRAL', 'WAIT_FOR_IV_DROP', 'SELL_PREMIUM')
            ),
            CONSTRAINT iv_percentile_cache_price_source CHECK (
                price_source IN ('chain_snapshot', 'chain_archive', 'option_minute_aggs', 'option_day_aggs')
            ),
            CONSTRAINT iv_percentile_cache_symbol CHECK (symbol <> ''),
            CONSTRAINT iv_percentile_cache_date CHECK (("timestamp" AT TIME ZONE interval '0')::date = date),
            CONSTRAINT iv_percentile_cache_volatilities CHECK (
                current_iv >= 0 AND current_iv < 'Infinity'::double precision AND current_iv_call >= 0 AND
                current_iv_call < 'Infinity'::double precision AND current_iv_put >= 0 AND current_iv_put <
                'Infinity'::double precision AND iv30 >= 0 AND iv30 < 'Infinity'::double precision AND
                model_free_iv30 >= 0 AND model_free_iv30 < 'Infinity'::double precision AND iv_52w_high >= 0 AND
                iv_52w_high < 'Infinity'::double precision AND iv_52w_low >= 0 AND iv_52w_low < 'Infinity'::double
                precision AND iv_52w_mean >= 0 AND iv_52w_mean < 'Infinity'::double precision AND iv_52w_median >= 0
                AND iv_52w_median < 'Infinity'::double precision AND iv_52w_stddev >= 0 AND iv_52w_stddev <
                'Infinity'::double precision
            ),
            CONSTRAINT iv_percentile_cache_finite CHECK (
                abs(iv_zscore) < 'Infinity'::double precision AND abs(iv_change_5d) < 'Infinity'::double precision
                AND abs(iv_change_20d) < 'Infinity'::double precision AND abs(iv_skew) < 'Infinity'::double
                precision
            ),
            CONSTRAINT iv_percentile_cache_shares CHECK (
                iv_rank BETWEEN 0 AND 1 AND iv_percentile BETWEEN 0 AND 1 AND skew_percentile BETWEEN 0 AND 1
            ),
            CONSTRAINT iv_percentile_cache_current_iv CHECK (current_iv IS NOT DISTINCT FROM iv30),
            CONSTRAINT iv_percentile_cache_iv_reason CHECK ((iv30 IS NULL) = (iv_reason IS NOT NULL)),
            CONSTRAINT iv_percentile_cache_percentile_reason CHECK (
                num_nulls(iv_rank, iv_percentile) = 0 OR percentile_reason IS NOT NULL
            ),
            CONSTRAINT iv_percentile_cache_observations CHECK (
                n_observations >= 0 AND data_points_52w = n_observations
            )
        ) PARTITION BY RANGE (date)
        """
    )
    op.execute(
        """
        CREATE TABLE market_regime_history (
            date date NOT NULL,
            vix_level numeric,
            vix_change double precision,
            vix_change_pct double precision,
            vix_regime text,
            vix_front_month numeric,
            vix_back_month numeric,
            vix_term_structure text,
            vix_term_spread double precision,
            tick_index double precision,
            tick_regime text,
            advancers bigint,
            decliners bigint,
            unchanged bigint,
            advance_decline_ratio double precision,
            advance_decline_diff bigint,
            new_highs bigint,
            new_lows bigint,
            high_low_ratio double precision,
            breadth_regime text,
            share_above_20d double precision,
            share_above_50d double precision,
            share_above_200d double precision,
            spy_ndx_correlation double precision,
            spy_rut_correlation double precision,
            average_pairwise_correlation double precision,
            correlation_regime text,
            leading_sector text,
            lagging_sector text,
            sector_rotation text,
            put_call_ratio_equity double precision,
            put_call_ratio_index double precision,
            put_call_ratio_total double precision,
            pc_regime text,
            spy_close numeric,
            spy_change_pct double precision,
            ndx_close numeric,
            ndx_change_pct double precision,
            rut_close numeric,
            rut_change_pct double precision,
            spy_volume numeric,
            spy_volume_ratio double precision,
            market_regime text,
            raw_regime text,
            regime_since date,
            regime_reason text,
            confidence_score double precision,
            breadth_reason text,
            term_structure_reason text,
            put_call_reason text,
            n_stocks bigint,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT market_regime_history_pkey PRIMARY KEY (date),
            CONSTRAINT market_regime_history_vix_regime CHECK (
                vix_regime IN ('EXTREMELY_LOW', 'LOW', 'NORMAL', 'ELEVATED', 'HIGH', 'EXTREME')
            ),
            CONSTRAINT market_regime_history_vix_term_structure CHECK (
                vix_term_structure IN ('STEEP_CONTANGO', 'CONTANGO', 'FLAT', 'BACKWARDATION', 'STEEP_BACKWARDATION')
            ),
            CONSTRAINT market_regime_history_tick_regime CHECK (
                tick_regime IN ('EXTREME_SELLING', 'WEAK', 'NEUTRAL', 'STRONG', 'EXTREME_BUYING')
            ),
            CONSTRAINT market_regime_history_breadth_regime CHECK (
                breadth_regime IN ('EXTREMELY_BEARISH', 'BEARISH', 'NEUTRAL', 'BULLISH', 'EXTREMELY_BULLISH')
            ),
            CONSTRAINT market_regime_history_correlation_regime CHECK (
                correlation_regime IN ('DIVERGING', 'LOW', 'NORMAL', 'HIGH', 'EXTREMELY_HIGH')
            ),
            CONSTRAINT market_regime_history_sector_rotation CHECK (
                sector_rotation IN ('DEFENSIVE', 'CYCLICAL', 'GROWTH', 'VALUE', 'MIXED')
            ),
            CONSTRAINT market_regime_history_pc_regime CHECK (
                pc_regime IN ('EXTREME_FEAR', 'FEAR', 'NEUTRAL', 'GREED', 'EXTREME_GREED')
            ),
            CONSTRAINT market_regime_history_market_regime CHECK (
                market_regime IN ('STRONG_UPTREND', 'WEAK_UPTREND', 'CHOPPY_BULLISH', 'RANGE_BOUND',
                'CHOPPY_BEARISH', 'WEAK_DOWNTREND', 'STRONG_DOWNTREND', 'BREAKOUT', 'BREAKDOWN', 'CAPITULATION',
                'EUPHORIA')
            ),
            CONSTRAINT market_regime_history_raw_regime CHECK (
                raw_regime IN ('STRONG_UPTREND', 'WEAK_UPTREND', 'CHOPPY_BULLISH', 'RANGE_BOUND', 'CHOPPY_BEARISH',
                'WEAK_DOWNTREND', 'STRONG_DOWNTREND', 'BREAKOUT', 'BREAKDOWN', 'CAPITULATION', 'EUPHORIA')
            ),
            CONSTRAINT market_regime_history_prices CHECK (
                vix_level > 0 AND vix_level < 'Infinity'::numeric AND vix_front_month > 0 AND vix_front_month <
                'Infinity'::numeric AND vix_back_month > 0 AND vix_back_month < 'Infinity'::numeric AND spy_close >
                0 AND spy_close < 'Infinity'::numeric AND ndx_close > 0 AND ndx_close < 'Infinity'::numeric AND
                rut_close > 0 AND rut_close < 'Infinity'::numeric AND spy_volume >= 0 AND spy_volume <
                'Infinity'::numeric
            ),
            CONSTRAINT market_regime_history_finite CHECK (
                abs(vix_change) < 'Infinity'::double precision AND abs(vix_change_pct) < 'Infinity'::double
                precision AND abs(vix_term_spread) < 'Infinity'::double precision AND abs(tick_index) <
                'Infinity'::double precision AND abs(spy_change_pct) < 'Infinity'::double precision AND
                abs(ndx_change_pct) < 'Infinity'::double precision AND abs(rut_change_pct) < 'Infinity'::double
                precision
            ),
            CONSTRAINT market_regime_history_counts CHECK (
                advancers >= 0 AND decliners >= 0 AND unchanged >= 0 AND new_highs >= 0 AND new_lows >= 0 AND
                n_stocks >= 0
            ),
            CONSTRAINT market_regime_history_ratios CHECK (
                advance_decline_ratio >= 0 AND advance_decline_ratio < 'Infinity'::double precision AND
                high_low_ratio >= 0 AND high_low_ratio < 'Infinity'::double precision AND spy_volume_ratio >= 0 AND
                spy_volume_ratio < 'Infinity'::double precision AND put_call_ratio_equity >= 0 AND
                put_call_ratio_equity < 'Infinity'::double precision AND put_call_ratio_index >= 0 AND
                put_call_ratio_index < 'Infinity'::double precision AND put_call_ratio_total >= 0 AND
                put_call_ratio_total < 'Infinity'::double precision
            ),
            CONSTRAINT market_regime_history_shares CHECK (
                share_above_20d BETWEEN 0 AND 1 AND share_above_50d BETWEEN 0 AND 1 AND share_above_200d BETWEEN 0
                AND 1
            ),
            CONSTRAINT market_regime_history_correlations CHECK (
                spy_ndx_correlation BETWEEN -1.000001 AND 1.000001 AND spy_rut_correlation BETWEEN -1.000001 AND
                1.000001 AND average_pairwise_correlation BETWEEN -1.000001 AND 1.000001
            ),
            CONSTRAINT market_regime_history_confidence_score CHECK (confidence_score BETWEEN 0 AND 100),
            CONSTRAINT market_regime_history_regime_since CHECK (regime_since <= date),
            CONSTRAINT market_regime_history_regime_reason CHECK (num_nulls(market_regime, regime_reason) < 2)
        ) PARTITION BY RANGE (date)
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
