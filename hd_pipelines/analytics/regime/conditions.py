"""Conditions and rules of the market regime as values, and the polars expressions that evaluate them.

The rules themselves are in `rules`.

Logic is three-valued: a condition on a missing measure is neither true nor false. All of a rule's `requires` must be true.
Its `unless_contradicted` must not be false: a missing value does not stop the rule, but does not count as agreement either,
since every missing axis lowers the row's confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from hd_pipelines.tables.vocabulary import MarketRegime


@dataclass(frozen=True, slots=True)
class Condition:
    """`measure` ≥ `threshold`, or ≤ if `is_ceiling`. With `slack` > 0, the threshold for staying is looser by that much."""

    measure: str
    threshold: float
    is_ceiling: bool
    slack: float = 0.0

    def holds(self, *, staying: bool = False) -> pl.Expr:
        """Boolean expression, null where the measure is missing or NaN."""
        value = pl.col(self.measure).fill_nan(None)
        slack = self.slack if staying else 0.0
        return value <= self.threshold + slack if self.is_ceiling else value >= self.threshold - slack


def at_least(measure: str, threshold: float, slack: float = 0.0) -> Condition:
    """`measure` ≥ `threshold`."""
    return Condition(measure, threshold, is_ceiling=False, slack=slack)


def at_most(measure: str, threshold: float, slack: float = 0.0) -> Condition:
    """`measure` ≤ `threshold`."""
    return Condition(measure, threshold, is_ceiling=True, slack=slack)


def is_measured(measure: str) -> Condition:
    """`measure` is not missing, whatever its value."""
    return Condition(measure, -math.inf, is_ceiling=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the table. `base_confidence` (0-100) is the confidence of a row with every axis measured.

    `is_event`: the rule describes this session alone. It is entered at once, and one cannot stay in it.
    """

    name: str
    regime: MarketRegime
    base_confidence: int
    requires: tuple[Condition, ...] = ()
    unless_contradicted: tuple[Condition, ...] = ()
    is_event: bool = False

    def fires(self) -> pl.Expr:
        """Whether the rule fires on a row, never null."""
        required = [condition.holds().fill_null(value=False) for condition in self.requires]
        return pl.all_horizontal(pl.lit(value=True), *required, *self._uncontradicted(staying=False))

    def may_stay(self) -> pl.Expr:
        """Whether nothing measured contradicts the rule, with slack; an event never stays. Never null."""
        if self.is_event or not self.requires:
            return pl.lit(value=False)
        required = [condition.holds(staying=True).fill_null(value=True) for condition in self.requires]
        return pl.all_horizontal(*required, *self._uncontradicted(staying=True))

    def _uncontradicted(self, *, staying: bool) -> list[pl.Expr]:
        return [condition.holds(staying=staying).fill_null(value=True) for condition in self.unless_contradicted]
