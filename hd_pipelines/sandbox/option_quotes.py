"""Quotes, open interest, volume and vendor Greeks of the synthetic market's option chains.

Belongs here: what a chain shows beside the contracts' terms, from their fair values; vectorised and seeded. Values come
from `option_values`, which contracts exist from `option_chains`, frames and files are made in `chains`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.sandbox.daily_paths import Floats
from hd_pipelines.sandbox.option_prices import RATE, normal_cdf
from hd_pipelines.sandbox.option_tape import tick_of
from hd_pipelines.sandbox.option_values import ContractTerms, FairValues

Ints = NDArray[np.int64]
OPEN_INTEREST_PER_ACTIVITY, VOLUME_PER_ACTIVITY = 600_000.0, 160_000.0
"""Contracts of a whole chain per unit of `OptionRoot.activity`; SPY has 22 units."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """Two sides of each contract in dollars on its ticks; 0 is a real bid of nothing, its size is 0."""

    bid: Floats
    ask: Floats
    bid_size: Ints
    ask_size: Ints


@dataclass(frozen=True, slots=True)
class VendorGreeks:
    """Per share: theta per calendar day, vega per 0.01. NaN where the vendor has no answer."""

    sigma: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


def quote(fair: FairValues, tick_kind: Ints, activity: Floats, rng: np.random.Generator) -> Quotes:
    """Bids below and asks above fair value. Wider for dear, deep and little traded contracts; no bid far out."""
    tick = tick_of(fair.value, tick_kind)
    half = tick * (0.45 + 0.5 / np.sqrt(activity)) + (0.0015 + 0.004 / np.sqrt(activity)) * fair.value
    middle = fair.value + rng.uniform(-0.2, 0.2, len(tick)) * tick
    below, above = np.maximum(middle - half, 0.0), middle + half
    bid_tick, ask_tick = tick_of(below, tick_kind), tick_of(above, tick_kind)
    bid = np.floor(below / bid_tick + 1e-9) * bid_tick
    ask = np.maximum(np.ceil(above / ask_tick - 1e-9) * ask_tick, bid + bid_tick)
    sizes = rng.lognormal(2.5, 1.1, (2, len(tick))).astype(np.int64) + 1
    return Quotes(np.asarray(np.round(bid, 2)), np.asarray(np.round(ask, 2)), np.where(bid > 0, sizes[0], 0), sizes[1])


def vendor_greeks(terms: ContractTerms, fair: FairValues, quotes: Quotes, rng: np.random.Generator) -> VendorGreeks:
    """What the vendor would compute from the mid: near the truth, and nothing where the quote holds no time value."""
    root_years = np.sqrt(fair.years)
    d1 = np.log(fair.forward / terms.strike) / (fair.sigma * root_years) + 0.5 * fair.sigma * root_years
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi)
    growth = fair.forward / fair.spot * np.exp(-RATE * fair.years)
    vega = fair.spot * growth * density * root_years
    sign = np.where(terms.is_call, 1.0, -1.0)
    least = np.exp(-RATE * fair.years) * np.maximum(sign * (fair.forward - terms.strike), 0.0)
    least = np.where(terms.is_european, least, np.maximum(least, sign * (fair.spot - terms.strike)))
    middle = 0.5 * (quotes.bid + quotes.ask)
    has_answer = (quotes.bid > 0) & (middle > least + np.where(least > 0, 0.5 * (quotes.ask - quotes.bid), 0.0))
    noise = np.clip(0.15 * (quotes.ask - quotes.bid) / np.maximum(vega, 1e-9), 0.0, 0.02)
    sigma = np.round(fair.sigma + rng.uniform(-1, 1, len(vega)) * noise, 6)
    delta = growth * np.where(terms.is_call, normal_cdf(d1), normal_cdf(d1) - 1)
    theta = -(vega * fair.sigma / (2 * fair.years) / 365)
    gamma = growth * density / (fair.spot * fair.sigma * root_years)

    def answered(values: Floats, digits: int) -> Floats:
        return np.asarray(np.where(has_answer, np.round(values, digits), np.nan))

    return VendorGreeks(
        answered(sigma, 6), answered(delta, 6), answered(gamma, 8), answered(theta, 6), answered(vega / 100, 6)
    )


def luck(root_seeds: Ints, expirations: Ints, strikes: Floats, is_call: NDArray[np.bool_]) -> Floats:
    """A number in (0, 1) per contract that stays the same on all sessions: a hash of root, expiration, strike, right."""
    key = root_seeds.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    key ^= expirations.astype(np.uint64) << np.uint64(40)
    key ^= (np.round(strikes * 1000).astype(np.uint64) << np.uint64(1)) | is_call.astype(np.uint64)
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # the finalizer of splitmix64
        key = (key ^ (key >> np.uint64(30))) * np.uint64(factor)
    return ((key >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def open_interest(
    terms: ContractTerms,
    slow_spot: Floats,
    *,
    days: Ints,
    is_monthly: NDArray[np.bool_],
    activity: Floats,
    chance: Floats,
) -> Ints:
    """Contracts open: calls above and puts below where the underlying was of late, peaks on round strikes.

    `slow_spot`: mean price of the last weeks; `chance` in (0, 1) is the contract's own luck. Expirations that are listed
    for long have gathered more.
    """
    deviation = 0.07 + 0.25 * np.sqrt(np.maximum(days, 1) / 365)
    x = np.log(terms.strike / (slow_spot * terms.deliverable)) / deviation
    out = np.where(terms.is_call, x, -x)
    shape = np.exp(-0.5 * ((out - 0.45) / 0.75) ** 2) + 0.02
    gathered = np.where(is_monthly, 5.0, 1.0) * np.exp(-days / 220.0) * np.where(days == 0, 0.8, 1.0)
    weight = shape * gathered * _roundness(terms) * np.exp(0.8 * _normal_of(chance)) * np.where(terms.is_call, 1.0, 1.3)
    return _scaled(weight, terms, OPEN_INTEREST_PER_ACTIVITY * activity)


def volume(terms: ContractTerms, fair: FairValues, days: Ints, activity: Floats, rng: np.random.Generator) -> Ints:
    """Contracts traded today: near the money and near expiration, many contracts not at all."""
    deviation = fair.sigma * np.sqrt(np.maximum(days, 1.0) / 365)
    x = np.log(terms.strike / fair.spot) / deviation
    out = np.where(terms.is_call, x, -x)
    shape = 1 / (1 + (np.abs(x) / 0.8) ** 3) * np.where(out < -0.3, 0.3, 1.0)
    weight = shape / (days + 1.0) ** 0.8 * _roundness(terms) * np.exp(rng.normal(0.0, 0.9, len(x)))
    return rng.poisson(np.minimum(_scaled(weight, terms, VOLUME_PER_ACTIVITY * activity), 1e7))


def _roundness(terms: ContractTerms) -> Floats:
    """How much a strike attracts: a hundredth of the price level is round, a twentieth is rounder."""
    magnitude = 10.0 ** np.floor(np.log10(terms.strike) - 1)
    steps = terms.strike / magnitude
    is_round = np.abs(steps - np.round(steps)) < 1e-6
    is_rounder = np.abs(steps / 5 - np.round(steps / 5)) < 1e-6
    return np.asarray(np.where(is_rounder, 6.0, np.where(is_round, 2.5, 1.0)))


def _scaled(weight: Floats, terms: ContractTerms, total: Floats) -> Ints:
    sums = np.bincount(terms.root, weights=weight)
    return np.asarray(weight / sums[terms.root] * total).astype(np.int64)


def _normal_of(chance: Floats) -> Floats:
    """Standard normal of a uniform number, near enough for luck (logistic approximation)."""
    return np.asarray(np.log(chance / (1 - chance)) / 1.702)
