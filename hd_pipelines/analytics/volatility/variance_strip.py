"""Computes the variance of one expiration from a strip of option quotes, and volatility at 30 days from two of them.

The arithmetic of the VIX on plain arrays and numbers; `model_free` selects the expirations of a chain.

Source: Cboe, "VIX White Paper" (editions of 2009, 2014, 2019) and "Cboe Volatility Index Mathematics Methodology".
- Forward: from the strike with the least |call - put|; K0 is the highest strike at or below it.
- Strip: out-of-the-money quotes with a bid, outward from K0; two strikes in a row without a bid end it.
- Each strike is weighted by half the distance between its neighbours in the strip, an end by the step to its neighbour.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.pricing.settlement import MINUTES_PER_YEAR

TARGET_DAYS = 30
TARGET_MINUTES = TARGET_DAYS * 24 * 60

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class StripReason(StrEnum):
    """Why a strip has no variance."""

    NO_PAIR = "no_strike_with_call_and_put_quoted"
    ONE_SIDED = "no_quotes_on_one_side"


class Strip(NamedTuple):
    """Variance of one expiration and its inputs.

    variance          per year (sigma squared)
    forward, k0       implied forward; highest strike at or below it
    lowest, highest   ends of the strip
    strikes           number of strikes, K0 once
    tail              price of the more expensive end, as a share of the price at K0: a measure of what is missing beyond
    """

    variance: float
    forward: float
    k0: float
    lowest: float
    highest: float
    strikes: int
    tail: float


class StripQuotes(NamedTuple):
    """Quotes of one expiration: arrays of one length, strikes ascending. NaN or 0 means no bid."""

    strike: Floats
    call_bid: Floats
    call_ask: Floats
    put_bid: Floats
    put_ask: Floats


def implied_forward(strike: Floats, call: Floats, put: Floats, growth: float) -> float | None:
    """Forward from the strike with the least |call - put|; None if no strike has both mids (NaN: no quote).

    `growth` is e^(RT). Of equal differences the lower strike is taken.
    """
    difference = np.abs(call - put)
    if not np.isfinite(difference).any():
        return None
    at = int(np.nanargmin(difference))
    return float(strike[at] + growth * (call[at] - put[at]))


def strip_variance(quotes: StripQuotes, years: float, rate: float) -> Strip | StripReason:
    """Compute the variance of one expiration from its quotes, or the reason why there is none.

    A quote without an ask, or with an ask below the bid, counts as one without a bid. `years`: minutes to settlement in
    years of 365 days, positive; `rate` continuously compounded, per year. Raises `ValueError` for strikes that do not
    ascend and for `years` that are not positive.
    """
    if years <= 0:
        raise ValueError(f"years must be positive, not {years}: a settled expiration has no variance")
    strike = quotes.strike
    if (np.diff(strike) <= 0).any():
        raise ValueError("strikes must ascend without repeats; take one root and expiration at a time")
    growth = float(np.exp(rate * years))
    call, put = _compute_mid(quotes.call_bid, quotes.call_ask), _compute_mid(quotes.put_bid, quotes.put_ask)
    forward = implied_forward(strike, call, put, growth)
    middle = -1 if forward is None else int(np.searchsorted(strike, forward, side="right")) - 1
    if forward is None or middle < 0 or not np.isfinite(call[middle] + put[middle]):
        return StripReason.NO_PAIR
    below = middle - 1 - _walk_until_bids_end(put[:middle][::-1])[::-1]
    above = middle + 1 + _walk_until_bids_end(call[middle + 1 :])
    if not below.size or not above.size:
        return StripReason.ONE_SIDED
    at_k0 = float(call[middle] + put[middle]) / 2
    price = np.concatenate([put[below], [at_k0], call[above]])
    chosen = strike[np.concatenate([below, [middle], above])]
    k0 = float(strike[middle])
    total = float(np.sum(_compute_widths(chosen) / chosen**2 * price))
    return Strip(
        variance=2 / years * growth * total - (forward / k0 - 1) ** 2 / years,
        forward=forward,
        k0=k0,
        lowest=float(chosen[0]),
        highest=float(chosen[-1]),
        strikes=chosen.size,
        tail=float(max(price[0], price[-1])) / at_k0,
    )


def compute_volatility_at_30_days(
    near_variance: float, near_minutes: float, next_variance: float, next_minutes: float
) -> float:
    """Volatility per year at 30 days, linear in total variance between two expirations.

    Takes minutes to settlement. NaN if the interpolated variance is negative. Target minutes outside of both are
    extrapolated; the index does so by a few hours one day a week. Raises `ValueError` unless next is after near.
    """
    if next_minutes <= near_minutes:
        raise ValueError(
            f"the next expiration must settle after the near one: {next_minutes} <= {near_minutes} minutes"
        )
    share = (TARGET_MINUTES - near_minutes) / (next_minutes - near_minutes)
    near_total = near_variance * near_minutes / MINUTES_PER_YEAR
    next_total = next_variance * next_minutes / MINUTES_PER_YEAR
    variance = ((1 - share) * near_total + share * next_total) * MINUTES_PER_YEAR / TARGET_MINUTES
    return float(np.sqrt(variance)) if variance >= 0 else float("nan")


def _compute_mid(bid: Floats, ask: Floats) -> Floats:
    """Middle of the quote, NaN where there is no bid or the quote is invalid."""
    middle: Floats = np.where((bid > 0) & (ask >= bid), (bid + ask) / 2, np.nan)
    return middle


def _walk_until_bids_end(outward: Floats) -> Integers:
    """Positions of quoted strikes, walking outward until two in a row are not quoted."""
    quoted = np.isfinite(outward)
    gap = ~quoted[:-1] & ~quoted[1:]
    end = int(np.argmax(gap)) if gap.any() else quoted.size
    return np.flatnonzero(quoted[:end])


def _compute_widths(strikes: Floats) -> Floats:
    steps = np.diff(strikes)
    return np.concatenate([steps[:1], (steps[:-1] + steps[1:]) / 2, steps[-1:]])
