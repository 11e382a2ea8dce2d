with

symbols as (

    select symbol
    from {{ ref('stg_watchlist') }}
    where is_active

),

newest_return as (

    select distinct on (symbol) *
    from {{ ref('fct_daily_returns') }}
    order by symbol, session desc

),

newest_iv as (

    select distinct on (symbol) *
    from {{ ref('fct_iv_percentile') }}
    order by symbol, session desc

),

newest_gamma as (

    select distinct on (symbol) *
    from {{ ref('fct_gamma_exposure') }}
    order by symbol, session desc

),

newest_regime as (

    select *
    from {{ ref('fct_market_regime') }}
    order by session desc
    limit 1

),

-- Every session that any source knows. Ages are counted in sessions: a Friday is one session old on Monday evening.
known_sessions as (

    select session from {{ ref('fct_daily_returns') }}
    union
    select session from {{ ref('fct_iv_percentile') }}
    union
    select session from {{ ref('fct_gamma_exposure') }}
    union
    select session from {{ ref('fct_market_regime') }}

),

ages as (

    select
        session,
        rank() over (order by session desc) - 1 as age_sessions,
        max(session) over () as newest_session
    from known_sessions

)

select
    symbols.symbol,
    (select max(ages.newest_session) from ages) as newest_session,
    greatest(
        close_ages.age_sessions, iv_ages.age_sessions, gamma_ages.age_sessions, regime_ages.age_sessions
    ) as oldest_age_sessions,

    ---------- price, unadjusted
    newest_return.session as close_as_of,
    close_ages.age_sessions as close_age_sessions,
    newest_return.close_price,
    newest_return.return_simple * 100 as change_pct,
    newest_return.return_unknown_reason as change_unknown_reason,
    newest_return.realized_volatility_20d,

    ---------- implied volatility
    newest_iv.session as iv_as_of,
    iv_ages.age_sessions as iv_age_sessions,
    newest_iv.iv30,
    newest_iv.model_free_iv30,
    newest_iv.iv_reason,
    newest_iv.iv_rank,
    newest_iv.iv_percentile,
    newest_iv.n_observations,
    newest_iv.percentile_reason,
    newest_iv.iv_regime,
    newest_iv.iv_recommendation,
    newest_iv.iv_change_5d,
    newest_iv.iv_change_20d,
    newest_iv.iv_trend,
    newest_iv.iv_skew,
    newest_iv.skew_percentile,
    newest_iv.iv30 - newest_return.realized_volatility_20d as iv_less_realized,

    ---------- one standard deviation of what iv30 expects; a year has 252 sessions
    newest_iv.iv30 * sqrt(1 / 252.0) * 100 as expected_move_1d_pct,
    newest_iv.iv30 * sqrt(5 / 252.0) * 100 as expected_move_5d_pct,
    newest_return.close_price * (1 - newest_iv.iv30 * sqrt(1 / 252.0)) as expected_low_1d,
    newest_return.close_price * (1 + newest_iv.iv30 * sqrt(1 / 252.0)) as expected_high_1d,

    ---------- dealer gamma
    newest_gamma.snapshot_at as gamma_as_of,
    gamma_ages.age_sessions as gamma_age_sessions,
    newest_gamma.underlying_price as gamma_underlying_price,
    newest_gamma.gex_usd_per_1pct,
    newest_gamma.gex_change_usd_per_1pct,
    newest_gamma.dealer_positioning,
    newest_gamma.positioning_strength,
    newest_gamma.positioning_reason,
    newest_gamma.expected_behavior,
    newest_gamma.call_wall,
    newest_gamma.put_wall,
    newest_gamma.gamma_wall_resistance,
    newest_gamma.distance_to_resistance_pct,
    newest_gamma.gamma_wall_support,
    newest_gamma.distance_to_support_pct,
    newest_gamma.zero_gamma,
    newest_gamma.distance_to_zero_gamma_pct,
    newest_gamma.zero_gamma_reason,
    newest_gamma.max_pain,
    newest_gamma.max_pain_expiration,
    (newest_gamma.max_pain / newest_gamma.underlying_price - 1) * 100 as distance_to_max_pain_pct,
    newest_gamma.zero_dte_share,
    newest_gamma.put_call_oi_ratio,
    newest_gamma.put_call_volume_ratio,
    newest_gamma.oi_coverage,
    newest_gamma.sign_model,

    ---------- the market
    newest_regime.session as regime_as_of,
    regime_ages.age_sessions as regime_age_sessions,
    newest_regime.market_regime,
    newest_regime.regime_since,
    newest_regime.regime_reason,
    newest_regime.confidence_score as regime_confidence_score,
    newest_regime.vix_level,
    newest_regime.vix_change_pct,
    newest_regime.vix_regime,
    newest_regime.vix_term_structure,
    newest_regime.breadth_regime,

    ---------- what is missing or old, and why
    array_remove(
        array[
            case when newest_return.session is null then 'close: no day bar' end,
            'change: ' || newest_return.return_unknown_reason,
            case when close_ages.age_sessions > 0 then 'close: ' || close_ages.age_sessions || ' sessions old' end,
            case when newest_iv.session is null then 'iv30: no observation' end,
            'iv30: ' || newest_iv.iv_reason,
            case when iv_ages.age_sessions > 0 then 'iv30: ' || iv_ages.age_sessions || ' sessions old' end,
            'iv_percentile: ' || newest_iv.percentile_reason,
            case when newest_gamma.session is null then 'gamma: no snapshot' end,
            case when gamma_ages.age_sessions > 0 then 'gamma: ' || gamma_ages.age_sessions || ' sessions old' end,
            'zero_gamma: ' || newest_gamma.zero_gamma_reason,
            'dealer_positioning: ' || newest_gamma.positioning_reason,
            case when newest_regime.session is null then 'regime: no session' end,
            case when newest_regime.market_regime is null then 'regime: ' || newest_regime.regime_reason end,
            case when regime_ages.age_sessions > 0 then 'regime: ' || regime_ages.age_sessions || ' sessions old' end
        ],
        null
    ) as reasons

from symbols
left join newest_return using (symbol)
left join newest_iv using (symbol)
left join newest_gamma using (symbol)
left join newest_regime on true
left join ages as close_ages on close_ages.session = newest_return.session
left join ages as iv_ages on iv_ages.session = newest_iv.session
left join ages as gamma_ages on gamma_ages.session = newest_gamma.session
left join ages as regime_ages on regime_ages.session = newest_regime.session
