"""Factor curves that several detectors share, from the long side. A curve used by one detector stays in its module."""

from __future__ import annotations

from hd_pipelines.signals.detectors.rules.condition_curves import Cases
from hd_pipelines.signals.detectors.rules.conditions import above, at_least, at_most, below
from hd_pipelines.signals.detectors.rules.curves import Line, Steps, ValuePoints
from hd_pipelines.tables.vocabulary import RegimeFamily

WITH_THE_TRADE = at_least("flow_bias", 0.5)
AGAINST_THE_TRADE = at_most("flow_bias", -0.5)
"""Whether option flow leans with or against the trade; `flow_bias` is 1, 0 or -1."""

RELATIVE_VOLUME = Steps("rvol", ((2.0, 100.0), (1.5, 80.0), (1.2, 65.0)), Line("rvol", 0.0, 50.0))
OVERSOLD = Steps(
    "rsi_14", ((20.0, 100.0), (25.0, 85.0), (30.0, 70.0), (35.0, 55.0)), Line("rsi_14", 100.0, -2.0), rising=False
)
"""The mirrored frame reflects RSI at 50, so the same curve scores overbought for a short trade."""
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
    """Distance below VWAP; `slope` points per percent where the distance is small."""
    return Steps(
        "vwap_distance_pct",
        ((-1.5, 100.0), (-1.0, 85.0), (-0.5, 70.0), (-0.3, 55.0)),
        Line("vwap_distance_pct", 0.0, -slope),
        rising=False,
    )


def below_ema_21(*bounds: float) -> Steps:
    """Distance below EMA 21 in ATR: `bounds` for 100, 90, 80, 70 and 55 points, else 40."""
    points = (100.0, 90.0, 80.0, 70.0, 55.0)
    return Steps("ema_21_distance_atr", tuple(zip(bounds, points, strict=True)), 40.0, rising=False)


def regime_for_reversal(against: float) -> ValuePoints:
    """How well a regime suits an upward reversal; `against` is the score of a falling market."""
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
    """Nearness to a strike: 100 points at the strike, 0 at half a percent; `distance` is in percent of the price."""
    return Line(distance, 100.0, -200.0, absolute=True)
