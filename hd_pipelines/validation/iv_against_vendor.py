"""Implied volatility and delta from recorded quotes beside those that the recording's vendor published.

Belongs here: reading a recording, and the tables of differences. Formulas are in `pricing.valuation`.

What a vendor's figures are, as far as they show it, and why some rows are laid apart:
- A volatility of 0 or null means none; only contracts with one on both sides are compared.
- A chain that was saved during the session carries no clock. It is valued as of the close, so short expirations get too
  little time: the last week before settlement is shown by itself.
- The spread of an option in the money is a multiple of its partner's out of the money, and with it the noise of its
  volatility; the vendor's also holds a forward of its own (in spx-2019q2 its call and put of one strike lie three times
  as far apart as ours, see `sides_of_a_strike`). Surfaces are drawn from the side out of the money, and so is the headline.
- Figures rounded to steps (spy-2021: 0.00976 of volatility) differ by up to half a step from any exact ones.
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from hd_pipelines.market.vocabulary import OptionType
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.validation.vix_against_official import treasury_rates
from hd_pipelines.vendor.chain_archive import archived_days, chain_files, read_chain

MONEYNESS_LIMIT = 0.10
IV_STD_LIMIT = 0.004
DELTA_LIMIT = 0.01
LAST_WEEK_YEARS = 7 / 365
_CHAINS_AT_ONCE = 30


def valued_beside_vendor(recording: Path, underlying: str) -> pl.DataFrame:
    """All contracts of `underlying` in the recording: `VALUED` and the vendor's `vendor_iv`, `vendor_delta`.

    Treasury yields of the recording serve as rates where it has them.
    """
    has_rates = (recording / "treasury_yields.parquet").is_file()
    rates = treasury_rates(recording) if has_rates else None
    files = chain_files(recording, [underlying], archived_days(recording).get(underlying, []))
    parts = []
    for start in range(0, len(files), _CHAINS_AT_ONCE):
        chain = pl.concat(read_chain(file).judged.chain for file in files[start : start + _CHAINS_AT_ONCE])
        vendors = chain.select("snapshot_at", "ticker", "vendor_iv", "vendor_delta")
        key = ["timestamp", "contract_ticker"]
        parts.append(
            value_chain(chain, rates).join(vendors, left_on=key, right_on=["snapshot_at", "ticker"], how="left")
        )
    return pl.concat(parts)


def compared(beside: pl.DataFrame) -> pl.DataFrame:
    """Contracts of `valued_beside_vendor` within ±10 % of the forward that both sides have a volatility for.

    Adds `iv_difference`, `delta_difference` (ours less the vendor's) and `is_out_of_the_money`.
    """
    near = (pl.col("strike") / pl.col("forward")).log().abs() <= math.log1p(MONEYNESS_LIMIT)
    is_call = pl.col("option_type") == OptionType.CALL.value
    return beside.filter(near & (pl.col("vendor_iv") > 0) & pl.col("implied_volatility").is_not_null()).with_columns(
        iv_difference=pl.col("implied_volatility") - pl.col("vendor_iv"),
        delta_difference=pl.col("delta") - pl.col("vendor_delta"),
        is_out_of_the_money=is_call == (pl.col("strike") >= pl.col("forward")),
    )


def against_vendor(beside: pl.DataFrame) -> pl.DataFrame:
    """The table of differences. One row for each selection; the first is the headline.

    selection, contracts, iv_difference: `mean`, `median`, `std`, `q99` (of the absolute); delta_difference: `delta_mean`,
    `delta_std`, `delta_q99`, `delta_within` (share of contracts closer than 0.01); `is_within` (std of volatility < 0.004
    and 99 % of deltas closer than 0.01). Null statistics for a selection without contracts.
    """
    rows = compared(beside)
    out, older = pl.col("is_out_of_the_money"), pl.col("years") > LAST_WEEK_YEARS
    days = pl.col("years") * 365
    selections = {
        "out of the money": out,
        "out of the money, more than 7 days": out & older,
        "out of the money, 7 to 30 days": out & older & (days <= 30),
        "out of the money, 30 to 90 days": out & (days > 30) & (days <= 90),
        "out of the money, over 90 days": out & (days > 90),
        "out of the money, last 7 days": out & ~older,
        "in the money, more than 7 days": ~out & older,
        "everything": pl.lit(value=True),
    }
    return pl.concat(rows.filter(chosen).select(*_statistics(name)) for name, chosen in selections.items())


def by_session(beside: pl.DataFrame) -> pl.DataFrame:
    """`against_vendor` for each session, out of the money and more than 7 days: shows the days whose clock is off."""
    rows = compared(beside).filter(pl.col("is_out_of_the_money"), pl.col("years") > LAST_WEEK_YEARS)
    return rows.group_by("session").agg(*_statistics(None)).sort("session")


def sides_of_a_strike(beside: pl.DataFrame) -> pl.DataFrame:
    """Spread of call less put volatility at one strike, by parity 0: ours and the vendor's, more than 7 days.

    One row: strikes, std_ours, std_vendor, same_vendor (share of strikes where the vendor's two agree to 0.0005).
    """
    rows = compared(beside).filter(pl.col("years") > LAST_WEEK_YEARS)
    key = ["timestamp", "root", "expiration", "strike"]
    calls = rows.filter(pl.col("option_type") == OptionType.CALL.value)
    puts = rows.filter(pl.col("option_type") == OptionType.PUT.value)
    ours = pl.col("implied_volatility") - pl.col("implied_volatility_put")
    theirs = pl.col("vendor_iv") - pl.col("vendor_iv_put")
    return calls.join(puts, on=key, suffix="_put").select(
        strikes=pl.len(), std_ours=ours.std(), std_vendor=theirs.std(), same_vendor=(theirs.abs() < 5e-4).mean()
    )


def _statistics(selection: str | None) -> list[pl.Expr]:
    iv, delta = pl.col("iv_difference"), pl.col("delta_difference")
    close = delta.abs() < DELTA_LIMIT
    named = [] if selection is None else [pl.lit(selection).alias("selection")]
    return [
        *named,
        pl.len().alias("contracts"),
        iv.mean().alias("mean"),
        iv.median().alias("median"),
        iv.std().alias("std"),
        iv.abs().quantile(0.99).alias("q99"),
        delta.mean().alias("delta_mean"),
        delta.std().alias("delta_std"),
        delta.abs().quantile(0.99).alias("delta_q99"),
        close.mean().alias("delta_within"),
        ((iv.std() < IV_STD_LIMIT) & (close.mean() >= 0.99)).alias("is_within"),
    ]
