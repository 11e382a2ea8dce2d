"""Limit how often a symbol gives a signal: a cool-down per detector and a cap per hour.

Both count signals stored before this scan as well as those it finds, at or before the row. Later signals, which a repeated
scan of an old minute would meet, do not count.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from hd_pipelines.signals.scanner.policy.scan_policy import Pace
from hd_pipelines.signals.scanner.signal import EarlierSignal

_HOUR = timedelta(hours=1)


class SignalMemory:
    """The signals of one symbol: stored ones, and those admitted during the scan."""

    def __init__(self, earlier: Sequence[EarlierSignal], pace: Pace) -> None:
        self._pace = pace
        self._cool_down = timedelta(minutes=pace.cool_down_minutes)
        self._all: list[datetime] = sorted(signal.as_of for signal in earlier)
        self._by_detector: defaultdict[str, list[datetime]] = defaultdict(list)
        for signal in sorted(earlier, key=lambda signal: signal.as_of):
            self._by_detector[signal.detector].append(signal.as_of)

    def is_cooling(self, detector: str, as_of: datetime) -> bool:
        """Whether the detector gave a signal less than a cool-down ago."""
        times = self._by_detector[detector]
        return bisect_right(times, as_of) > bisect_right(times, as_of - self._cool_down)

    def is_full(self, as_of: datetime) -> bool:
        """Whether the symbol has reached its cap for the last 60 minutes."""
        within = bisect_right(self._all, as_of) - bisect_right(self._all, as_of - _HOUR)
        return within >= self._pace.per_hour

    def admit(self, detector: str, as_of: datetime) -> None:
        """Record a new signal."""
        insort(self._all, as_of)
        insort(self._by_detector[detector], as_of)
