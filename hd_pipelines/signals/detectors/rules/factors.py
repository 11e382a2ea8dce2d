"""Factors of detectors as data: a curve that turns features into points, and how much they weigh.

Belongs here: what a factor is. The kinds of curve are in `curves` and `curves_of_tests`. A factor whose features are
missing has no points (NaN) and leaves the weighted mean: nothing is put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import Parameters, View
from hd_pipelines.signals.detectors.rules.curves import Curve
from hd_pipelines.signals.frame import Floats


@dataclass(frozen=True, slots=True)
class Factor:
    """A part of the base score: 0 to 100 points by its curve, and how much they weigh."""

    name: str
    weight: float
    curve: Curve

    def evaluate(self, view: View) -> Floats:
        """Shape (n,), kept within 0 and 100; NaN where a feature is missing."""
        return np.clip(self.curve.evaluate(view), 0.0, 100.0)

    def parameters(self) -> dict[str, float]:
        """Its numbers by name."""
        return {f"factor.{self.name}.weight": self.weight, **self.curve.parameters(f"factor.{self.name}")}

    def vary(self, changes: Parameters) -> Factor:
        """The factor with other numbers."""
        return Factor(
            self.name,
            changes.get(f"factor.{self.name}.weight", self.weight),
            self.curve.vary(f"factor.{self.name}", changes),
        )

    def mirror(self) -> Factor:
        """What it says to a seller, in the frame's own terms."""
        return Factor(self.name, self.weight, self.curve.mirror())
