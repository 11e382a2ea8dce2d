"""A score factor: a curve that turns features into 0 to 100 points, and the weight of those points.

A factor whose features are missing has no points (NaN) and leaves the weighted mean; no default takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import Parameters, View
from hd_pipelines.signals.detectors.rules.curves import Curve
from hd_pipelines.signals.frame import Floats


@dataclass(frozen=True, slots=True)
class Factor:
    """One component of the base score."""

    name: str
    weight: float
    curve: Curve

    def evaluate(self, view: View) -> Floats:
        """Compute the points of each row, shape (n,), clipped to 0 to 100; NaN where a feature is missing."""
        return np.clip(self.curve.evaluate(view), 0.0, 100.0)

    def parameters(self) -> dict[str, float]:
        """Tunable numbers by name."""
        return {f"factor.{self.name}.weight": self.weight, **self.curve.parameters(f"factor.{self.name}")}

    def vary(self, changes: Parameters) -> Factor:
        """Return a copy with `changes` applied."""
        return Factor(
            self.name,
            changes.get(f"factor.{self.name}.weight", self.weight),
            self.curve.vary(f"factor.{self.name}", changes),
        )

    def mirror(self) -> Factor:
        """Return the short side's factor, in terms of the unmirrored frame."""
        return Factor(self.name, self.weight, self.curve.mirror())
