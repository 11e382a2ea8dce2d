"""What a rule of the market regime is made of, and how a row is held against it.

Belongs here: conditions and rules as values, and the polars expressions that they become. The rules themselves are in
`regime_rules`.

Logic has three values: a condition on a missing measure is neither true nor false. A rule's `requires` must all be true.
Its `unless_contradicted` must not be false: a missing value does not stop the rule, and is not taken for agreement
either, since every missing axis lowers the row's confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from hd_pipelines.tables.vocabulary import MarketRegime


@dataclass(frozen=True, slots=True)
class Condition:
    """`measure` ≥ `threshold`, or ≤ it if `is_ceiling`. With `slack` > 0 the threshold of staying is that much looser."""

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


def measured(measure: str) -> Condition:
    """`measure` is there, whatever it says."""
    return Condition(measure, -math.inf, is_ceiling=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table. `base_confidence` is that of a row with every axis measured, 0-100.

    `is_event`: the rule speaks of this session alone. It is entered at once and cannot be stayed in.
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
