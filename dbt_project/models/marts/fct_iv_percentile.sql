with

percentiles as (

    select * from {{ ref('stg_iv_percentile') }}

),

with_previous as (

    select
        *,
        lag(session) over per_symbol as previous_session,
        lag(iv_percentile) over per_symbol as previous_iv_percentile,
        lag(iv_regime) over per_symbol as previous_iv_regime
    from percentiles
    window per_symbol as (partition by symbol order by session)

),

-- A new run begins where the class differs from the row before; a null is a class of its own.
with_stretch as (

    select
        *,
        count(*) filter (where iv_regime is distinct from previous_iv_regime) over per_symbol as stretch
    from with_previous
    window per_symbol as (partition by symbol order by session)

)

select
    symbol,
    session,
    observed_at,
    iv30,
    model_free_iv30,
    iv_skew,
    iv_reason,
    iv_rank,
    iv_percentile,
    iv_percentile - previous_iv_percentile as iv_percentile_change,
    iv_zscore,
    skew_percentile,
    n_observations,
    percentile_reason,
    iv_regime,
    case
        when iv_regime is not null then row_number() over (partition by symbol, stretch order by session)
    end as rows_in_regime,
    iv_change_5d,
    iv_change_20d,
    iv_trend,
    iv_recommendation,
    iv_52w_high,
    iv_52w_low,
    price_source
from with_stretch
