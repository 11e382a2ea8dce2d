"""Example rows: one on which a detector fires, and rows that miss by one condition. Also used by the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from hd_pipelines.market.instants import to_ns
from hd_pipelines.signals.catalogue import FEATURES, encode_value
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.rules.conditions import Comparison, Condition, IsOneOf, Test, Veto
from hd_pipelines.signals.detectors.rules.mirroring import mirror_bound, mirror_name, mirror_value
from hd_pipelines.signals.frame import FeatureFrame, empty_columns, empty_levels
from hd_pipelines.tables.vocabulary import AssetClass, Direction, Resolution

_WHOLE_NUMBERS = frozenset({"minutes", "contracts", "prints", "0/1", "-1..1", "-2..2"})
"""Units of integer-valued features."""
_HAIR = 0.01
"""Step by which a feature of any other unit misses its threshold; thresholds have at most two decimals."""
_SYMBOLS = {AssetClass.STOCK: "AAPL", AssetClass.INDEX: "SPX"}
_AS_OF = datetime(2025, 6, 17, 16, 0, tzinfo=UTC)


@dataclass(frozen=True)
class NearMiss:
    """A row on which exactly one condition or veto keeps a detector from firing.

    changes: what differs from the detector's example, in terms of the unmirrored frame; enum values as their codes.
    """

    condition: str
    is_veto: bool
    changes: Mapping[str, float]
    frame: FeatureFrame


def build_firing_frame(detector: Detector, direction: Direction) -> FeatureFrame:
    """Build one row on which the detector fires in that direction. Features that it does not use are NaN."""
    return build_frame(detector, get_example(detector, direction))


def get_example(detector: Detector, direction: Direction) -> dict[str, float]:
    """Return the example values of the features that the detector uses, in terms of the unmirrored frame."""
    return _to_frame_terms({name: detector.example[name] for name in detector.features}, direction)


def build_frame(detector: Detector, values: Mapping[str, float]) -> FeatureFrame:
    """Build one row with these features (unmirrored) for a symbol of an asset class that the detector covers."""
    columns = empty_columns(1)
    for name, value in values.items():
        columns[name][0] = value
    asset_class = next(known for known in _SYMBOLS if known in detector.asset_classes)
    as_of_ns = np.array([to_ns(_AS_OF)], np.int64)
    return FeatureFrame(_SYMBOLS[asset_class], asset_class, Resolution.MINUTE, as_of_ns, columns, empty_levels(1))


def build_near_misses(detector: Detector, direction: Direction) -> list[NearMiss]:
    """Build one row per test of each condition, failing only that test, and one per veto, triggering only that veto."""
    example = {name: detector.example[name] for name in detector.features}
    misses = []
    for condition in detector.conditions:
        for changes in _find_missing_changes(condition, example):
            unmirrored = _to_frame_terms(changes, direction)
            frame = build_frame(detector, get_example(detector, direction) | unmirrored)
            misses.append(NearMiss(condition.name, isinstance(condition, Veto), unmirrored, frame))
    return misses


def _find_missing_changes(condition: Condition | Veto, example: Mapping[str, float]) -> list[dict[str, float]]:
    if isinstance(condition, Condition):
        return [{test.feature: _find_nearest_value(test, holds=False)} for test in condition.tests]
    row = {name: np.array([value]) for name, value in example.items()}
    return [{test.feature: _find_nearest_value(test, holds=True) for test in condition.tests if not test.holds(row)[0]}]


def _find_nearest_value(test: Test | IsOneOf, *, holds: bool) -> float:
    """Return the value nearest to the threshold for which the test holds, or does not."""
    if isinstance(test, IsOneOf):
        among = [
            word for word in FEATURES[test.feature].enum_values if (word in test.values) is (holds is not test.negated)
        ]
        return encode_value(test.feature, among[0])
    is_whole = FEATURES[test.feature].unit in _WHOLE_NUMBERS
    is_upwards = (test.comparison in {Comparison.AT_LEAST, Comparison.ABOVE}) is holds
    includes_threshold = (test.comparison in {Comparison.AT_LEAST, Comparison.AT_MOST}) is holds
    if not is_whole:
        return test.threshold if includes_threshold else round(test.threshold + (_HAIR if is_upwards else -_HAIR), 6)
    nearest = math.ceil(test.threshold) if is_upwards else math.floor(test.threshold)
    if nearest == test.threshold and not includes_threshold:
        nearest += 1 if is_upwards else -1
    return float(nearest)


def _to_frame_terms(values: Mapping[str, float], direction: Direction) -> dict[str, float]:
    if direction is Direction.LONG:
        return dict(values)
    return {mirror_name(name): _mirror_feature_value(name, value) for name, value in values.items()}


def _mirror_feature_value(feature: str, value: float) -> float:
    enum_values = FEATURES[feature].enum_values
    if enum_values:
        return encode_value(feature, mirror_value(feature, enum_values[int(value)]))
    return mirror_bound(feature, value)
