"""The reading that every engine returns, and how readings change a score.

    multiplier = 1 + (opinion - 1) × confidence/100 × freshness

Confidence and freshness lie between 0 and 1, so they pull an opinion towards 1 and never past it: a boost cannot become a
penalty. Freshness is 1 until context is stale and then falls to 0 in trading time. Missing context gives a multiplier of 1
and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hd_pipelines.tables.vocabulary import ContextEngine, ContextStatus


@dataclass(frozen=True, slots=True)
class Reading:
    """One engine's answer about one symbol, direction and style at one instant.

    opinion: multiplier before confidence and age. confidence: 0 to 100. freshness: 0 to 1. age_minutes: trading minutes
    since the context was known, None if it is missing.
    """

    engine: ContextEngine
    status: ContextStatus
    opinion: float
    confidence: float
    freshness: float
    recommendation: str
    reason: str
    age_minutes: float | None

    @property
    def multiplier(self) -> float:
        """Multiplier applied to the score; between `opinion` and 1."""
        return 1.0 + (self.opinion - 1.0) * self.confidence / 100.0 * self.freshness


def make_reading(
    engine: ContextEngine,
    *,
    opinion: float,
    confidence: float,
    freshness: float,
    recommendation: StrEnum,
    reason: str,
    age_minutes: float,
) -> Reading:
    """Make a reading from known context. Confidence is clipped to 0 to 100, freshness to 0 to 1."""
    bounded = min(max(freshness, 0.0), 1.0)
    status = ContextStatus.FRESH if bounded == 1.0 else ContextStatus.FADING
    kept = min(max(confidence, 0.0), 100.0)
    return Reading(engine, status, opinion, kept, bounded, recommendation.value, reason, age_minutes)


def make_neutral_reading(engine: ContextEngine, recommendation: StrEnum, reason: str) -> Reading:
    """Make a neutral reading for missing context; `reason` says what is missing and why."""
    return Reading(engine, ContextStatus.MISSING, 1.0, 0.0, 0.0, recommendation.value, reason, None)


def apply_readings(score: float, readings: list[Reading]) -> float:
    """Apply all readings to a score in order, clipping to 0 to 100 at each step."""
    for reading in readings:
        score = min(max(score * reading.multiplier, 0.0), 100.0)
    return score
