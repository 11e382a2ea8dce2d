"""Factors of detectors as data: curves that turn features into points from 0 to 100, and their weights.

Belongs here: the kinds of curve and how they are scored. Curves that several detectors share are in `shared_curves`.
A factor whose features are missing has no points (NaN) and leaves the weighted mean: nothing is put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from hd_pipelines.signals.catalogue import FEATURES, code_of
from hd_pipelines.signals.detectors.conditions import (
    Comparisons,
    Parameters,
    Test,
    View,
    all_hold,
    parameters_of,
    varied,
)
from hd_pipelines.signals.frame import Floats


class Curve(Protocol):
    """How features become points."""

    @property
    def features(self) -> tuple[str, ...]:
        """What it looks at."""

    def points(self, view: View) -> Floats:
        """Shape (n,), unbounded; NaN where a feature is missing."""

    def parameters(self, prefix: str) -> dict[str, float]:
        """Its numbers by name."""

    def varied(self, prefix: str, changes: Parameters) -> Curve:
        """The same curve with other numbers."""


@dataclass(frozen=True, slots=True)
class Line:
    """intercept + slope × feature; of its size where `absolute`."""

    feature: str
    intercept: float
    slope: float
    absolute: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """One."""
        return (self.feature,)

    def points(self, view: View) -> Floats:
        """Shape (n,)."""
        values = view[self.feature]
        return self.intercept + self.slope * (np.abs(values) if self.absolute else values)

    def parameters(self, prefix: str) -> dict[str, float]:
        """Intercept and slope."""
        return {f"{prefix}.intercept": self.intercept, f"{prefix}.slope": self.slope}

    def varied(self, prefix: str, changes: Parameters) -> Line:
        """Another line."""
        return replace(
            self,
            intercept=changes.get(f"{prefix}.intercept", self.intercept),
            slope=changes.get(f"{prefix}.slope", self.slope),
        )


@dataclass(frozen=True, slots=True)
class Steps:
    """Points of the first step that the feature reaches, from the hardest to the easiest, else those of `otherwise`.

    steps: pairs (bound, points). rising: a step is reached at or above its bound, else at or below it.
    """

    feature: str
    steps: tuple[tuple[float, float], ...]
    otherwise: Line
    rising: bool = True

    @property
    def features(self) -> tuple[str, ...]:
        """One."""
        return (self.feature,)

    def points(self, view: View) -> Floats:
        """Shape (n,)."""
        values = view[self.feature]
        points = self.otherwise.points(view)
        for bound, given in reversed(self.steps):
            points = np.where(values >= bound if self.rising else values <= bound, given, points)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """Bound and points of each step, and those of the line."""
        numbers = self.otherwise.parameters(f"{prefix}.otherwise")
        for position, (bound, given) in enumerate(self.steps):
            numbers[f"{prefix}.{position}.bound"], numbers[f"{prefix}.{position}.points"] = bound, given
        return numbers

    def varied(self, prefix: str, changes: Parameters) -> Steps:
        """Other steps."""
        steps = tuple(
            (changes.get(f"{prefix}.{position}.bound", bound), changes.get(f"{prefix}.{position}.points", given))
            for position, (bound, given) in enumerate(self.steps)
        )
        return replace(self, steps=steps, otherwise=self.otherwise.varied(f"{prefix}.otherwise", changes))


@dataclass(frozen=True, slots=True)
class Words:
    """Points by word."""

    feature: str
    table: tuple[tuple[str, float], ...]

    @property
    def features(self) -> tuple[str, ...]:
        """One."""
        return (self.feature,)

    def points(self, view: View) -> Floats:
        """Shape (n,)."""
        by_code = np.full(len(FEATURES[self.feature].words), np.nan)
        for word, given in self.table:
            by_code[int(code_of(self.feature, word))] = given
        values = view[self.feature]
        is_missing = np.isnan(values)
        return np.where(is_missing, np.nan, by_code[np.where(is_missing, 0, values).astype(np.intp)])

    def parameters(self, prefix: str) -> dict[str, float]:
        """Points by word."""
        return {f"{prefix}.{word}": given for word, given in self.table}

    def varied(self, prefix: str, changes: Parameters) -> Words:
        """Other points."""
        return replace(self, table=tuple((word, changes.get(f"{prefix}.{word}", given)) for word, given in self.table))


@dataclass(frozen=True, slots=True)
class Bonuses:
    """`base` plus the points of every bonus whose tests hold. `needs` must be known; a bonus on a missing one is not given.

    bonuses: (name, tests, points).
    """

    base: float
    needs: tuple[str, ...]
    bonuses: tuple[tuple[str, Comparisons, float], ...]

    @property
    def features(self) -> tuple[str, ...]:
        """What must be known."""
        return self.needs

    def points(self, view: View) -> Floats:
        """Shape (n,)."""
        missing = np.isnan(view[self.needs[0]])
        for feature in self.needs[1:]:
            missing = missing | np.isnan(view[feature])
        points = np.where(missing, np.nan, self.base)
        for _, tests, given in self.bonuses:
            points = points + given * all_hold(tests, view)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """The base, and points and thresholds of each bonus."""
        numbers = {f"{prefix}.base": self.base}
        for name, tests, given in self.bonuses:
            numbers[f"{prefix}.{name}.points"] = given
            numbers |= parameters_of(tests, f"{prefix}.{name}")
        return numbers

    def varied(self, prefix: str, changes: Parameters) -> Bonuses:
        """Other bonuses."""
        bonuses = tuple(
            (name, varied(tests, f"{prefix}.{name}", changes), changes.get(f"{prefix}.{name}.points", given))
            for name, tests, given in self.bonuses
        )
        return replace(self, base=changes.get(f"{prefix}.base", self.base), bonuses=bonuses)


@dataclass(frozen=True, slots=True)
class ShareHolding:
    """100 × the share of groups of tests that hold, among those whose features are known."""

    groups: tuple[Comparisons, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """What the groups look at, each once."""
        return tuple(dict.fromkeys(test.feature for group in self.groups for test in group))

    def points(self, view: View) -> Floats:
        """Shape (n,); NaN where nothing is known."""
        holding, known = 0.0, 0.0
        for group in self.groups:
            is_known = np.all([~np.isnan(view[test.feature]) for test in group], axis=0)
            holding = holding + (all_hold(group, view) & is_known)
            known = known + is_known
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(100.0 * np.divide(holding, known))

    def parameters(self, prefix: str) -> dict[str, float]:
        """Thresholds of the groups."""
        return {k: v for i, group in enumerate(self.groups) for k, v in parameters_of(group, f"{prefix}.{i}").items()}

    def varied(self, prefix: str, changes: Parameters) -> ShareHolding:
        """Other thresholds."""
        return ShareHolding(tuple(varied(group, f"{prefix}.{i}", changes) for i, group in enumerate(self.groups)))


AnyCurve: TypeAlias = Line | Steps | Words | Bonuses | ShareHolding


@dataclass(frozen=True, slots=True)
class Factor:
    """A part of the base score: 0 to 100 points by its curve, and how much they weigh."""

    name: str
    weight: float
    curve: AnyCurve

    def points(self, view: View) -> Floats:
        """Shape (n,), kept within 0 and 100; NaN where a feature is missing."""
        return np.clip(self.curve.points(view), 0.0, 100.0)

    def parameters(self) -> dict[str, float]:
        """Its numbers by name."""
        return {f"factor.{self.name}.weight": self.weight, **self.curve.parameters(f"factor.{self.name}")}

    def varied(self, changes: Parameters) -> Factor:
        """The factor with other numbers."""
        return Factor(
            self.name,
            changes.get(f"factor.{self.name}.weight", self.weight),
            self.curve.varied(f"factor.{self.name}", changes),
        )


__all__ = [
    "AnyCurve",
    "Bonuses",
    "Curve",
    "Factor",
    "Line",
    "ShareHolding",
    "Steps",
    "Test",
    "Words",
]
