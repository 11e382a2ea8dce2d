"""Score curves of one feature: lines, steps, and a table of points by enum value.

Curves that combine tests of several features are in `condition_curves`. Points may leave the range 0 to 100; `Factor`
clips them. A missing feature gives NaN.
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
    """Turns features into points. `str(curve)` describes it for the documentation."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features it uses, without repeats."""

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, unbounded, shape (n,); NaN where a required feature is missing."""

    def parameters(self, prefix: str) -> dict[str, float]:
        """Tunable numbers by name."""

    def vary(self, prefix: str, changes: Parameters) -> Curve:
        """Return a copy with `changes` applied."""

    def mirror(self) -> Curve:
        """Return the short side's curve, in terms of the unmirrored frame."""


@dataclass(frozen=True, slots=True)
class Line:
    """intercept + slope × feature, or × |feature| if `absolute`."""

    feature: str
    intercept: float
    slope: float
    absolute: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """Name of the feature, as a tuple of one."""
        return (self.feature,)

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, NaN where the feature is missing; shape (n,)."""
        values = view[self.feature]
        return self.intercept + self.slope * (np.abs(values) if self.absolute else values)

    def parameters(self, prefix: str) -> dict[str, float]:
        """Intercept and slope."""
        return {f"{prefix}.intercept": self.intercept, f"{prefix}.slope": self.slope}

    def vary(self, prefix: str, changes: Parameters) -> Line:
        """Return a copy with `changes` applied."""
        return replace(
            self,
            intercept=changes.get(f"{prefix}.intercept", self.intercept),
            slope=changes.get(f"{prefix}.slope", self.slope),
        )

    def mirror(self) -> Line:
        """Return the short side's curve; a reversed feature turns rising into falling."""
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
    """The line through two (feature, points) pairs. Raises `ZeroDivisionError` if both have the same feature value."""
    slope = (second[1] - first[1]) / (second[0] - first[0])
    return Line(feature, first[1] - slope * first[0], slope)


@dataclass(frozen=True, slots=True)
class Steps:
    """Points of the first step the feature reaches, in the order given (hardest first), else those of `otherwise`.

    steps: (bound, points) pairs. rising: a step is reached at or above its bound; otherwise at or below it.
    """

    feature: str
    steps: tuple[tuple[float, float], ...]
    otherwise: Line | float
    rising: bool = True

    @property
    def features(self) -> tuple[str, ...]:
        """Name of the feature, as a tuple of one."""
        return (self.feature,)

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, NaN where the feature is missing; shape (n,)."""
        values = view[self.feature]
        points = evaluate_fallback(self.otherwise, view, np.isnan(values))
        for bound, given in reversed(self.steps):
            points = np.where(values >= bound if self.rising else values <= bound, given, points)
        return points

    def parameters(self, prefix: str) -> dict[str, float]:
        """Bound and points of each step, and the fallback's numbers."""
        numbers = list_fallback_parameters(self.otherwise, prefix)
        for position, (bound, given) in enumerate(self.steps):
            numbers[f"{prefix}.{position}.bound"], numbers[f"{prefix}.{position}.points"] = bound, given
        return numbers

    def vary(self, prefix: str, changes: Parameters) -> Steps:
        """Return a copy with `changes` applied."""
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
    """Points by enum value."""

    feature: str
    table: tuple[tuple[str, float], ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Name of the feature, as a tuple of one."""
        return (self.feature,)

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, shape (n,); NaN for an enum value that is not in the table."""
        by_code = np.full(len(FEATURES[self.feature].enum_values), np.nan)
        for word, given in self.table:
            by_code[int(encode_value(self.feature, word))] = given
        values = view[self.feature]
        is_missing = np.isnan(values)
        return np.where(is_missing, np.nan, by_code[np.where(is_missing, 0, values).astype(np.intp)])

    def parameters(self, prefix: str) -> dict[str, float]:
        """Points by enum value."""
        return {f"{prefix}.{word}": given for word, given in self.table}

    def vary(self, prefix: str, changes: Parameters) -> ValuePoints:
        """Return a copy with `changes` applied."""
        return replace(self, table=tuple((word, changes.get(f"{prefix}.{word}", given)) for word, given in self.table))

    def mirror(self) -> ValuePoints:
        """Return the short side's table: opposite trends swap their points."""
        return ValuePoints(
            mirror_name(self.feature),
            tuple((mirror_value(self.feature, word), given) for word, given in self.table),
        )

    def __str__(self) -> str:
        return f"{self.feature}: " + "; ".join(f"{given:g} in {word}" for word, given in self.table)


def evaluate_fallback(otherwise: Line | float, view: View, is_missing: Booleans) -> Floats:
    """Return the points where no step or case applies, shape (n,); NaN where `is_missing`."""
    given = otherwise.evaluate(view) if isinstance(otherwise, Line) else otherwise
    return np.where(is_missing, np.nan, given)


def list_fallback_parameters(otherwise: Line | float, prefix: str) -> dict[str, float]:
    """Return the fallback's numbers by name."""
    name = f"{prefix}.otherwise"
    return otherwise.parameters(name) if isinstance(otherwise, Line) else {name: otherwise}


def vary_fallback(otherwise: Line | float, prefix: str, changes: Parameters) -> Line | float:
    """Return the fallback with `changes` applied."""
    name = f"{prefix}.otherwise"
    return otherwise.vary(name, changes) if isinstance(otherwise, Line) else changes.get(name, otherwise)


def describe_fallback(otherwise: Line | float) -> str:
    """Return the fallback as text."""
    return str(otherwise) if isinstance(otherwise, Line) else f"{otherwise:g}"
