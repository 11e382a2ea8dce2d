"""Conditions of detectors as data: comparisons of features, and what missing features mean to them.

Belongs here: comparisons, conditions that must hold, vetoes that must not, and their parameters by name. Which detector
has which is in its own module.

A condition needs to be known: where a feature is missing it does not hold. A veto needs to be known too: where a feature
is missing it does not forbid, and the frame's labels tell what was not seen.
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
"""Features as the detector's direction sees them: `FeatureFrame.seen_by`."""
Parameters: TypeAlias = Mapping[str, float]
"""Numbers by name, such as `rvol.at_least`: what an optimizer varies."""


class Comparison(StrEnum):
    """How a feature meets its threshold."""

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
        """Name of its parameter."""
        return f"{self.feature}.{self.comparison}"

    def holds(self, view: View) -> Booleans:
        """Shape (n,); False where the feature is missing."""
        held: Booleans = _COMPARE[self.comparison](view[self.feature], self.threshold)
        return held

    def mirror(self) -> Test:
        """What it says to a seller, in the frame's own terms."""
        comparison = _REVERSED[self.comparison] if is_reversed(self.feature) else self.comparison
        return Test(mirror_name(self.feature), comparison, mirror_bound(self.feature, self.threshold))

    def __str__(self) -> str:
        return f"{self.feature} {_SIGNS[self.comparison]} {self.threshold:g}"


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """Whether a feature of words is one of some, or (`negated`) is known and none of them. It has no parameter."""

    feature: str
    values: tuple[str, ...]
    negated: bool = False

    def holds(self, view: View) -> Booleans:
        """Shape (n,); False where the feature is missing."""
        values = view[self.feature]
        first, *others = _codes(self.feature, self.values)
        is_one: Booleans = values == first
        for code in others:
            is_one = is_one | (values == code)
        return ~is_one & ~np.isnan(values) if self.negated else is_one

    def mirror(self) -> IsOneOf:
        """What it says to a seller, in the frame's own terms."""
        words = tuple(mirror_value(self.feature, word) for word in self.values)
        return IsOneOf(mirror_name(self.feature), words, self.negated)

    def __str__(self) -> str:
        return f"{self.feature} is {'not ' if self.negated else ''}{' or '.join(self.values)}"


@lru_cache
def _codes(feature: str, words: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(encode_value(feature, word) for word in words)


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
    """Shape (n,): where every test holds. Raises `ValueError` without a test."""
    if not tests:
        raise ValueError("a condition without tests holds nowhere and everywhere; give at least one")
    held = tests[0].holds(view)
    for test in tests[1:]:
        held = held & test.holds(view)
    return held


def vary_tests(tests: Comparisons, prefix: str, changes: Parameters) -> Comparisons:
    """The same tests with the thresholds that `changes` has for them."""
    return tuple(
        replace(test, threshold=changes.get(f"{prefix}.{test.key}", test.threshold)) if isinstance(test, Test) else test
        for test in tests
    )


def list_parameters(tests: Comparisons, prefix: str) -> dict[str, float]:
    """Thresholds by name."""
    return {f"{prefix}.{test.key}": test.threshold for test in tests if isinstance(test, Test)}


@dataclass(frozen=True, slots=True)
class Condition:
    """All of `tests` must hold, and be known to."""

    name: str
    tests: Comparisons

    def passes(self, view: View) -> Booleans:
        """Shape (n,)."""
        return all_hold(self.tests, view)

    def mirror(self) -> Condition:
        """What it says to a seller, in the frame's own terms."""
        return Condition(self.name, mirror_tests(self.tests))


@dataclass(frozen=True, slots=True)
class Veto:
    """Forbids where all of `tests` are known to hold."""

    name: str
    tests: Comparisons

    def passes(self, view: View) -> Booleans:
        """Shape (n,)."""
        return ~all_hold(self.tests, view)

    def mirror(self) -> Veto:
        """What it says to a seller, in the frame's own terms."""
        return Veto(self.name, mirror_tests(self.tests))


def mirror_tests(tests: Comparisons) -> Comparisons:
    """What the tests say to a seller, in the frame's own terms."""
    return tuple(test.mirror() for test in tests)


def observe_values(tests: Comparisons, view: View, row: int) -> list[dict[str, object]]:
    """What each test saw at a row, for explanations: feature, value (or word, or None), and the test as text."""
    return [
        {"feature": test.feature, "value": to_json_value(test.feature, view, row), "test": str(test)} for test in tests
    ]


def to_json_value(feature: str, view: View, row: int) -> float | str | None:
    """A feature at a row as a JSON-ready value: its word, a number, or None where there is no answer."""
    value = float(view[feature][row])
    if FEATURES[feature].enum_values:
        return decode_value(feature, value)
    return round(value, 6) if np.isfinite(value) else None
