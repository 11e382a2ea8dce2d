"""Factor curves that several detectors share, from the buyer's side.

Belongs here: curves by the name that the published rules give them (`reference` in docs/detectors.md). A curve of one
detector only is in that detector's module.
"""

from __future__ import annotations

from hd_pipelines.market.vocabulary import RegimeFamily
from hd_pipelines.signals.detectors.factors import Line, Steps, Words

RELATIVE_VOLUME = Steps("rvol", ((2.0, 100.0), (1.5, 80.0), (1.2, 65.0)), Line("rvol", 0.0, 50.0))
OVERSOLD = Steps(
    "rsi_14", ((20.0, 100.0), (25.0, 85.0), (30.0, 70.0), (35.0, 55.0)), Line("rsi_14", 100.0, -2.0), rising=False
)
"""A seller's frame reflects RSI at 50, so the same curve scores overbought."""


def below_vwap(slope: float) -> Steps:
    """Distance below VWAP; `slope` points per per cent where it is small."""
    return Steps(
        "vwap_distance_pct",
        ((-1.5, 100.0), (-1.0, 85.0), (-0.5, 70.0), (-0.3, 55.0)),
        Line("vwap_distance_pct", 0.0, slope, absolute=True),
        rising=False,
    )


def regime_for_reversal(against: float) -> Words:
    """How well a regime suits a reversal upwards; `against` is what a falling market gets."""
    return Words(
        "regime_family",
        (
            (RegimeFamily.RANGING, 100.0),
            (RegimeFamily.CHOPPY, 90.0),
            (RegimeFamily.VOLATILE, 70.0),
            (RegimeFamily.TRENDING_UP, 60.0),
            (RegimeFamily.TRENDING_DOWN, against),
        ),
    )
