"""Builds the sections of docs/reference/validation.md about volatility: the vendor's, the VIX, ranks and percentiles.

The comparisons are in `iv_against_vendor`, `vix_against_official` and `iv_rank_against_published`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from validation import iv_against_vendor as vendor
from validation.document import Requirement, Section, Table
from validation.iv_rank_against_published import (
    compare_vix_rank,
    compare_with_recomputation,
    compute_percentiles_without_future,
    compute_recorded_percentiles,
)
from validation.vix_against_official import compare_saved_closes, compare_with_official_vix, summarize

VIX_MAE_LIMIT, VIX_CLOSE_LIMIT, VIX_CLOSES_NEEDED = 0.30, 0.05, 5
SESSIONS_OF_2021 = 252
BOTH_SIDES = "both sides of every strike"
_VENDOR = {
    **dict.fromkeys(("iv_mean", "iv_median", "delta_mean", "delta_median"), "+.5f"),
    **{f"{of}_{name}": ".5f" for of in ("iv", "delta") for name in ("std", "q95", "q99", "max", "std_everything")},
    **dict.fromkeys(("within_spread", "delta_within"), ".2%"),
    **dict.fromkeys(("hours", "hours_low", "hours_high"), "+.1f"),
}
OPTIONS_BACKTESTER = "lambdaclass/options_backtester (MIT; quotes and Greeks of Cboe)"


def build_vendor_section(recordings: Path) -> Section:
    """Implied volatility and delta compared with the vendor's."""
    beside = vendor.value_beside_vendor(recordings / "spx-2019q2", "SPX")
    table, sessions, inputs = (
        vendor.compare_with_vendor(beside),
        vendor.compare_by_session(beside),
        vendor.explain_differences(beside),
    )
    sides = vendor.compare_sides_of_strike(beside).row(0, named=True)
    by_name = {row["selection"]: row for row in table.iter_rows(named=True)}
    foreign = sessions.filter(pl.col("hours").is_null())["session"]
    both_sides = vendor.select_compared(beside).filter(pl.col("years") > vendor.LAST_WEEK_YEARS)
    sound = both_sides.filter(~pl.col("session").is_in(foreign.implode())).select(
        iv_std=pl.col("iv_difference").std(),
        contracts=pl.len(),
        delta_within=(pl.col("delta_difference").abs() < vendor.DELTA_LIMIT).mean(),
    )
    days = ", ".join(f"{day:%m-%d}" for day in foreign)
    return Section(
        title="Implied volatility and delta, against the vendor's",
        compared=(
            "Every contract of SPX and SPXW from 2019-04-25 to 2019-06-28 within ±10 % of its parity forward: our implied "
            "volatility, from the middle of bid and ask, and our delta, less those that the vendor published beside the "
            "quotes. The headline is the side out of the money, from which surfaces are drawn; `everything` takes all."
        ),
        source=f"recording `spx-2019q2`, {OPTIONS_BACKTESTER}.",
        requirements=[
            *_build_vendor_requirements("out of the money", by_name["out of the money"]),
            *_build_vendor_requirements(BOTH_SIDES, by_name["everything"]),
            *_build_vendor_requirements(f"both sides, without {days} and the last 7 days", sound.row(0, named=True)),
        ],
        tables=[
            Table(
                "By side and time to settlement (differences of volatility per year, then of delta):", table, _VENDOR
            ),
            Table(
                "The same where our clock and our forward are replaced by those the vendor's figures imply:",
                inputs,
                _VENDOR,
            ),
            Table(
                "By session, out of the money; `hours`: how much longer the vendor's time to settlement is:",
                sessions,
                _VENDOR,
            ),
        ],
        differs=(
            "Out of the money nothing that matters: the last week shows the missing clock. Most chains were saved at an "
            "unknown hour and are valued as of the close, so the little time left is too short (`hours` in the last table). "
            "In the money they do not agree, and parity says whose difference it is: call and put of one strike must have "
            f"one volatility. Over {sides['strikes']:,} strikes ours lie {sides['std_ours']:.4f} apart (deviation), "
            f"the vendor's {sides['std_vendor']:.4f}. In the chains of {days} the vendor's forward is not that of its own "
            "quotes, and a forward that is off moves a call and its put in opposite directions. Both sides of every strike "
            "together therefore miss the limit against this vendor; without these sessions and the last week they keep it. "
            "With the vendor's own clock and forward in our formulas (second table) the difference of both sides shrinks to "
            "a third; what is left are options with hardly any time value, where a cent is a point of volatility. We keep "
            "the parity forward."
        ),
    )


def _build_vendor_requirements(which: str, row: dict[str, Any]) -> list[Requirement]:
    return [
        Requirement(
            f"standard deviation of the difference in volatility, {which}",
            f"< {vendor.IV_STD_LIMIT}",
            f"{row['iv_std']:.5f} over {row['contracts']:,} contracts",
            row["iv_std"] < vendor.IV_STD_LIMIT,
        ),
        Requirement(
            f"difference in delta, {which}",
            f"99 % of contracts < {vendor.DELTA_LIMIT}",
            f"{row['delta_within']:.2%} of contracts",
            row["delta_within"] >= 0.99,
        ),
    ]


def build_vix_section(recordings: Path, daily_history: Path) -> Section:
    """The model-free volatility compared with the official VIX."""
    table = compare_with_official_vix(recordings / "spx-2019q2")
    figures = summarize(table).row(0, named=True)
    later = compare_saved_closes(recordings / "gex-days", daily_history)
    known = later.drop_nulls("official")
    sessions, own = figures["sessions"], figures["recording_mean_absolute_error"]
    return Section(
        title="Model-free 30-day volatility, against the official close of the VIX",
        compared=(
            "The VIX computed by our code from each recorded SPX chain, less the official close of that day, in VIX points. "
            "`at close`: the recording says that the chain is that of the close; all others were saved at an unknown hour. "
            "`SPX move`: from the index in the chain to its close. `carried`: our figure moved to the close by that and "
            "the slope of the VIX on the S&P 500 over the 252 sessions before."
        ),
        source=(
            f"recording `spx-2019q2`, {OPTIONS_BACKTESTER}; official values: datasets/finance-vix (PDDL); Treasury yields: "
            "Federal Reserve H.15 through FRED."
        ),
        requirements=[
            Requirement(
                "mean absolute error over all sessions, each chain at its own hour",
                f"≤ {VIX_MAE_LIMIT:.2f}",
                f"{figures['mean_absolute_error']:.3f} over {sessions} sessions",
                figures["mean_absolute_error"] <= VIX_MAE_LIMIT,
            ),
            Requirement(
                "the same, carried to the close",
                f"≤ {VIX_MAE_LIMIT:.2f}",
                f"{figures['carried_mean_absolute_error']:.3f}",
                figures["carried_mean_absolute_error"] <= VIX_MAE_LIMIT,
            ),
            Requirement(
                "sessions at the close within 0.05",
                f"≥ {VIX_CLOSES_NEEDED} of 7",
                f"{figures['closes_within_5_hundredths']} of the {figures['close_sessions']} that the recording marks",
                figures["closes_within_5_hundredths"] >= VIX_CLOSES_NEEDED,
            ),
            Requirement(
                "our figure lies between the official low and high of its day",
                "every session",
                f"{figures['sessions_inside_day']} of {sessions}",
                figures["sessions_inside_day"] == sessions,
            ),
            Requirement(
                "chains of other recordings saved after the close, within 0.05",
                "every one",
                f"{(known['difference'].abs() <= VIX_CLOSE_LIMIT).sum()} of {known.height}",
                bool((known["difference"].abs() <= VIX_CLOSE_LIMIT).all()),
            ),
        ],
        tables=[
            Table(
                "By session:",
                table.select(
                    "session",
                    "recomputed",
                    "official",
                    "difference",
                    "official_low",
                    "official_high",
                    "carried_difference",
                    "recording_difference",
                    pl.col("is_close").alias("at_close"),
                    pl.col("underlying_move_pct").alias("SPX_move_pct"),
                    pl.col("near_expiration").alias("near"),
                    pl.col("next_expiration").alias("next"),
                ),
                dict.fromkeys(("recomputed", "official", "official_low", "official_high"), ".2f")
                | dict.fromkeys(("difference", "carried_difference", "recording_difference", "SPX_move_pct"), "+.2f"),
            ),
            Table(
                "Chains saved after the close (rates from put-call parity of the same chain):",
                later.drop("reason"),
                {"recomputed": ".2f", "official": ".2f", "difference": "+.2f"},
            ),
        ],
        differs=(
            "The first requirement cannot be met from these files: a chain of the morning shows the VIX of the morning. The "
            f"recording brings a recomputation of its own (`recording difference`), and its error is {own:.3f}. Three "
            "sessions, 05-01, 05-07 and 06-28, make a third of it: the VIX moved by one to six points in each. What does "
            "not depend on the hour is met: all figures lie inside of their day's official range. Of the sessions at the "
            "close the one that is off, 05-21, has the index at its closing level and fewer contracts traded than any other "
            "close: it may be an earlier minute at the same level. The recording's own figure is off by as much that day. "
            "Where the two recomputations differ by 0.1 (05-22 to 24, 06-19 to 21) a term ends on a third Friday: we take "
            "the morning settlement, as the index does, and come closer on 05-24, the only one of these at the close."
        ),
    )


def build_spy_section(recordings: Path) -> Section:
    """A year of SPY: rank and percentile compared with a recomputation, and with the future cut off."""
    recording = recordings / "spy-2021"
    rows = compute_recorded_percentiles(recording, "SPY")
    compared = compare_with_recomputation(rows)
    cuts = compute_percentiles_without_future(recording, "SPY")
    reasons = rows.drop_nulls("iv_reason")["iv_reason"].value_counts(sort=True)
    said = "; ".join(f"{count} {reason}" for reason, count in reasons.iter_rows()) or "none"
    ranked = compared.drop_nulls("iv_rank")
    by_month = (
        rows.group_by(pl.col("date").dt.strftime("%Y-%m").alias("month"), maintain_order=True)
        .agg(
            sessions=pl.len(),
            with_iv30=pl.col("iv30").count(),
            lowest_iv30=pl.col("iv30").min(),
            highest_iv30=pl.col("iv30").max(),
            ranked=pl.col("iv_rank").count(),
            observations_at_end=pl.col("n_observations").last(),
        )
        .join(
            compared.group_by(pl.col("date").dt.strftime("%Y-%m").alias("month")).agg(equal=pl.col("is_equal").sum()),
            on="month",
            how="left",
            maintain_order="left",
        )
    )
    return Section(
        title="Rank and percentile of SPY in 2021, against a plain recomputation",
        compared=(
            "Chains of all sessions of 2021 valued (American exercise), observed at 30 days and ranked; beside it rank, "
            "percentile and count from the definition, in plain loops over lists. And the whole way once more from files "
            "and yields that end at a session t, for several t: every row up to t must come out the same to the last bit."
        ),
        source=f"recording `spy-2021`, {OPTIONS_BACKTESTER}: 20 contracts a day.",
        requirements=[
            Requirement(
                "sessions whose rank, percentile and count equal the recomputation",
                f"{SESSIONS_OF_2021} of {SESSIONS_OF_2021}",
                f"{compared['is_equal'].sum()} of {compared.height}",
                compared.height == SESSIONS_OF_2021 and bool(compared["is_equal"].all()),
            ),
            Requirement(
                "rows unchanged when everything after t is cut off",
                "all",
                f"all rows up to t in {cuts['is_equal'].sum()} of {cuts.height} cuts",
                bool(cuts["is_equal"].all()),
            ),
        ],
        tables=[
            Table("By month:", by_month, {"lowest_iv30": ".4f", "highest_iv30": ".4f"}),
            Table("The future cut off at t:", cuts, {}),
        ],
        differs=(
            f"Nothing differs. {ranked.height} sessions have a rank: a year of 252 sessions has no answer before 126 "
            f"observations. Sessions without a 30-day volatility: {said}."
        ),
    )


def build_vix_rank_section(daily_history: Path) -> Section:
    """Rank and percentile of the VIX since 1990."""
    table = compare_vix_rank(daily_history)
    by_decade = table.group_by((pl.col("date").dt.year() // 10 * 10).alias("decade"), maintain_order=True).agg(
        days=pl.len(),
        equal=pl.col("is_equal").sum(),
        largest_rank_difference=pl.col("rank_difference").abs().max(),
        largest_percentile_difference=pl.col("percentile_difference").abs().max(),
    )
    return Section(
        title="Rank and percentile of the VIX since 1990, against a published series",
        compared="`rank_and_percentile` on the daily closes of the VIX, less the published rank and percentile of each day.",
        source="series derived from datasets/finance-vix (PDDL), six decimals.",
        requirements=[
            Requirement(
                "days on which both agree to the last published decimal",
                "all",
                f"{table['is_equal'].sum():,} of {table.height:,}",
                bool(table["is_equal"].all()),
            )
        ],
        tables=[
            Table(
                "By decade:",
                by_decade,
                {"largest_rank_difference": ".1e", "largest_percentile_difference": ".1e"},
            )
        ],
        differs="Nothing but the sixth decimal's rounding.",
    )
