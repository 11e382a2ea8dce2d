"""Finds the leading sector over 20 sessions and the kind of rotation, from the eleven Select Sector SPDR funds."""

from __future__ import annotations

import polars as pl

from hd_pipelines.tables.vocabulary import SectorRotation

SECTOR_FUNDS = ("XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY")

ROTATION_GROUPS: dict[SectorRotation, tuple[str, ...]] = {
    SectorRotation.DEFENSIVE: ("XLP", "XLU", "XLV"),
    SectorRotation.CYCLICAL: ("XLB", "XLI", "XLY"),
    SectorRotation.GROWTH: ("XLC", "XLK"),
    SectorRotation.VALUE: ("XLE", "XLF"),
}
"""Each fund is in at most one group, so that no sector counts twice. Energy and financials are the cyclicals that value
indices hold most of; real estate follows rates and represents none of the four groups.
"""

SESSIONS = 20
ROTATION_MARGIN = 0.005
"""The leading group must be at least half a percent ahead of the second over the 20 sessions; otherwise MIXED."""
FEWEST_FUNDS = 5
FEWEST_GROUPS = 3

SECTORS = {
    "date": pl.Date,
    "leading_sector": pl.String,
    "lagging_sector": pl.String,
    "sector_rotation": pl.String,
}


def find_sector_leadership(closes: pl.DataFrame) -> pl.DataFrame:
    """Find the leading and lagging fund and the kind of sector that leads, per session. Returns `SECTORS`.

    `closes`: date, `SPY` and the funds' columns as far as there are any, split-adjusted, one row per session ascending,
    null where there is no bar. Strength is the fund's 20-session return over SPY's. Null without SPY, with fewer than five
    funds, and for the rotation with fewer than three groups. Ties go to the alphabetically first name.
    """
    # A strength needs both ends of both returns, so the ratio of ratios comes first.
    funds = [fund for fund in SECTOR_FUNDS if fund in closes.columns]
    if "SPY" not in closes.columns or not funds:
        return closes.select("date", **{name: pl.lit(None, pl.String) for name in list(SECTORS)[1:]}).cast(SECTORS)  # type: ignore[arg-type]
    market = pl.col("SPY") / pl.col("SPY").shift(SESSIONS)
    strength = closes.select("date", *(pl.col(f) / pl.col(f).shift(SESSIONS) / market - 1 for f in funds))
    counted = pl.sum_horizontal(pl.col(fund).is_not_null() for fund in funds) >= FEWEST_FUNDS
    return strength.select(
        "date",
        leading_sector=pl.when(counted).then(_find_name(funds, pl.max_horizontal(funds))),
        lagging_sector=pl.when(counted).then(_find_name(funds, pl.min_horizontal(funds))),
        sector_rotation=pl.when(counted).then(_classify_rotation(funds)),
    ).cast(SECTORS)  # type: ignore[arg-type]


def _find_name(names: list[str], value: pl.Expr) -> pl.Expr:
    return pl.coalesce(pl.when(pl.col(name) == value).then(pl.lit(name)) for name in names)


def _classify_rotation(funds: list[str]) -> pl.Expr:
    means = {
        group: pl.mean_horizontal([fund for fund in members if fund in funds])
        for group, members in ROTATION_GROUPS.items()
        if any(fund in funds for fund in members)
    }
    if len(means) < FEWEST_GROUPS:
        return pl.lit(None, pl.String)
    ranked = pl.concat_list(list(means.values())).list.drop_nulls().list.sort(descending=True)
    best, second = ranked.list.get(0, null_on_oob=True), ranked.list.get(1, null_on_oob=True)
    leader = pl.coalesce(pl.when(mean == best).then(pl.lit(group.value)) for group, mean in means.items())
    return pl.when(ranked.list.len() >= FEWEST_GROUPS).then(
        pl.when(best - second >= ROTATION_MARGIN).then(leader).otherwise(pl.lit(SectorRotation.MIXED.value))
    )
