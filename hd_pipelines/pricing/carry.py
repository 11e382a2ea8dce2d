"""How fast the forwards of a snapshot grow, and the spot that belongs to them.

Belongs here: one carry for each snapshot, for Greeks in the spot. Not here: forwards of single expirations (`forwards`).

ln(forward / spot) / years of one short expiration is no carry: a spot that is seconds old, or one dividend, becomes
hundreds of percent a year, and theta and rho with it. The slope of ln F over the expirations of the coming year is
steady, and F * exp(-carry * years) is a spot as fresh as the options' own quotes.
"""

from __future__ import annotations

import polars as pl

from hd_pipelines.pricing.forwards import ForwardSource

SHORTEST_SPAN_YEARS = 20 / 365
LONGEST_YEARS = 1.1


def with_carry(expirations: pl.DataFrame) -> pl.DataFrame:
    """`expirations` with `carry` (per year) and `implied_spot`; null where there is no forward.

    Takes `snapshot`, `years`, `spot`, `forward`, `discount`, `forward_source`. Where the parity forwards of a snapshot
    span less than 20 days, the carry is ln(F/S) / T of an expiration at least that far away, else the rate.
    """
    years = pl.col("years")
    is_parity = (pl.col("forward_source") == ForwardSource.PARITY.value) & (years > 0) & (years < LONGEST_YEARS)
    at, log_forward = pl.when(is_parity).then(years), pl.when(is_parity).then(pl.col("forward").log())
    span = (at.max() - at.min()).over("snapshot")
    slope = (pl.cov(at, log_forward) / at.var()).over("snapshot")
    own = pl.when(years >= SHORTEST_SPAN_YEARS).then((pl.col("forward") / pl.col("spot")).log() / years)
    rate = -pl.col("discount").log() / years
    carry = pl.when(span >= SHORTEST_SPAN_YEARS).then(slope).otherwise(pl.coalesce(own, rate))
    return expirations.with_columns(carry=carry).with_columns(
        implied_spot=pl.col("forward") * (-pl.col("carry") * years).exp()
    )
