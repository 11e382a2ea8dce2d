"""Builds the section of docs/reference/validation.md about gamma exposure. Compared in `gamma_against_reference`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from validation.document import Requirement, Section, Table
from validation.gamma_against_reference import (
    LEVEL_LIMIT_PCT,
    TOTAL_LIMIT_PCT,
    compare_own_convention,
    compare_with_reference,
    measure_convention_steps,
)

NDX, NDX_CROSSINGS = "ndx_2022-02-04", 3
EXPLAINED_BN = 0.005
"""Steps are given in hundredths of a billion; a smaller remainder is rounding."""


def build_gamma_section(recordings: Path) -> Section:
    """Totals and zero-gamma levels in the reference's convention, then in ours with the steps between."""
    recording = recordings / "gex-days"
    compared = compare_with_reference(recording)
    steps, own = measure_convention_steps(recording), compare_own_convention(recording)
    totals = compared.filter(pl.col("quantity") == "gex_bn_vendor_gamma")
    levels = compared.filter(pl.col("quantity").str.starts_with("zero_crossings"))
    crossings = levels.filter((pl.col("file") == NDX) & (pl.col("quantity") == "zero_crossings_T0_dropped"))
    at_spot = compared.filter(pl.col("quantity") == "bs_gex_bn_at_spot")
    left = (
        (steps.group_by("file").agg(pl.col("gex_change_bn").sum()).sort("file")["gex_change_bn"])
        - (own.sort("file")["gex_difference_bn"])
    )
    return Section(
        title="Gamma exposure and zero gamma, against a published computation",
        compared=(
            "Full SPX, SPY and NDX chains with open interest. First everything as the reference does it: the recording's "
            "volatilities, forward = spot, no rates, weekdays / 262 years, 100 shares, profile at 60 spots from 80 to 120 % "
            "with straight lines between them; contracts that expire that day left out (T0 dropped) or given 1/262 year. "
            "Then from there to our convention one change at a time: own volatility from mids, parity forward, minutes to "
            "settlement, unquoted contracts at the volatility of their smile. Billions of dollars per 1 % move."
        ),
        source=(
            "recording `gex-days`, quote pages of Cboe saved in public repositories, with `gex_reference.csv`; NDX's level "
            "14,686 was published in a public repository's figure."
        ),
        requirements=[
            Requirement(
                "totals from recorded gammas, the reference's convention",
                f"within {TOTAL_LIMIT_PCT:g} %",
                f"largest {_find_largest(totals['difference_pct']):.3f} % in {totals.height} chains",
                bool(totals["is_within"].all()),
            ),
            Requirement(
                "zero gamma, the reference's convention, both treatments of the same day",
                f"within {LEVEL_LIMIT_PCT:g} % of spot",
                f"largest {_find_largest(levels['difference_pct']):.4f} % of {levels.height} levels",
                bool(levels["is_within"].all()),
            ),
            Requirement(
                "NDX 2022-02-04",
                f"all {NDX_CROSSINGS} crossings",
                ", ".join(f"{level:,.1f}" for level in crossings["ours"]),
                crossings.height == NDX_CROSSINGS and bool(crossings["is_within"].all()),
            ),
            Requirement(
                "every published digit, value at the spot included",
                "all numbers",
                f"{compared['is_same_digits'].sum()} of {compared.height}",
                bool(compared["is_same_digits"].all()),
            ),
            Requirement(
                "our own totals: the steps add up to the difference",
                "every chain",
                f"{(left.abs() < EXPLAINED_BN).sum()} of {own.height}",
                bool((left.abs() < EXPLAINED_BN).all()),
            ),
        ],
        tables=[
            Table(
                "In the reference's convention (`difference pct`: of spot for levels, of the total for totals; `exact`: the "
                "same inputs without the grid of 60 spots):",
                compared.drop("is_same_digits", "limit_pct"),
                {"ours": ",.3f", "reference": ",.3f", "exact": ",.3f"}
                | dict.fromkeys(("difference_pct", "exact_difference_pct"), "+.4f"),
            ),
            Table(
                "In our convention beside the reference's:",
                own.drop("gex_explained", "zero_gamma_explained"),
                {name: ",.2f" for name in own.columns if "gex" in name or "gamma" in name or name == "spot"}
                | dict.fromkeys(("gex_difference_bn", "zero_gamma_difference_pct"), "+.2f"),
            ),
            Table("What each change does, per day:", own.select("file", "gex_explained", "zero_gamma_explained"), {}),
            Table(
                "The steps in full:",
                steps,
                {"gex_bn": ",.3f", "zero_gamma": ",.2f", "contracts": ","}
                | dict.fromkeys(("gex_change_bn", "zero_gamma_change_pct"), "+.3f"),
            ),
        ],
        differs=_explain(at_spot, own),
    )


def _find_largest(column: pl.Series) -> float:
    return max(abs(float(value)) for value in column.drop_nulls())


def _explain(at_spot: pl.DataFrame, own: pl.DataFrame) -> str:
    spy = at_spot.filter(pl.col("file") == "spy_2023-09-14").row(0, named=True)
    largest = _find_largest(own["zero_gamma_difference_pct"])
    return (
        "In the reference's convention nothing. Its 60 spots lie 0.7 % apart, and that matters where gamma is sharp: the "
        f"profile of SPY on 2023-09-14 is {spy['ours']:+.2f} bn at the spot on the grid and {spy['exact']:+.2f} bn without "
        "it, because options at strikes a dollar apart expire the next day. In our convention levels move by up to "
        f"{largest:.2f} % of spot. A total is the difference of large sums, of calls and of puts (SPX of 2023: 196 less "
        "174 bn), so a step may move it by much and the level by little. *Parity forward*: quotes of 16:15 are of another "
        "spot than the page's; on 2023-09-14 next-day SPX options show a forward 5.3 points above it, and 170 bn of gross "
        "gamma expire that morning. SPY's forward of that day lies 1.5 below the spot: a dividend falls due overnight. "
        "*Minutes to settlement*: the pages of 2022-02-04 and 06-10 were saved on Saturday, from where Monday's options "
        "have one weekday of 262; we value them at Friday's close. *Own volatility*: the page's volatilities and the "
        "forward = spot belong together no more once the forward is parity's, which this step sets right: it mostly takes "
        "back what the forward did. *Smile*: contracts that the page has no volatility for were dropped; those with open "
        "interest far above a fallen market carry the profile at the spots where they would be at the money. *Deliverable* "
        "changes nothing: all are 100 shares."
    )
