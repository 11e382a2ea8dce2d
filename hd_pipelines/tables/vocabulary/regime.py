"""Enums of the market regime and of the measures it is derived from."""

from enum import StrEnum


class VixRegime(StrEnum):
    """Level of the VIX."""

    EXTREMELY_LOW = "EXTREMELY_LOW"
    LOW = "LOW"
    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    HIGH = "HIGH"
    EXTREME = "EXTREME"


class VixTermStructure(StrEnum):
    """Shape of implied volatility over maturities."""

    STEEP_CONTANGO = "STEEP_CONTANGO"
    CONTANGO = "CONTANGO"
    FLAT = "FLAT"
    BACKWARDATION = "BACKWARDATION"
    STEEP_BACKWARDATION = "STEEP_BACKWARDATION"


class TickRegime(StrEnum):
    """Level of the NYSE TICK."""

    EXTREME_SELLING = "EXTREME_SELLING"
    WEAK = "WEAK"
    NEUTRAL = "NEUTRAL"
    STRONG = "STRONG"
    EXTREME_BUYING = "EXTREME_BUYING"


class BreadthRegime(StrEnum):
    """How many stocks take part in a move."""

    EXTREMELY_BEARISH = "EXTREMELY_BEARISH"
    BEARISH = "BEARISH"
    NEUTRAL = "NEUTRAL"
    BULLISH = "BULLISH"
    EXTREMELY_BULLISH = "EXTREMELY_BULLISH"


class CorrelationRegime(StrEnum):
    """How much stocks move together."""

    DIVERGING = "DIVERGING"
    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    EXTREMELY_HIGH = "EXTREMELY_HIGH"


class SectorRotation(StrEnum):
    """Which kind of sector leads."""

    DEFENSIVE = "DEFENSIVE"
    CYCLICAL = "CYCLICAL"
    GROWTH = "GROWTH"
    VALUE = "VALUE"
    MIXED = "MIXED"


class PutCallRegime(StrEnum):
    """Sentiment that the put/call ratio indicates."""

    EXTREME_FEAR = "EXTREME_FEAR"
    FEAR = "FEAR"
    NEUTRAL = "NEUTRAL"
    GREED = "GREED"
    EXTREME_GREED = "EXTREME_GREED"


class MarketRegime(StrEnum):
    """The eleven market regimes, shared by engine, detectors and scanner."""

    STRONG_UPTREND = "STRONG_UPTREND"
    WEAK_UPTREND = "WEAK_UPTREND"
    CHOPPY_BULLISH = "CHOPPY_BULLISH"
    RANGE_BOUND = "RANGE_BOUND"
    CHOPPY_BEARISH = "CHOPPY_BEARISH"
    WEAK_DOWNTREND = "WEAK_DOWNTREND"
    STRONG_DOWNTREND = "STRONG_DOWNTREND"
    BREAKOUT = "BREAKOUT"
    BREAKDOWN = "BREAKDOWN"
    CAPITULATION = "CAPITULATION"
    EUPHORIA = "EUPHORIA"


class RegimeFamily(StrEnum):
    """What a regime means to a detector; `REGIME_FAMILIES` is the only mapping."""

    TRENDING_UP = "TRENDING_UP"
    TRENDING_DOWN = "TRENDING_DOWN"
    RANGING = "RANGING"
    CHOPPY = "CHOPPY"
    VOLATILE = "VOLATILE"


REGIME_FAMILIES: dict[MarketRegime, RegimeFamily] = {
    MarketRegime.STRONG_UPTREND: RegimeFamily.TRENDING_UP,
    MarketRegime.WEAK_UPTREND: RegimeFamily.TRENDING_UP,
    MarketRegime.BREAKOUT: RegimeFamily.TRENDING_UP,
    MarketRegime.CHOPPY_BULLISH: RegimeFamily.CHOPPY,
    MarketRegime.RANGE_BOUND: RegimeFamily.RANGING,
    MarketRegime.CHOPPY_BEARISH: RegimeFamily.CHOPPY,
    MarketRegime.WEAK_DOWNTREND: RegimeFamily.TRENDING_DOWN,
    MarketRegime.STRONG_DOWNTREND: RegimeFamily.TRENDING_DOWN,
    MarketRegime.BREAKDOWN: RegimeFamily.TRENDING_DOWN,
    MarketRegime.CAPITULATION: RegimeFamily.VOLATILE,
    MarketRegime.EUPHORIA: RegimeFamily.VOLATILE,
}
"""Every regime has one family; a test checks that none is missing."""
