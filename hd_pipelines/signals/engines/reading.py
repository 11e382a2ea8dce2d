"""What every context engine answers, and how its answer changes a score.

Belongs here: the reading, its strength after confidence and age, and applying it. What an engine thinks is in its own
module.

    multiplier = 1 + (opinion - 1) × confidence/100 × freshness

Confidence and freshness lie between 0 and 1, so they pull an opinion towards 1 and never past it: a boost cannot become
a penalty. Freshness is 1 until context is old and falls to 0 in trading time; missing context is 1, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hd_pipelines.tables.vocabulary import ContextEngine, ContextStatus


@dataclass(frozen=True, slots=True)
class Reading:
    """One engine's answer about one symbol, direction and style at one instant.

    opinion: multiplier before confidence and age. multiplier: what a score is multiplied with. confidence: 0 to 100.
    freshness: 0 to 1. age_minutes: trading minutes since the context was known, None where it is missing.
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
        """Between `opinion` and 1."""
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
    """A reading from context that is there. Confidence is kept within 0 and 100, freshness within 0 and 1."""
    bounded = min(max(freshness, 0.0), 1.0)
    status = ContextStatus.FRESH if bounded == 1.0 else ContextStatus.FADING
    kept = min(max(confidence, 0.0), 100.0)
    return Reading(engine, status, opinion, kept, bounded, recommendation.value, reason, age_minutes)


def make_neutral_reading(engine: ContextEngine, recommendation: StrEnum, reason: str) -> Reading:
    """A neutral reading, for context that is missing; `reason` says what and why."""
    return Reading(engine, ContextStatus.MISSING, 1.0, 0.0, 0.0, recommendation.value, reason, None)


def apply_readings(score: float, readings: list[Reading]) -> float:
    """A score after all readings in order, kept within 0 and 100 at each step."""
    for reading in readings:
        score = min(max(score * reading.multiplier, 0.0), 100.0)
    return score
