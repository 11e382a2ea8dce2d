"""Volatility of contracts that nobody quotes, from the smile of their expiration, so that their gamma is not forgotten.

Belongs here: filling volatility and gamma for sums over a chain. The contract's own row in `historical_greeks` stays
without. A million SPX calls may stand 10 to 30 % above the spot with no bid: their gamma is nothing today, but they carry
the profile at the spots where they would be at the money. Left out, the zero gamma of SPX on 2022-06-10 lies 5 % of spot
higher. The same goes for options in the money whose mid is below intrinsic value: by parity their gamma is that of the
other right at the strike.

Sums take Black's gamma at a contract's volatility for American options too, as the profile over spots does, so that the
total is the profile at the spot. The American model, whose dividends flow as a yield, puts a spike of gamma where exercise
begins: on the eve of a dividend (SPY 2023-09-14, next-day calls) it makes 10 billion dollars per 1 % of what is 0.7 here
and 1.5 by the vendor's gammas.
"""

from __future__ import annotations

import math

import polars as pl

from hd_pipelines.tables.vocabulary import ExerciseStyle

EXPIRATION = ["symbol", "timestamp", "root", "expiration"]
FEWEST_STRIKES = 3
"""Strikes with a volatility that an expiration needs before others are read off its smile."""


def with_smile(valued: pl.DataFrame) -> pl.DataFrame:
    """`VALUED` with `implied_volatility` and `gamma` filled where they are null, and `is_own` where they were not.

    `gamma` of American contracts is Black's at their volatility (see above); European ones keep theirs.

    Per expiration and root, the smile has at each strike the volatility of the right that is out of the money, else of
    the other. Between strikes it is a straight line, beyond the last ones flat. A contract stays null if its expiration
    has fewer than three such strikes, or it has no forward, discount or time left.
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
            gamma=pl.when("is_own").then(_own_gamma()).otherwise(_gamma(pl.col("smile"))),
        )
        .drop("smile")
    )


def _own_gamma() -> pl.Expr:
    is_american = pl.col("exercise_style") == ExerciseStyle.AMERICAN.value
    blacks = pl.when(is_american).then(_gamma(pl.col("implied_volatility")))
    return pl.coalesce(blacks, "gamma")


def _gamma(sigma: pl.Expr) -> pl.Expr:
    """Gamma of a share in the spot: Black-76 on a forward that moves in proportion to the spot."""
    deviation = sigma * pl.col("years").sqrt()
    d1 = (pl.col("forward") / pl.col("strike")).log() / deviation + deviation / 2
    density = (-0.5 * d1 * d1).exp() / math.sqrt(2 * math.pi)
    return pl.col("discount") * pl.col("forward") * density / (deviation * pl.col("underlying_price") ** 2)
