"""How a rule written for a long trade reads for a short one, in terms of the unmirrored frame.

For display only ("RSI above 70" rather than "mirrored RSI below 30"). Detectors evaluate the mirrored frame itself
(`FeatureFrame.view_for`). `catalogue.Orientation` defines how each feature mirrors.
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import FEATURES, Orientation
from hd_pipelines.tables.vocabulary import RegimeFamily

_OPPOSITE: dict[str, str] = {
    RegimeFamily.TRENDING_UP: RegimeFamily.TRENDING_DOWN,
    RegimeFamily.TRENDING_DOWN: RegimeFamily.TRENDING_UP,
}


def mirror_name(feature: str) -> str:
    """Return the partner of a swapped feature, and any other name unchanged. Raises `KeyError` for an unknown name."""
    return FEATURES[feature].partner or feature


def mirror_bound(feature: str, bound: float) -> float:
    """Return the value of `mirror_name(feature)` that corresponds to `bound` on the mirrored frame."""
    orientation = FEATURES[feature].orientation
    if orientation is Orientation.SIGNED:
        return 0.0 - bound
    return 100.0 - bound if orientation is Orientation.CENTRED else bound


def is_reversed(feature: str) -> bool:
    """Whether the mirrored feature falls when the feature rises."""
    return FEATURES[feature].orientation in {Orientation.SIGNED, Orientation.CENTRED}


def mirror_value(feature: str, word: str) -> str:
    """Return the opposite trend if `feature` holds trends, and any other enum value unchanged."""
    return _OPPOSITE.get(word, word) if FEATURES[feature].orientation is Orientation.REGIME else word
