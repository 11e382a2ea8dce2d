"""The thresholds a candidate must reach: base score, style score and reward-to-risk ratio.

    threshold = of the strategy, else of the asset class, else the default
              + adjustment for the time window + adjustment for the VIX

Windows add rather than replace, because their numbers are differences from the default: an index, whose threshold is 5
higher, stays 5 higher at every hour. Taking the stricter of the two instead would cancel the easier thresholds of the
opening and the power hour. The reward-to-risk ratio starts from the larger of the strategy's and the style's. No score
threshold exceeds 95: whether a detector may fire at all at some hour or VIX is decided by `permissions`, by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.frame import Floats
from hd_pipelines.signals.scanner.policy.scan_policy import Adjustment, RiskProfile, ThresholdRules, Thresholds
from hd_pipelines.signals.scanner.policy.vocabulary import TimeWindow, VixBand
from hd_pipelines.signals.scanner.scoring.windows import WINDOWS
from hd_pipelines.tables.vocabulary import AssetClass, Strategy, TradingStyle

BANDS = tuple(VixBand)
UNKNOWN = -1
"""Band position for an unknown VIX, which adds nothing."""
_NOTHING = Adjustment(0.0, 0.0, 0.0, 1.0)


def classify_vix(vix: Floats, rules: ThresholdRules) -> NDArray[np.intp]:
    """Return the position in `BANDS` of each VIX level, `UNKNOWN` where it is NaN; shape (n,)."""
    position = np.searchsorted(np.array(rules.vix_bounds), np.where(np.isnan(vix), 0.0, vix), side="right")
    return np.where(np.isnan(vix), UNKNOWN, position).astype(np.intp)


@dataclass(frozen=True, slots=True)
class Requirements:
    """Thresholds of one strategy in one time window and VIX band, with the parts they are made of."""

    source: str
    start: Thresholds
    window: TimeWindow
    of_window: Adjustment
    band: VixBand | None
    of_vix: Adjustment
    rules: ThresholdRules

    @property
    def base(self) -> float:
        """Minimum base score."""
        return self._score(self.start.base + self.of_window.base + self.of_vix.base)

    @property
    def style(self) -> float:
        """Minimum style score."""
        return self._score(self.start.style + self.of_window.style + self.of_vix.style)

    @property
    def size(self) -> float:
        """Multiplier of a normal position."""
        return self.of_window.size * self.of_vix.size

    def risk_reward(self, profile: RiskProfile) -> float:
        """Minimum reward-to-risk ratio for a style."""
        least = max(self.start.risk_reward, profile.min_risk_reward)
        return max(
            round(least + self.of_window.risk_reward + self.of_vix.risk_reward, 2), self.rules.lowest_risk_reward
        )

    def _score(self, threshold: float) -> float:
        return min(threshold, self.rules.highest_score)

    def to_json(self, style: TradingStyle, profile: RiskProfile) -> dict[str, object]:
        """Return each threshold with the parts it is made of, JSON-ready."""
        of_vix = f"vix_{self.band.value if self.band is not None else 'unknown'}"
        of_style = max(profile.min_risk_reward - self.start.risk_reward, 0.0)
        parts = (
            (self.source, self.start.base, self.start.style, self.start.risk_reward),
            (style.value, 0.0, 0.0, round(of_style, 2)),
            (self.window.value, self.of_window.base, self.of_window.style, self.of_window.risk_reward),
            (of_vix, self.of_vix.base, self.of_vix.style, self.of_vix.risk_reward),
        )
        return {
            "base": self.base,
            "style": self.style,
            "risk_reward": self.risk_reward(profile),
            "of_style": style.value,
            "size": round(self.size, 6),
            "parts": [{"source": s, "base": b, "style": t, "risk_reward": r} for s, b, t, r in parts],
        }


def find_requirements(
    strategy: Strategy, asset_class: AssetClass, window: int, band: int, rules: ThresholdRules
) -> Requirements:
    """Return a candidate's thresholds; `window` and `band` are positions in `WINDOWS` and `BANDS`."""
    if strategy in rules.by_strategy:
        source, start = strategy.value, rules.by_strategy[strategy]
    elif asset_class in rules.by_asset_class:
        source, start = asset_class.value, rules.by_asset_class[asset_class]
    else:
        source, start = "default", rules.default
    name = WINDOWS[window]
    vix = BANDS[band] if band != UNKNOWN else None
    of_vix = rules.vix[vix] if vix is not None else _NOTHING
    return Requirements(source, start, name, rules.windows[name], vix, of_vix, rules)


def find_base_thresholds(
    strategy: Strategy, asset_class: AssetClass, window: NDArray[np.intp], band: NDArray[np.intp], rules: ThresholdRules
) -> Floats:
    """Return the minimum base score of each row, shape (n,)."""
    pairs, which = np.unique(np.stack((window, band)), axis=1, return_inverse=True)
    least = [find_requirements(strategy, asset_class, w, b, rules).base for w, b in pairs.T.tolist()]
    return np.array(least, np.float64)[which.reshape(-1)]
