"""The rate limit of a channel: a bucket of tokens that refills over time.

The warehouse keeps the bucket's state, so that it outlives the process and all processes share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` messages at once and `per_minute` in the long run: never more than their sum in any minute."""

    burst: int
    per_minute: float

    def filled(self, tokens: float, since: datetime, now: datetime) -> float:
        """Tokens at `now` of a bucket that held `tokens` at `since`; a clock that went back adds none."""
        minutes = max((now - since).total_seconds(), 0.0) / 60
        return min(float(self.burst), tokens + minutes * self.per_minute)

    def wait(self, tokens: float) -> timedelta:
        """How long until a bucket with `tokens` has a whole one."""
        return timedelta(minutes=max(1.0 - tokens, 0.0) / self.per_minute)
