"""Dealer gamma as a function of the spot, and the spots where it changes sign.

Belongs here: the profile of one book of contracts and its roots. Which contracts, walls and what it all means for the
underlying are elsewhere. Gamma is that of Black-76 on a forward that moves in proportion to the spot, with each
contract's volatility kept (sticky strike). Signs are those of `SignModel.NAIVE_CALLS_LONG`: dealers long every call and
short every put, an assumption and not an observation. Sources: Black (1976); SqueezeMetrics, "The Implied Order Book".
"""
# ruff: noqa: PLR0917 - the argument order is a contract with the tools that call these functions

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hd_pipelines.pricing.arrays import broadcast, over_cores

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WIDEST_STEP = 1e-3
"""Log distance of two nodes of the search where no contract asks for less: 0.1 % of spot."""
MOST_NODES = 4096
NEGLIGIBLE = 1e-11
"""Net exposure below this share of the contracts' summed peaks is none: it is rounding, or dollars in billions."""
NEAR_TOUCH = 0.25
"""Between nodes of one sign the profile is looked at once more where it should fall below this share of the nodes'."""
ROOT_TOLERANCE = 1e-11
_SHARE = 1_000_000
"""Pairs of contract and trial spot that are worth another thread: about a millisecond of work."""


class Book(NamedTuple):
    """Contracts reduced to what the kernels need; see `gamma_profile_kernels`."""

    log_strike: Floats
    steepness: Floats
    half: Floats
    peak: Floats


def usable_contracts(
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
) -> Mask:
    """Which contracts enter a profile: all six numbers known, time and volatility left, nothing negative.

    NaN stands for unknown. A contract with an open interest of 0 is usable: it is known to weigh nothing.
    """
    columns, _ = _flat(strike, years, forward, sigma, open_interest, multiplier, True)
    return _usable(columns)


def gamma_profile(
    spots: ArrayLike,
    spot: float,
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Dollars of dealer delta per 1 % move of the underlying, at each trial spot.

    Args:
        spots: trial spots, any shape, > 0.
        spot: the spot at which `forward` was observed, > 0; at a trial spot s the forward is forward * s / spot.
        strike: one value per contract, or one for all, as in all that follow; NaN leaves the contract out.
        years: time to settlement in years; without any left the contract is left out.
        forward: forward price of the contract's settlement.
        sigma: implied volatility per year; NaN where there is none, which leaves the contract out.
        open_interest: contracts open; NaN where unknown, which leaves the contract out.
        multiplier: shares per contract. Times the discount factor it gives the discounted delta of a share.
        is_call: booleans, or 0 and 1; anything else raises TypeError.

    Returns:
        Array of the shape of `spots`: calls positive, puts negative; 0 where no contract is left.

    Raises:
        ValueError: a spot that is not positive and finite.
    """
    trial = np.asarray(spots, dtype=np.float64)
    if not np.all(np.isfinite(trial) & (trial > 0)):
        raise ValueError("trial spots must be positive and finite; leave the others out")
    book = _book(spot, strike, years, forward, sigma, open_interest, multiplier, is_call)
    return _exposures(book, np.log(trial.ravel() / spot)).reshape(trial.shape) * trial


def zero_gamma(
    spot: float,
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
    is_call: ArrayLike,
    search: float = 0.15,
) -> Floats:
    """Every spot within ±`search` of `spot` where the profile changes sign, nearest to `spot` first.

    Arguments as in `gamma_profile`. Each root is good to 1e-10 of itself; an empty array means no crossing. This is not
    the strike where the cumulative sum over strikes turns, which public scripts often plot.

    Nodes lie at most 0.1 % apart and half a standard deviation of the shortest contract, down to 4096 nodes; a contract
    that is narrower still (0DTE in its last minutes) gets a node of its own at its strike.

    Raises:
        ValueError: `spot` not positive and finite, or `search` outside (0, 1).
    """
    if not 0 < search < 1:
        raise ValueError(f"search is a share of spot between 0 and 1, not {search}")
    book = _book(spot, strike, years, forward, sigma, open_interest, multiplier, is_call)
    held = book.peak != 0
    book = Book(*(column[held] for column in book))
    if book.peak.size == 0:
        return np.empty(0)
    from hd_pipelines.analytics.gamma.profile_kernels import root_between

    nodes, values = _search_nodes(book, math.log1p(-search), math.log1p(search))
    material = np.flatnonzero(np.abs(values) > NEGLIGIBLE * np.abs(book.peak).sum())
    signs = np.sign(values[material])
    turns = np.flatnonzero(signs[1:] != signs[:-1])
    logs = [root_between(nodes[material[i]], nodes[material[i + 1]], ROOT_TOLERANCE, *book) for i in turns]
    roots = spot * np.exp(np.array([x for x in logs if not math.isnan(x)], dtype=np.float64))
    return roots[np.argsort(np.abs(roots - spot), kind="stable")]


def _search_nodes(book: Book, low: float, high: float) -> tuple[Floats, Floats]:
    """Ascending log spots from `low` to `high` that see every sign change, and the exposures there."""
    top = book.log_strike - book.half / book.steepness
    inside = (top > low) & (top < high)
    narrowest = 1.0 / book.steepness[inside].max() if inside.any() else math.inf
    step = max(min(WIDEST_STEP, narrowest / 2), (high - low) / (MOST_NODES - 1))
    count = math.ceil((high - low) / step) + 1
    nodes = np.linspace(low, high, count)
    values = _exposures(book, nodes)
    spikes = np.unique(top[inside & (book.steepness * step > 1 / 1.5)])
    more = np.concatenate([spikes, _vertices(nodes, values)])
    if more.size == 0:
        return nodes, values
    nodes, values = np.append(nodes, more), np.append(values, _exposures(book, more))
    order = np.argsort(nodes, kind="stable")
    return nodes[order], values[order]


def _vertices(nodes: Floats, values: Floats) -> Floats:
    """Where the profile comes near 0 between nodes and may touch it: vertices of parabolas through three equal steps."""
    before, here, after = values[:-2], values[1:-1], values[2:]
    bend = before - 2 * here + after
    nears = (
        (before * here > 0)
        & (after * here > 0)
        & (bend * here > 0)
        & (np.abs(here) <= np.minimum(abs(before), abs(after)))
    )
    at = np.flatnonzero(nears)
    slope = (after[at] - before[at]) / 2
    lowest = 1 - slope**2 / (2 * bend[at] * here[at])
    at, slope = at[lowest < NEAR_TOUCH], slope[lowest < NEAR_TOUCH]
    return np.asarray(nodes[1 + at] - slope / bend[at] * (nodes[1] - nodes[0]), dtype=np.float64)


def _exposures(book: Book, log_spots: Floats) -> Floats:
    """Exposure divided by trial spot. Cores share the trial spots, so that no sum depends on their number."""
    from hd_pipelines.analytics.gamma.profile_kernels import exposures_at

    out = np.zeros(log_spots.size)
    share = max(1, _SHARE // max(1, book.peak.size))
    over_cores(lambda first, last: exposures_at(log_spots[first:last], *book, out[first:last]), out.size, share)
    return out


def _book(
    spot: float,
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
    is_call: ArrayLike,
) -> Book:
    """The usable contracts. Gamma per share is n(d1) / (spot * sd) for forward = spot; times spot² * 1 % here."""
    if not (math.isfinite(spot) and spot > 0):
        raise ValueError(f"spot must be positive and finite, not {spot}")
    columns, calls = _flat(strike, years, forward, sigma, open_interest, multiplier, is_call)
    usable = _usable(columns)
    k, t, f, v, held, shares = (column[usable] for column in columns)
    deviation = v * np.sqrt(t)
    sign = np.where(calls[usable], 1.0, -1.0)
    peak = sign * held * shares * 0.01 * f / (spot * deviation * math.sqrt(2 * math.pi))
    return Book(np.log(k / f), 1.0 / deviation, 0.5 * deviation, peak)


def _flat(
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
    is_call: ArrayLike,
) -> tuple[list[Floats], Mask]:
    """The six numbers and the flag of every contract, one-dimensional."""
    numbers = {
        "strike": strike,
        "years": years,
        "forward": forward,
        "sigma": sigma,
        "open_interest": open_interest,
        "multiplier": multiplier,
    }
    shape, arrays, flags = broadcast(numbers, is_call if np.size(is_call) else np.zeros(0, dtype=np.bool_))
    size = math.prod(shape)
    return [np.broadcast_to(array, size) for array in arrays], np.broadcast_to(flags, size)


def _usable(columns: list[Floats]) -> Mask:
    *others, held, shares = columns
    positive = [np.isfinite(column) & (column > 0) for column in (*others, shares)]
    return np.asarray(np.logical_and.reduce([*positive, np.isfinite(held) & (held >= 0)]), dtype=np.bool_)
