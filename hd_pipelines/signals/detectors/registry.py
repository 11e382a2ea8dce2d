"""All detectors, by name. A new one is a module of its own and a line here."""

from __future__ import annotations

from hd_pipelines.signals.detectors.breakout import BREAKOUTS
from hd_pipelines.signals.detectors.detector import Detector

DETECTORS: dict[str, Detector] = {detector.name: detector for detector in (*BREAKOUTS,)}
"""By name, in the order of the documentation."""
