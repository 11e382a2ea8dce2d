"""Vetoes and conditions that several detectors share, from the buyer's side.

Belongs here: what keeps both mean-reversion families from buying into a fall that is not over (a veto needs to be known:
missing flow or a missing regime does not forbid), and how old a chain may be.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.rules.conditions import Condition, IsOneOf, Veto, above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.shared_curves import AGAINST_THE_TRADE
from hd_pipelines.tables.vocabulary import RegimeFamily

RECENT_CHAIN = Condition("recent_chain", (at_most("chain_age_minutes", 390.0),))
"""One session of trading time: open interest of this morning, levels at most a day old. What ages within a day is for the
gamma engine to fade."""
MARKET_AGAINST_THE_TRADE = IsOneOf("regime_family", (RegimeFamily.TRENDING_DOWN,))
AGAINST_THE_MARKET = Veto("against_the_market", (MARKET_AGAINST_THE_TRADE,))
OPPOSED_FLOW = (
    Veto("opposed_by_blocks", (AGAINST_THE_TRADE, above("flow_blocks", 2.0))),
    Veto("opposed_by_sweeps", (AGAINST_THE_TRADE, at_least("flow_sweeps", 3.0), at_least("flow_score", 70.0))),
)


def falling_knife(below_averages_pct: float) -> Veto:
    """The market falls, and the price is further than this below EMA 9 and EMA 21."""
    return Veto(
        "falling_knife",
        (
            MARKET_AGAINST_THE_TRADE,
            below("ema_9_distance_pct", -below_averages_pct),
            below("ema_21_distance_pct", -below_averages_pct),
        ),
    )
