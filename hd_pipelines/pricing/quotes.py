"""Which price of a contract is inverted, and why there is none.

Belongs here: judging one contract's quote, and picking one of several copies of it. Not here: what the price says of
volatility. A bid of 0 is a real bid of nothing, not a missing one; neither makes a price.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

STALE_AFTER_MINUTES = 30
"""A quote this much older than the newest one of its underlying's snapshot no longer belongs to the same market."""

WIDEST_SPREAD = 1.0
WIDE_FROM = 0.50
"""A quote is too wide when ask - bid exceeds its own mid (ask above three bids) and also 0.50 per share: such a mid is
the middle of nothing. Below 0.50 tick size makes every cheap option look wide."""


class QuoteReason(StrEnum):
    """Why a contract has no price to invert; goes into `iv_reason`."""

    NO_QUOTE = "no_quote"
    ONE_SIDED = "one_sided_quote"
    ZERO_BID = "zero_bid"
    CROSSED = "crossed_quote"
    WIDE = "wide_quote"
    STALE = "stale_quote"


def newest_of_duplicates(chain: pl.DataFrame) -> pl.DataFrame:
    """One row for each (`snapshot_at`, `ticker`): the one quoted last; without times, the one that came last."""
    keys = ["snapshot_at", "ticker"]
    if not chain.select(pl.struct(keys).is_duplicated().any()).item():
        return chain
    return chain.sort("quote_at", nulls_last=False, maintain_order=True).unique(keys, keep="last", maintain_order=True)


def mid_price() -> pl.Expr:
    """Middle of `bid` and `ask` where `quote_reason` is null, else null."""
    return pl.when(pl.col("quote_reason").is_null()).then((pl.col("bid") + pl.col("ask")) / 2)


def quote_reason() -> pl.Expr:
    """`QuoteReason` of each row, null for a sound quote. A locked quote (bid = ask > 0) is sound.

    Takes `underlying`, `snapshot_at`, `bid`, `ask`, `quote_at`; staleness is only judged where the time is known, against
    the newest quote of the same underlying and snapshot, since a whole chain read after the close is equally old.
    """
    bid, ask = pl.col("bid"), pl.col("ask")
    has_bid, has_ask = bid.is_not_null() & bid.is_finite() & (bid >= 0), ask.is_finite() & (ask > 0)
    mid = (bid + ask) / 2
    newest = pl.col("quote_at").max().over("underlying", "snapshot_at")
    conditions = [
        (~has_bid.fill_null(False) & ~has_ask.fill_null(False), QuoteReason.NO_QUOTE),
        ((bid == 0) & ~has_ask.fill_null(False), QuoteReason.NO_QUOTE),
        (~has_bid.fill_null(False) | ~has_ask.fill_null(False), QuoteReason.ONE_SIDED),
        (bid == 0, QuoteReason.ZERO_BID),
        (bid > ask, QuoteReason.CROSSED),
        (newest - pl.col("quote_at") > pl.duration(minutes=STALE_AFTER_MINUTES), QuoteReason.STALE),
        ((ask - bid > WIDEST_SPREAD * mid) & (ask - bid > WIDE_FROM), QuoteReason.WIDE),
    ]
    chosen: pl.Expr = pl.lit(None, pl.String)
    for condition, reason in reversed(conditions):
        chosen = pl.when(condition).then(pl.lit(reason.value)).otherwise(chosen)
    return chosen
