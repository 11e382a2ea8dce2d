"""Computes max pain: the settlement price at which the holders of one expiration's options receive least.

That the underlying is attracted to it is a claim of traders, which this module does not make. Between two strikes the
payout is linear, so only strikes are examined.
"""

from __future__ import annotations

import polars as pl

SNAPSHOT = ("symbol", "timestamp")


def sum_settlement_payouts(contracts: pl.DataFrame) -> pl.DataFrame:
    """Sum what all holders receive if the underlying settles at a listed strike.

    Args:
        contracts: `VALUED` columns symbol, timestamp, expiration, strike, option_type, open_interest and
            shares_per_contract; rows whose open interest or deliverable is null are dropped.

    Returns:
        One row per symbol, timestamp, expiration and strike, in that order: `payout_usd`, and `shares`, the open
        interest of the whole expiration in shares. Calls and puts of all roots of the date are added up.
    """
    expiration = [*SNAPSHOT, "expiration"]
    held = pl.col("open_interest") * pl.col("shares_per_contract")
    strikes = (
        contracts.filter(held.is_not_null())
        .group_by(*expiration, "strike")
        .agg(
            calls=held.filter(pl.col("option_type") == "call").sum(),
            puts=held.filter(pl.col("option_type") == "put").sum(),
        )
        .sort(*expiration, "strike")
    )
    calls, puts, strike = pl.col("calls"), pl.col("puts"), pl.col("strike")
    to_calls = strike * calls.cum_sum() - (strike * calls).cum_sum()
    puts_above = (strike * puts).sum() - (strike * puts).cum_sum()
    to_puts = puts_above - strike * (puts.sum() - puts.cum_sum())
    return strikes.select(
        *expiration,
        "strike",
        payout_usd=(to_calls + to_puts).over(expiration),
        shares=(calls + puts).sum().over(expiration),
    )


def find_nearest_max_pain(contracts: pl.DataFrame) -> pl.DataFrame:
    """Find max pain of the nearest expiration with open interest, one row per symbol and timestamp that has any.

    Columns symbol, timestamp, max_pain, max_pain_expiration. Contracts that have settled by the time of the snapshot do not
    count (`settles_at`). Of strikes with equal payouts the lowest is taken.
    """
    open_still = contracts.filter((pl.col("settles_at") > pl.col("timestamp")).fill_null(value=True))
    nearest = (
        open_still.filter((pl.col("open_interest") * pl.col("shares_per_contract")) > 0)
        .group_by(*SNAPSHOT)
        .agg(pl.col("expiration").min())
    )
    return (
        sum_settlement_payouts(open_still.join(nearest, on=[*SNAPSHOT, "expiration"], how="semi"))
        .group_by(*SNAPSHOT)
        .agg(
            max_pain=pl.col("strike").sort_by("payout_usd", "strike").first(),
            max_pain_expiration=pl.col("expiration").first(),
        )
        .sort(*SNAPSHOT)
    )
