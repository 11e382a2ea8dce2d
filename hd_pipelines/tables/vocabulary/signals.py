"""Enums of signals: direction, style, strategy, status and outcome."""

from enum import StrEnum


class Direction(StrEnum):
    """Direction of a trade."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Direction.LONG else -1


class AssetClass(StrEnum):
    """What kind of underlying a symbol is; detectors and thresholds differ by it."""

    INDEX = "INDEX"
    EQUITY_ETF = "EQUITY_ETF"
    STOCK = "STOCK"


class TradingStyle(StrEnum):
    """How long a trade is meant to be held."""

    SCALP = "scalp"
    DAY_TRADE = "day_trade"
    SWING = "swing"


class Strategy(StrEnum):
    """What a detector looks for; regimes and VIX levels allow or forbid whole strategies."""

    BREAKOUT = "breakout"
    MEAN_REVERSION = "mean_reversion"
    TREND_CONTINUATION = "trend_continuation"
    GAMMA_SQUEEZE = "gamma_squeeze"
    POWER_HOUR_REVERSAL = "power_hour_reversal"
    INDEX_MEAN_REVERSION = "index_mean_reversion"
    OPENING_DRIVE = "opening_drive"
    GAMMA_FLIP = "gamma_flip"
    EOD_PIN = "eod_pin"


class SignalStatus(StrEnum):
    """State of a signal."""

    ACTIVE = "ACTIVE"
    FILLED = "FILLED"
    EXPIRED = "EXPIRED"
    DISMISSED = "DISMISSED"
    STOPPED = "STOPPED"
    TARGET_HIT = "TARGET_HIT"


class ExitReason(StrEnum):
    """What ended a signal."""

    STOP = "STOP"
    TARGET_1 = "T1"
    TARGET_2 = "T2"
    TARGET_3 = "T3"
    MANUAL = "MANUAL"
    EXPIRED = "EXPIRED"


class Resolution(StrEnum):
    """What a signal was found on: minutes, or one scan at the close of a session that has no minutes."""

    MINUTE = "minute"
    DAY = "day"
