"""The frame of gamma exposure snapshots: the columns that `gamma_exposure` hands to the warehouse.

Belongs here: names, types and meaning of columns.
"""

from collections.abc import Mapping

import polars as pl
from polars.datatypes import DataType, DataTypeClass

SNAPSHOT_COLUMNS: Mapping[str, DataType | DataTypeClass] = {
    "id": pl.String,
    "symbol": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "session": pl.Date,
    "kind": pl.String,
    "underlying_price": pl.Float64,
    "total_gamma": pl.Float64,
    "total_gamma_notional": pl.Float64,
    "gex_usd_per_1pct": pl.Float64,
    "call_gex_usd_per_1pct": pl.Float64,
    "put_gex_usd_per_1pct": pl.Float64,
    "call_gamma": pl.Float64,
    "put_gamma": pl.Float64,
    "gamma_skew": pl.Float64,
    "total_call_oi": pl.Int64,
    "total_put_oi": pl.Int64,
    "put_call_oi_ratio": pl.Float64,
    "total_call_volume": pl.Int64,
    "total_put_volume": pl.Int64,
    "put_call_volume_ratio": pl.Float64,
    "gamma_by_strike": pl.String,
    "gamma_by_expiration": pl.String,
    "oi_by_strike": pl.String,
    "volume_by_strike": pl.String,
    "max_call_oi_strike": pl.Float64,
    "max_put_oi_strike": pl.Float64,
    "max_call_volume_strike": pl.Float64,
    "max_put_volume_strike": pl.Float64,
    "call_wall": pl.Float64,
    "put_wall": pl.Float64,
    "absolute_gamma_strike": pl.Float64,
    "gamma_wall_resistance": pl.Float64,
    "gamma_wall_resistance_strength": pl.Float64,
    "gamma_wall_support": pl.Float64,
    "gamma_wall_support_strength": pl.Float64,
    "zero_gamma": pl.Float64,
    "zero_gamma_crossings": pl.String,
    "zero_gamma_reason": pl.String,
    "max_pain": pl.Float64,
    "max_pain_expiration": pl.Date,
    "dealer_net_gamma": pl.Float64,
    "dealer_positioning": pl.String,
    "positioning_strength": pl.String,
    "positioning_reason": pl.String,
    "n_history": pl.Int64,
    "expected_behavior": pl.String,
    "distance_to_resistance_pct": pl.Float64,
    "distance_to_support_pct": pl.Float64,
    "distance_to_zero_gamma_pct": pl.Float64,
    "zero_dte_share": pl.Float64,
    "expiration_focus": pl.Date,
    "expirations_included": pl.List(pl.String),
    "sign_model": pl.String,
    "oi_coverage": pl.Float64,
    "contracts": pl.Int64,
    "contracts_valued": pl.Int64,
    "open_interest_as_of": pl.Date,
}
"""One snapshot. Key: `symbol`, `timestamp`. Columns that end in by_strike, by_expiration and crossings are JSON text.

id                     the same for the same symbol, timestamp and sign model, whoever computes it
total_gamma            signed sum of gamma * open interest * shares: dealers' shares per dollar move
total_gamma_notional   that times spot²: dollars per 100 % move; gex_usd_per_1pct, dealer_net_gamma: a hundredth of it
call_*, put_*          the two parts, puts negative; gamma_skew is |call| / |put|
*_ratio, gamma_skew    null where the denominator is 0 or unknown
gamma_by_strike        [{strike, call, put, net}] in dollars per 1 %; by_expiration with `expiration` instead
oi_by_strike           [{strike, call, put}] contracts, null where none is known; volume_by_strike the same
zero_gamma             root nearest to spot of all `zero_gamma_crossings`, null with `zero_gamma_reason`
max_pain               of the nearest unsettled expiration with open interest
distance_*_pct         (level / spot - 1) * 100: above the spot positive
zero_dte_share         share of absolute gamma that expires this session
expiration_focus       expiration with the most absolute gamma
contracts_valued       those with open interest, deliverable and a gamma of their own quote; the sums also hold those whose
                       gamma comes from the smile (`gamma_smiles`)
oi_coverage            contracts_valued / contracts
open_interest_as_of    the oldest of the chain's dates
"""
