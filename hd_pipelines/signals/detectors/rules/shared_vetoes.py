"""Vetoes and conditions that several detectors share, from the long side.

A veto blocks only on known values: missing flow or a missing regime does not block.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.rules.conditions import Condition, IsOneOf, Veto, above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.shared_curves import AGAINST_THE_TRADE
from hd_pipelines.tables.vocabulary import RegimeFamily

LONG_REVERSIONS_ONLY = (
    "far_from_ema_21",
    "falling_knife",
    "opposed_by_blocks",
    "opposed_by_sweeps",
    "ema_21",
    "divergence",
    "rsi_turns",
)
"""Conditions and factors that the short side of both mean-reversion families leaves out."""

RECENT_CHAIN = Condition("recent_chain", (at_most("chain_age_minutes", 390.0),))
"""390 trading minutes are one session: open interest is from this morning and levels are at most a day old. The gamma
engine discounts what ages within the day."""
MARKET_AGAINST_THE_TRADE = IsOneOf("regime_family", (RegimeFamily.TRENDING_DOWN,))
AGAINST_THE_MARKET = Veto("against_the_market", (MARKET_AGAINST_THE_TRADE,))
OPPOSED_FLOW = (
    Veto("opposed_by_blocks", (AGAINST_THE_TRADE, above("flow_blocks", 2.0))),
    Veto("opposed_by_sweeps", (AGAINST_THE_TRADE, at_least("flow_sweeps", 3.0), at_least("flow_score", 70.0))),
)


def falling_knife(below_averages_pct: float) -> Veto:
    """The market is trending down, and price is more than this far below both EMA 9 and EMA 21."""
    return Veto(
        "falling_knife",
        (
            MARKET_AGAINST_THE_TRADE,
            below("ema_9_distance_pct", -below_averages_pct),
            below("ema_21_distance_pct", -below_averages_pct),
        ),
    )


def reversion_vetoes(below_averages_pct: float) -> tuple[Veto, ...]:
    """Vetoes of both mean-reversion families against entering before the move is over."""
    return (falling_knife(below_averages_pct), *OPPOSED_FLOW, AGAINST_THE_MARKET)
