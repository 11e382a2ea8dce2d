"""Strikes that stand out in a chain: walls, the strike of most gamma, the strikes of most open interest and volume.

Belongs here: levels read from sums by strike. Spots where the whole book changes sign are in `gamma_profile`. Naming
follows FlashAlpha and SpotGamma where they agree; where they do not, the definition stands below.
"""

from __future__ import annotations

import polars as pl

SNAPSHOT = ("symbol", "timestamp")
WALL_SHARE = 0.75
"""A strike is a wall if its gamma is at least this share of the largest on its side of the spot."""


def levels(by_strike: pl.DataFrame) -> pl.DataFrame:
    """One row per snapshot of the levels below.

    Args:
        by_strike: one row per symbol, timestamp and strike: `underlying_price`; `call`, `put` (dollars of dealer delta
            per 1 % move, puts negative); `call_oi`, `put_oi`, `call_volume`, `put_volume`, null where unknown.

    Returns:
        symbol, timestamp and
        - call_wall, put_wall: strike with the largest call, and put, exposure.
        - absolute_gamma_strike: strike with the largest call exposure plus |put exposure|, its absolute gamma.
        - gamma_wall_resistance, gamma_wall_support: of the strikes above (below) the spot that hold at least 75 % of
          the largest absolute gamma on that side, the one nearest to the spot.
        - …_strength: absolute gamma of that strike as a share of all absolute gamma on its side.
        - max_call_oi_strike and so on: strike with the largest open interest, or volume.
        Null where there is nothing to compare. Equal strikes: the one nearest to the spot, then the lower.
    """
    spot, strike = pl.col("underlying_price"), pl.col("strike")
    sized = by_strike.with_columns(
        absolute=pl.col("call").abs() + pl.col("put").abs(), distance=(strike - spot).abs()
    ).sort(*SNAPSHOT, "distance", "strike")
    return (
        sized.group_by(*SNAPSHOT, maintain_order=True)
        .agg(
            _strike_of_most(pl.col("call").abs()).alias("call_wall"),
            _strike_of_most(pl.col("put").abs()).alias("put_wall"),
            _strike_of_most(pl.col("absolute")).alias("absolute_gamma_strike"),
            *_wall(strike > spot, "gamma_wall_resistance"),
            *_wall(strike < spot, "gamma_wall_support"),
            *(
                _strike_of_most(pl.col(f"{side}_{what}")).alias(f"max_{side}_{what}_strike")
                for what in ("oi", "volume")
                for side in ("call", "put")
            ),
        )
        .sort(*SNAPSHOT)
    )


def _strike_of_most(size: pl.Expr) -> pl.Expr:
    """First strike, nearest first, whose `size` is the largest and positive."""
    return pl.col("strike").filter((size == size.max()) & (size > 0)).first()


def _wall(side: pl.Expr, name: str) -> list[pl.Expr]:
    absolute = pl.col("absolute")
    most = absolute.filter(side).max()
    is_wall = side & (absolute >= WALL_SHARE * most) & (absolute > 0)
    return [
        pl.col("strike").filter(is_wall).first().alias(name),
        (absolute.filter(is_wall).first() / absolute.filter(side).sum()).alias(f"{name}_strength"),
    ]
