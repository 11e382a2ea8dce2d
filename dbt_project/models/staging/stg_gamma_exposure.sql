with

source as (

    select * from {{ source('warehouse', 'gamma_exposure_snapshots') }}

),

renamed as (

    select
        ---------- ids
        symbol,
        "timestamp" as snapshot_at,
        session,
        kind as snapshot_kind,
        id as snapshot_id,

        ---------- exposure, in dollars of delta per 1 % move
        underlying_price,
        gex_usd_per_1pct,
        call_gex_usd_per_1pct,
        put_gex_usd_per_1pct,
        gamma_skew,
        zero_dte_share,

        ---------- open interest and volume
        total_call_oi,
        total_put_oi,
        put_call_oi_ratio,
        total_call_volume,
        total_put_volume,
        put_call_volume_ratio,
        open_interest_as_of,

        ---------- levels
        call_wall,
        put_wall,
        absolute_gamma_strike,
        gamma_wall_resistance,
        gamma_wall_support,
        gamma_wall_resistance_strength as resistance_strength,
        gamma_wall_support_strength as support_strength,
        zero_gamma,
        zero_gamma_crossings,
        zero_gamma_reason,
        max_pain,
        max_pain_expiration,
        distance_to_resistance_pct,
        distance_to_support_pct,
        distance_to_zero_gamma_pct,

        ---------- classes
        dealer_positioning,
        positioning_strength,
        positioning_reason,
        n_history,
        expected_behavior,

        ---------- provenance
        sign_model,
        oi_coverage,
        contracts as contract_count,
        contracts_valued as valued_contract_count

    from source

)

select * from renamed
