with

-- The newest snapshot of a session: its close, or during the session the latest one.
newest as (

    select distinct on (symbol, session)
        symbol,
        session,
        snapshot_at,
        snapshot_kind,
        underlying_price,
        gex_usd_per_1pct,
        call_gex_usd_per_1pct,
        put_gex_usd_per_1pct,
        zero_dte_share,
        put_call_oi_ratio,
        put_call_volume_ratio,
        call_wall,
        put_wall,
        gamma_wall_resistance,
        gamma_wall_support,
        resistance_strength,
        support_strength,
        zero_gamma,
        zero_gamma_reason,
        max_pain,
        max_pain_expiration,
        distance_to_resistance_pct,
        distance_to_support_pct,
        distance_to_zero_gamma_pct,
        dealer_positioning,
        positioning_strength,
        positioning_reason,
        n_history,
        expected_behavior,
        sign_model,
        oi_coverage,
        open_interest_as_of,
        contract_count,
        valued_contract_count
    from {{ ref('stg_gamma_exposure') }}
    order by symbol, session, snapshot_at desc

),

with_previous as (

    select
        *,
        lag(gex_usd_per_1pct) over per_symbol as previous_gex_usd_per_1pct
    from newest
    window per_symbol as (partition by symbol order by session)

)

select
    symbol,
    session,
    snapshot_at,
    snapshot_kind,
    underlying_price,
    gex_usd_per_1pct,
    gex_usd_per_1pct - previous_gex_usd_per_1pct as gex_change_usd_per_1pct,
    sign(gex_usd_per_1pct) <> sign(previous_gex_usd_per_1pct) as has_changed_sign,
    call_gex_usd_per_1pct,
    put_gex_usd_per_1pct,
    zero_dte_share,
    put_call_oi_ratio,
    put_call_volume_ratio,
    call_wall,
    put_wall,
    gamma_wall_resistance,
    gamma_wall_support,
    resistance_strength,
    support_strength,
    zero_gamma,
    zero_gamma_reason,
    max_pain,
    max_pain_expiration,
    distance_to_resistance_pct,
    distance_to_support_pct,
    distance_to_zero_gamma_pct,
    dealer_positioning,
    positioning_strength,
    positioning_reason,
    n_history,
    expected_behavior,
    sign_model,
    oi_coverage,
    open_interest_as_of,
    contract_count,
    valued_contract_count
from with_previous
