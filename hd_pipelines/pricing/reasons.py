"""Lists the reasons why a price, an implied volatility or a Greek has no answer.

A reason is stored as its text (`below_intrinsic`). The compiled kernels use its number, the place in the list; 0 means that
there is an answer. Add new reasons at the end only.
"""

from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import ArrayLike


class Reason(StrEnum):
    """Why there is no answer."""

    NO_PRICE = "no_price"
    """The price is missing, infinite, zero or negative."""

    NO_FORWARD = "no_forward"
    """No forward (or, for American options, no spot), or one that is not positive and finite."""

    NO_STRIKE = "no_strike"
    """The strike is missing, not positive, or infinite."""

    NO_TIME = "no_time"
    """The time to settlement is unknown."""

    NO_TIME_LEFT = "no_time_left"
    """Zero or negative time to settlement: the price is the payoff, whatever the volatility."""

    NO_DISCOUNT = "no_discount"
    """No discount factor or rate, or one that is not positive and finite."""

    NO_VOLATILITY = "no_volatility"
    """The volatility needed for the computation is missing or negative."""

    BELOW_INTRINSIC = "below_intrinsic"
    """The price is below the discounted intrinsic value, so it contains an arbitrage or is stale."""

    NO_TIME_VALUE = "no_time_value"
    """The price equals the intrinsic value to the last digits: every low volatility explains it equally well."""

    ABOVE_BOUND = "above_bound"
    """The price is at least that of the underlying (call) or the discounted strike (put)."""

    NO_CONVERGENCE = "no_convergence"
    """The solver did not converge; expected only at strikes that are many thousand times the forward."""

    EXERCISE_NOW = "exercise_now"
    """An American price at (or within rounding of) its exercise value: every low volatility explains it equally well."""

    NO_QUOTE = "no_quote"
    """Neither bid nor ask."""

    NO_BID = "no_bid"
    """The bid is zero: the mid would be half of the ask, which is not a price."""

    ONE_SIDED = "one_sided"
    """Bid or ask is missing."""

    CROSSED = "crossed"
    """The bid is above the ask."""

    WIDE = "wide"
    """The spread is too wide for its mid to be a price."""

    STALE = "stale"
    """The quote or trade is older than its use allows."""

    NO_SETTLEMENT_TIME = "no_settlement_time"
    """The product's settlement instant is not known."""

    NO_SPOT = "no_spot"
    """No price of the underlying at that instant."""

    SPOT_MISMATCH = "spot_mismatch"
    """Parity and the price of the underlying are on different scales, as around a split."""

    NO_SESSION = "no_session"
    """The snapshot is dated on a day without a session, so its quotes are those of an earlier session or invalid."""

    ADJUSTED_DELIVERABLE = "adjusted_deliverable"
    """OCC changed what the root delivers, and the share count does not tell which cash or other shares come with it."""

    FLEX_TERMS = "flex_terms"
    """A FLEX series has individual exercise and settlement terms, which do not follow from the root."""

    TWO_BOUNDARIES = "two_boundaries"
    """American with rate and dividend yield both negative: exercise pays between two prices, which is not modelled."""


CODES: dict[Reason, int] = {reason: code for code, reason in enumerate(Reason, start=1)}
"""Number of each reason in the arrays that `solve` returns; 0 means that there is an answer."""


def to_reason_text(codes: ArrayLike) -> pl.Series:
    """Convert codes of `solve` to stored text, null where there is an answer. Raises `ValueError` for an unknown code."""
    given = np.asarray(codes)
    if given.size and not 0 <= int(given.min()) <= int(given.max()) <= len(CODES):
        raise ValueError(f"reason codes run from 0 to {len(CODES)}, got {given.min()} to {given.max()}")
    texts = pl.Series([None, *(reason.value for reason in Reason)], dtype=pl.String)
    return texts.gather(pl.Series(given.ravel().astype(np.uint32))).alias("reason")
