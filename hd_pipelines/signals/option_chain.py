"""The option chain that a signal's contract is chosen from: one snapshot as columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.frame import Floats


@dataclass(frozen=True)
class OptionQuotes:
    """One symbol's valued contracts of one snapshot; shape (n,), NaN where the row has null.

    known_at_ns: the snapshot's instant. dte: calendar days. delta: signed, of a long contract. is_call: booleans.
    """

    known_at_ns: int
    tickers: tuple[str, ...]
    expirations: NDArray[np.datetime64]
    is_call: NDArray[np.bool_]
    strike: Floats
    dte: Floats
    bid: Floats
    ask: Floats
    volume: Floats
    open_interest: Floats
    implied_volatility: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats

    def __len__(self) -> int:
        return len(self.tickers)


ChainAt: TypeAlias = Callable[[int], OptionQuotes | None]
"""Looks up the newest chain of a symbol known at an instant (ns UTC), or None. Called only for accepted signals."""
