"""What a scan returns: signals with everything that produced them, and counts of rejections by name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hd_pipelines.tables.vocabulary import AssetClass, Direction, Resolution, Strategy, TradingStyle


@dataclass(frozen=True, slots=True)
class CompositeSignal:
    """One trade setup. Its values never change once stored; prices are of the underlying.

    bar_time: start of the minute (or, for `Resolution.DAY`, of the session) whose end is `as_of`; times UTC.
    scores: 0 to 100 after contexts. risk_reward: measured to the second target. size_multiplier: of a normal position.
    explanation: JSON-ready: every condition, factor, modifier, reading, level and filter, and the `context_line`.
    """

    symbol: str
    detector: str
    strategy: Strategy
    direction: Direction
    asset_class: AssetClass
    resolution: Resolution
    session: date
    bar_time: datetime
    as_of: datetime
    base_score: float
    scalp_score: float
    day_trade_score: float
    swing_score: float
    style: TradingStyle
    style_score: float
    data_confidence: float
    entry_price: Decimal
    stop_price: Decimal
    target_1: Decimal
    target_2: Decimal
    target_3: Decimal
    risk_reward: float
    size_multiplier: float
    valid_until: datetime
    detector_version: int
    parameter_version: str
    policy_version: str
    contract_ticker: str | None
    contract: Mapping[str, Any] | None
    explanation: Mapping[str, Any]

    @property
    def signal_id(self) -> str:
        """Primary key: 32 hex digits derived from symbol, detector and bar, so a repeated scan finds the same signal."""
        return signal_id(self.symbol, self.detector, self.bar_time)


def signal_id(symbol: str, detector: str, bar_time: datetime) -> str:
    """Primary key of a signal. `bar_time` must carry a timezone."""
    text = f"{symbol}|{detector}|{bar_time.astimezone(UTC).isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class EarlierSignal:
    """The part of a stored signal that cool-downs and caps need."""

    detector: str
    as_of: datetime
    bar_time: datetime


@dataclass(frozen=True, slots=True)
class Edge:
    """A detector's settled signals of one style over the last 30 days: count, wins, sums of R won and lost."""

    count: int
    wins: int
    won_r: float
    lost_r: float


@dataclass(frozen=True)
class ScanOutcome:
    """One symbol's scan. rows: rows scanned. candidates: rows on which a detector fired, counted once per detector.

    rejections: count by (detector, reason). already_stored: candidates whose signal was stored before this scan; they are
    neither found again nor rejected.
    """

    symbol: str
    rows: int
    candidates: int
    signals: tuple[CompositeSignal, ...]
    rejections: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: tuple[str, ...] = ()
    already_stored: int = 0
