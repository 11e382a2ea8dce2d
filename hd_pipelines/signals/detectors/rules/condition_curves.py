"""Curves that give points for tests: the first case that holds, bonuses that add up, the share that holds.

Belongs here: the kinds of curve that look at several features. Curves of one feature are in `curves`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import (
    Booleans,
    Comparisons,
    Parameters,
    View,
    all_hold,
    for_seller,
    parameters_of,
    varied,
)
from hd_pipelines.signals.detectors.rules.curves import (
    Line,
    parameters_otherwise,
    points_otherwise,
    said_otherwise,
    varied_otherwise,
)
from hd_pipelines.signals.detectors.rules.mirroring import name_for_seller
from hd_pipelines.signals.frame import Floats

Rewards: TypeAlias = tuple[tuple[str, Comparisons, float], ...]
"""Name, tests that must all hold, points."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Points of the first case whose tests hold, else those of `otherwise`. `needs` must be known.

    cases: (name, tests, points). A case on a missing feature that is not needed does not apply.
    """

    needs: tuple[str, ...]
    cases: Rewards
    otherwise: Line | float

    @property
    def features(self) -> tuple[str, ...]:
        """What is needed, what the cases test, and what the line looks at."""
        line = self.otherwise.features if isinstance(self.otherwise, Line) else ()
        return _each_once(*self.needs, *_tested(self.cases), *line)

    def points(self, view: View) -> Floats:
        """Shape (n,)."""
        is_missing = _is_any_missing(self.needs, view)
        points = points_otherwise(self.otherwise, view, is_missing)
        for _, tests, given in reversed(self.cases):
            points = np.where(all_hold(tests, view) & ~is_missing, given, points)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """Points and thresholds of each case, and those of `otherwise`."""
        return parameters_otherwise(self.otherwise, prefix) | _rewards_parameters(self.cases, prefix)

    def varied(self, prefix: str, changes: Parameters) -> Cases:
        """Other cases."""
        cases = _rewards_varied(self.cases, prefix, changes)
        return replace(self, cases=cases, otherwise=varied_otherwise(self.otherwise, prefix, changes))

    def for_seller(self) -> Cases:
        """Every test turned around."""
        return Cases(
            tuple(map(name_for_seller, self.needs)),
            _rewards_for_seller(self.cases),
            self.otherwise.for_seller() if isinstance(self.otherwise, Line) else self.otherwise,
        )

    def __str__(self) -> str:
        cases = "; ".join(f"{given:g} if {_said(tests)}" for _, tests, given in self.cases)
        return f"{cases}; else {said_otherwise(self.otherwise)}"


@dataclass(frozen=True, slots=True)
class Bonuses:
    """`base` plus the points of every bonus whose tests hold. `needs` must be known; a bonus on a missing one is not given.

    bonuses: (name, tests, points).
    """

    base: float
    needs: tuple[str, ...]
    bonuses: Rewards

    @property
    def features(self) -> tuple[str, ...]:
        """What is needed and what the bonuses test."""
        return _each_once(*self.needs, *_tested(self.bonuses))

    def points(self, view: View) -> Floats:
        """Shape (n,)."""
        points = np.where(_is_any_missing(self.needs, view), np.nan, self.base)
        for _, tests, given in self.bonuses:
            points = points + given * all_hold(tests, view)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """The base, and points and thresholds of each bonus."""
        return {f"{prefix}.base": self.base, **_rewards_parameters(self.bonuses, prefix)}

    def varied(self, prefix: str, changes: Parameters) -> Bonuses:
        """Other bonuses."""
        base = changes.get(f"{prefix}.base", self.base)
        return Bonuses(base, self.needs, _rewards_varied(self.bonuses, prefix, changes))

    def for_seller(self) -> Bonuses:
        """Every test turned around."""
        return Bonuses(self.base, tuple(map(name_for_seller, self.needs)), _rewards_for_seller(self.bonuses))

    def __str__(self) -> str:
        return f"{self.base:g}; " + "; ".join(f"{given:+g} if {_said(tests)}" for _, tests, given in self.bonuses)


@dataclass(frozen=True, slots=True)
class ShareHolding:
    """100 × the share of groups of tests that hold, among those whose features are known."""

    groups: tuple[Comparisons, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """What the groups look at."""
        return _each_once(*(test.feature for group in self.groups for test in group))

    def points(self, view: View) -> Floats:
        """Shape (n,); NaN where nothing is known."""
        known = np.array([~_is_any_missing(tuple(test.feature for test in group), view) for group in self.groups])
        holding = np.array([all_hold(group, view) for group in self.groups])
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * np.divide(holding.sum(axis=0), known.sum(axis=0)))

    def parameters(self, prefix: str) -> dict[str, float]:
        """Thresholds of the groups."""
        return {k: v for i, group in enumerate(self.groups) for k, v in parameters_of(group, f"{prefix}.{i}").items()}

    def varied(self, prefix: str, changes: Parameters) -> ShareHolding:
        """Other thresholds."""
        return ShareHolding(tuple(varied(group, f"{prefix}.{i}", changes) for i, group in enumerate(self.groups)))

    def for_seller(self) -> ShareHolding:
        """Every test turned around."""
        return ShareHolding(tuple(map(for_seller, self.groups)))

    def __str__(self) -> str:
        return "100 × the share that holds of: " + "; ".join(map(_said, self.groups))


def _each_once(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _tested(rewards: Rewards) -> Iterable[str]:
    return (test.feature for _, tests, _ in rewards for test in tests)


def _is_any_missing(features: tuple[str, ...], view: View) -> Booleans:
    missing = np.isnan(view[features[0]])
    for feature in features[1:]:
        missing = missing | np.isnan(view[feature])
    return missing


def _rewards_parameters(rewards: Rewards, prefix: str) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, tests, given in rewards:
        numbers[f"{prefix}.{name}.points"] = given
        numbers |= parameters_of(tests, f"{prefix}.{name}")
    return numbers


def _rewards_varied(rewards: Rewards, prefix: str, changes: Parameters) -> Rewards:
    return tuple(
        (name, varied(tests, f"{prefix}.{name}", changes), changes.get(f"{prefix}.{name}.points", given))
        for name, tests, given in rewards
    )


def _rewards_for_seller(rewards: Rewards) -> Rewards:
    return tuple((name, for_seller(tests), given) for name, tests, given in rewards)


def _said(tests: Comparisons) -> str:
    return " and ".join(map(str, tests))
