"""Enums that key the policy's tables: time windows, VIX bands, and the conditions that suit or do not suit a style."""

from __future__ import annotations

from enum import StrEnum


class TimeWindow(StrEnum):
    """Part of a session. The names follow a full day in New York; `scoring.windows` divides half days."""

    OPENING = "opening"
    MID_MORNING = "mid_morning"
    LATE_MORNING = "late_morning"
    LUNCH = "lunch"
    EARLY_AFTERNOON = "early_afternoon"
    AFTERNOON = "afternoon"
    POWER_HOUR = "power_hour"
    WHOLE_SESSION = "whole_session"
    """A daily row at the close of a session that has no minute bars: the time of day does not matter."""


class VixBand(StrEnum):
    """Level of the VIX, for thresholds."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


class StyleCondition(StrEnum):
    """A condition of the row that makes a style more or less suitable. At most one of each group holds."""

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
