"""Data confidence: how complete the data behind a score is.

    completeness = 100 × weight of known features / weight of the features that the bar resolution can have
    confidence   = completeness - 15 per missing critical feature ± a step by completeness, clipped to 0 to 100

Price, average volume and ATR are critical. An index trades no shares: without an ETF that lends it volume, the volume
features are missing and lower the completeness, but they are not critical.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.frame import FeatureFrame, Floats
from hd_pipelines.signals.scanner.policy.scan_policy import ConfidenceRules
from hd_pipelines.tables.vocabulary import AssetClass, Resolution

ATR = {Resolution.MINUTE: "atr_5m", Resolution.DAY: "atr_day_pct"}
"""The feature behind the weight called `atr`."""
MINUTE_FEATURES = frozenset({"vwap", "rsi_14", "ema_21", "flow_bias", "flow_score"})
"""Features that a daily frame cannot have."""
CRITICAL = ("price", "average_daily_volume", "atr")
CRITICAL_OF_AN_INDEX = ("price", "atr")


class Confidence(NamedTuple):
    """total, completeness: 0 to 100, shape (n,). missing: where each feature is missing, booleans of shape (n,)."""

    total: Floats
    completeness: Floats
    missing: dict[str, Booleans]


def measure_confidence(frame: FeatureFrame, rules: ConfidenceRules) -> Confidence:
    """Measure the data confidence of every row."""
    weights = list_weights(frame.resolution, rules)
    missing = {name: np.isnan(frame[ATR[frame.resolution] if name == "atr" else name]) for name in weights}
    known, lost = np.zeros(len(frame)), np.zeros(len(frame))
    for name, weight in weights.items():
        known += weight * ~missing[name]
    for name in list_critical(frame.asset_class):
        lost += rules.less_for_critical * missing[name]
    completeness = 100.0 * known / sum(weights.values())
    return Confidence(np.clip(completeness - lost + _step(completeness, rules), 0.0, 100.0), completeness, missing)


def list_weights(resolution: Resolution, rules: ConfidenceRules) -> dict[str, float]:
    """Return the weights that apply at a resolution: daily rows have no features made of minute bars."""
    impossible = MINUTE_FEATURES if resolution is Resolution.DAY else frozenset()
    return {name: weight for name, weight in rules.weights.items() if name not in impossible}


def list_critical(asset_class: AssetClass) -> tuple[str, ...]:
    """Return the names of the critical weights."""
    return CRITICAL_OF_AN_INDEX if asset_class is AssetClass.INDEX else CRITICAL


def _step(completeness: Floats, rules: ConfidenceRules) -> Floats:
    return np.select(
        [completeness < 50, completeness < 70, completeness >= 90],
        [-rules.less_below_50, -rules.less_below_70, rules.more_from_90],
        0.0,
    )


def explain_confidence(
    completeness: float, missing: tuple[str, ...], asset_class: AssetClass, rules: ConfidenceRules
) -> dict[str, object]:
    """Return the components of one row's confidence, JSON-ready."""
    lost = [name for name in list_critical(asset_class) if name in missing]
    return {
        "completeness": completeness,
        "missing": list(missing),
        "missing_critical": lost,
        "less_for_critical": -rules.less_for_critical * len(lost),
        "step": float(_step(np.array(completeness), rules)),
    }
