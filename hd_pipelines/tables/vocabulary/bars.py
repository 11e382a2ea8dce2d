"""Enums of bars: the timeframes."""

from enum import StrEnum


class Timeframe(StrEnum):
    """Lengths of a bar, as stored."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    DAY = "day"
    WEEK = "week"
