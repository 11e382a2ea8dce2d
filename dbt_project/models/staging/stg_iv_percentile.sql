with

source as (

    select * from {{ source('warehouse', 'iv_percentile_cache') }}

),

renamed as (

    select
        ---------- ids
        symbol,
        date as session,
        "timestamp" as observed_at,

        ---------- volatility per year
        iv30,
        current_iv_call as iv30_call,
        current_iv_put as iv30_put,
        model_free_iv30,
        iv_skew,
        iv_reason,

        ---------- against its own last 252 sessions
        iv_52w_high,
        iv_52w_low,
        iv_52w_mean,
        iv_52w_median,
        iv_52w_stddev,
        iv_rank,
        iv_percentile,
        iv_zscore,
        skew_percentile,
        n_observations,
        percentile_reason,

        ---------- classes
        iv_regime,
        iv_change_5d,
        iv_change_20d,
        iv_trend,
        iv_recommendation,

        ---------- provenance
        price_source

    from source

)

select * from renamed
