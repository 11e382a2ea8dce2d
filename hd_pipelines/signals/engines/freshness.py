"""How old context is, and how much of it still counts.

Belongs here: the limit of each engine, the way from "counts" to "counts no more", and how a reading says it.

Age is trading time: a row of Friday's close is not a minute old on Tuesday's open after a long weekend. Context counts
fully until its limit, then falls linearly and reaches nothing at four times the limit. (The predecessor took a flat half
off the multiplier at once, in clock hours, so that every Monday began with scores cut in two.)
"""

from __future__ import annotations

from typing import NamedTuple

from hd_pipelines.market.sessions import count_trading_minutes
from hd_pipelines.tables.vocabulary import ContextEngine

STALE_AFTER_MINUTES: dict[ContextEngine, float] = {
    ContextEngine.IV_PERCENTILE: 390.0,
    ContextEngine.GAMMA_EXPOSURE: 30.0,
    ContextEngine.MTF_ALIGNMENT: 240.0,
    ContextEngine.FLOW: 120.0,
    ContextEngine.REGIME: 390.0,
}
"""Trading minutes. A daily row counts through the whole session after its own. Bars are of now, so the age of a trend is
that of the symbol's last trade: it grows only while a symbol is halted."""
GONE_AT = 4.0
"""Limits."""


class Freshness(NamedTuple):
    """Age in trading minutes, and the share of an opinion that it leaves, 0 to 1."""

    age_minutes: float
    share: float

    def annotate(self, reason: str) -> str:
        """A reason, with its age where that takes something off."""
        if self.share == 1.0:
            return reason
        counts = f"counts {100 * self.share:.0f} %" if self.share else "counts no more"
        return f"{reason}; {self.age_minutes:.0f} trading minutes old, {counts}"


def compute_share_left(engine: ContextEngine, age_minutes: float) -> float:
    """1 up to the engine's limit, 0 from four times the limit on, linear between."""
    limit = STALE_AFTER_MINUTES[engine]
    return min(max((GONE_AT * limit - age_minutes) / ((GONE_AT - 1.0) * limit), 0.0), 1.0)


def compute_freshness(engine: ContextEngine, age_minutes: float) -> Freshness:
    """The freshness of context that is `age_minutes` old."""
    return Freshness(age_minutes, compute_share_left(engine, age_minutes))


def measure_freshness(engine: ContextEngine, known_at_ns: int, as_of_ns: int) -> Freshness:
    """The freshness, at `as_of_ns`, of context known at `known_at_ns`; ns UTC."""
    return compute_freshness(engine, trading_minutes_between(known_at_ns, as_of_ns))
