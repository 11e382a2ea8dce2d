"""A detector: what must hold for it to fire, what makes it good, and how both are evaluated over a frame.

Belongs here: the shape of a detector and its three questions (where does it fire, how many points, why). The seventeen
themselves are one module per family; `registry` lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import (
    Booleans,
    Condition,
    Parameters,
    Veto,
    list_parameters,
    observe_values,
    to_json_value,
    vary_tests,
)
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.frame import FeatureFrame, Floats, Integers
from hd_pipelines.tables.vocabulary import AssetClass, Direction, Strategy

EQUITIES = frozenset({AssetClass.STOCK, AssetClass.EQUITY_ETF})
INDICES = frozenset({AssetClass.INDEX})


class UnknownParameterError(ValueError):
    """A change names a parameter, condition or factor that the detector does not have."""


@dataclass(frozen=True)
class ContractLimits:
    """Which option suits a detector's signal: bounds of |delta| and days to expiry; least volume and open interest."""

    delta: tuple[float, float]
    days_to_expiry: tuple[int, int]
    min_volume: int
    min_open_interest: int
    max_spread_pct: float


@dataclass(frozen=True)
class Scores:
    """Base scores of some rows, shape (n,). total: 0 to 100, NaN if no factor is known. coverage: known weight, 0 to 1."""

    total: Floats
    coverage: Floats
    by_factor: Mapping[str, Floats]


@dataclass(frozen=True)
class Detector:
    """One named pattern. Conditions and factors are written from the buyer's side; `direction` turns the frame.

    purpose: what it looks for, one sentence that is true of both directions.
    directions: one for each of a symmetrical pair; both for a pattern whose direction the row decides.
    example: a plausible row on which it fires, from the buyer's side; codes for words.
    version: raised when the meaning changes; numbers have their own digest, `parameter_version`.
    """

    name: str
    strategy: Strategy
    purpose: str
    directions: tuple[Direction, ...]
    asset_classes: frozenset[AssetClass]
    conditions: tuple[Condition | Veto, ...]
    factors: tuple[Factor, ...]
    contract: ContractLimits
    example: Mapping[str, float] = field(compare=False)
    needs_chain: bool = False
    version: int = 1

    def fires(self, frame: FeatureFrame, direction: Direction) -> Booleans:
        """Shape (n,): where every condition holds. Nowhere for a symbol of another asset class."""
        if frame.asset_class not in self.asset_classes or direction not in self.directions:
            return np.zeros(len(frame), np.bool_)
        view = frame.view_for(direction)
        fired = np.ones(len(frame), np.bool_)
        for condition in self.conditions:
            fired &= condition.passes(view)
            if not fired.any():
                break
        return fired

    def score(self, frame: FeatureFrame, direction: Direction, rows: Integers | Booleans | None = None) -> Scores:
        """Weighted mean of the factors that are known, for the rows chosen (all by default): those that fired."""
        view = frame.view_for(direction)
        if rows is not None:
            view = {name: view[name][rows] for factor in self.factors for name in factor.curve.features}
        by_factor = {factor.name: factor.evaluate(view) for factor in self.factors}
        # One factor after the other: a product of matrices adds up one row otherwise than the same row among many.
        points_known = np.zeros_like(by_factor[self.factors[0].name])
        weight_known = np.zeros_like(points_known)
        for factor in self.factors:
            points = by_factor[factor.name]
            is_known = ~np.isnan(points)
            points_known = points_known + np.where(is_known, factor.weight * points, 0.0)
            weight_known = weight_known + factor.weight * is_known
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.clip(np.divide(points_known, weight_known), 0.0, 100.0)
        return Scores(total, weight_known / sum(factor.weight for factor in self.factors), by_factor)

    def conditions_for(self, direction: Direction) -> tuple[Condition | Veto, ...]:
        """Conditions as that trader would say them, in the frame's own terms: for people, not for `fires`."""
        if direction is Direction.LONG:
            return self.conditions
        return tuple(condition.mirror() for condition in self.conditions)

    def factors_for(self, direction: Direction) -> tuple[Factor, ...]:
        """Factors as that trader would say them, in the frame's own terms."""
        return self.factors if direction is Direction.LONG else tuple(factor.mirror() for factor in self.factors)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """All that its conditions and factors look at, from the buyer's side, each once."""
        tested = [test.feature for condition in self.conditions for test in condition.tests]
        return tuple(dict.fromkeys([*tested, *(name for factor in self.factors for name in factor.curve.features)]))

    def explain(self, frame: FeatureFrame, row: int, direction: Direction) -> dict[str, object]:
        """Every condition and factor of one row as JSON-ready values, in the frame's own terms."""
        one = frame.select(slice(row, row + 1))
        view = one.view_for(direction)
        scores = self.score(one, direction)
        return {
            "conditions": [
                {
                    "name": condition.name,
                    "kind": "veto" if isinstance(condition, Veto) else "condition",
                    "passes": bool(condition.passes(view)[0]),
                    "seen": observe_values(said.tests, one.columns, 0),
                }
                for condition, said in zip(self.conditions, self.conditions_for(direction), strict=True)
            ],
            "factors": [
                {
                    "name": said.name,
                    "weight": said.weight,
                    "points": _to_json_number(scores.by_factor[said.name][0]),
                    "seen": {feature: to_json_value(feature, one.columns, 0) for feature in said.curve.features},
                }
                for said in self.factors_for(direction)
            ],
            "coverage": _to_json_number(scores.coverage[0]),
        }

    def parameters(self) -> dict[str, float]:
        """Every number that can be varied, by name: `condition.<name>.<feature>.<comparison>`, `factor.<name>. …`."""
        numbers: dict[str, float] = {}
        for condition in self.conditions:
            numbers |= list_parameters(condition.tests, f"condition.{condition.name}")
        for factor in self.factors:
            numbers |= factor.parameters()
        return numbers

    def vary(self, changes: Parameters) -> Detector:
        """The detector with other numbers. Raises `UnknownParameterError` for a name that it does not have."""
        unknown = sorted(changes.keys() - self.parameters().keys())
        if unknown:
            raise UnknownParameterError(
                f"{self.name} has no parameter {unknown[0]!r}; `hd detectors {self.name}` lists those that it has"
            )
        return replace(
            self,
            conditions=tuple(
                replace(c, tests=vary_tests(c.tests, f"condition.{c.name}", changes)) for c in self.conditions
            ),
            factors=tuple(factor.vary(changes) for factor in self.factors),
        )

    @cached_property
    def parameter_version(self) -> str:
        """12 hex digits that change when any number does."""
        text = json.dumps(self.parameters(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def build_pair(
    name: str,
    strategy: Strategy,
    *,
    purpose: str,
    asset_classes: frozenset[AssetClass],
    conditions: tuple[Condition | Veto, ...],
    factors: tuple[Factor, ...],
    contract: ContractLimits,
    example: Mapping[str, float],
    suffixes: tuple[str, str] = ("bullish", "bearish"),
    needs_chain: bool = False,
    version: int = 1,
    long_without: Iterable[str] = (),
    short_without: Iterable[str] = (),
    short_changes: Parameters | None = None,
) -> tuple[Detector, Detector]:
    """A symmetrical pair from one description: `<name>_<suffix>` for buyers and sellers.

    long_without, short_without: names of conditions and factors that the side does not have. short_changes: numbers
    that the sellers' side has otherwise. All are differences of the published rules, not of the market; each family
    says which. Raises `UnknownParameterError` for a name or number that the side does not have.
    """
    long = Detector(
        f"{name}_{suffixes[0]}",
        strategy,
        purpose,
        (Direction.LONG,),
        asset_classes,
        conditions,
        factors,
        contract,
        example,
        needs_chain,
        version,
    )
    short = replace(long, name=f"{name}_{suffixes[1]}", directions=(Direction.SHORT,))
    return _leave_out(long, long_without), _leave_out(short, short_without).vary(short_changes or {})


def _leave_out(detector: Detector, left_out: Iterable[str]) -> Detector:
    names = frozenset(left_out)
    unknown = sorted(names - {part.name for part in (*detector.conditions, *detector.factors)})
    if unknown:
        raise UnknownParameterError(f"{detector.name} cannot be without {unknown[0]!r}, which it does not have")
    return replace(
        detector,
        conditions=tuple(condition for condition in detector.conditions if condition.name not in names),
        factors=tuple(factor for factor in detector.factors if factor.name not in names),
    )


def _to_json_number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
