"""Value of the synthetic market's options at a moment: the one valuation that tape and chains share.

Contract terms as arrays, forwards, volatilities, values. Parts of the formula are in `option_prices` and
`early_exercise`; printed prices are in `option_tape`, quotes in `option_quotes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, is_session
from hd_pipelines.sandbox.market.daily_paths import Floats
from hd_pipelines.sandbox.market.early_exercise import value_american_put
from hd_pipelines.sandbox.market.option_chains import ListedContracts
from hd_pipelines.sandbox.market.option_prices import (
    MINUTES_PER_YEAR,
    RATE,
    black_76,
    compute_smile,
    compute_term_structure,
)

MEAN_REVERSION_OF_VIX = 5.0
"""Per year: forwards of the volatility index lead back to `LONG_RUN_VIX`."""
LONG_RUN_VIX = 19.0
_NS_PER_YEAR = MINUTES_PER_YEAR * 60_000_000_000
_LEAST_YEARS = 0.5 / MINUTES_PER_YEAR


@dataclass(frozen=True, slots=True)
class Volatilities:
    """Yearly at-the-money volatilities by root, for one month and for long dates, and how the smile leans (`smile`)."""

    near: Floats
    far: Floats
    lean: Floats
    is_volatility_index: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """Contract terms that valuation needs, one entry each (or one per contract and minute). `root` indexes the roots."""

    root: NDArray[np.int64]
    strike: Floats
    is_call: NDArray[np.bool_]
    deliverable: Floats
    is_european: NDArray[np.bool_]
    settles_ns: NDArray[np.int64]

    @classmethod
    def of(cls, contracts: ListedContracts, chosen: NDArray[np.int64]) -> ContractTerms:
        """Select the terms of the chosen contracts."""
        roots = contracts.roots
        root = contracts.root[chosen]
        morning = np.array([r.settles_in_the_morning for r in roots])
        settles = np.array(
            [[find_settlement_ns(day, early) for early in (False, True)] for day in contracts.expirations]
        )
        return cls(
            root,
            contracts.strike[chosen],
            contracts.is_call[chosen],
            np.array([r.deliverable for r in roots])[root],
            np.array([r.is_european for r in roots])[root],
            settles[contracts.expiration[chosen], morning[root].astype(np.int64)],
        )


@dataclass(frozen=True, slots=True)
class FairValues:
    """Values and their inputs, per contract; prices per share of contract size."""

    value: Floats
    spot: Floats
    forward: Floats
    sigma: Floats
    years: Floats


@cache
def find_settlement_ns(expiration: date, is_morning: bool) -> int:
    """Find the open or close of the expiration day as integer nanoseconds; 09:30 and 16:00 beyond the calendar's end."""
    if is_session(expiration):
        hours = get_regular_hours(expiration)
        return hours.opens_at_ns if is_morning else hours.closes_at_ns
    clock = time(9, 30) if is_morning else time(16)
    moment = datetime.combine(expiration, clock, tzinfo=NEW_YORK).astimezone(UTC)
    return to_ns(moment)


def compute_fair_values(
    terms: ContractTerms, volatilities: Volatilities, log_spot: Floats, at_ns: NDArray[np.int64] | int
) -> FairValues:
    """Compute values at the moment `at_ns`, with `log_spot` of each entry's underlying then (before the deliverable)."""
    years = np.maximum((terms.settles_ns - at_ns) / _NS_PER_YEAR, _LEAST_YEARS)
    spot = np.exp(log_spot) * terms.deliverable
    is_volatility = volatilities.is_volatility_index[terms.root]
    forward = _compute_forwards(is_volatility, log_spot, years) * terms.deliverable
    at_the_money = compute_term_structure(volatilities.near[terms.root], volatilities.far[terms.root], years)
    sigma = compute_smile(
        np.log(terms.strike / forward), years, at_the_money, volatilities.lean[terms.root], is_volatility
    )
    value = black_76(forward, terms.strike, years, sigma, terms.is_call)
    puts = np.flatnonzero(~terms.is_european & ~terms.is_call)
    value[puts] = value_american_put(value[puts], spot[puts], terms.strike[puts], years[puts], sigma[puts])
    return FairValues(value, spot, forward, sigma, years)


def _compute_forwards(is_volatility: NDArray[np.bool_], log_spot: Floats, years: Floats) -> Floats:
    carried = np.exp(log_spot + RATE * years)
    pull = np.exp(-MEAN_REVERSION_OF_VIX * years)
    reverting = LONG_RUN_VIX + (np.exp(log_spot) - LONG_RUN_VIX) * pull
    return np.asarray(np.where(is_volatility, reverting, carried))
