"""Curves that turn one feature into points: lines, steps, and tables of words.

Belongs here: the protocol of a curve and the kinds that look at one feature. Those that weigh tests of several features
are in `curves_of_tests`; curves that detectors share, with their numbers, in `shared_curves`.

Points may leave 0 to 100, `Factor` keeps them there. A missing feature has no points (NaN): nothing is put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from hd_pipelines.signals.catalogue import FEATURES, encode_value
from hd_pipelines.signals.detectors.rules.conditions import Booleans, Parameters, View
from hd_pipelines.signals.detectors.rules.mirroring import (
    is_reversed,
    mirror_bound,
    mirror_name,
    mirror_value,
)
from hd_pipelines.signals.frame import Floats


class Curve(Protocol):
    """How features become points. `str` of it says so in words."""

    @property
    def features(self) -> tuple[str, ...]:
        """What it looks at, each once."""

    def evaluate(self, view: View) -> Floats:
        """Shape (n,), unbounded; NaN where a feature that it needs is missing."""

    def parameters(self, prefix: str) -> dict[str, float]:
        """Its numbers by name."""

    def vary(self, prefix: str, changes: Parameters) -> Curve:
        """The same curve with other numbers."""

    def mirror(self) -> Curve:
        """What it says to a seller, in the frame's own terms."""


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

    def evaluate(self, view: View) -> Floats:
        """Shape (n,)."""
        values = view[self.feature]
        return self.intercept + self.slope * (np.abs(values) if self.absolute else values)

    def parameters(self, prefix: str) -> dict[str, float]:
        """Intercept and slope."""
        return {f"{prefix}.intercept": self.intercept, f"{prefix}.slope": self.slope}

    def vary(self, prefix: str, changes: Parameters) -> Line:
        """Another line."""
        return replace(
            self,
            intercept=changes.get(f"{prefix}.intercept", self.intercept),
            slope=changes.get(f"{prefix}.slope", self.slope),
        )

    def mirror(self) -> Line:
        """Falling where it rose, if more of the feature is less to a seller."""
        name = mirror_name(self.feature)
        if self.absolute or not is_reversed(self.feature):
            return replace(self, feature=name)
        at_zero = self.intercept + self.slope * mirror_bound(self.feature, 0.0)
        return Line(name, at_zero, 0.0 - self.slope)

    def __str__(self) -> str:
        name = f"|{self.feature}|" if self.absolute else self.feature
        if self.intercept == 0.0:
            return f"{self.slope:,.5g} × {name}"
        return f"{self.intercept:,.5g} {'-' if self.slope < 0 else '+'} {abs(self.slope):,.5g} × {name}"


def line_through(feature: str, first: tuple[float, float], second: tuple[float, float]) -> Line:
    """The line through two points (feature, points). Raises `ZeroDivisionError` if they lie above one another."""
    slope = (second[1] - first[1]) / (second[0] - first[0])
    return Line(feature, first[1] - slope * first[0], slope)


@dataclass(frozen=True, slots=True)
class Steps:
    """Points of the first step that the feature reaches, from the hardest to the easiest, else those of `otherwise`.

    steps: pairs (bound, points). rising: a step is reached at or above its bound, else at or below it.
    """

    feature: str
    steps: tuple[tuple[float, float], ...]
    otherwise: Line | float
    rising: bool = True

    @property
    def features(self) -> tuple[str, ...]:
        """One."""
        return (self.feature,)

    def evaluate(self, view: View) -> Floats:
        """Shape (n,)."""
        values = view[self.feature]
        points = evaluate_fallback(self.otherwise, view, np.isnan(values))
        for bound, given in reversed(self.steps):
            points = np.where(values >= bound if self.rising else values <= bound, given, points)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """Bound and points of each step, and those of `otherwise`."""
        numbers = list_fallback_parameters(self.otherwise, prefix)
        for position, (bound, given) in enumerate(self.steps):
            numbers[f"{prefix}.{position}.bound"], numbers[f"{prefix}.{position}.points"] = bound, given
        return numbers

    def vary(self, prefix: str, changes: Parameters) -> Steps:
        """Other steps."""
        steps = tuple(
            (changes.get(f"{prefix}.{position}.bound", bound), changes.get(f"{prefix}.{position}.points", given))
            for position, (bound, given) in enumerate(self.steps)
        )
        return replace(self, steps=steps, otherwise=vary_fallback(self.otherwise, prefix, changes))

    def mirror(self) -> Steps:
        """Falling where they rose, if more of the feature is less to a seller."""
        return Steps(
            mirror_name(self.feature),
            tuple((mirror_bound(self.feature, bound), given) for bound, given in self.steps),
            self.otherwise.mirror() if isinstance(self.otherwise, Line) else self.otherwise,
            self.rising is not is_reversed(self.feature),
        )

    def __str__(self) -> str:
        sign = "≥" if self.rising else "≤"
        steps = "; ".join(f"{given:g} at {sign} {bound:g}" for bound, given in self.steps)
        return f"{self.feature}: {steps}; else {describe_fallback(self.otherwise)}"


@dataclass(frozen=True, slots=True)
class ValuePoints:
    """Points by word."""

    feature: str
    table: tuple[tuple[str, float], ...]

    @property
    def features(self) -> tuple[str, ...]:
        """One."""
        return (self.feature,)

    def evaluate(self, view: View) -> Floats:
        """Shape (n,); NaN for a word that the table does not have."""
        by_code = np.full(len(FEATURES[self.feature].enum_values), np.nan)
        for word, given in self.table:
            by_code[int(encode_value(self.feature, word))] = given
        values = view[self.feature]
        is_missing = np.isnan(values)
        return np.where(is_missing, np.nan, by_code[np.where(is_missing, 0, values).astype(np.intp)])

    def parameters(self, prefix: str) -> dict[str, float]:
        """Points by word."""
        return {f"{prefix}.{word}": given for word, given in self.table}

    def vary(self, prefix: str, changes: Parameters) -> ValuePoints:
        """Other points."""
        return replace(self, table=tuple((word, changes.get(f"{prefix}.{word}", given)) for word, given in self.table))

    def mirror(self) -> ValuePoints:
        """Opposite trends have each other's points."""
        return ValuePoints(
            mirror_name(self.feature),
            tuple((mirror_value(self.feature, word), given) for word, given in self.table),
        )

    def __str__(self) -> str:
        return f"{self.feature}: " + "; ".join(f"{given:g} in {word}" for word, given in self.table)


def evaluate_fallback(otherwise: Line | float, view: View, is_missing: Booleans) -> Floats:
    """Points where no step or case applies, shape (n,); NaN where `is_missing`."""
    given = otherwise.evaluate(view) if isinstance(otherwise, Line) else otherwise
    return np.where(is_missing, np.nan, given)


def list_fallback_parameters(otherwise: Line | float, prefix: str) -> dict[str, float]:
    """Its numbers by name."""
    name = f"{prefix}.otherwise"
    return otherwise.parameters(name) if isinstance(otherwise, Line) else {name: otherwise}


def vary_fallback(otherwise: Line | float, prefix: str, changes: Parameters) -> Line | float:
    """The same with other numbers."""
    name = f"{prefix}.otherwise"
    return otherwise.vary(name, changes) if isinstance(otherwise, Line) else changes.get(name, otherwise)


def describe_fallback(otherwise: Line | float) -> str:
    """In words."""
    return str(otherwise) if isinstance(otherwise, Line) else f"{otherwise:g}"
