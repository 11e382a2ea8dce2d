"""Compares implied volatility and delta from recorded quotes with those that the recording's vendor published.

Formulas are in `pricing.valuation`; what a vendor's figures assume is inferred from them in `vendor_inputs`.

Causes of the differences, as far as the recordings show them (`explain_differences` measures them):
- A volatility of 0 or null means none; only contracts with a volatility on both sides are compared.
- A chain that was saved during the session carries no time. It is valued as of the close, so short expirations get too
  little time: in spx-2019q2 the vendor had 2.8 hours more until 8 May, 1.1 hours more after.
- An in-the-money option shows its volatility through a spread that is a multiple of its partner's, and through the forward.
  In the chains that spx-2019q2 saved at the close (26 and 29 April, 9 and 20 May) the vendor's forward is not that of its
  own quotes: its call and put of one strike are whole points of volatility apart, ours are not (`compare_sides_of_strike`).
  Surfaces are drawn from the out-of-the-money side, and so is the headline.
- Figures rounded to steps (spy-2021: 0.00976 of volatility) differ by up to half a step from any exact ones.
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.providers.archive.chains import read_chain
from hd_pipelines.providers.archive.files import list_archived_days, list_chain_files
from hd_pipelines.tables.vocabulary import OptionType
from validation.vendor_inputs import estimate_vendor_clock, value_at_vendor_inputs
from validation.vix_against_official import read_treasury_rates

MONEYNESS_LIMIT = 0.10
IV_STD_LIMIT = 0.004
DELTA_LIMIT = 0.01
LAST_WEEK_YEARS = 7 / 365
_CHAINS_AT_ONCE = 30


def value_beside_vendor(recording: Path, underlying: str) -> pl.DataFrame:
    """Value all contracts of `underlying` in the recording: `VALUED` plus the vendor's `vendor_iv` and `vendor_delta`.

    The recording's Treasury yields serve as rates where it has them.
    """
    has_rates = (recording / "treasury_yields.parquet").is_file()
    rates = read_treasury_rates(recording) if has_rates else None
    files = list_chain_files(recording, [underlying], list_archived_days(recording).get(underlying, []))
    parts = []
    for start in range(0, len(files), _CHAINS_AT_ONCE):
        chain = pl.concat(read_chain(file).validated.chain for file in files[start : start + _CHAINS_AT_ONCE])
        vendors = chain.select("snapshot_at", "ticker", "vendor_iv", "vendor_delta")
        key = ["timestamp", "contract_ticker"]
        parts.append(
            value_chain(chain, rates).join(vendors, left_on=key, right_on=["snapshot_at", "ticker"], how="left")
        )
    return pl.concat(parts)


def select_compared(beside: pl.DataFrame) -> pl.DataFrame:
    """Select contracts of `value_beside_vendor` within ±10 % of the forward that have a volatility on both sides.

    Adds `iv_difference`, `delta_difference` (ours minus the vendor's), `is_within_spread` (the difference of volatility is
    worth less than half the quote's spread) and `is_out_of_the_money`.
    """
    near = (pl.col("strike") / pl.col("forward")).log().abs() <= math.log1p(MONEYNESS_LIMIT)
    is_call = pl.col("option_type") == OptionType.CALL.value
    kept = beside.filter(near & (pl.col("vendor_iv") > 0) & pl.col("implied_volatility").is_not_null())
    return _add_differences(kept).with_columns(is_out_of_the_money=is_call == (pl.col("strike") >= pl.col("forward")))


def _add_differences(rows: pl.DataFrame) -> pl.DataFrame:
    iv = pl.col("implied_volatility") - pl.col("vendor_iv")
    return rows.with_columns(
        iv_difference=iv,
        delta_difference=pl.col("delta") - pl.col("vendor_delta"),
        is_within_spread=iv.abs() * pl.col("vega") * 100 <= (pl.col("ask") - pl.col("bid")) / 2,
    )


def compare_with_vendor(beside: pl.DataFrame) -> pl.DataFrame:
    """Build the table of differences, one row for each selection of `select_compared`; the first is the headline.

    selection          which contracts; `everything` leaves none out
    contracts          number of contracts
    iv_mean, iv_median, iv_std             of ours minus the vendor's, per year
    iv_q95, iv_q99, iv_max                 of the absolute difference
    within_spread      share whose difference is worth less than half the spread
    delta_mean, delta_median               of ours minus the vendor's
    delta_q95, delta_q99, delta_max        of the absolute difference
    delta_within       share closer than 0.01
    is_within          `iv_std` < 0.004 and `delta_q99` < 0.01; null, as all statistics, without contracts
    """
    rows = select_compared(beside)
    out, older = pl.col("is_out_of_the_money"), pl.col("years") > LAST_WEEK_YEARS
    days = pl.col("years") * 365
    selections = {
        "out of the money": out,
        "in the money": ~out,
        "everything": pl.lit(value=True),
        "out of the money, last 7 days": out & ~older,
        "out of the money, 7 to 30 days": out & older & (days <= 30),
        "out of the money, 30 to 90 days": out & (days > 30) & (days <= 90),
        "out of the money, over 90 days": out & (days > 90),
        "in the money, last 7 days": ~out & ~older,
        "in the money, 7 to 30 days": ~out & older & (days <= 30),
        "in the money, 30 to 90 days": ~out & (days > 30) & (days <= 90),
        "in the money, over 90 days": ~out & (days > 90),
    }
    return pl.concat(
        rows.filter(chosen).select(_name_selection(name), *_build_statistics()) for name, chosen in selections.items()
    )


def compare_by_session(beside: pl.DataFrame) -> pl.DataFrame:
    """The headline of `compare_with_vendor` for each session: out of the money, all maturities.

    Further columns: `iv_std_everything` (nothing left out), and `hours`, `hours_low` and `hours_high` from
    `vendor_inputs.estimate_vendor_clock`: how much longer the vendor's time to settlement was.
    """
    rows = select_compared(beside)
    headline = rows.filter("is_out_of_the_money").group_by("session").agg(*_build_statistics())
    everything = rows.group_by("session").agg(iv_std_everything=pl.col("iv_difference").std())
    clock = estimate_vendor_clock(rows).drop("contracts")
    return headline.join(everything, on="session").join(clock, on="session").sort("session")


def explain_differences(beside: pl.DataFrame) -> pl.DataFrame:
    """Measure what is left of the difference at the vendor's own clock and forward (`vendor_inputs`).

    Columns of `compare_with_vendor` after `inputs` (`ours`, `vendor clock`, `vendor clock and forward`) and
    `without_answer`, the number of contracts that have no volatility at those inputs.
    """
    rows = select_compared(beside)
    given = {
        "ours": rows,
        "vendor clock": _add_differences(value_at_vendor_inputs(rows, clock=True, forward=False)),
        "vendor clock and forward": _add_differences(value_at_vendor_inputs(rows, clock=True, forward=True)),
    }
    out = pl.col("is_out_of_the_money")
    selections = {"out of the money": out, "in the money": ~out, "everything": pl.lit(value=True)}
    return pl.concat(
        frame.filter(chosen).select(
            pl.lit(inputs).alias("inputs"),
            _name_selection(name),
            pl.col("implied_volatility").null_count().alias("without_answer"),
            *_build_statistics(),
        )
        for inputs, frame in given.items()
        for name, chosen in selections.items()
    )


def compare_sides_of_strike(beside: pl.DataFrame) -> pl.DataFrame:
    """Spread of call minus put volatility at one strike, which is 0 by parity: ours and the vendor's, more than 7 days.

    One row: strikes, std_ours, std_vendor, same_vendor (share of strikes where the vendor's two agree to 0.0005).
    """
    rows = select_compared(beside).filter(pl.col("years") > LAST_WEEK_YEARS)
    key = ["timestamp", "root", "expiration", "strike"]
    calls = rows.filter(pl.col("option_type") == OptionType.CALL.value)
    puts = rows.filter(pl.col("option_type") == OptionType.PUT.value)
    ours = pl.col("implied_volatility") - pl.col("implied_volatility_put")
    theirs = pl.col("vendor_iv") - pl.col("vendor_iv_put")
    return calls.join(puts, on=key, suffix="_put").select(
        strikes=pl.len(), std_ours=ours.std(), std_vendor=theirs.std(), same_vendor=(theirs.abs() < 5e-4).mean()
    )


def _name_selection(selection: str) -> pl.Expr:
    return pl.lit(selection).alias("selection")


def _build_statistics() -> list[pl.Expr]:
    iv, delta = pl.col("iv_difference"), pl.col("delta_difference")
    return [
        pl.len().alias("contracts"),
        iv.mean().alias("iv_mean"),
        iv.median().alias("iv_median"),
        iv.std().alias("iv_std"),
        iv.abs().quantile(0.95).alias("iv_q95"),
        iv.abs().quantile(0.99).alias("iv_q99"),
        iv.abs().max().alias("iv_max"),
        pl.col("is_within_spread").mean().alias("within_spread"),
        delta.mean().alias("delta_mean"),
        delta.median().alias("delta_median"),
        delta.abs().quantile(0.95).alias("delta_q95"),
        delta.abs().quantile(0.99).alias("delta_q99"),
        delta.abs().max().alias("delta_max"),
        (delta.abs() < DELTA_LIMIT).mean().alias("delta_within"),
        ((iv.std() < IV_STD_LIMIT) & (delta.abs().quantile(0.99) < DELTA_LIMIT)).alias("is_within"),
    ]
