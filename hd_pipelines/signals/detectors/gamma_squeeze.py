"""Gamma squeeze of an index: late in the day, price sits at the strike with the most gamma while dealers are short gamma.

It needs the option chain. It can also fire on daily frames, since no condition needs minute bars.

Design notes:

- Dealers must be short gamma for both directions, because hedging short gamma amplifies falls as much as rises.
- Each direction needs its own reason: its side holds at least half of the gamma, and price has moved that way since the
  open. Otherwise both directions would fire on the same row.
- The dealer factor is scaled by the symbol's own usual gamma: 100 points at twice the usual size short, 50 at zero, 0 at
  twice the usual size long. One absolute dollar scale cannot serve both SPX and NDX.
- "Late" means at most 90 minutes to the close, so it also applies on half days.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.conditions import Condition, above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.curves import Line, Steps, line_through
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_curves import near_a_strike
from hd_pipelines.signals.detectors.rules.shared_vetoes import RECENT_CHAIN
from hd_pipelines.tables.vocabulary import Strategy

_SHORT_GAMMA = line_through("dealer_gamma_ratio", (0.0, 50.0), (-2.0, 100.0))
_SHARE = Steps("call_gamma_share", ((60.0, 100.0), (55.0, 75.0), (50.0, 50.0)), 30.0)
_EXPIRES_SOON = Steps(
    "minutes_to_expiry",
    ((30.0, 100.0), (60.0, 85.0), (120.0, 70.0), (240.0, 55.0)),
    Line("minutes_to_expiry", 100.0, -0.2),
    rising=False,
)
_VOLUME = Steps("rvol", ((3.0, 100.0), (2.0, 80.0), (1.5, 60.0)), Line("rvol", 0.0, 40.0))

GAMMA_SQUEEZES = build_pair(
    "gamma_squeeze",
    Strategy.GAMMA_SQUEEZE,
    purpose="Late in the day, an index at the strike with the most gamma is moving, and dealers must hedge with the move.",
    asset_classes=INDICES,
    needs_chain=True,
    conditions=(
        Condition("dealers_short_gamma", (below("dealer_gamma_ratio", 0.0),)),
        Condition("at_the_strike", (at_most("max_gamma_distance_pct", 0.5),)),
        Condition("late", (at_most("minutes_to_close", 90.0),)),
        Condition("volume", (at_least("rvol", 1.3),)),
        Condition("own_side_leads", (at_least("call_gamma_share", 50.0),)),
        Condition("moves_its_way", (above("change_from_open_pct", 0.0),)),
        RECENT_CHAIN,
    ),
    factors=(
        Factor("strike", 0.30, near_a_strike("max_gamma_distance_pct")),
        Factor("dealers", 0.25, _SHORT_GAMMA),
        Factor("share", 0.20, _SHARE),
        Factor("expiry", 0.15, _EXPIRES_SOON),
        Factor("volume", 0.10, _VOLUME),
    ),
    contract=ContractLimits((0.48, 0.55), (0, 2), 500, 1000, 3.0),
    example={
        "chain_age_minutes": 11.0,
        "dealer_gamma_ratio": -1.4,
        "max_gamma_distance_pct": 0.04,
        "minutes_to_close": 45.0,
        "rvol": 1.9,
        "call_gamma_share": 62.0,
        "change_from_open_pct": 0.35,
        "minutes_to_expiry": 45.0,
    },
)
