"""What keeps both mean-reversion families from buying into a fall that is not over.

Belongs here: vetoes that several detectors share, from the buyer's side. A veto needs to be known: missing flow or a
missing regime does not forbid.
"""

from __future__ import annotations

from hd_pipelines.market.vocabulary import RegimeFamily
from hd_pipelines.signals.detectors.conditions import IsWord, Veto, above, at_least, below
from hd_pipelines.signals.detectors.shared_curves import AGAINST_THE_TRADE

MARKET_AGAINST_THE_TRADE = IsWord("regime_family", (RegimeFamily.TRENDING_DOWN,))
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
