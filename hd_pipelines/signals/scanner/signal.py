"""What a scan produces: signals with everything that made them, and rejections by name.

Belongs here: the shapes that the scanner returns and `loading.signals` stores, and a signal's identity. How a signal is
decided is in `scan`.
"""

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
    """A setup worth a trader's look. Facts never change after it is stored; prices are of the underlying.

    bar_time: begin of the minute (or, for `Resolution.DAY`, of the session) whose end is `as_of`; times UTC.
    scores: 0 to 100 after contexts. risk_reward: of the second target. size_multiplier: of a normal position.
    explanation: JSON-ready: every condition, factor, modifier, reading, level, filter, and `context_line`.
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
        """32 hex digits, a pure function of symbol, detector and bar: the same setup is the same signal."""
        return signal_id(self.symbol, self.detector, self.bar_time)


def signal_id(symbol: str, detector: str, bar_time: datetime) -> str:
    """The identity of a signal. `bar_time` carries a timezone."""
    text = f"{symbol}|{detector}|{bar_time.astimezone(UTC).isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class EarlierSignal:
    """A signal that was stored before, as cool-downs and caps need it."""

    detector: str
    as_of: datetime
    bar_time: datetime


@dataclass(frozen=True, slots=True)
class Edge:
    """How a detector's settled signals of one style did in the 30 days before: count, wins, sums of R won and lost."""

    count: int
    wins: int
    won_r: float
    lost_r: float


@dataclass(frozen=True)
class ScanOutcome:
    """One symbol's scan. rows: minutes looked at. candidates: those on which a detector fired, counted per detector.

    rejections: how often each (detector, reason) kept a candidate back. already_stored: candidates whose signal was stored
    before this scan; neither found again nor rejected.
    """

    symbol: str
    rows: int
    candidates: int
    signals: tuple[CompositeSignal, ...]
    rejections: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: tuple[str, ...] = ()
    already_stored: int = 0
