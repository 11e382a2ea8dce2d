"""Adjusts unadjusted day bars for splits, given or guessed, by carrying prices forward over them.

Dividends are not adjusted. Prices after a split are multiplied by the number of shares that one old share became, so that
earlier numbers never change: a factor at t depends on bars up to t only. (Back-adjusted prices, as charts show them, change
whenever a stock splits.)
"""

from __future__ import annotations

import polars as pl

FORWARD_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
"""Usual numbers of new shares for one old share. 4:3 and 5:4 look like an ordinary fall and are not guessed."""
REVERSE_RATIOS = tuple(
    1 / n for n in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 75.0, 100.0)
)
FORWARD_TOLERANCE = 0.05
"""Largest log distance of yesterday's close over today's open from the ratio: the split plus an ordinary night."""
REVERSE_TOLERANCE = 0.15
"""The same for reverse splits, wider because companies that merge their shares are usually falling."""
CROWD = 4.0
"""A split moves no money: dollars traded, with shares counted as before the split, stay below this multiple of the median of
the 20 bars before. A stock that halves or doubles on news trades at least ten times its usual volume.
"""
SETTLED = 0.25
"""The close must confirm the open: its log distance from the ratio is below this, else the opening print is wrong."""
CHEAPEST_AFTER = 2.0
"""Dollars. No company splits its shares to a lower price; a stock that opens there has fallen."""
VOLUME_BARS = 20
LONGEST_PAUSE = 20
"""After this many sessions without a bar a ticker counts as another company's, and its history begins anew."""


def adjust_for_splits(bars: pl.DataFrame, splits: pl.DataFrame | None = None) -> pl.DataFrame:
    """Sort `bars` by ticker and session and add `life`, `split_ratio` and `factor`.

    `bars`: ticker, session, open, close, volume and any other column; one row per ticker and session. Rows without a
    positive, finite close are dropped. `splits`: ticker, session, ratio (new shares per old one, effective at the session's
    open); if given, nothing is guessed. `life` numbers uninterrupted histories, `split_ratio` is 1.0 on ordinary days, and
    `factor` × price is on the scale of the life's first bar.

    A split is guessed if yesterday's close over today's open is within `FORWARD_TOLERANCE` (`REVERSE_TOLERANCE`) of a usual
    ratio, the close stays there, and the day's dollar volume is ordinary. Without volume nothing is guessed. A fall to one
    half on an ordinary day's volume would be mistaken for a split; an odd ratio (a spin-off, 8:100) stays a real move.
    """
    numbered = (
        bars.filter(pl.col("close").is_finite() & (pl.col("close") > 0))
        .with_columns(_session_number=pl.col("session").rank("dense").cast(pl.Int32))
        .sort("ticker", "session")
        .with_columns(
            life=(
                (pl.col("ticker") != pl.col("ticker").shift(1))
                | (pl.col("_session_number") - pl.col("_session_number").shift(1) > LONGEST_PAUSE)
            )
            .fill_null(value=True)
            .cum_sum()
        )
    )
    if splits is None:
        scaled = numbered.with_columns(split_ratio=_guess_ratio(numbered))
    else:
        given = splits.select("ticker", "session", split_ratio=pl.col("ratio").cast(pl.Float64))
        scaled = numbered.join(given, on=["ticker", "session"], how="left", maintain_order="left").with_columns(
            pl.col("split_ratio").fill_null(1.0)
        )
    return scaled.with_columns(factor=_compute_factor(scaled)).drop("_session_number")


def _compute_factor(scaled: pl.DataFrame) -> pl.Series:
    # Splits are rare, so the running product is computed only for lives that have one.
    split_lives = scaled.filter(pl.col("split_ratio") != 1.0)["life"].unique()
    if split_lives.is_empty():
        return pl.repeat(1.0, scaled.height, dtype=pl.Float64, eager=True)
    rows = scaled.select("life", "split_ratio").with_row_index("_row")
    product = (
        rows.filter(pl.col("life").is_in(split_lives.implode()))
        .with_columns(factor=pl.col("split_ratio").cum_prod().over("life"))
        .select("_row", "factor")
    )
    return rows.join(product, on="_row", how="left", maintain_order="left")["factor"].fill_null(1.0)


def _guess_ratio(numbered: pl.DataFrame) -> pl.Series:
    before = pl.col("close").shift(1)
    is_same_life = pl.col("life") == pl.col("life").shift(1)
    jump = pl.when(is_same_life & (pl.col("open") > 0)).then(before / pl.col("open"))
    day = pl.when(is_same_life).then(before / pl.col("close"))
    rows = numbered.select("life", "volume", "close", "open", jump=jump, day=day).with_row_index("_row")
    suspects = rows.filter(((pl.col("jump") > 1.4) | (pl.col("jump") < 0.6)) & pl.col("jump").is_finite())
    if suspects.is_empty():
        return pl.repeat(1.0, numbered.height, dtype=pl.Float64, eager=True)
    crowd = (
        rows.filter(pl.col("life").is_in(suspects["life"].unique().implode()))
        .with_columns(dollars=pl.col("volume") * pl.col("close"))
        .with_columns(
            usual=pl.col("dollars").rolling_median(VOLUME_BARS, min_samples=5).shift(1).over("life"),
            usual_shares=pl.col("volume").rolling_median(VOLUME_BARS, min_samples=5).shift(1).over("life"),
        )
        .select("_row", "dollars", "usual", "usual_shares")
    )
    old_shares = pl.col("volume") / pl.col("ratio")
    quiet = (pl.col("dollars") <= CROWD * pl.col("usual")) & (old_shares <= CROWD * pl.col("usual_shares"))
    is_dear = pl.col("open") >= CHEAPEST_AFTER
    merged = (pl.col("ratio") < 1) & (pl.col("volume") < pl.col("usual_shares"))
    ratio = pl.coalesce(
        *(
            pl.when(((pl.col("jump") / n).log().abs() <= FORWARD_TOLERANCE) & is_dear).then(pl.lit(n))
            for n in FORWARD_RATIOS
        ),
        pl.when(pl.col("jump") < 0.6).then(_find_nearest_reverse(pl.col("jump"))),
    )
    settled = (pl.col("day") / pl.col("ratio")).log().abs() <= SETTLED
    found = (
        suspects.join(crowd, on="_row")
        .with_columns(ratio=ratio)
        .filter(settled & (quiet | merged))
        .select("_row", "ratio")
    )
    return rows.join(found, on="_row", how="left", maintain_order="left")["ratio"].fill_null(1.0)


def _find_nearest_reverse(jump: pl.Expr) -> pl.Expr:
    distances = {n: (jump / n).log().abs() for n in REVERSE_RATIOS}
    nearest = pl.min_horizontal(distances.values())
    return pl.when(nearest <= REVERSE_TOLERANCE).then(
        pl.coalesce(pl.when(distance == nearest).then(pl.lit(n)) for n, distance in distances.items())
    )
