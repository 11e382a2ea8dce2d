"""How what is written for a buyer reads to a seller, in the frame's own terms.

Belongs here: turning names, bounds and words of features, as `catalogue.Orientation` says. Detectors are evaluated on a
frame that is turned around instead (`FeatureFrame.seen_by`); this is for telling people: "RSI above 70" and not "the
reflected RSI below 30".
"""

from __future__ import annotations

from hd_pipelines.signals.catalogue import FEATURES, Orientation
from hd_pipelines.tables.vocabulary import RegimeFamily

_OPPOSITE: dict[str, str] = {
    RegimeFamily.TRENDING_UP: RegimeFamily.TRENDING_DOWN,
    RegimeFamily.TRENDING_DOWN: RegimeFamily.TRENDING_UP,
}


def mirror_name(feature: str) -> str:
    """The partner of a swapped feature, any other by its own name. Raises `KeyError` for an unknown one."""
    return FEATURES[feature].partner or feature


def mirror_bound(feature: str, bound: float) -> float:
    """The value of `name_for_seller(feature)` that a seller sees as `bound`."""
    orientation = FEATURES[feature].orientation
    if orientation is Orientation.SIGNED:
        return 0.0 - bound
    return 100.0 - bound if orientation is Orientation.CENTRED else bound


def is_reversed(feature: str) -> bool:
    """Whether more of it is less to a seller."""
    return FEATURES[feature].orientation in {Orientation.SIGNED, Orientation.CENTRED}


def mirror_value(feature: str, word: str) -> str:
    """The opposite trend where `feature` tells trends, any other word as it is."""
    return _OPPOSITE.get(word, word) if FEATURES[feature].orientation is Orientation.REGIME else word
