"""How far the data under a score can be trusted.

Belongs here: weighing what is known of a row. Weights and steps are the policy's. Source: product facts §3.7, step 3.

    completeness = 100 × weight of what is known / weight of what the resolution can have
    confidence   = completeness - 15 for each critical feature that is missing, ± a step by completeness, within 0 and 100

Price, average volume and ATR are critical. An index trades no shares: without a fund that lends it volume, what needs
volume is missing and weighs, but is not critical.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.frame import FeatureFrame, Floats
from hd_pipelines.signals.scanner.policy.scan_policy import ConfidenceRules
from hd_pipelines.tables.vocabulary import AssetClass, Resolution

ATR = {Resolution.MINUTE: "atr_5m", Resolution.DAY: "atr_day_pct"}
"""The feature that stands for `atr` among the weights."""
MINUTE_FEATURES = frozenset({"vwap", "rsi_14", "ema_21", "flow_bias", "flow_score"})
"""What a frame of days cannot have."""
CRITICAL = ("price", "average_daily_volume", "atr")
CRITICAL_OF_AN_INDEX = ("price", "atr")


class Confidence(NamedTuple):
    """total, completeness: 0 to 100, shape (n,). missing: what a row does not have, by name, booleans of shape (n,)."""

    total: Floats
    completeness: Floats
    missing: dict[str, Booleans]


def measure_confidence(frame: FeatureFrame, rules: ConfidenceRules) -> Confidence:
    """The confidence of every row."""
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
    """What a row of that resolution can have: a session without minutes has nothing that is made of minutes."""
    unheard = MINUTE_FEATURES if resolution is Resolution.DAY else frozenset()
    return {name: weight for name, weight in rules.weights.items() if name not in unheard}


def list_critical(asset_class: AssetClass) -> tuple[str, ...]:
    """Names among the weights without which a score is hardly one."""
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
    """What one row's confidence is made of, JSON-ready."""
    lost = [name for name in list_critical(asset_class) if name in missing]
    return {
        "completeness": completeness,
        "missing": list(missing),
        "missing_critical": lost,
        "less_for_critical": -rules.less_for_critical * len(lost),
        "step": float(_step(np.array(completeness), rules)),
    }
