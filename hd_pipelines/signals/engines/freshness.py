"""How old context is in trading time, and how much of its effect remains.

A row from Friday's close is only minutes old at Tuesday's open after a long weekend. Context counts fully until its
engine's limit, then falls linearly to zero at four times the limit, so that scores never jump when a limit is crossed.
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
"""Trading minutes. A daily row counts fully through the session after its own. Bars are current, so a trend is as old as
the symbol's last trade and ages only while the symbol is halted."""
GONE_AT = 4.0
"""Multiple of the limit at which nothing remains."""


class Freshness(NamedTuple):
    """Age in trading minutes, and the share of an opinion that remains, 0 to 1."""

    age_minutes: float
    share: float

    def annotate(self, reason: str) -> str:
        """Append the age to a reason if it reduces the effect."""
        if self.share == 1.0:
            return reason
        counts = f"counts {100 * self.share:.0f} %" if self.share else "counts no more"
        return f"{reason}; {self.age_minutes:.0f} trading minutes old, {counts}"


def compute_share_left(engine: ContextEngine, age_minutes: float) -> float:
    """Compute the share that remains: 1 up to the engine's limit, 0 from four times the limit, linear between."""
    limit = STALE_AFTER_MINUTES[engine]
    return min(max((GONE_AT * limit - age_minutes) / ((GONE_AT - 1.0) * limit), 0.0), 1.0)


def compute_freshness(engine: ContextEngine, age_minutes: float) -> Freshness:
    """Compute the freshness of context that is `age_minutes` old."""
    return Freshness(age_minutes, compute_share_left(engine, age_minutes))


def measure_freshness(engine: ContextEngine, known_at_ns: int, as_of_ns: int) -> Freshness:
    """Measure the freshness, at `as_of_ns`, of context known at `known_at_ns`; ns UTC."""
    return compute_freshness(engine, count_trading_minutes(known_at_ns, as_of_ns))
