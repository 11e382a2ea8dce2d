"""Enums of dealer gamma: sign model, positioning, strength and expected behavior."""

from enum import StrEnum


class SignModel(StrEnum):
    """Assumption about which side of each trade dealers took. Every row carries it, because it is an assumption."""

    NAIVE_CALLS_LONG = "naive_calls_long"


class DealerPositioning(StrEnum):
    """Sign of the dealers' gamma under the row's sign model."""

    LONG_GAMMA = "LONG_GAMMA"
    SHORT_GAMMA = "SHORT_GAMMA"
    NEUTRAL = "NEUTRAL"


class PositioningStrength(StrEnum):
    """How unusual the size of the gamma is for this underlying."""

    WEAK = "WEAK"
    MODERATE = "MODERATE"
    STRONG = "STRONG"
    EXTREME = "EXTREME"


class ExpectedBehavior(StrEnum):
    """Effect that hedging is expected to have on the underlying."""

    PINNING = "PINNING"
    TRENDING = "TRENDING"
    VOLATILE = "VOLATILE"
    RANGE_BOUND = "RANGE_BOUND"
