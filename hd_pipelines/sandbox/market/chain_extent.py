"""Selects how much of a listed chain is shown: everything, a lighter chain, or just enough for 30-day volatility.

The extent only selects contracts; it never changes the numbers of a selected contract.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.sandbox.market.daily_paths import Floats
from hd_pipelines.sandbox.market.option_chains import ListedContracts

Ints = NDArray[np.int64]
NEAR_DEVIATIONS = 1.25
"""A light chain has every strike within so many standard deviations to expiration of the money, ..."""
WING_STEPS = 5
"""... and every fifth, which is a round one, beyond: as exchanges list them."""
LIGHT_DAYS = 60
"""Later expirations of a light chain are monthly ones."""
SPARSE_DAYS, SPARSE_STRIKES, SPARSE_DEVIATIONS = 30, 15, 1.5
"""1.5 standard deviations reach beyond the strikes of 25 delta."""


class Extent(StrEnum):
    """Extent of a shown chain: all contracts, about two fifths of them, or about 60.

    `SPARSE` is the two expirations that bracket 30 days, of the underlying's busiest root.
    """

    FULL = "full"
    LIGHT = "light"
    SPARSE = "sparse"


def choose_contracts(
    extent: Extent, contracts: ListedContracts, log_open: Floats, near_vol: Floats, session: date
) -> Ints:
    """Choose positions of the contracts to show, ascending. `log_open`, `near_vol` (yearly): the underlyings', by root."""
    if extent is Extent.FULL:
        return np.arange(len(contracts.strike))
    days = np.array([(expiration - session).days for expiration in contracts.expirations])[contracts.expiration]
    if extent is Extent.SPARSE:
        return _choose_sparse(contracts, days, log_open, near_vol)
    deliverable = np.array([root.deliverable for root in contracts.roots])[contracts.root]
    deviation = near_vol[contracts.root] * np.sqrt(np.maximum(days, 1.5) / 365)
    from_money = np.abs(np.log(contracts.strike / deliverable) - log_open[contracts.root]) / deviation
    is_round = np.round(contracts.strike / _measure_steps(contracts)).astype(np.int64) % WING_STEPS == 0
    is_soon = (days <= LIGHT_DAYS) | contracts.is_monthly
    return np.flatnonzero(is_soon & ((from_money <= NEAR_DEVIATIONS) | is_round))


def _measure_steps(contracts: ListedContracts) -> Floats:
    """Measure dollars between neighbouring strikes of each contract's own expiration; strikes of one are contiguous."""
    series = contracts.root * len(contracts.expirations) + contracts.expiration
    gap = np.diff(contracts.strike, append=np.nan)
    is_last = np.diff(series, append=-1) != 0
    is_last |= gap <= 0
    before = np.diff(contracts.strike, prepend=np.nan)
    step = np.where(is_last, before, gap)
    return np.asarray(np.where(np.isfinite(step) & (step > 0), step, contracts.strike))


def _choose_sparse(contracts: ListedContracts, days: Ints, log_open: Floats, near_vol: Floats) -> Ints:
    """Choose from each underlying's busiest root: two expirations around 30 days, strikes evenly around the money."""
    busiest: dict[str, int] = {}
    for position, root in enumerate(contracts.roots):
        known = busiest.get(root.underlying)
        if known is None or root.activity > contracts.roots[known].activity:
            busiest[root.underlying] = position
    chosen = []
    for position in busiest.values():
        of_root = np.flatnonzero(contracts.root == position)
        days_of_root = days[of_root]
        listed = np.unique(days_of_root)
        is_exact = listed == SPARSE_DAYS  # which is a little more on a session that closes early, so it is no bracket
        for expires in (*listed[listed < SPARSE_DAYS][-1:], *listed[is_exact], *listed[listed > SPARSE_DAYS][:1]):
            series = of_root[days_of_root == expires]
            strikes = np.unique(contracts.strike[series])
            deviation = near_vol[position] * np.sqrt(max(expires, 1) / 365)
            aims = np.exp(log_open[position] + np.linspace(-1, 1, SPARSE_STRIKES) * SPARSE_DEVIATIONS * deviation)
            nearest = strikes[np.abs(strikes[:, None] - aims).argmin(axis=0)]
            chosen.append(series[np.isin(contracts.strike[series], nearest)])
    return np.sort(np.concatenate(chosen))
