"""What a detector is: the conditions under which it fires, the factors that score it, and the explanation of a row."""

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
    """Limits on the option to suggest: bounds of |delta| and of days to expiry, minimum volume and open interest."""

    delta: tuple[float, float]
    days_to_expiry: tuple[int, int]
    min_volume: int
    min_open_interest: int
    max_spread_pct: float


@dataclass(frozen=True)
class Scores:
    """Base scores, shape (n,). total: 0 to 100, NaN if no factor is known. coverage: share of the weight known, 0 to 1."""

    total: Floats
    coverage: Floats
    by_factor: Mapping[str, Floats]


@dataclass(frozen=True)
class Detector:
    """One named setup. Conditions and factors are written for a long trade; the short side sees a mirrored frame.

    purpose: what it looks for, one sentence that holds for both directions.
    directions: one direction for each member of a pair; both if the row decides the direction.
    example: a plausible row on which it fires, from the long side; enum values as their codes.
    version: raise it when the meaning changes. Changed numbers are covered by `parameter_version`.
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
        """Whether every condition holds, shape (n,); False throughout for another asset class or direction."""
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
        """Weighted mean of the factors that are known, for `rows` (all by default)."""
        view = frame.view_for(direction)
        if rows is not None:
            view = {name: view[name][rows] for factor in self.factors for name in factor.curve.features}
        by_factor = {factor.name: factor.evaluate(view) for factor in self.factors}
        # Add factors one by one: a matrix product may sum a single row in another order than the same row among many.
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
        """Conditions in terms of the unmirrored frame, for display: a short detector reads `rsi_14 > 70`."""
        if direction is Direction.LONG:
            return self.conditions
        return tuple(condition.mirror() for condition in self.conditions)

    def factors_for(self, direction: Direction) -> tuple[Factor, ...]:
        """Factors in terms of the unmirrored frame, for display."""
        return self.factors if direction is Direction.LONG else tuple(factor.mirror() for factor in self.factors)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Every feature its conditions and factors use, from the long side, without repeats."""
        tested = [test.feature for condition in self.conditions for test in condition.tests]
        return tuple(dict.fromkeys([*tested, *(name for factor in self.factors for name in factor.curve.features)]))

    def explain(self, frame: FeatureFrame, row: int, direction: Direction) -> dict[str, object]:
        """Every condition and factor of one row as JSON-ready values, in terms of the unmirrored frame."""
        one = frame.select(slice(row, row + 1))
        view = one.view_for(direction)
        scores = self.score(one, direction)
        return {
            "conditions": [
                {
                    "name": condition.name,
                    "kind": "veto" if isinstance(condition, Veto) else "condition",
                    "passes": bool(condition.passes(view)[0]),
                    "seen": observe_values(shown.tests, one.columns, 0),
                }
                for condition, shown in zip(self.conditions, self.conditions_for(direction), strict=True)
            ],
            "factors": [
                {
                    "name": shown.name,
                    "weight": shown.weight,
                    "points": _to_json_number(scores.by_factor[shown.name][0]),
                    "seen": {feature: to_json_value(feature, one.columns, 0) for feature in shown.curve.features},
                }
                for shown in self.factors_for(direction)
            ],
            "coverage": _to_json_number(scores.coverage[0]),
        }

    def parameters(self) -> dict[str, float]:
        """Every tunable number by name: `condition.<name>.<feature>.<comparison>`, `factor.<name>. …`."""
        numbers: dict[str, float] = {}
        for condition in self.conditions:
            numbers |= list_parameters(condition.tests, f"condition.{condition.name}")
        for factor in self.factors:
            numbers |= factor.parameters()
        return numbers

    def vary(self, changes: Parameters) -> Detector:
        """Return a copy with `changes` applied. Raises `UnknownParameterError` for an unknown name."""
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
        """Digest of all parameters, 12 hex digits."""
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
    """Build `<name>_<suffix>` for the long and the short side from one description.

    long_without, short_without: names of conditions and factors that a side leaves out. short_changes: parameters that
    differ on the short side; each family says why. Raises `UnknownParameterError` for a name that a side does not have.
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
