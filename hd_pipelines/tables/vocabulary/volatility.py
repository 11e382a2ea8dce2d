"""Enums of implied volatility: level, trend and recommendation."""

from enum import StrEnum


class IvRegime(StrEnum):
    """How expensive options are against their own last 252 sessions."""

    EXTREMELY_LOW = "EXTREMELY_LOW"
    LOW = "LOW"
    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    HIGH = "HIGH"
    EXTREMELY_HIGH = "EXTREMELY_HIGH"


class IvTrend(StrEnum):
    """Direction of implied volatility over 20 sessions."""

    EXPANDING = "EXPANDING"
    STABLE = "STABLE"
    CONTRACTING = "CONTRACTING"


class IvRecommendation(StrEnum):
    """What the level of implied volatility suggests for buying or selling premium."""

    BUY_PREMIUM = "BUY_PREMIUM"
    BUY_FAVORABLE = "BUY_FAVORABLE"
    NEUTRAL = "NEUTRAL"
    WAIT_FOR_IV_DROP = "WAIT_FOR_IV_DROP"
    SELL_PREMIUM = "SELL_PREMIUM"
