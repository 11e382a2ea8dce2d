"""Measures market breadth: how many stocks take part in what the index does.

Counts over the full market's day bars. `breadth_universe` decides which tickers are stocks; `breadth_splits` adjusts for
splits.

Conventions: advance and decline are against the close of the session directly before (a stock that did not trade then is in
neither count). New highs and lows use intraday high and low against the 251 sessions before, as the exchanges count them.
Averages are simple, over the last n bars including today's.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl

from hd_pipelines.analytics.regime.breadth_splits import adjust_for_splits
from hd_pipelines.analytics.regime.breadth_universe import is_stock
from hd_pipelines.tables.vocabulary import BreadthRegime

YEAR = 252
AVERAGES = (20, 50, 200)
NET_ADVANCES_SESSIONS = 10
FEWEST_STOCKS = 20
"""With fewer stocks than this, ratios and shares are null."""
WHOLE_MARKET = 500
"""With fewer stocks than this the counts are a sample (a watchlist, a recording), and the reason says so."""
FEWEST_BARS_BEFORE_A_HIGH = 20
"""A stock with fewer earlier bars than this has no high to exceed."""
SHARE_WITH_HISTORY = 0.5
"""A share above an average requires that at least half of the stocks have the average."""

BREADTH = {
    "date": pl.Date,
    "n_stocks": pl.Int64,
    "advancers": pl.Int64,
    "decliners": pl.Int64,
    "unchanged": pl.Int64,
    "advance_decline_ratio": pl.Float64,
    "advance_decline_diff": pl.Int64,
    "new_highs": pl.Int64,
    "new_lows": pl.Int64,
    "high_low_ratio": pl.Float64,
    "high_low_sessions": pl.Int64,
    "share_above_20d": pl.Float64,
    "share_above_50d": pl.Float64,
    "share_above_200d": pl.Float64,
    "net_advances_10d": pl.Float64,
    "breadth_regime": pl.String,
    "breadth_reason": pl.String,
}
"""n_stocks           advancers + decliners + unchanged
*_ratio               null where the denominator is 0
high_low_sessions     sessions over which highs and lows are taken, today included: 252, or as many as there are
share_above_*         0-1, of the stocks that have the average
net_advances_10d      mean over ten sessions of (advancers - decliners) / (advancers + decliners), -1 to 1
breadth_reason        what is missing or thin, null when nothing is
"""


def compute_breadth(
    bars: pl.DataFrame,
    *,
    sessions: Collection[date] | None = None,
    universe: Collection[str] | None = None,
    splits: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Compute the breadth of each of `sessions`. Returns `BREADTH`, one row per session, ascending.

    `bars`: ticker, session, open, high, low, close, volume; unadjusted, any order, one row per ticker and session.
    `universe`: the tickers that count; None decides by spelling. `splits`: as in `adjust_for_splits`; None guesses them.
    `sessions`: the exchange's, all of the window; None takes those in `bars`. A session is compared with the one directly
    before it; if that has no bars, nothing advanced or declined.
    """
    axis = (
        pl.Series("session", sorted(sessions if sessions is not None else bars["session"].unique()), pl.Date)
        .to_frame()
        .with_row_index("number", offset=1)
    )
    counts = pl.col("ticker").is_in(sorted(universe)) if universe is not None else is_stock(pl.col("ticker"))
    stocks = bars.filter(counts).select("ticker", "session", "open", "high", "low", "close", "volume")
    scaled = adjust_for_splits(stocks, splits).join(axis, on="session", maintain_order="left")
    return _add_classes(axis.join(_count_moves(_mark_moves(scaled)), on="session", how="left").sort("session"))


def _mark_moves(scaled: pl.DataFrame) -> pl.DataFrame:
    # One pass per measure over each life; the rows are already sorted by life and session.
    prices = scaled.select(
        "session",
        "life",
        "number",
        close=pl.col("close") * pl.col("factor"),
        high=pl.col("high") * pl.col("factor"),
        low=pl.col("low") * pl.col("factor"),
    )
    before = YEAR - 1
    history = FEWEST_BARS_BEFORE_A_HIGH
    return prices.with_columns(
        previous=pl.when(pl.col("number").shift(1) == pl.col("number") - 1).then(pl.col("close").shift(1)).over("life"),
        highest=pl.col("high").shift(1).rolling_max(before, min_samples=history).over("life"),
        lowest=pl.col("low").shift(1).rolling_min(before, min_samples=history).over("life"),
        **{f"average_{n}": pl.col("close").rolling_mean(n).over("life") for n in AVERAGES},
    )


def _count_moves(marked: pl.DataFrame) -> pl.DataFrame:
    close, previous = pl.col("close"), pl.col("previous")
    return marked.group_by("session").agg(
        advancers=(close > previous).sum(),
        decliners=(close < previous).sum(),
        unchanged=(close == previous).sum(),
        new_highs=(pl.col("high") > pl.col("highest")).sum(),
        new_lows=(pl.col("low") < pl.col("lowest")).sum(),
        with_highs=pl.col("highest").count(),
        **{f"above_{n}": (close > pl.col(f"average_{n}")).sum() for n in AVERAGES},
        **{f"with_{n}": pl.col(f"average_{n}").count() for n in AVERAGES},
    )


def _add_classes(counted: pl.DataFrame) -> pl.DataFrame:
    whole = counted.with_columns(
        pl.col(pl.UInt32).exclude("number").cast(pl.Int64).fill_null(0),
        high_low_sessions=pl.min_horizontal("number", pl.lit(YEAR)).cast(pl.Int64),
    ).with_columns(
        n_stocks=pl.sum_horizontal("advancers", "decliners", "unchanged"),
    )
    enough = pl.col("n_stocks") >= FEWEST_STOCKS
    has_highs = pl.col("with_highs") >= FEWEST_STOCKS
    whole = whole.with_columns(
        pl.when(enough).then(pl.col("advancers", "decliners", "unchanged")),
        pl.when(has_highs).then(pl.col("new_highs", "new_lows", "high_low_sessions")),
    ).with_columns(
        advance_decline_ratio=divide_or_null(pl.col("advancers"), pl.col("decliners")),
        advance_decline_diff=pl.col("advancers") - pl.col("decliners"),
        high_low_ratio=divide_or_null(pl.col("new_highs"), pl.col("new_lows")),
        net_advances_10d=average_net_advances(pl.col("advancers"), pl.col("decliners")),
        breadth_regime=classify_breadth(*(pl.col(c) for c in ("advancers", "decliners", "new_highs", "new_lows"))),
        **{f"share_above_{n}d": _compute_share(n) for n in AVERAGES},
    )
    return whole.with_columns(breadth_reason=_find_reason()).rename({"session": "date"}).select(list(BREADTH))


def divide_or_null(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """`numerator` / `denominator`, null where the denominator is 0."""
    return pl.when(denominator > 0).then(numerator / denominator)


def average_net_advances(advancers: pl.Expr, decliners: pl.Expr) -> pl.Expr:
    """Mean over ten rows of (advancers - decliners) / (advancers + decliners); null unless all ten have both."""
    return divide_or_null(advancers - decliners, advancers + decliners).rolling_mean(NET_ADVANCES_SESSIONS)


def classify_breadth(advancers: pl.Expr, decliners: pl.Expr, new_highs: pl.Expr, new_lows: pl.Expr) -> pl.Expr:
    """Classify a session's advances and declines; null where either is missing or both are 0.

    Ratio above 3, with more than twice as many highs as lows where these are known, EXTREMELY_BULLISH; above 1.5 BULLISH;
    above 0.67 NEUTRAL; above 0.33 BEARISH; else EXTREMELY_BEARISH. Computed by multiplication, so that a session without a
    decliner has a class although it has no ratio.
    """
    has_highs = (new_highs + new_lows) > 0
    highs_agree = pl.when(has_highs).then(new_highs > 2 * new_lows).otherwise(pl.lit(value=True))
    return pl.when(advancers + decliners > 0).then(
        pl.when((advancers > 3 * decliners) & highs_agree)
        .then(pl.lit(BreadthRegime.EXTREMELY_BULLISH.value))
        .when(advancers > 1.5 * decliners)
        .then(pl.lit(BreadthRegime.BULLISH.value))
        .when(advancers > 0.67 * decliners)
        .then(pl.lit(BreadthRegime.NEUTRAL.value))
        .when(advancers > 0.33 * decliners)
        .then(pl.lit(BreadthRegime.BEARISH.value))
        .otherwise(pl.lit(BreadthRegime.EXTREMELY_BEARISH.value))
    )


def _compute_share(n: int) -> pl.Expr:
    having = pl.col(f"with_{n}")
    enough = (having >= FEWEST_STOCKS) & (having >= SHARE_WITH_HISTORY * pl.col("n_stocks"))
    return pl.when(enough).then(pl.col(f"above_{n}") / having)


def _find_reason() -> pl.Expr:
    counted, session = pl.col("n_stocks"), pl.col("number")
    return pl.concat_str(
        pl.when(session == 1).then(pl.lit("no session before it")),
        pl.when((session > 1) & (counted < FEWEST_STOCKS)).then(
            pl.format("{} stocks, fewer than {}", counted, pl.lit(FEWEST_STOCKS))
        ),
        pl.when((counted >= FEWEST_STOCKS) & (counted < WHOLE_MARKET)).then(
            pl.format("{} stocks: a sample, not the market", counted)
        ),
        pl.when((counted >= FEWEST_STOCKS) & (session < YEAR)).then(
            pl.format("highs and lows over {} sessions", session)
        ),
        pl.when((counted >= FEWEST_STOCKS) & pl.col("share_above_200d").is_null()).then(
            pl.lit("too few stocks with 200 bars")
        ),
        separator="; ",
        ignore_nulls=True,
    ).replace("", None)
