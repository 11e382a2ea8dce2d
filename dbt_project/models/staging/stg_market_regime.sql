with

source as (

    select * from {{ source('warehouse', 'market_regime_history') }}

),

renamed as (

    select
        ---------- ids
        date as session,

        ---------- regime
        market_regime,
        raw_regime,
        regime_since,
        regime_reason,
        confidence_score,

        ---------- volatility
        vix_level,
        vix_change,
        vix_change_pct,
        vix_regime,
        vix_term_structure,
        vix_term_spread,
        term_structure_reason,

        ---------- breadth
        advancers,
        decliners,
        advance_decline_ratio,
        new_highs,
        new_lows,
        share_above_20d,
        share_above_50d,
        share_above_200d,
        breadth_regime,
        breadth_reason,
        n_stocks,

        ---------- correlation, sectors, put/call
        average_pairwise_correlation,
        correlation_regime,
        leading_sector,
        lagging_sector,
        sector_rotation,
        put_call_ratio_total,
        pc_regime,
        put_call_reason,

        ---------- indices
        spy_close,
        spy_change_pct,
        spy_volume_ratio

    from source

)

select * from renamed
