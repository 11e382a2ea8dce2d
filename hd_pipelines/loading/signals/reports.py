"""The report of a scan, and conversion between the scanner's values and database rows.

Rows are written by `loading.signals.scan`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import polars as pl

from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.signal import CompositeSignal, EarlierSignal, Edge, ScanOutcome
from hd_pipelines.tables.vocabulary import TradingStyle


@dataclass
class ScanReport:
    """Result of a scan.

    rejections: number of rejected candidates by (detector, reason). labels: symbols by label. seen, unseen: symbols that
    had rows to scan in at least one session, and in none.
    """

    sessions: int = 0
    up_to_date: int = 0
    rows: int = 0
    candidates: int = 0
    signals: list[CompositeSignal] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    rejections: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: dict[str, set[str]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    settled: int = 0
    seconds: float = 0.0

    def add(self, outcome: ScanOutcome) -> None:
        """Add the outcome of one symbol."""
        (self.seen if outcome.rows else self.unseen).add(outcome.symbol)
        self.rows += outcome.rows
        self.candidates += outcome.candidates
        self.signals += outcome.signals
        self.rejections += outcome.rejections
        for label in outcome.labels:
            self.labels.setdefault(label, set()).add(outcome.symbol)

    def merge(self, other: ScanReport) -> None:
        """Add the numbers of another scan's report."""
        self.seen |= other.seen
        self.unseen = (self.unseen | other.unseen) - self.seen
        self.rows += other.rows
        self.candidates += other.candidates
        self.signals += other.signals
        self.stored += other.stored
        self.settled += other.settled
        self.rejections += other.rejections
        for label, symbols in other.labels.items():
            self.labels.setdefault(label, set()).update(symbols)


def to_signal_row(signal: CompositeSignal) -> dict[str, Any]:
    """Convert a signal to a row of its table."""
    return {"signal_id": signal.signal_id, **asdict(signal)}


def to_scan_row(
    looked_at: Mapping[str, FeatureFrame],
    session: date,
    report: ScanReport,
    *,
    policy_version: str,
    seconds: float,
    run_id: str | None,
) -> dict[str, Any]:
    """Convert a scan of frames of one resolution to a row of its table; repeating a scan gives the same `scan_id`."""
    resolution = next(iter(looked_at.values())).resolution
    first = min(frame.as_of(0) for frame in looked_at.values())
    last = max(frame.as_of(len(frame) - 1) for frame in looked_at.values())
    identity = "|".join([resolution.value, first.isoformat(), last.isoformat(), policy_version, *sorted(looked_at)])
    return {
        "scan_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "session": session,
        "resolution": resolution.value,
        "first_as_of": first,
        "last_as_of": last,
        "symbols": len(looked_at),
        "rows": sum(len(frame) for frame in looked_at.values()),
        "candidates": report.candidates,
        "stored": len(report.stored),
        "rejections": [
            {"detector": detector, "reason": reason, "count": count}
            for (detector, reason), count in sorted(report.rejections.items())
        ],
        "labels": [{"label": label, "symbols": sorted(found)} for label, found in sorted(report.labels.items())],
        "policy_version": policy_version,
        "seconds": seconds,
        "run_id": run_id,
    }


def group_by_symbol(rows: pl.DataFrame) -> dict[str, tuple[EarlierSignal, ...]]:
    """Group stored signals by symbol, in time order."""
    found: dict[str, list[EarlierSignal]] = {}
    for symbol, detector, as_of, bar_time in rows.select("symbol", "detector", "as_of", "bar_time").iter_rows():
        found.setdefault(symbol, []).append(EarlierSignal(detector, as_of, bar_time))
    return {symbol: tuple(signals) for symbol, signals in found.items()}


def compute_edges(rows: pl.DataFrame) -> dict[tuple[str, TradingStyle], Edge]:
    """Sum the wins and losses of settled signals by detector and style."""
    gained = pl.col("r_multiple")
    sums = rows.group_by("detector", "style").agg(
        pl.len().alias("count"),
        (gained > 0).sum().alias("wins"),
        gained.filter(gained > 0).sum().alias("won"),
        (-gained.filter(gained < 0)).sum().alias("lost"),
    )
    return {
        (detector, TradingStyle(style)): Edge(count, wins, won, lost)
        for detector, style, count, wins, won, lost in sums.iter_rows()
    }
