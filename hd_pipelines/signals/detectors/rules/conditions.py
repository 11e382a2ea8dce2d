"""Conditions and vetoes as data: comparisons of features with thresholds, and their parameters by name.

A condition on a missing feature does not hold. A veto on a missing feature does not block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.catalogue import FEATURES, decode_value, encode_value
from hd_pipelines.signals.detectors.rules.mirroring import (
    is_reversed,
    mirror_bound,
    mirror_name,
    mirror_value,
)
from hd_pipelines.signals.frame import Floats

Booleans: TypeAlias = NDArray[np.bool_]
View: TypeAlias = Mapping[str, Floats]
"""Features as the trade's direction sees them: `FeatureFrame.view_for`."""
Parameters: TypeAlias = Mapping[str, float]
"""Tunable numbers by name, such as `rvol.at_least`."""


class Comparison(StrEnum):
    """How a feature is compared with its threshold."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ABOVE = "above"
    BELOW = "below"


_COMPARE = {
    Comparison.AT_LEAST: np.greater_equal,
    Comparison.AT_MOST: np.less_equal,
    Comparison.ABOVE: np.greater,
    Comparison.BELOW: np.less,
}
_REVERSED = {
    Comparison.AT_LEAST: Comparison.AT_MOST,
    Comparison.AT_MOST: Comparison.AT_LEAST,
    Comparison.ABOVE: Comparison.BELOW,
    Comparison.BELOW: Comparison.ABOVE,
}
_SIGNS = {Comparison.AT_LEAST: "≥", Comparison.AT_MOST: "≤", Comparison.ABOVE: ">", Comparison.BELOW: "<"}


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one feature with one number."""

    __test__ = False  # not a test of pytest's
    feature: str
    comparison: Comparison
    threshold: float

    @property
    def key(self) -> str:
        """Name of the threshold as a parameter."""
        return f"{self.feature}.{self.comparison}"

    def holds(self, view: View) -> Booleans:
        """Whether the test holds on each row, shape (n,); False where the feature is missing."""
        held: Booleans = _COMPARE[self.comparison](view[self.feature], self.threshold)
        return held

    def mirror(self) -> Test:
        """Return the short side's version, in terms of the unmirrored frame."""
        comparison = _REVERSED[self.comparison] if is_reversed(self.feature) else self.comparison
        return Test(mirror_name(self.feature), comparison, mirror_bound(self.feature, self.threshold))

    def __str__(self) -> str:
        return f"{self.feature} {_SIGNS[self.comparison]} {self.threshold:g}"


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """Whether an enum feature has one of `values`, or (`negated`) is known and has none of them. No parameter."""

    feature: str
    values: tuple[str, ...]
    negated: bool = False

    def holds(self, view: View) -> Booleans:
        """Whether the test holds on each row, shape (n,); False where the feature is missing."""
        values = view[self.feature]
        first, *others = _codes(self.feature, self.values)
        is_one: Booleans = values == first
        for code in others:
            is_one = is_one | (values == code)
        return ~is_one & ~np.isnan(values) if self.negated else is_one

    def mirror(self) -> IsOneOf:
        """Return the short side's version, in terms of the unmirrored frame."""
        values = tuple(mirror_value(self.feature, value) for value in self.values)
        return IsOneOf(mirror_name(self.feature), values, self.negated)

    def __str__(self) -> str:
        return f"{self.feature} is {'not ' if self.negated else ''}{' or '.join(self.values)}"


@lru_cache
def _codes(feature: str, values: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(encode_value(feature, value) for value in values)


Comparisons: TypeAlias = tuple["Test | IsOneOf", ...]


def at_least(feature: str, threshold: float) -> Test:
    """Feature ≥ threshold."""
    return Test(feature, Comparison.AT_LEAST, threshold)


def at_most(feature: str, threshold: float) -> Test:
    """Feature ≤ threshold."""
    return Test(feature, Comparison.AT_MOST, threshold)


def above(feature: str, threshold: float) -> Test:
    """Feature > threshold."""
    return Test(feature, Comparison.ABOVE, threshold)


def below(feature: str, threshold: float) -> Test:
    """Feature < threshold."""
    return Test(feature, Comparison.BELOW, threshold)


def all_hold(tests: Comparisons, view: View) -> Booleans:
    """Whether every test holds, shape (n,). Raises `ValueError` if `tests` is empty."""
    if not tests:
        raise ValueError("a condition needs at least one test")
    held = tests[0].holds(view)
    for test in tests[1:]:
        held = held & test.holds(view)
    return held


def vary_tests(tests: Comparisons, prefix: str, changes: Parameters) -> Comparisons:
    """Return the tests with the thresholds in `changes` applied."""
    return tuple(
        replace(test, threshold=changes.get(f"{prefix}.{test.key}", test.threshold)) if isinstance(test, Test) else test
        for test in tests
    )


def list_parameters(tests: Comparisons, prefix: str) -> dict[str, float]:
    """Return the thresholds by parameter name."""
    return {f"{prefix}.{test.key}": test.threshold for test in tests if isinstance(test, Test)}


@dataclass(frozen=True, slots=True)
class Condition:
    """Passes where all of `tests` hold."""

    name: str
    tests: Comparisons

    def passes(self, view: View) -> Booleans:
        """Whether the row passes, shape (n,)."""
        return all_hold(self.tests, view)

    def mirror(self) -> Condition:
        """Return the short side's version, in terms of the unmirrored frame."""
        return Condition(self.name, mirror_tests(self.tests))


@dataclass(frozen=True, slots=True)
class Veto:
    """Blocks where all of `tests` hold."""

    name: str
    tests: Comparisons

    def passes(self, view: View) -> Booleans:
        """Whether the row passes, shape (n,)."""
        return ~all_hold(self.tests, view)

    def mirror(self) -> Veto:
        """Return the short side's version, in terms of the unmirrored frame."""
        return Veto(self.name, mirror_tests(self.tests))


def mirror_tests(tests: Comparisons) -> Comparisons:
    """Return the short side's tests, in terms of the unmirrored frame."""
    return tuple(test.mirror() for test in tests)


def observe_values(tests: Comparisons, view: View, row: int) -> list[dict[str, object]]:
    """Return what each test compares at a row, for explanations: feature, value and the test as text."""
    return [
        {"feature": test.feature, "value": to_json_value(test.feature, view, row), "test": str(test)} for test in tests
    ]


def to_json_value(feature: str, view: View, row: int) -> float | str | None:
    """Return a feature's value at a row, JSON-ready: an enum value, a number, or None if missing."""
    value = float(view[feature][row])
    if FEATURES[feature].enum_values:
        return decode_value(feature, value)
    return round(value, 6) if np.isfinite(value) else None
