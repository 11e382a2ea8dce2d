"""Computes put/call ratios by volume from the day's option bars.

Conventions of the field (Cboe daily market statistics): "equity" means options on companies, "index" cash-settled options
on indices; options on funds are a third class, and "total" is all three. The root of a contract distinguishes an index from
a share. A fund is distinguished from a company by the list in `funds`, which holds only the most traded. Volume is in
contracts.
"""

from __future__ import annotations

import polars as pl

from hd_pipelines.analytics.cut_offs import classify_by_cut_offs
from hd_pipelines.analytics.regime.funds import FUNDS
from hd_pipelines.market.option_products import find_underlying
from hd_pipelines.tables.vocabulary import PutCallRegime

PUT_CALL_CUT_OFFS = (0.7, 0.9, 1.1, 1.5)
"""Cut-offs of the total ratio: up to 0.7 EXTREME_GREED, … above 1.5 EXTREME_FEAR."""

FEWEST_CONTRACTS = 1_000
"""A ratio with fewer calls than this could reflect a single trader, so it is null."""

VOLUMES = {
    "session": pl.Date,
    "equity_calls": pl.Float64,
    "equity_puts": pl.Float64,
    "index_calls": pl.Float64,
    "index_puts": pl.Float64,
    "fund_calls": pl.Float64,
    "fund_puts": pl.Float64,
}
"""Contracts traded per session and class; 0 where none traded."""

PUT_CALL = {
    "date": pl.Date,
    "put_call_ratio_equity": pl.Float64,
    "put_call_ratio_index": pl.Float64,
    "put_call_ratio_total": pl.Float64,
    "pc_regime": pl.String,
    "put_call_reason": pl.String,
}


def sum_option_volumes(option_day_bars: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Sum contracts traded by session, class and right. Returns `VOLUMES`, ascending.

    `option_day_bars`: ticker (`O:ROOT…`), session, volume, as in the lake; lazy frames are never held in memory as a whole.
    A full market has 250,000 contracts a session, so sum session by session and keep the result.
    """
    # The last 15 characters are date, right and strike; the root is between "O:" and them.
    added = (
        option_day_bars.lazy()
        .select(
            "session",
            "volume",
            root=pl.col("ticker").str.slice(2).str.head(-15),
            right=pl.col("ticker").str.slice(-9, 1),
        )
        .group_by("session", "root", "right")
        .agg(pl.col("volume").sum())
        .collect(engine="streaming")
    )
    roots = added["root"].unique().to_list()
    kinds = pl.DataFrame(
        {"root": roots, "kind": [_classify_root(root) for root in roots]}, schema={"root": pl.String, "kind": pl.String}
    )
    by_class = added.join(kinds, on="root")
    return (
        by_class.group_by("session")
        .agg(
            pl.col("volume").filter((pl.col("kind") == kind) & (pl.col("right") == right)).sum().alias(f"{kind}_{side}")
            for kind in ("equity", "index", "fund")
            for right, side in (("C", "calls"), ("P", "puts"))
        )
        .select(list(VOLUMES))
        .cast(VOLUMES)  # type: ignore[arg-type]
        .sort("session")
    )


def _classify_root(root: str) -> str:
    underlying = find_underlying(root)
    if underlying.startswith("I:"):
        return "index"
    return "fund" if underlying in FUNDS else "equity"


def compute_put_call(volumes: pl.DataFrame) -> pl.DataFrame:
    """Compute ratios and class per session from `VOLUMES`. Returns `PUT_CALL`, one row per session of `volumes`, ascending.

    A ratio is null, with a reason, where fewer than `FEWEST_CONTRACTS` calls traded. It is never infinite, and never 0 only
    because nothing traded.
    """
    total = ("equity", "index", "fund")
    ratios = volumes.sort("session").select(
        pl.col("session").alias("date"),
        put_call_ratio_equity=_build_ratio("equity"),
        put_call_ratio_index=_build_ratio("index"),
        put_call_ratio_total=_build_ratio(*total),
        calls=pl.sum_horizontal(f"{kind}_calls" for kind in total),
    )
    return ratios.with_columns(
        pc_regime=_classify(pl.col("put_call_ratio_total")),
        put_call_reason=pl.when(pl.col("put_call_ratio_total").is_null()).then(
            pl.format("{} calls traded, fewer than {}", pl.col("calls").cast(pl.Int64), pl.lit(FEWEST_CONTRACTS))
        ),
    ).select(list(PUT_CALL))


def _classify(total: pl.Expr) -> pl.Expr:
    # The cut-offs are defined as "above x" (> 1.5 is EXTREME_FEAR); on the negated ratio they become "below".
    above = [-cut_off for cut_off in reversed(PUT_CALL_CUT_OFFS)]
    return classify_by_cut_offs(-total, above, list(PutCallRegime))


def _build_ratio(*kinds: str) -> pl.Expr:
    calls = pl.sum_horizontal(f"{kind}_calls" for kind in kinds)
    puts = pl.sum_horizontal(f"{kind}_puts" for kind in kinds)
    return pl.when(calls >= FEWEST_CONTRACTS).then(puts / calls)
