"""Computes dealer gamma as a function of the spot, and the spots where it changes sign.

Gamma is that of Black-76 on a forward that moves in proportion to the spot, with each contract's volatility kept (sticky
strike). Signs follow `SignModel.NAIVE_CALLS_LONG`: dealers are long every call and short every put, which is an assumption
and not an observation. Sources: Black (1976); SqueezeMetrics, "The Implied Order Book".
"""
# ruff: noqa: PLR0917 - the argument order is a contract with the tools that call these functions

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hd_pipelines.pricing.arrays import broadcast, run_over_cores

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WIDEST_STEP = 1e-3
"""Log distance between nodes of the search unless a contract requires less: 0.1 % of spot."""
MOST_NODES = 4096
NEGLIGIBLE = 1e-11
"""Net exposure below this share of the contracts' summed peaks counts as zero, since it is only rounding."""
NEAR_TOUCH = 0.25
"""Between two nodes of one sign the profile is evaluated again where it should fall below this share of their values."""
ROOT_TOLERANCE = 1e-11
_SHARE = 1_000_000
"""Number of pairs of contract and trial spot that justify another thread: about a millisecond of work."""


class Book(NamedTuple):
    """Contracts reduced to what the kernels need; see `profile_kernels`."""

    log_strike: Floats
    steepness: Floats
    half: Floats
    peak: Floats


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
    book = _build_book(spot, strike, years, forward, sigma, open_interest, multiplier, is_call)
    return _compute_exposures(book, np.log(trial.ravel() / spot)).reshape(trial.shape) * trial


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
    """Find every spot within ±`search` of `spot` where the profile changes sign, nearest to `spot` first.

    Arguments as in `gamma_profile`. Each root has a relative accuracy of 1e-10; an empty array means no crossing. This is
    not the strike where the cumulative sum over strikes changes sign, which public scripts often plot.

    Nodes are at most 0.1 % apart and half a standard deviation of the shortest contract, up to 4096 nodes. A contract that
    is narrower still (0DTE in its last minutes) gets a node of its own at its strike.

    Raises:
        ValueError: `spot` not positive and finite, or `search` outside (0, 1).
    """
    if not 0 < search < 1:
        raise ValueError(f"search is a share of spot between 0 and 1, not {search}")
    book = _build_book(spot, strike, years, forward, sigma, open_interest, multiplier, is_call)
    held = book.peak != 0
    book = Book(*(column[held] for column in book))
    if book.peak.size == 0:
        return np.empty(0)
    from hd_pipelines.analytics.gamma.profile_kernels import root_between

    nodes, values = _build_search_nodes(book, math.log1p(-search), math.log1p(search))
    material = np.flatnonzero(np.abs(values) > NEGLIGIBLE * np.abs(book.peak).sum())
    signs = np.sign(values[material])
    turns = np.flatnonzero(signs[1:] != signs[:-1])
    logs = [root_between(nodes[material[i]], nodes[material[i + 1]], ROOT_TOLERANCE, *book) for i in turns]
    roots = spot * np.exp(np.array([x for x in logs if not math.isnan(x)], dtype=np.float64))
    return roots[np.argsort(np.abs(roots - spot), kind="stable")]


def _build_search_nodes(book: Book, low: float, high: float) -> tuple[Floats, Floats]:
    """Build ascending log spots from `low` to `high` that reveal every sign change, with the exposures there."""
    top = book.log_strike - book.half / book.steepness
    inside = (top > low) & (top < high)
    narrowest = 1.0 / book.steepness[inside].max() if inside.any() else math.inf
    step = max(min(WIDEST_STEP, narrowest / 2), (high - low) / (MOST_NODES - 1))
    count = math.ceil((high - low) / step) + 1
    nodes = np.linspace(low, high, count)
    values = _compute_exposures(book, nodes)
    spikes = np.unique(top[inside & (book.steepness * step > 1 / 1.5)])
    more = np.concatenate([spikes, _find_vertices(nodes, values)])
    if more.size == 0:
        return nodes, values
    nodes, values = np.append(nodes, more), np.append(values, _compute_exposures(book, more))
    order = np.argsort(nodes, kind="stable")
    return nodes[order], values[order]


def _find_vertices(nodes: Floats, values: Floats) -> Floats:
    """Find where the profile may touch 0 between nodes: vertices of parabolas through three equal steps."""
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


def _compute_exposures(book: Book, log_spots: Floats) -> Floats:
    """Exposure divided by trial spot. Threads share the trial spots, so that no sum depends on the number of cores."""
    from hd_pipelines.analytics.gamma.profile_kernels import exposures_at

    out = np.zeros(log_spots.size)
    share = max(1, _SHARE // max(1, book.peak.size))
    run_over_cores(lambda first, last: exposures_at(log_spots[first:last], *book, out[first:last]), out.size, share)
    return out


def _build_book(
    spot: float,
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
    is_call: ArrayLike,
) -> Book:
    """Build the usable contracts. Gamma per share is n(d1) / (spot * sd) for forward = spot; times spot² * 1 % here."""
    if not (math.isfinite(spot) and spot > 0):
        raise ValueError(f"spot must be positive and finite, not {spot}")
    columns, calls = _flatten(strike, years, forward, sigma, open_interest, multiplier, is_call)
    usable = _are_usable(columns)
    k, t, f, v, held, shares = (column[usable] for column in columns)
    deviation = v * np.sqrt(t)
    sign = np.where(calls[usable], 1.0, -1.0)
    peak = sign * held * shares * 0.01 * f / (spot * deviation * math.sqrt(2 * math.pi))
    return Book(np.log(k / f), 1.0 / deviation, 0.5 * deviation, peak)


def _flatten(
    strike: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    sigma: ArrayLike,
    open_interest: ArrayLike,
    multiplier: ArrayLike,
    is_call: ArrayLike,
) -> tuple[list[Floats], Mask]:
    """Make the six numbers and the flag of every contract one-dimensional."""
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


def _are_usable(columns: list[Floats]) -> Mask:
    *others, held, shares = columns
    positive = [np.isfinite(column) & (column > 0) for column in (*others, shares)]
    return np.asarray(np.logical_and.reduce([*positive, np.isfinite(held) & (held >= 0)]), dtype=np.bool_)
