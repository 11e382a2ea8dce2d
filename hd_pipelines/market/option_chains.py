"""Option chains and valued contracts as frames: the columns that rooms hand to each other.

Belongs here: names, types and meaning of columns. Who fills them: `vendor` and `lake` the chain, `pricing` the
valuation; `warehouse` stores `VALUED` as `historical_greeks`.
"""

import polars as pl

STAMP = pl.Datetime("us", "UTC")

CHAIN = {
    "underlying": pl.String,
    "snapshot_at": STAMP,
    "kind": pl.String,
    "source": pl.String,
    "ticker": pl.String,
    "root": pl.String,
    "expiration": pl.Date,
    "option_type": pl.String,
    "strike": pl.Float64,
    "exercise_style": pl.String,
    "shares_per_contract": pl.Float64,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "bid_size": pl.Int64,
    "ask_size": pl.Int64,
    "quote_at": STAMP,
    "last": pl.Float64,
    "volume": pl.Int64,
    "open_interest": pl.Int64,
    "open_interest_as_of": pl.Date,
    "underlying_price": pl.Float64,
    "vendor_iv": pl.Float64,
    "vendor_delta": pl.Float64,
    "vendor_gamma": pl.Float64,
    "vendor_theta": pl.Float64,
    "vendor_vega": pl.Float64,
}
"""One contract in one snapshot. Key: `snapshot_at`, `ticker`. Sorted by underlying, snapshot_at, ticker.

underlying           vendor ticker of the underlying: `SPY`, `I:SPX`
snapshot_at          when the chain was read; an archive that only knows the day gives the session's close
kind, source         `vocabulary.SnapshotKind`; `vocabulary.PriceSource` (chain_snapshot or chain_archive)
exercise_style       `vocabulary.ExerciseStyle`
shares_per_contract  deliverable; null where the source does not say (never assumed for an adjusted root)
bid, ask             null where there is no quote; 0 is a real bid of nothing
quote_at             time of the quote, null if unknown
open_interest        contracts open at the close of `open_interest_as_of`, the session before the snapshot's
vendor_*             null where the vendor had no answer (a vendor IV of 0 means "none")
"""

VALUED = {
    "symbol": pl.String,
    "contract_ticker": pl.String,
    "timestamp": STAMP,
    "session": pl.Date,
    "kind": pl.String,
    "root": pl.String,
    "expiration": pl.Date,
    "strike": pl.Float64,
    "option_type": pl.String,
    "exercise_style": pl.String,
    "shares_per_contract": pl.Float64,
    "settles_at": STAMP,
    "dte": pl.Int32,
    "years": pl.Float64,
    "underlying_price": pl.Float64,
    "forward": pl.Float64,
    "discount": pl.Float64,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "last": pl.Float64,
    "mid_price": pl.Float64,
    "volume": pl.Int64,
    "open_interest": pl.Int64,
    "open_interest_as_of": pl.Date,
    "implied_volatility": pl.Float64,
    "iv_reason": pl.String,
    "delta": pl.Float64,
    "gamma": pl.Float64,
    "theta": pl.Float64,
    "vega": pl.Float64,
    "rho": pl.Float64,
    "price_source": pl.String,
    "price_age_seconds": pl.Int64,
    "model": pl.String,
}
"""One valued contract. Key: `contract_ticker`, `timestamp`. Sorted by symbol, timestamp, contract_ticker.

symbol               plain symbol of the underlying: `SPX` for `I:SPX`
settles_at, years    the contract's own settlement instant; years to it, in minutes of 365 days
dte                  calendar days from session to expiration
forward, discount    of the contract's expiration (and settlement instant), from put-call parity where it can be had
mid_price            the price that was inverted, null with a reason in `iv_reason` if there is none
implied_volatility   per year, null with a reason in `iv_reason`
delta … rho          of one share: theta per calendar day, vega and rho per 0.01; null where implied_volatility is
price_source         `vocabulary.PriceSource`
price_age_seconds    age of the price at `timestamp`, null if unknown
model                `black_76`, or how early exercise was handled
"""
