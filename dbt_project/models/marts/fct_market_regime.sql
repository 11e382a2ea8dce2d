with

regimes as (

    select * from {{ ref('stg_market_regime') }}

),

with_previous as (

    select
        *,
        lag(market_regime) over by_session as previous_regime,
        count(*) over (partition by regime_since, market_regime order by session) as rows_since
    from regimes
    window by_session as (order by session)

)

select
    session,
    market_regime,
    raw_regime,
    regime_since,
    case when regime_since is not null then rows_since end as rows_in_regime,
    previous_regime,
    market_regime is distinct from previous_regime as has_changed,
    regime_reason,
    confidence_score,
    vix_level,
    vix_change_pct,
    vix_regime,
    vix_term_structure,
    vix_term_spread,
    advance_decline_ratio,
    new_highs,
    new_lows,
    share_above_20d,
    share_above_50d,
    share_above_200d,
    breadth_regime,
    breadth_reason,
    n_stocks,
    average_pairwise_correlation,
    correlation_regime,
    leading_sector,
    lagging_sector,
    sector_rotation,
    put_call_ratio_total,
    pc_regime,
    spy_close,
    spy_change_pct
from with_previous
