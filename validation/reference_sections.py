"""Builds the sections of docs/reference/validation.md about golden values and the market regime of 1990 to 2022.

The comparisons are in `golden_values` and `regime_history`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from hd_pipelines.tables.vocabulary import MarketRegime
from validation.document import Requirement, Section, Table
from validation.golden_values import compare_golden_values
from validation.regime_history import classify_history


def build_golden_section(reference_values: Path) -> Section:
    """Prices and Greeks compared with books, papers and a broker."""
    table = compare_golden_values(reference_values)
    judged = table.drop_nulls("limit")
    return Section(
        title="Golden values of books, papers and a broker",
        compared=(
            "Our price, Greek or index less the published one, the largest error of each source. `measure`: what the error "
            "is a share of; `absolute` is in the unit of the published number."
        ),
        source=(
            "Haug 1998; Ju 1999; the grid that py_vollib is tested with; model Greeks of "
            "Interactive Brokers on SPX (2023-08-04) and SPY (2024-02-07); Cboe, VIX White Paper 2009."
        ),
        requirements=[
            Requirement(
                f"{source}: {', '.join(rows['quantity'])}",
                "each its own, see the table",
                f"{rows['rows'].sum()} numbers; the largest error is {_find_largest_share(rows):.0%} of its limit",
                bool(rows["is_within"].all()),
            )
            for (source,), rows in judged.group_by("source", maintain_order=True)
        ],
        tables=[Table("Largest errors:", table, {"largest_error": ".2e", "limit": ".1e"})],
        differs=(
            "Printed values have four decimals, so errors of half a unit of the fourth are theirs. The American values of "
            "Ju, of Barone-Adesi and Whaley, of Bjerksund and Stensland are approximations: QuantLib's exact engine (QdFp) "
            "differs from them as we do and agrees with ours to 0.0003. Their limit is therefore the one for American "
            "prices, 0.001 of the spot. SPY's reference file counts two whole days to expiration; the broker's figures "
            "follow from the time of each quote to the close of 2024-02-09. Its vegas do not follow from its own gammas, by "
            "up to 9 %. For SPX the broker publishes no forward: it is the one at which its own price comes out. Two of its "
            "thetas (one call, two successive minutes) contradict its own gamma through the Black-Scholes equation by 23 %, "
            "where all others agree with it to 0.4 %; they are shown and not judged."
        ),
    )


def _find_largest_share(rows: pl.DataFrame) -> float:
    return max(float(error / limit) for error, limit in rows.select("largest_error", "limit").iter_rows())


def build_regime_section(daily_history: Path) -> Section:
    """The regime of every session from 1990 to 2022."""
    history = classify_history(daily_history)
    names = [regime.value for regime in MarketRegime]
    empty = history.classes.filter(pl.col("sessions") == 0)["regime"].to_list()
    shares = history.episodes.unpivot(names, index="episode", variable_name="regime", value_name="share")
    said = (
        shares.filter(pl.col("share") > 0)
        .sort("share", descending=True)
        .group_by("episode")
        .agg(
            pl.concat_str("regime", pl.lit(" "), (pl.col("share") * 100).round(0).cast(pl.Int64), pl.lit(" %"))
            .str.join(", ")
            .alias("regimes")
        )
    )
    episodes = history.episodes.drop(names).join(said, on="episode", how="left", maintain_order="left")
    sessions = history.rows.height
    return Section(
        title="Market regime, 1990 to 2022",
        compared=(
            "The rules as they run every day, on public daily histories, each session from nothing after it; described, not "
            "fitted. There is no published regime to compare with: the measure is what a trader calls those months."
        ),
        source=(
            "datasets/finance-vix (PDDL), public exports of the S&P 500, of sector funds and of breadth series; see "
            "`validation/regime_history.py` for what is missing when."
        ),
        requirements=[
            Requirement(
                "every session has a regime",
                "all",
                f"{history.rows['market_regime'].count():,} of {sessions:,}",
                history.rows["market_regime"].null_count() == 0,
            ),
            Requirement(
                "every class occurs",
                f"{len(names)} classes",
                f"{len(names) - len(empty)} classes" + (f"; never: {', '.join(empty)}" if empty else ""),
                not empty,
            ),
            Requirement(
                "mean dwell time is stated",
                "stated",
                f"{history.mean_dwell_sessions:.1f} sessions in {history.spells.height} stays",
                True,
            ),
        ],
        tables=[
            Table(
                "Episodes:",
                episodes,
                {"spx_return_pct": "+.1f", "vix_min": ".1f", "vix_max": ".1f"},
            ),
            Table(
                "Classes (`mean change pct`: of the S&P 500 on sessions of the class):",
                history.classes,
                {"share": ".1%", "mean_confidence": ".0f", "mean_change_pct": "+.2f", "mean_vix": ".1f"}
                | {"mean_dwell_sessions": ".1f", "sessions": ","},
            ),
        ],
        differs=(
            "October 2008 and March 2020 are capitulation with choppy bounces, 2017 a year of calm rises, February 2018 a "
            "breakdown that stays choppy, 2022 a bear market with rallies. Breakout and breakdown are events and last three "
            "sessions; all other classes last weeks. Early years have fewer measures (no sector funds before 1998, no share "
            "above averages before 2002), which lowers the confidence and not the coverage."
        ),
    )
