"""Finds the forward and discount factor of every expiration, or the reason why there is none.

Decides which parity lines (`parity`) are trusted, and what replaces the others. SPX and SPXW of one date settle at
different instants, so they count as two expirations here.

The discount comes from the first of these that applies:
1. European chain: its own slope, given 10 pairs, 30 days and a standard error of the rate of at most 0.1 % a year.
2. European chain: the rate at which other expirations of the same snapshot qualified for 1, interpolated in years.
3. `rates`, as known on the session.
4. The rates that European chains of the same instant show.

American chains begin at 3, because early exercise distorts their slope (SPY's slope at 30 days implies -25 % a year where
SPX's implies 5.6 %). An expiration for which none applies has no forward: `no_discount`.

The forward comes from the first of these that applies (`ForwardSource`):
- parity: at least three pairs near the money, with a standard error of at most 0.2 % of the forward. The early exercise
  premium is removed from American mids first (`early_exercise`).
- spot_carry: ln(F/S) interpolated between expirations of the snapshot that have any pair. Outside of them the underlying
  grows at their mean carry, if that is certain to 1 % a year.
- spot_rate: else S * exp(rate * years), as if there were no dividends.

Options on VIX are in effect options on its futures, which the index does not determine: they have a parity forward or none.

Source: Cboe, "Volatility Index Methodology" (forward from parity). The limits are this project's, measured on SPX chains.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.pricing.arrays import Floats
from hd_pipelines.pricing.discounting import interpolate_rates, select_curves
from hd_pipelines.pricing.early_exercise import remove_early_exercise_premium
from hd_pipelines.pricing.parity import Integers, Lines, fit_lines, pair_calls_with_puts
from hd_pipelines.pricing.quotes import add_mid_price, keep_newest_duplicates
from hd_pipelines.pricing.reasons import Reason
from hd_pipelines.pricing.terms import read_terms

FEWEST_PAIRS = 3
FEWEST_PAIRS_OF_A_SLOPE = 10
SHORTEST_YEARS_OF_A_SLOPE = 30 / 365
LARGEST_RATE_ERROR = 0.001
LARGEST_RATE = 0.25
LARGEST_FORWARD_ERROR = 0.002
"""A parity forward less certain than this share of itself gives way to the carry: trades minutes apart, or wide quotes."""

LARGEST_CARRY_ERROR = 0.01
"""Per year. A carry known less well than this is not extrapolated beyond the expirations that show it."""

ROUNDS = 5
"""Rounds of removing early exercise from American pairs. Each leaves about a sixth of the remaining error."""

FARTHEST_FROM_SPOT, FARTHEST_FROM_SPOT_A_YEAR = 0.10, 0.15
"""If |ln(F/S)| exceeds the first plus years times the second, spot and strikes are on different scales."""


class ForwardSource(StrEnum):
    """How a forward was obtained."""

    PARITY = "parity"
    SPOT_CARRY = "spot_carry"
    SPOT_RATE = "spot_rate"


EXPIRIES = {
    "expiry": pl.Int64,
    "snapshot": pl.Int64,
    "snapshot_at": STAMP,
    "session": pl.Date,
    "years": pl.Float64,
    "spot": pl.Float64,
    "is_european": pl.Boolean,
    "is_tied_to_spot": pl.Boolean,
}
"""One expiration of one snapshot. `expiry` counts 0, 1, … in order; `snapshot` identifies underlying and instant; `spot` is
null if unknown; `is_tied_to_spot` is false where the option is in effect on a future (VIX).
"""


def fit_forwards(expiries: pl.DataFrame, pairs: pl.DataFrame, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Find forward and discount of every expiry (`EXPIRIES`), in its order, from `parity.pair_calls_with_puts`.

    Returns `expiry`, `forward`, `discount`, `pairs` (number near the money), `residual` (RMS, in price), `forward_source`
    and `forward_reason`. Forward, discount and source are null where there is a reason.
    """
    years, spot = (expiries[name].to_numpy() for name in ("years", "spot"))
    discount = _find_discounts(expiries, fit_lines(pairs, expiries.height), rates)
    lines = fit_lines(pairs, expiries.height, discount)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.fmax(lines.residual, lines.half_spread / 2) / np.sqrt(lines.pairs)
        is_usable = (years > 0) & (lines.forward > 0) & (error <= LARGEST_FORWARD_ERROR * lines.forward)
        anchor = np.where(is_usable, lines.forward, np.nan)
        is_tied = expiries["is_tied_to_spot"].to_numpy()
        carried = _extrapolate_by_carry(
            expiries["snapshot"].to_numpy(), years, np.where(is_tied, spot, np.nan), anchor, error
        )
        candidates = {
            ForwardSource.PARITY: np.where(lines.pairs >= FEWEST_PAIRS, anchor, np.nan),
            ForwardSource.SPOT_CARRY: carried,
            ForwardSource.SPOT_RATE: np.where(is_tied, spot / discount, np.nan),
        }
        forward, source = np.full(len(years), np.nan), np.full(len(years), None, dtype=object)
        for name, values in candidates.items():
            takes = np.isnan(forward) & np.isfinite(values)
            forward[takes], source[takes] = values[takes], name.value
        too_far = np.abs(np.log(forward / spot)) > FARTHEST_FROM_SPOT + FARTHEST_FROM_SPOT_A_YEAR * years
    reason = np.full(len(years), None, dtype=object)
    reason[too_far & is_tied] = Reason.SPOT_MISMATCH.value
    reason[np.isnan(forward)] = Reason.NO_FORWARD.value
    reason[np.isnan(discount)] = Reason.NO_DISCOUNT.value
    found = expiries.select("expiry").with_columns(
        pl.Series("forward", forward, nan_to_null=True),
        pl.Series("discount", discount, nan_to_null=True),
        pl.Series("pairs", lines.pairs),
        pl.Series("residual", lines.residual, nan_to_null=True),
        pl.Series("forward_source", source.tolist(), dtype=pl.String),
        pl.Series("forward_reason", reason.tolist(), dtype=pl.String),
    )
    is_found = pl.col("forward_reason").is_null()
    return found.with_columns(pl.when(is_found).then(pl.col("forward", "discount", "forward_source")))


def _group_positions(keys: Integers) -> Iterator[Integers]:
    """Yield the positions of each distinct key."""
    order = np.argsort(keys, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)


def _find_discounts(expiries: pl.DataFrame, free: Lines, rates: pl.DataFrame | None) -> Floats:
    """Find the discount factor of every expiry; NaN where no source gives one."""
    years, european = expiries["years"].to_numpy(), expiries["is_european"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        own = -np.log(free.discount) / years
        error = free.slope_error / free.discount / years
    qualifies = (
        european
        & (free.pairs >= FEWEST_PAIRS_OF_A_SLOPE)
        & (years >= SHORTEST_YEARS_OF_A_SLOPE)
        & (error <= LARGEST_RATE_ERROR)
        & (np.abs(own) <= LARGEST_RATE)
    )
    rate = np.where(qualifies, own, np.nan)

    def fill(wanted: Integers, known: Integers) -> None:
        known = known[np.argsort(years[known])]
        rate[wanted] = interpolate_rates((years[known], own[known]), years[wanted])

    for here in _group_positions(expiries["snapshot"].to_numpy()):
        if european[here].all() and qualifies[here].any():
            fill(here[~qualifies[here]], here[qualifies[here]])
    curves = select_curves(rates, expiries["session"].unique().to_list())
    for here in _group_positions(expiries["snapshot_at"].to_physical().to_numpy()):
        wanted = here[np.isnan(rate[here])]
        curve = curves.get(expiries["session"][int(here[0])])
        if curve is not None:
            rate[wanted] = interpolate_rates(curve, years[wanted])
        elif qualifies[here].any():
            fill(wanted, here[qualifies[here]])
    discount: Floats = np.exp(-rate * years)
    return discount


def _extrapolate_by_carry(snapshot: Integers, years: Floats, spot: Floats, anchor: Floats, error: Floats) -> Floats:
    """Extend the growth from spot to the anchors of a snapshot to its other expirations; NaN where anchors do not suffice.

    `error` is the standard error of each anchor, in price.
    """
    growth = np.log(anchor / spot)
    weight = (spot * years / error) ** 2
    carried = np.full(len(years), np.nan)
    for here in _group_positions(snapshot):
        known = here[np.isfinite(growth[here])]
        if known.size == 0:
            continue
        known = known[np.argsort(years[known])]
        inside = (years[here] >= years[known[0]]) & (years[here] <= years[known[-1]])
        mean = np.average(growth[known] / years[known], weights=weight[known])
        beyond = mean * years[here] if weight[known].sum() >= LARGEST_CARRY_ERROR**-2 else np.nan
        between = np.interp(years[here], years[known], growth[known])
        carried[here] = spot[here] * np.exp(np.where(inside, between, beyond))
    return carried


@dataclass(frozen=True, slots=True)
class ImpliedForward:
    """Parity forward of one expiration. `residual` is the weighted RMS distance of the pairs from their line, in price.

    `forward` and `discount` are None, with a `reason`, where parity does not give them.
    """

    forward: float | None
    discount: float | None
    pairs: int
    residual: float | None
    reason: str | None


def find_forwards(
    contracts: pl.DataFrame, expirations: pl.DataFrame, rates: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Find the forwards of priced contracts: pairs them, then removes early exercise from American pairs in `ROUNDS` rounds.

    `contracts`: `expiry`, `strike`, `option_type`, `mid_price`, `half_spread`. `expirations`: as in `terms.Terms`.
    """
    terms = expirations.select("years", "is_european", "terms_reason")[contracts["expiry"]]
    columns = ["expiry", "strike", "option_type", "mid_price", "half_spread"]
    usable = contracts.select(columns).hstack(terms).filter(pl.col("terms_reason").is_null())
    pairs = pair_calls_with_puts(usable)
    found = fit_forwards(expirations, pairs, rates)
    if expirations["is_european"].all():
        return found
    # The same number of rounds for all, so that a chain's forwards do not depend on which others are valued with it.
    for _ in range(ROUNDS):
        found = fit_forwards(expirations, remove_early_exercise_premium(pairs, expirations, found), rates)
    return found


def find_implied_forward(chain: pl.DataFrame, rates: pl.DataFrame | None = None) -> ImpliedForward:
    """Find the parity forward of `chain` from its own pairs and `rates` only.

    `chain`: one expiration of one snapshot (`CHAIN`). Raises `ValueError` if it holds more than one root and expiration.
    """
    terms = read_terms(add_mid_price(keep_newest_duplicates(chain)))
    if terms.expirations.height != 1:
        raise ValueError(f"find_implied_forward takes one expiration of one snapshot, got {terms.expirations.height}")
    found = find_forwards(terms.contracts, terms.expirations, rates).row(0, named=True)
    reason = terms.expirations["terms_reason"].item() or found["forward_reason"]
    if reason is None and found["forward_source"] != ForwardSource.PARITY.value:
        reason = Reason.NO_FORWARD.value
    known = reason is None
    return ImpliedForward(
        found["forward"] if known else None,
        found["discount"] if known else None,
        found["pairs"],
        found["residual"],
        reason,
    )
