"""Words of the scanner: windows of the session, bands of the VIX, conditions that suit or do not suit a style.

Belongs here: the enums that the policy's tables are keyed by. When each applies is in `windows`, `thresholds` and
`styles`.
"""

from __future__ import annotations

from enum import StrEnum


class TimeWindow(StrEnum):
    """Part of a session, by New York time of a full day; half days are divided by `windows`."""

    OPENING = "opening"
    MID_MORNING = "mid_morning"
    LATE_MORNING = "late_morning"
    LUNCH = "lunch"
    EARLY_AFTERNOON = "early_afternoon"
    AFTERNOON = "afternoon"
    POWER_HOUR = "power_hour"
    WHOLE_SESSION = "whole_session"
    """A look at the close of a session that has no minutes: no time of day speaks for or against it."""


class VixBand(StrEnum):
    """Level of the VIX, as thresholds see it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


class StyleCondition(StrEnum):
    """A state of the row that makes a style more or less suitable. At most one of each group holds."""

    OPENING = "opening"
    MID_MORNING = "mid_morning"
    LATE_MORNING = "late_morning"
    LUNCH = "lunch"
    EARLY_AFTERNOON = "early_afternoon"
    AFTERNOON = "afternoon"
    POWER_HOUR = "power_hour"
    ATR_VERY_HIGH = "atr_very_high"
    ATR_HIGH = "atr_high"
    ATR_LOW = "atr_low"
    ATR_VERY_LOW = "atr_very_low"
    VOLUME_HIGH = "volume_high"
    VOLUME_LOW = "volume_low"
    VOLUME_VERY_LOW = "volume_very_low"
    NEAR_KEY_LEVEL = "near_key_level"
    RSI_EXTREME = "rsi_extreme"
    TRENDS_STRONGLY_ALIGNED = "trends_strongly_aligned"
    TRENDS_ALIGNED = "trends_aligned"
    TRENDS_OPPOSED = "trends_opposed"
    REGIME_TRENDING = "regime_trending"
    REGIME_RANGING = "regime_ranging"
    REGIME_CHOPPY = "regime_choppy"
    REGIME_VOLATILE = "regime_volatile"
    CLOSE_WITHIN_30_MINUTES = "close_within_30_minutes"
    CLOSE_WITHIN_60_MINUTES = "close_within_60_minutes"
