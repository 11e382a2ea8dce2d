with

source as (

    select * from {{ source('warehouse', 'watchlist') }}

),

renamed as (

    select
        ---------- ids
        symbol,
        ticker,

        ---------- facts
        active as is_active,
        note,
        added_at

    from source

)

select * from renamed
