"""Enums of option contracts, chains and prints."""

from enum import StrEnum


class OptionType(StrEnum):
    """Right of an option."""

    CALL = "call"
    PUT = "put"


class ExerciseStyle(StrEnum):
    """When an option may be exercised."""

    AMERICAN = "american"
    EUROPEAN = "european"


class PriceSource(StrEnum):
    """Where the price of a valued contract came from."""

    CHAIN_SNAPSHOT = "chain_snapshot"
    CHAIN_ARCHIVE = "chain_archive"
    OPTION_MINUTE = "option_minute_aggs"
    OPTION_DAY = "option_day_aggs"


class SnapshotKind(StrEnum):
    """Whether a chain was taken at the session's close or during it."""

    CLOSE = "close"
    INTRADAY = "intraday"


class TradeType(StrEnum):
    """Kind of an options print."""

    SWEEP = "SWEEP"
    BLOCK = "BLOCK"
    SPLIT = "SPLIT"
    LARGE = "LARGE"
    REGULAR = "REGULAR"


class FlowSentiment(StrEnum):
    """Direction that a print indicates."""

    BULLISH = "BULLISH"
    BEARISH = "BEARISH"
    NEUTRAL = "NEUTRAL"


class Aggressiveness(StrEnum):
    """How far a print crossed the spread."""

    PASSIVE = "PASSIVE"
    NORMAL = "NORMAL"
    AGGRESSIVE = "AGGRESSIVE"
