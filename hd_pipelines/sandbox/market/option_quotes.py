"""Quotes, open interest, volume and vendor Greeks of the synthetic market's option chains, from fair values; vectorised.

All randomness is a hash of contract, moment and purpose, so a contract shows the same numbers whatever else was requested
with it. Values come from `option_values`, listed contracts from `option_chains`; `chains` builds frames and files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.sandbox.market.daily_paths import Floats
from hd_pipelines.sandbox.market.option_prices import RATE, normal_cdf
from hd_pipelines.sandbox.market.option_tape import find_tick_size
from hd_pipelines.sandbox.market.option_values import ContractTerms, FairValues

Ints = NDArray[np.int64]
OPEN_INTEREST_PER_ACTIVITY, VOLUME_PER_ACTIVITY = 350_000.0, 160_000.0
"""Contracts of a whole chain per unit of `OptionRoot.activity`; SPY has 22 units."""
CALL_CENTRE, PUT_CENTRE, PUTS_PER_CALL = 0.8, 1.3, 2.0
"""Where open interest lies, in deviations from the slow price: a market that has not fallen has positive gamma."""


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


class Purpose(IntEnum):
    """Use of a contract's random number. Never renumber: other numbers give another market."""

    OPEN_INTEREST = 0
    VOLUME = 1
    MIDDLE = 2
    BID_SIZE = 3
    ASK_SIZE = 4
    QUOTE_AGE = 5
    VENDOR_IV = 6


@dataclass(frozen=True, slots=True)
class ContractRandomness:
    """Reproducible random numbers of contracts. `keys`: one number per contract, see `compute_contract_keys`."""

    keys: NDArray[np.uint64]

    def chance(self, purpose: Purpose, session: int = 0, minute: int = 0) -> Floats:
        """Draw a number in (0, 1) per contract; without `session` (an ordinal) the same on all sessions."""
        seed = (session * 1_024 + minute) * 16 + purpose
        mixed = _scramble(self.keys ^ _scramble(np.array([seed + 1], dtype=np.uint64)))
        return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53 + 2.0**-54

    def normal(self, purpose: Purpose, session: int = 0, minute: int = 0) -> Floats:
        """Draw approximately standard normal numbers (logistic approximation)."""
        chance = self.chance(purpose, session, minute)
        return np.asarray(np.log(chance / (1 - chance)) / 1.702)

    def of(self, chosen: Ints) -> ContractRandomness:
        """Random numbers of the selected contracts."""
        return ContractRandomness(self.keys[chosen])


def compute_contract_keys(
    root_seeds: Ints, expirations: Ints, strikes: Floats, is_call: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    """Compute a number per contract, from numbers of root and seed, expiration ordinals, strikes and rights."""
    key = root_seeds.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    key ^= expirations.astype(np.uint64) << np.uint64(40)
    return np.asarray(key ^ (np.round(strikes * 1000).astype(np.uint64) << np.uint64(1)) ^ is_call.astype(np.uint64))


def _scramble(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def make_quotes(
    fair: FairValues, tick_kind: Ints, activity: Floats, randomness: ContractRandomness, *, session: int, minute: int
) -> Quotes:
    """Set bids below and asks above fair value. Wider for expensive, deep and illiquid contracts; no bid far out."""
    tick = find_tick_size(fair.value, tick_kind)
    half = tick * (0.45 + 0.5 / np.sqrt(activity)) + (0.0015 + 0.004 / np.sqrt(activity)) * fair.value
    middle = fair.value + (randomness.chance(Purpose.MIDDLE, session, minute) - 0.5) * 0.4 * tick
    below, above = np.maximum(middle - half, 0.0), middle + half
    bid_tick, ask_tick = find_tick_size(below, tick_kind), find_tick_size(above, tick_kind)
    bid = np.floor(below / bid_tick + 1e-9) * bid_tick
    ask = np.maximum(np.ceil(above / ask_tick - 1e-9) * ask_tick, bid + bid_tick)
    bid_size, ask_size = (
        np.exp(2.5 + 1.1 * randomness.normal(side, session, minute)).astype(np.int64) + 1
        for side in (Purpose.BID_SIZE, Purpose.ASK_SIZE)
    )
    return Quotes(np.asarray(np.round(bid, 2)), np.asarray(np.round(ask, 2)), np.where(bid > 0, bid_size, 0), ask_size)


def compute_vendor_greeks(terms: ContractTerms, fair: FairValues, quotes: Quotes, chance: Floats) -> VendorGreeks:
    """Compute the vendor's Greeks from the mid: near the true ones, none if the quote has no time value.

    `chance` in (0, 1) sets how near.
    """
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
    sigma = fair.sigma + (2 * chance - 1) * noise
    delta = growth * np.where(terms.is_call, normal_cdf(d1), normal_cdf(d1) - 1)
    theta = -(vega * fair.sigma / (2 * fair.years) / 365)
    gamma = growth * density / (fair.spot * fair.sigma * root_years)

    def answered(values: Floats, digits: int) -> Floats:
        return np.asarray(np.where(has_answer, np.round(values, digits), np.nan))

    return VendorGreeks(
        answered(sigma, 6), answered(delta, 6), answered(gamma, 8), answered(theta, 6), answered(vega / 100, 6)
    )


def compute_open_interest(
    terms: ContractTerms,
    slow_spot: Floats,
    *,
    days: Ints,
    is_monthly: NDArray[np.bool_],
    activity: Floats,
    randomness: ContractRandomness,
) -> Ints:
    """Compute open contracts: calls above and puts below recent prices, with peaks on round strikes.

    `slow_spot`: recent price of the underlying. Expirations that have been listed for long have more.
    """
    deviation = 0.05 + 0.25 * np.sqrt(np.maximum(days, 1) / 365)
    x = np.log(terms.strike / (slow_spot * terms.deliverable)) / deviation
    # Calls are written a little above the market, puts are bought well below it, some of both far out.
    out = np.where(terms.is_call, x - CALL_CENTRE, -x - PUT_CENTRE) / 0.7
    far_out = np.where(terms.is_call, 0.25 * (x > 0.3), 0.6 * (x < -0.5))
    shape = np.exp(-0.5 * out**2) + far_out + 0.01
    gathered = np.where(is_monthly, 8.0 * np.exp(-days / 300.0), 0.4 + days / 60)
    weight = shape * gathered * _weigh_round_strikes(terms) * np.exp(0.8 * randomness.normal(Purpose.OPEN_INTEREST))
    weight = weight * np.where(terms.is_call, 1.0, PUTS_PER_CALL)
    return _scale_to_total(weight, terms, OPEN_INTEREST_PER_ACTIVITY * activity)


def compute_volume(
    terms: ContractTerms,
    spot: Floats,
    near_vol: Floats,
    *,
    days: Ints,
    activity: Floats,
    randomness: ContractRandomness,
    session: int,
    share: float,
) -> Ints:
    """Compute contracts traded so far: near the money and near expiration; many contracts do not trade.

    `spot` and `near_vol` (yearly) are the underlyings' at the open, `share` the part of the day's volume until now.
    """
    deviation = near_vol * np.sqrt(np.maximum(days, 1.0) / 365)
    x = np.log(terms.strike / (spot * terms.deliverable)) / deviation
    out = np.where(terms.is_call, x, -x)
    shape = 1 / (1 + (np.abs(x) / 0.8) ** 3) * np.where(out < -0.3, 0.3, 1.0)
    weight = (
        shape
        / (days + 1.0) ** 0.8
        * _weigh_round_strikes(terms)
        * np.exp(0.9 * randomness.normal(Purpose.VOLUME, session))
    )
    return _scale_to_total(weight, terms, VOLUME_PER_ACTIVITY * activity * share)


def _weigh_round_strikes(terms: ContractTerms) -> Floats:
    """Weight of round strikes: multiples of a hundredth of the price level, more for a twentieth."""
    magnitude = 10.0 ** np.floor(np.log10(terms.strike) - 1)
    steps = terms.strike / magnitude
    is_round = np.abs(steps - np.round(steps)) < 1e-6
    is_rounder = np.abs(steps / 5 - np.round(steps / 5)) < 1e-6
    return np.asarray(np.where(is_rounder, 6.0, np.where(is_round, 2.5, 1.0)))


def _scale_to_total(weight: Floats, terms: ContractTerms, total: Floats) -> Ints:
    sums = np.bincount(terms.root, weights=weight)
    return np.asarray(weight / sums[terms.root] * total).astype(np.int64)
