"""Every contract of whole chains: implied volatility and Greeks from quotes, or the reason why not.

Belongs here: the way from prices to `VALUED`, for any number of snapshots and underlyings in one call. The steps are
rooms of their own: `quotes`, `terms`, `forwards`, `contract_values`.

Choices, where the field has several:
- Each contract's own mid is inverted, calls and puts, in and out of the money. Curves are better drawn from the side out
  of the money (`analytics.volatility.constant_maturity` does); the row of a contract is about that contract.
- An option whose mid is not above its discounted intrinsic value has no implied volatility and no Greeks: nothing is
  borrowed from the other side of the strike.
- Greeks are in the spot (`spot_greeks`); of an option on VIX, in a notional spot that moves with its futures.
- European: Black-76 on the parity forward. American: the premium of early exercise is part of the model (`american`).
- Adjusted and FLEX roots are not valued: what they deliver, or how, is not in the chain.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from hd_pipelines.market.option_chains import CHAIN, VALUED
from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.pricing.contract_values import ContractMarket, greeks_of, implied_volatility_of
from hd_pipelines.pricing.forwards import ForwardSource, find_forwards
from hd_pipelines.pricing.quotes import newest_of_duplicates, with_mid
from hd_pipelines.pricing.terms import read_terms
from hd_pipelines.tables.vocabulary import OptionType

PRICED = ("mid_price", "half_spread", "quote_reason", "price_source", "price_age_seconds")
"""What `value_priced` needs beside the columns of `CHAIN`."""


def value_chain(chain: pl.DataFrame, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """`VALUED` of all contracts in `chain` (`CHAIN`), any number of snapshots and underlyings.

    `rates` (`discounting.RATES`) is needed for American chains, and for European ones too thin to show a rate of their
    own. Of a contract given twice in a snapshot the copy quoted last counts. Raises `ValueError` if columns are missing.
    """
    if missing := [name for name in CHAIN if name not in chain.columns]:
        raise ValueError(f"the chain lacks the column(s) {', '.join(missing)}; see market.option_chains.CHAIN")
    return value_priced(with_mid(newest_of_duplicates(chain)), rates)


def value_priced(priced: pl.DataFrame, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """`VALUED` of contracts whose price is already chosen.

    `priced`: `CHAIN` and `PRICED`; (`snapshot_at`, `ticker`) once each. `mid_price` is the price to invert, `half_spread`
    its uncertainty (weighs the pairs of parity), `quote_reason` why there is no price.
    """
    if priced.is_empty():
        return pl.DataFrame(schema=pl.Schema(VALUED))
    terms = read_terms(priced)
    contracts, expirations = terms.contracts, terms.expirations
    found = find_forwards(contracts, expirations, rates).drop("expiry")
    known = expirations.hstack(found).with_columns(model=_model())
    return _valued(contracts, known[contracts["expiry"]])


def _model() -> pl.Expr:
    """`black_76` or `american`, with how the forward was had unless it was by parity; null without a forward."""
    exercise = pl.when("is_european").then(pl.lit("black_76")).otherwise(pl.lit("american"))
    is_parity = pl.col("forward_source") == ForwardSource.PARITY.value
    return pl.when(is_parity).then(exercise).otherwise(exercise + "_" + pl.col("forward_source"))


def _valued(contracts: pl.DataFrame, of_expiration: pl.DataFrame) -> pl.DataFrame:
    """Both frames have the same rows: a contract, and what is known of its expiration."""

    def floats(column: pl.Series) -> Floats:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()

    # The quote's own fault comes before the expiration's lack of a forward, which it may have caused.
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
    sigma, kernel_reason = implied_volatility_of(market)
    greeks = greeks_of(market, sigma)
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
