"""Values whole chains: implied volatility and Greeks of every contract from its quote, or the reason why not.

Takes any number of snapshots and underlyings in one call. The steps are in `quotes`, `terms`, `forwards` and
`contract_values`.

Conventions, where the field has several:
- Each contract's own mid is inverted, for calls and puts, in and out of the money. Curves are better drawn from the
  out-of-the-money side, as `analytics.volatility.constant_maturity` does; a contract's row describes that contract.
- An option whose mid is not above its discounted intrinsic value has no implied volatility and no Greeks. Nothing is taken
  from the other right of the same strike.
- Greeks are with respect to the spot (`spot_greeks`); for an option on VIX, to a notional spot that moves with its futures.
- European options use Black-76 on the parity forward. For American ones the early exercise premium is part of the model
  (`american`).
- Adjusted and FLEX roots are not valued, because the chain does not contain their deliverable or terms.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from hd_pipelines.market.option_chains import CHAIN, VALUED
from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.pricing.contract_values import ContractMarket, compute_greeks, solve_implied_volatility
from hd_pipelines.pricing.forwards import ForwardSource, find_forwards
from hd_pipelines.pricing.quotes import add_mid_price, keep_newest_duplicates
from hd_pipelines.pricing.terms import read_terms
from hd_pipelines.tables.vocabulary import OptionType

PRICED = ("mid_price", "half_spread", "quote_reason", "price_source", "price_age_seconds")
"""Columns that `value_priced` needs in addition to those of `CHAIN`."""


def value_chain(chain: pl.DataFrame, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Compute `VALUED` for all contracts in `chain` (`CHAIN`), of any number of snapshots and underlyings.

    `rates` (`discounting.RATES`) is needed for American chains, and for European ones too thin to show a rate of their own.
    If a snapshot contains a contract twice, the copy quoted last counts. Raises `ValueError` if columns are missing.
    """
    if missing := [name for name in CHAIN if name not in chain.columns]:
        raise ValueError(f"the chain lacks the column(s) {', '.join(missing)}; see market.option_chains.CHAIN")
    return value_priced(add_mid_price(keep_newest_duplicates(chain)), rates)


def value_priced(priced: pl.DataFrame, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Compute `VALUED` for contracts whose price is already chosen.

    `priced`: `CHAIN` and `PRICED`, each (`snapshot_at`, `ticker`) once. `mid_price` is the price to invert, `half_spread`
    its uncertainty (weighs the pairs of parity), `quote_reason` why there is no price.
    """
    if priced.is_empty():
        return pl.DataFrame(schema=pl.Schema(VALUED))
    terms = read_terms(priced)
    contracts, expirations = terms.contracts, terms.expirations
    found = find_forwards(contracts, expirations, rates).drop("expiry")
    known = expirations.hstack(found).with_columns(model=_name_model())
    return _value_contracts(contracts, known[contracts["expiry"]])


def _name_model() -> pl.Expr:
    """Name the model: `black_76` or `american`, and the forward's source unless parity; null without a forward."""
    exercise = pl.when("is_european").then(pl.lit("black_76")).otherwise(pl.lit("american"))
    is_parity = pl.col("forward_source") == ForwardSource.PARITY.value
    return pl.when(is_parity).then(exercise).otherwise(exercise + "_" + pl.col("forward_source"))


def _value_contracts(contracts: pl.DataFrame, of_expiration: pl.DataFrame) -> pl.DataFrame:
    """Value contracts row by row; `of_expiration` holds, at the same position, what is known of an expiration."""

    def floats(column: pl.Series) -> Floats:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()

    # A fault of the quote takes precedence over a missing forward of the expiration, which it may have caused.
    reason = pl.select(
        pl.coalesce(of_expiration["terms_reason"], contracts["quote_reason"], of_expiration["forward_reason"])
    ).to_series()
    price = pl.select(pl.when(reason.is_null()).then(contracts["mid_price"])).to_series()
    market = ContractMarket(
        price=floats(price),
        forward=floats(of_expiration["forward"]),
        strike=floats(contracts["strike"]),
        years=floats(of_expiration["years"]),
        discount=floats(of_expiration["discount"]),
        spot=floats(of_expiration["spot"]),
        is_call=(contracts["option_type"] == OptionType.CALL.value).to_numpy(),
        is_european=of_expiration["is_european"].to_numpy(),
    )
    sigma, kernel_reason = solve_implied_volatility(market)
    greeks = compute_greeks(market, sigma)
    answers = {"implied_volatility": sigma, **greeks._asdict()}
    columns = [pl.Series(name, values, nan_to_null=True) for name, values in answers.items()]
    return (
        contracts.drop("underlying_price", "expiry")
        .hstack(
            of_expiration.select(
                "symbol", "session", "settles_at", "years", "forward", "discount", "model", underlying_price="spot"
            )
        )
        .hstack(columns)
        .with_columns(
            iv_reason=pl.coalesce(reason, kernel_reason),
            contract_ticker="ticker",
            timestamp="snapshot_at",
            dte=(pl.col("expiration") - pl.col("session")).dt.total_days(),
        )
        .select(list(VALUED))
        .cast(dict(VALUED))  # type: ignore[arg-type]
        .sort("symbol", "timestamp", "contract_ticker")
    )
