with

source as (

    select * from {{ source('warehouse', 'historical_bars') }}

),

renamed as (

    select
        ---------- ids
        symbol,
        timeframe,
        "timestamp" as starts_at,
        session,

        ---------- prices, unadjusted, in the instrument's currency or index points
        open as open_price,
        high as high_price,
        low as low_price,
        close as close_price,
        vwap as vwap_price,

        ---------- activity
        volume,
        trades as trade_count

    from source

)

select * from renamed
