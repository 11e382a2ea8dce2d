"""Factor curves that several detectors share, from the buyer's side.

Belongs here: curves by the name that the published rules give them, with their numbers. A curve of one detector only is
in that detector's module.
"""

from __future__ import annotations

from hd_pipelines.signals.detectors.rules.condition_curves import Cases
from hd_pipelines.signals.detectors.rules.conditions import above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.curves import Line, Steps, ValuePoints
from hd_pipelines.tables.vocabulary import RegimeFamily

WITH_THE_TRADE = at_least("flow_bias", 0.5)
AGAINST_THE_TRADE = at_most("flow_bias", -0.5)
"""What option prints say of the trade; `flow_bias` is 1, 0 or -1."""

RELATIVE_VOLUME = Steps("rvol", ((2.0, 100.0), (1.5, 80.0), (1.2, 65.0)), Line("rvol", 0.0, 50.0))
OVERSOLD = Steps(
    "rsi_14", ((20.0, 100.0), (25.0, 85.0), (30.0, 70.0), (35.0, 55.0)), Line("rsi_14", 100.0, -2.0), rising=False
)
"""A seller's frame reflects RSI at 50, so the same curve scores overbought."""
DIVERGENCE = Line("bullish_divergence", 50.0, 0.5)
RSI_TURNS = Cases(
    ("rsi_14", "rsi_change"),
    (
        ("rises_from_below", (below("rsi_14", 35.0), above("rsi_change", 0.0)), 90.0),
        ("still_falls", (below("rsi_14", 30.0), below("rsi_change", 0.0)), 40.0),
    ),
    Line("rsi_change", 50.0, 5.0),
)


def below_vwap(slope: float) -> Steps:
    """Distance below VWAP; `slope` points per per cent where it is small."""
    return Steps(
        "vwap_distance_pct",
        ((-1.5, 100.0), (-1.0, 85.0), (-0.5, 70.0), (-0.3, 55.0)),
        Line("vwap_distance_pct", 0.0, -slope),
        rising=False,
    )


def regime_for_reversal(against: float) -> ValuePoints:
    """How well a regime suits a reversal upwards; `against` is what a falling market gets."""
    return ValuePoints(
        "regime_family",
        (
            (RegimeFamily.RANGING, 100.0),
            (RegimeFamily.CHOPPY, 90.0),
            (RegimeFamily.VOLATILE, 70.0),
            (RegimeFamily.TRENDING_UP, 60.0),
            (RegimeFamily.TRENDING_DOWN, against),
        ),
    )


def near_a_strike(distance: str) -> Line:
    """Nearness of the strike that `distance` (per cent of the price) leads to; nothing is left at half a per cent."""
    return Line(distance, 100.0, -200.0, absolute=True)
