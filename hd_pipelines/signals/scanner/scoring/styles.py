"""How well a row suits a scalp, a day trade and a swing: the style conditions that hold, and their modifiers.

    style score = base score × product of the modifiers, bounded to 0.5 to 1.5

A missing feature makes none of its conditions hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.engines.mtf_alignment import WEIGHTS
from hd_pipelines.signals.frame import FeatureFrame, Floats
from hd_pipelines.signals.scanner.policy.scan_policy import StyleRules
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition as On
from hd_pipelines.signals.scanner.scoring.windows import WINDOWS
from hd_pipelines.tables.vocabulary import Direction, RegimeFamily, Resolution, TradingStyle

STYLES = tuple(TradingStyle)
"""Column order of arrays by style."""
_WINDOWS = tuple((position, On[name.name]) for position, name in enumerate(WINDOWS) if name.name in On.__members__)
_FAMILIES = {
    On.REGIME_TRENDING: (RegimeFamily.TRENDING_UP, RegimeFamily.TRENDING_DOWN),
    On.REGIME_RANGING: (RegimeFamily.RANGING,),
    On.REGIME_CHOPPY: (RegimeFamily.CHOPPY,),
    On.REGIME_VOLATILE: (RegimeFamily.VOLATILE,),
}


def find_conditions(
    frame: FeatureFrame, window: NDArray[np.intp], direction: Direction, rules: StyleRules
) -> dict[On, Booleans]:
    """Return where each condition holds, booleans of shape (n,). `window`: positions in `WINDOWS`."""
    bounds = rules.bounds
    holds = {name: window == position for position, name in _WINDOWS}
    atr, volume, rsi = frame["atr_day_pct"], frame["rvol"], frame["rsi_14"]
    holds[On.ATR_VERY_HIGH] = atr > bounds[On.ATR_VERY_HIGH]
    holds[On.ATR_HIGH] = (atr > bounds[On.ATR_HIGH]) & ~holds[On.ATR_VERY_HIGH]
    holds[On.ATR_VERY_LOW] = atr < bounds[On.ATR_VERY_LOW]
    holds[On.ATR_LOW] = (atr < bounds[On.ATR_LOW]) & ~holds[On.ATR_VERY_LOW]
    holds[On.VOLUME_HIGH] = volume > bounds[On.VOLUME_HIGH]
    holds[On.VOLUME_VERY_LOW] = volume < bounds[On.VOLUME_VERY_LOW]
    holds[On.VOLUME_LOW] = (volume < bounds[On.VOLUME_LOW]) & ~holds[On.VOLUME_VERY_LOW]
    holds[On.NEAR_KEY_LEVEL] = frame["is_near_key_level"] == 1.0
    holds[On.RSI_EXTREME] = (rsi <= bounds[On.RSI_EXTREME]) | (rsi >= 100.0 - bounds[On.RSI_EXTREME])
    aligned = measure_alignment(frame, direction)
    holds[On.TRENDS_STRONGLY_ALIGNED] = aligned > bounds[On.TRENDS_STRONGLY_ALIGNED]
    holds[On.TRENDS_ALIGNED] = (aligned > bounds[On.TRENDS_ALIGNED]) & ~holds[On.TRENDS_STRONGLY_ALIGNED]
    holds[On.TRENDS_OPPOSED] = aligned < bounds[On.TRENDS_OPPOSED]
    family = frame["regime_family"]
    for name, members in _FAMILIES.items():
        holds[name] = np.isin(family, [encode_value("regime_family", member) for member in members])
    if frame.resolution is Resolution.MINUTE:
        to_close = frame["minutes_to_close"]
        holds[On.CLOSE_WITHIN_30_MINUTES] = to_close < bounds[On.CLOSE_WITHIN_30_MINUTES]
        holds[On.CLOSE_WITHIN_60_MINUTES] = (to_close < bounds[On.CLOSE_WITHIN_60_MINUTES]) & ~holds[
            On.CLOSE_WITHIN_30_MINUTES
        ]
    return holds


def measure_alignment(frame: FeatureFrame, direction: Direction) -> Floats:
    """Measure the weight of timeframes trending with the trade, 0-100, shape (n,); a flat or unknown one counts half.

    NaN where no timeframe is known. Same measure as `engines.mtf_alignment`, for all rows at once.
    """
    leaning, is_known = np.zeros(len(frame)), np.zeros(len(frame), np.bool_)
    for name, weight in WEIGHTS.items():
        trend = frame[f"mtf_trend_{name}"]
        missing = np.isnan(trend)
        leaning += weight * np.where(missing, 0.0, np.sign(trend))
        is_known |= ~missing
    return np.where(is_known, 50.0 + 50.0 * direction.sign * leaning / sum(WEIGHTS.values()), np.nan)


def compute_suitability(holds: dict[On, Booleans], rules: StyleRules) -> Floats:
    """Return the unbounded product of the modifiers of all conditions that hold; shape (n, 3), columns `STYLES`."""
    rows = next(iter(holds.values())).size
    product = np.ones((rows, len(STYLES)))
    for name, held in holds.items():
        of_style = np.array([rules.modifiers[name].of(style) for style in STYLES])
        product *= np.where(held[:, None], of_style, 1.0)
    return product
