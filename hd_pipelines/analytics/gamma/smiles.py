"""Fills volatility and gamma of unquoted contracts from the smile of their expiration, for sums over a chain.

The contract's own row in `historical_greeks` stays without. A million SPX calls may be 10 to 30 % above the spot with no
bid. Their gamma is negligible today, but they carry the profile at the spots where they would be at the money: without
them, the zero gamma of SPX on 2022-06-10 is 5 % of spot higher. The same holds for in-the-money options whose mid is below
intrinsic value: by parity their gamma is that of the other right at the strike.

For American options too, sums take Black's gamma at the contract's volatility, as the profile over spots does, so that the
total equals the profile at the spot. The American model, whose dividends flow as a yield, has a spike of gamma where
exercise begins: on the eve of a dividend (SPY 2023-09-14, next-day calls) it gives 10 billion dollars per 1 % instead of
0.7 here and 1.5 by the vendor's gammas.
"""

from __future__ import annotations

import math

import polars as pl

from hd_pipelines.tables.vocabulary import ExerciseStyle

EXPIRATION = ["symbol", "timestamp", "root", "expiration"]
FEWEST_STRIKES = 3
"""Number of strikes with a volatility that an expiration needs before others are filled from its smile."""


def fill_from_smile(valued: pl.DataFrame) -> pl.DataFrame:
    """Fill `implied_volatility` and `gamma` of `VALUED` where they are null, and add `is_own` where they were not.

    `gamma` of American contracts is Black's at their volatility (see above); European ones keep theirs.

    Per expiration and root, the smile takes at each strike the volatility of the out-of-the-money right, else of the other.
    It is linear between strikes and flat beyond the last ones. A contract stays null if its expiration has fewer than three
    such strikes, or if it has no forward, discount or time left.
    """
    known = pl.col("implied_volatility").is_finite() & (pl.col("years") > 0)
    is_out = (pl.col("option_type") == "call") == (pl.col("strike") >= pl.col("forward"))
    smile = (
        valued.group_by(*EXPIRATION, "strike")
        .agg(
            pl.coalesce(
                pl.col("implied_volatility").filter(known & is_out).first(),
                pl.col("implied_volatility").filter(known).first(),
            ).alias("quoted")
        )
        .sort(*EXPIRATION, "strike")
    )
    line = pl.col("quoted").interpolate_by("strike").forward_fill().backward_fill()
    smile = smile.select(
        *EXPIRATION,
        "strike",
        pl.when(pl.col("quoted").count().over(EXPIRATION) >= FEWEST_STRIKES).then(line.over(EXPIRATION)).alias("smile"),
    )
    is_own = pl.col("gamma").is_finite().fill_null(value=False)
    return (
        valued.join(smile, on=[*EXPIRATION, "strike"], how="left", maintain_order="left")
        .with_columns(is_own=is_own, smile=pl.when(pl.col("years") > 0).then("smile"))
        .with_columns(
            implied_volatility=pl.when("is_own").then("implied_volatility").otherwise("smile"),
            gamma=pl.when("is_own").then(_build_own_gamma()).otherwise(_build_gamma(pl.col("smile"))),
        )
        .drop("smile")
    )


def _build_own_gamma() -> pl.Expr:
    is_american = pl.col("exercise_style") == ExerciseStyle.AMERICAN.value
    blacks = pl.when(is_american).then(_build_gamma(pl.col("implied_volatility")))
    return pl.coalesce(blacks, "gamma")


def _build_gamma(sigma: pl.Expr) -> pl.Expr:
    """Gamma of a share with respect to the spot: Black-76 on a forward that moves in proportion to the spot."""
    deviation = sigma * pl.col("years").sqrt()
    d1 = (pl.col("forward") / pl.col("strike")).log() / deviation + deviation / 2
    density = (-0.5 * d1 * d1).exp() / math.sqrt(2 * math.pi)
    return pl.col("discount") * pl.col("forward") * density / (deviation * pl.col("underlying_price") ** 2)
