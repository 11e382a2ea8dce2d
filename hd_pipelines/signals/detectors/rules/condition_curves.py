"""Score curves over tests of several features: first matching case, additive bonuses, and share of tests that hold."""

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
    list_parameters,
    mirror_tests,
    vary_tests,
)
from hd_pipelines.signals.detectors.rules.curves import (
    Line,
    describe_fallback,
    evaluate_fallback,
    list_fallback_parameters,
    vary_fallback,
)
from hd_pipelines.signals.detectors.rules.mirroring import mirror_name
from hd_pipelines.signals.frame import Floats

Rewards: TypeAlias = tuple[tuple[str, Comparisons, float], ...]
"""Name, tests that must all hold, points."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Points of the first case whose tests all hold, else those of `otherwise`; NaN if a feature in `needs` is missing.

    cases: (name, tests, points). A case that tests another missing feature does not apply.
    """

    needs: tuple[str, ...]
    cases: Rewards
    otherwise: Line | float

    @property
    def features(self) -> tuple[str, ...]:
        """Features in `needs`, in the cases and in the fallback line."""
        line = self.otherwise.features if isinstance(self.otherwise, Line) else ()
        return _drop_repeats(*self.needs, *_list_tested_features(self.cases), *line)

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, NaN where a feature in `needs` is missing; shape (n,)."""
        is_missing = _is_any_missing(self.needs, view)
        points = evaluate_fallback(self.otherwise, view, is_missing)
        for _, tests, given in reversed(self.cases):
            points = np.where(all_hold(tests, view) & ~is_missing, given, points)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """Points and thresholds of each case, and the fallback's numbers."""
        return list_fallback_parameters(self.otherwise, prefix) | _list_reward_parameters(self.cases, prefix)

    def vary(self, prefix: str, changes: Parameters) -> Cases:
        """Return a copy with `changes` applied."""
        cases = _vary_rewards(self.cases, prefix, changes)
        return replace(self, cases=cases, otherwise=vary_fallback(self.otherwise, prefix, changes))

    def mirror(self) -> Cases:
        """Return the short side's curve, in terms of the unmirrored frame."""
        return Cases(
            tuple(map(mirror_name, self.needs)),
            _mirror_rewards(self.cases),
            self.otherwise.mirror() if isinstance(self.otherwise, Line) else self.otherwise,
        )

    def __str__(self) -> str:
        cases = "; ".join(f"{given:g} if {_describe(tests)}" for _, tests, given in self.cases)
        return f"{cases}; else {describe_fallback(self.otherwise)}"


@dataclass(frozen=True, slots=True)
class Bonuses:
    """`base` plus the points of every bonus whose tests all hold; NaN if a feature in `needs` is missing.

    bonuses: (name, tests, points). A bonus that tests another missing feature is not given.
    """

    base: float
    needs: tuple[str, ...]
    bonuses: Rewards

    @property
    def features(self) -> tuple[str, ...]:
        """Features in `needs` and in the bonuses."""
        return _drop_repeats(*self.needs, *_list_tested_features(self.bonuses))

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, NaN where a feature in `needs` is missing; shape (n,)."""
        points = np.where(_is_any_missing(self.needs, view), np.nan, self.base)
        for _, tests, given in self.bonuses:
            points = points + given * all_hold(tests, view)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """The base, and the points and thresholds of each bonus."""
        return {f"{prefix}.base": self.base, **_list_reward_parameters(self.bonuses, prefix)}

    def vary(self, prefix: str, changes: Parameters) -> Bonuses:
        """Return a copy with `changes` applied."""
        base = changes.get(f"{prefix}.base", self.base)
        return Bonuses(base, self.needs, _vary_rewards(self.bonuses, prefix, changes))

    def mirror(self) -> Bonuses:
        """Return the short side's curve, in terms of the unmirrored frame."""
        return Bonuses(self.base, tuple(map(mirror_name, self.needs)), _mirror_rewards(self.bonuses))

    def __str__(self) -> str:
        return f"{self.base:g}; " + "; ".join(f"{given:+g} if {_describe(tests)}" for _, tests, given in self.bonuses)


@dataclass(frozen=True, slots=True)
class ShareOfTests:
    """100 × the share of test groups that hold, among the groups whose features are known."""

    groups: tuple[Comparisons, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Features in the groups."""
        return _drop_repeats(*(test.feature for group in self.groups for test in group))

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, shape (n,); NaN where no group is known."""
        known = np.array([~_is_any_missing(tuple(test.feature for test in group), view) for group in self.groups])
        holding = np.array([all_hold(group, view) for group in self.groups])
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * np.divide(holding.sum(axis=0), known.sum(axis=0)))

    def parameters(self, prefix: str) -> dict[str, float]:
        """Thresholds of all groups."""
        return {k: v for i, group in enumerate(self.groups) for k, v in list_parameters(group, f"{prefix}.{i}").items()}

    def vary(self, prefix: str, changes: Parameters) -> ShareOfTests:
        """Return a copy with `changes` applied."""
        return ShareOfTests(tuple(vary_tests(group, f"{prefix}.{i}", changes) for i, group in enumerate(self.groups)))

    def mirror(self) -> ShareOfTests:
        """Return the short side's curve, in terms of the unmirrored frame."""
        return ShareOfTests(tuple(map(mirror_tests, self.groups)))

    def __str__(self) -> str:
        return "100 × the share that holds of: " + "; ".join(map(_describe, self.groups))


def _drop_repeats(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _list_tested_features(rewards: Rewards) -> Iterable[str]:
    return (test.feature for _, tests, _ in rewards for test in tests)


def _is_any_missing(features: tuple[str, ...], view: View) -> Booleans:
    missing = np.isnan(view[features[0]])
    for feature in features[1:]:
        missing = missing | np.isnan(view[feature])
    return missing


def _list_reward_parameters(rewards: Rewards, prefix: str) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, tests, given in rewards:
        numbers[f"{prefix}.{name}.points"] = given
        numbers |= list_parameters(tests, f"{prefix}.{name}")
    return numbers


def _vary_rewards(rewards: Rewards, prefix: str, changes: Parameters) -> Rewards:
    return tuple(
        (name, vary_tests(tests, f"{prefix}.{name}", changes), changes.get(f"{prefix}.{name}.points", given))
        for name, tests, given in rewards
    )


def _mirror_rewards(rewards: Rewards) -> Rewards:
    return tuple((name, mirror_tests(tests), given) for name, tests, given in rewards)


def _describe(tests: Comparisons) -> str:
    return " and ".join(map(str, tests))
