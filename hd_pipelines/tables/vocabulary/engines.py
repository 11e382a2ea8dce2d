"""Enums of the five context engines: their status and what each recommends."""

from enum import StrEnum


class ContextEngine(StrEnum):
    """The five engines, in the order in which they are applied to a score."""

    IV_PERCENTILE = "iv_percentile"
    GAMMA_EXPOSURE = "gamma_exposure"
    MTF_ALIGNMENT = "mtf_alignment"
    FLOW = "flow"
    REGIME = "regime"


class ContextStatus(StrEnum):
    """Whether an engine had data: old context fades towards neutral, missing context is neutral."""

    FRESH = "FRESH"
    FADING = "FADING"
    MISSING = "MISSING"


class GammaRecommendation(StrEnum):
    """What dealers' gamma suggests."""

    AVOID_PINNING = "AVOID_PINNING"
    BREAKOUT_SETUP = "BREAKOUT_SETUP"
    TREND_CONTINUATION = "TREND_CONTINUATION"
    RANGE_TRADE = "RANGE_TRADE"
    NEUTRAL = "NEUTRAL"


class MtfAlignment(StrEnum):
    """How far weekly, daily, hourly and 15-minute trends agree with a trade."""

    FULLY_ALIGNED = "FULLY_ALIGNED"
    MOSTLY_ALIGNED = "MOSTLY_ALIGNED"
    NEUTRAL = "NEUTRAL"
    DIVERGING = "DIVERGING"
    CONFLICTING = "CONFLICTING"


class MtfRecommendation(StrEnum):
    """What the alignment of timeframes suggests."""

    STRONG_SIGNAL = "STRONG_SIGNAL"
    CONFIRM_SIGNAL = "CONFIRM_SIGNAL"
    WAIT_ALIGNMENT = "WAIT_ALIGNMENT"
    AVOID_DIVERGENCE = "AVOID_DIVERGENCE"


class FlowStrength(StrEnum):
    """Direction and strength of the option prints in a window."""

    STRONGLY_BULLISH = "STRONGLY_BULLISH"
    BULLISH = "BULLISH"
    NEUTRAL = "NEUTRAL"
    BEARISH = "BEARISH"
    STRONGLY_BEARISH = "STRONGLY_BEARISH"


class FlowUrgency(StrEnum):
    """Share of a window's prints that were sweeps or bought at the ask."""

    VERY_AGGRESSIVE = "VERY_AGGRESSIVE"
    AGGRESSIVE = "AGGRESSIVE"
    MODERATE = "MODERATE"
    PASSIVE = "PASSIVE"


class FlowRecommendation(StrEnum):
    """What a window's prints suggest; `WAIT` if there are too few."""

    FOLLOW_FLOW = "FOLLOW_FLOW"
    CONFIRM_FLOW = "CONFIRM_FLOW"
    FADE_FLOW = "FADE_FLOW"
    NEUTRAL = "NEUTRAL"
    WAIT = "WAIT"


class RegimeRecommendation(StrEnum):
    """What the market's regime suggests."""

    AGGRESSIVE_LONGS = "AGGRESSIVE_LONGS"
    SELECTIVE_LONGS = "SELECTIVE_LONGS"
    NEUTRAL = "NEUTRAL"
    AVOID_TRADING = "AVOID_TRADING"
    SELECTIVE_SHORTS = "SELECTIVE_SHORTS"
    AGGRESSIVE_SHORTS = "AGGRESSIVE_SHORTS"
    CONTRARIAN_OPPORTUNITY = "CONTRARIAN_OPPORTUNITY"
