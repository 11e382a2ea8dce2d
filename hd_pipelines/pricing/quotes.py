"""Chooses the price of a contract to invert, or the reason why there is none.

Validates one contract's quote and picks one of several copies of it. A bid of 0 is a real bid of nothing, not a missing
bid; neither gives a price.
"""

from __future__ import annotations

import polars as pl

from hd_pipelines.pricing.reasons import Reason

STALE_AFTER_MINUTES = 30
"""A quote this much older than the newest quote of its underlying's snapshot no longer belongs to the same market."""

OLDEST_HOURS = 12
"""A quote this much older than the snapshot belongs to an earlier session, even if all quotes are equally old."""

WIDEST_SPREAD = 1.0
WIDE_FROM = 0.50
"""A quote is too wide if ask - bid exceeds its own mid (ask above three bids) and also 0.50 per share: the mid of such a
quote is not a price. Below 0.50 the tick size makes every cheap option look wide.
"""


def keep_newest_duplicates(chain: pl.DataFrame) -> pl.DataFrame:
    """Keep one row per (`snapshot_at`, `ticker`): the one quoted last, or the last row if quotes have no time."""
    keys = ["snapshot_at", "ticker"]
    if not chain.select(pl.struct(keys).is_duplicated().any()).item():
        return chain
    return chain.sort("quote_at", nulls_last=False, maintain_order=True).unique(keys, keep="last", maintain_order=True)


def add_mid_price(chain: pl.DataFrame) -> pl.DataFrame:
    """Add the price to invert: `quote_reason`, `mid_price`, `half_spread`, `price_source`, `price_age_seconds`.

    `mid_price` is null where there is a `quote_reason`, `price_age_seconds` where the time of the quote is unknown.
    """
    return chain.with_columns(quote_reason=classify_quotes()).with_columns(
        mid_price=pl.when(pl.col("quote_reason").is_null()).then((pl.col("bid") + pl.col("ask")) / 2),
        half_spread=(pl.col("ask") - pl.col("bid")) / 2,
        price_source="source",
        price_age_seconds=(pl.col("snapshot_at") - pl.col("quote_at")).dt.total_seconds().clip(0),
    )


def classify_quotes() -> pl.Expr:
    """Give the `Reason` why each row's quote is unusable, null for a sound quote. A locked quote (bid = ask > 0) is sound.

    Takes `underlying`, `snapshot_at`, `bid`, `ask`, `quote_at`. Staleness is checked where the time is known, and first
    against the newest quote of the same underlying and snapshot, since a chain read after the close is old as a whole.
    """
    bid, ask = pl.col("bid"), pl.col("ask")
    has_bid, has_ask = bid.is_not_null() & bid.is_finite() & (bid >= 0), ask.is_finite() & (ask > 0)
    mid = (bid + ask) / 2
    newest = pl.col("quote_at").max().over("underlying", "snapshot_at")
    is_left_behind = newest - pl.col("quote_at") > pl.duration(minutes=STALE_AFTER_MINUTES)
    is_of_another_day = pl.col("snapshot_at") - pl.col("quote_at") > pl.duration(hours=OLDEST_HOURS)
    conditions = [
        (~has_bid.fill_null(False) & ~has_ask.fill_null(False), Reason.NO_QUOTE),
        ((bid == 0) & ~has_ask.fill_null(False), Reason.NO_QUOTE),
        (~has_bid.fill_null(False) | ~has_ask.fill_null(False), Reason.ONE_SIDED),
        (bid == 0, Reason.NO_BID),
        (bid > ask, Reason.CROSSED),
        (is_left_behind | is_of_another_day, Reason.STALE),
        ((ask - bid > WIDEST_SPREAD * mid) & (ask - bid > WIDE_FROM), Reason.WIDE),
    ]
    chosen: pl.Expr = pl.lit(None, pl.String)
    for condition, reason in reversed(conditions):
        chosen = pl.when(condition).then(pl.lit(reason.value)).otherwise(chosen)
    return chosen
