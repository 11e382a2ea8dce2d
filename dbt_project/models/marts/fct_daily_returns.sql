with

days as (

    select
        symbol,
        session,
        open_price,
        high_price,
        low_price,
        close_price,
        volume
    from {{ ref('stg_bars') }}
    where timeframe = 'day'

),

-- The exchange's own count of sessions: a symbol whose previous row is two sessions back has a gap in between.
numbered_sessions as (

    select
        session,
        row_number() over (order by session) as session_number
    from (select distinct session from days) as distinct_sessions

),

with_previous as (

    select
        days.*,
        numbered_sessions.session_number,
        lag(days.close_price) over per_symbol as previous_close,
        lag(numbered_sessions.session_number) over per_symbol as previous_session_number
    from days
    inner join numbered_sessions using (session)
    window per_symbol as (partition by days.symbol order by days.session)

),

-- Prices are unadjusted. An overnight ratio within 3 % of n:1 or 1:n is taken for a split until corporate actions say so.
with_overnight_ratio as (

    select
        *,
        greatest(previous_close / open_price, open_price / previous_close) as overnight_ratio
    from with_previous

),

judged as (

    select
        *,
        case
            when previous_close is null then 'no_previous_session'
            when previous_session_number <> session_number - 1 then 'previous_session_missing'
            when overnight_ratio >= 1.9 and abs(overnight_ratio / round(overnight_ratio) - 1) <= 0.03
                then 'suspected_split'
        end as return_unknown_reason
    from with_overnight_ratio

),

with_volatility as (

    select
        *,
        case
            when count(*) filter (where return_unknown_reason is null) over last_20 = 20
                then stddev_samp(ln(close_price / previous_close)) over last_20 * sqrt(252)
        end as realized_volatility_20d
    from judged
    window last_20 as (partition by symbol order by session rows between 19 preceding and current row)

)

select
    symbol,
    session,
    open_price,
    high_price,
    low_price,
    close_price,
    volume,
    case when return_unknown_reason is null then previous_close end as previous_close,
    case when return_unknown_reason is null then close_price / previous_close - 1 end as return_simple,
    case when return_unknown_reason is null then ln(close_price / previous_close) end as return_log,
    case when return_unknown_reason is null then open_price / previous_close - 1 end as return_overnight,
    close_price / open_price - 1 as return_intraday,
    ln(high_price / low_price) as range_log,
    realized_volatility_20d,
    return_unknown_reason
from with_volatility
