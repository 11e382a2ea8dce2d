"""Gamma flip of an index: on an expiration day, price crosses the level where dealer gamma changes sign.

It needs the option chain. It can also fire on daily frames: there a crossing lies between the previous close and this
one; on minute frames it lies within the last 15 minutes.

Design notes:

- Gamma at the level is the nearest strike's share of all gamma: 25 points at 0 %, 100 at 5 %. In nine SPX chains from
  2019 to 2023 the largest strike had 4 to 12 %, and the median strike within 2 % of the price had 0.2 to 1.5 %. A share
  works for SPX and NDX alike; an absolute dollar scale does not.
- The share of gamma that expires today measures how much hedging must happen before the close. No table holds dealers'
  delta.
- Option volume is compared with the same minute of earlier days; comparing part of a day with whole days would always
  look low.
- "Late" means at most 180 minutes to the close, so it also applies on half days.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.detector import INDICES, ContractLimits, build_pair
from hd_pipelines.signals.detectors.rules.conditions import Condition, at_least, at_most
from hd_pipelines.signals.detectors.rules.curves import Line, Steps, line_through
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.signals.detectors.rules.shared_vetoes import RECENT_CHAIN
from hd_pipelines.tables.vocabulary import Strategy

_EXPIRES_SOON = Steps("minutes_to_expiry", ((120.0, 100.0), (240.0, 75.0), (360.0, 50.0)), 25.0, rising=False)

GAMMA_FLIPS = build_pair(
    "gamma_flip",
    Strategy.GAMMA_FLIP,
    purpose="On an expiration day, an index crosses the level where dealer gamma changes sign.",
    asset_classes=INDICES,
    needs_chain=True,
    conditions=(
        Condition("crosses_the_level", (at_least("zero_gamma_crossed", 0.5),)),
        Condition("expires_today", (at_least("is_zero_dte", 1.0),)),
        Condition("late", (at_most("minutes_to_close", 180.0),)),
        RECENT_CHAIN,
    ),
    factors=(
        Factor("gamma", 0.35, line_through("flip_strike_gamma_share", (0.0, 25.0), (5.0, 100.0))),
        Factor("expiry", 0.25, _EXPIRES_SOON),
        Factor("expires_today", 0.20, Line("zero_dte_share", 0.0, 100.0)),
        Factor("options_volume", 0.15, Line("option_volume_ratio", -50.0, 100.0)),
        Factor("momentum", 0.05, Line("rvol", -50.0, 50.0)),
    ),
    contract=ContractLimits((0.45, 0.55), (0, 3), 300, 800, 4.0),
    example={
        "chain_age_minutes": 11.0,
        "zero_gamma_crossed": 1.0,
        "is_zero_dte": 1.0,
        "minutes_to_close": 75.0,
        "flip_strike_gamma_share": 3.6,
        "minutes_to_expiry": 75.0,
        "zero_dte_share": 0.55,
        "option_volume_ratio": 1.6,
        "rvol": 2.2,
    },
)
