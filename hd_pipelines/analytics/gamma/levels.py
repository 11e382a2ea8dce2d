"""Finds notable strikes of a chain: walls, the strike of most gamma, the strikes of most open interest and volume.

Levels are read from sums by strike. Spots where total gamma changes sign are in `profile`. Names follow FlashAlpha and
SpotGamma where they agree; where they do not, the definition is given below.
"""

from __future__ import annotations

import polars as pl

SNAPSHOT = ("symbol", "timestamp")
WALL_SHARE = 0.75
"""A strike is a wall if its gamma is at least this share of the largest on its side of the spot."""


def find_levels(by_strike: pl.DataFrame) -> pl.DataFrame:
    """Find the levels of each snapshot, one row per snapshot.

    Args:
        by_strike: one row per symbol, timestamp and strike: `underlying_price`; `call_gex_usd_per_1pct`,
            `put_gex_usd_per_1pct` (puts negative); `call_oi`, `put_oi`, `call_volume`, `put_volume`, null where unknown.

    Returns:
        symbol, timestamp and
        - call_wall, put_wall: strike with the largest call, or put, exposure.
        - absolute_gamma_strike: strike with the largest absolute gamma, which is call exposure plus |put exposure|.
        - gamma_wall_resistance, gamma_wall_support: of the strikes above (below) the spot with at least 75 % of the
          largest absolute gamma on that side, the one nearest to the spot.
        - …_strength: absolute gamma of that strike as a share of all absolute gamma on its side.
        - max_call_oi_strike and so on: strike with the largest open interest, or volume.
        Null where there is nothing to compare. Among equal strikes the nearest to the spot wins, then the lower one.
    """
    spot, strike = pl.col("underlying_price"), pl.col("strike")
    call, put = pl.col("call_gex_usd_per_1pct").abs(), pl.col("put_gex_usd_per_1pct").abs()
    sized = by_strike.with_columns(absolute=call + put, distance=(strike - spot).abs()).sort(
        *SNAPSHOT, "distance", "strike"
    )
    return (
        sized.group_by(*SNAPSHOT, maintain_order=True)
        .agg(
            _find_largest_strike(call).alias("call_wall"),
            _find_largest_strike(put).alias("put_wall"),
            _find_largest_strike(pl.col("absolute")).alias("absolute_gamma_strike"),
            *_select_wall(strike > spot, "gamma_wall_resistance"),
            *_select_wall(strike < spot, "gamma_wall_support"),
            *(
                _find_largest_strike(pl.col(f"{side}_{what}")).alias(f"max_{side}_{what}_strike")
                for what in ("oi", "volume")
                for side in ("call", "put")
            ),
        )
        .sort(*SNAPSHOT)
    )


def _find_largest_strike(size: pl.Expr) -> pl.Expr:
    """Find the first strike, nearest first, whose `size` is the largest and positive."""
    return pl.col("strike").filter((size == size.max()) & (size > 0)).first()


def _select_wall(side: pl.Expr, name: str) -> list[pl.Expr]:
    absolute = pl.col("absolute")
    most = absolute.filter(side).max()
    is_wall = side & (absolute >= WALL_SHARE * most) & (absolute > 0)
    return [
        pl.col("strike").filter(is_wall).first().alias(name),
        (absolute.filter(is_wall).first() / absolute.filter(side).sum()).alias(f"{name}_strength"),
    ]
