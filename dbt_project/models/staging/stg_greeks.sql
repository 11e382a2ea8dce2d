with

source as (

    select * from {{ source('warehouse', 'historical_greeks') }}

),

renamed as (

    select
        ---------- ids
        symbol,
        contract_ticker,
        "timestamp" as snapshot_at,
        session,
        kind as snapshot_kind,

        ---------- contract
        root,
        expiration,
        strike as strike_price,
        option_type,
        exercise_style,
        shares_per_contract,
        settles_at,
        dte as days_to_expiration,
        years as years_to_settlement,

        ---------- market
        underlying_price,
        forward as forward_price,
        discount as discount_factor,
        bid as bid_price,
        ask as ask_price,
        last as last_price,
        mid_price,
        volume,
        open_interest,
        open_interest_as_of,

        ---------- answers
        implied_volatility,
        iv_reason,
        delta,
        gamma,
        theta,
        vega,
        rho,
        iv_rank,
        iv_percentile,

        ---------- provenance
        price_source,
        price_age_seconds,
        model as pricing_model

    from source

)

select * from renamed
