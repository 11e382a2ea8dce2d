"""Entry, stop and targets of a candidate, from ATR and key levels.

The stop is 0.75, 1 or 1.5 ATR away by style, and at least the style's minimum percent of the price. A key level behind the
price moves it: the stop goes a buffer beyond the nearest level if that is 0.75 to 1.5 times the original distance. Targets
are the profile's multiples of the resulting risk, and move to a key level near their place. A missing ATR is a rejection.
So is an ATR that would put the stop beyond the style's maximum percent, since a nearer stop would lie within normal noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.policy.scan_policy import PlanRules, RiskProfile
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.tables.vocabulary import Direction, Resolution, TradingStyle

ATR_OF_STYLE = {
    TradingStyle.SCALP: "atr_5m",
    TradingStyle.DAY_TRADE: "atr_15m",
    TradingStyle.SWING: "atr_1h",
}
DAY_ATR = "atr_day_pct"
"""Used for daily rows, whatever the style."""
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Plan:
    """Prices rounded to a cent. risk_reward: to the second target, before rounding. levels: key level used, by price."""

    entry_price: Decimal
    stop_price: Decimal
    targets: tuple[Decimal, Decimal, Decimal]
    risk_reward: float
    atr: float
    atr_feature: str
    level_buffer: float
    levels: Mapping[str, str]


def find_atr(frame: FeatureFrame, row: int, style: TradingStyle) -> tuple[str, float]:
    """Return the ATR feature of a style and its value in price units; NaN if missing."""
    if frame.resolution is Resolution.DAY:
        return DAY_ATR, float(frame[DAY_ATR][row]) / 100.0 * float(frame["price"][row])
    feature = ATR_OF_STYLE[style]
    return feature, float(frame[feature][row])


def has_atr(frame: FeatureFrame, row: int, style: TradingStyle) -> bool:
    """Whether the style's ATR is known and positive."""
    _, atr = find_atr(frame, row, style)
    return 0.0 < atr < math.inf


def build_plan(
    frame: FeatureFrame,
    row: int,
    *,
    direction: Direction,
    style: TradingStyle,
    iv_percentile: float | None,
    rules: PlanRules,
) -> Plan | Rejection:
    """Build the plan of a row for a style, or return the rejection. `iv_percentile`: 0 to 1, None if unknown."""
    feature, atr = find_atr(frame, row, style)
    if not 0.0 < atr < math.inf:
        return Rejection.NO_ATR
    profile, price = rules.profiles[style], float(frame["price"][row])
    ahead, behind = _sort_levels(frame, row, price, direction)
    buffer = profile.level_buffer * _buffer_factor(iv_percentile, rules) * atr
    distance = max(profile.stop * atr, profile.min_stop_pct / 100.0 * price)
    most = profile.max_stop_pct / 100.0 * price
    if distance > most:
        return Rejection.STOP_TOO_FAR
    used: dict[str, str] = {}
    nearest = max(rules.nearest_stop * distance, profile.min_stop_pct / 100.0 * price)
    farthest = min(rules.farthest_stop * distance, most)
    for away, name in behind:
        if nearest <= away + buffer <= farthest:
            distance, used["stop"] = away + buffer, name
            break
    rewards = _place_targets(ahead, distance, profile, rules, used)
    entry, stop, first, second, third = (
        _to_cents(price + direction.sign * move) for move in (0.0, -distance, *rewards)
    )
    if min((entry - stop) * direction.sign, (first - entry) * direction.sign) < _CENT or min(stop, third) <= 0:
        return Rejection.RISK_BELOW_A_CENT
    return Plan(entry, stop, (first, second, third), round(rewards[1] / distance, 2), atr, feature, buffer / atr, used)


def _sort_levels(
    frame: FeatureFrame, row: int, price: float, direction: Direction
) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """Return distances and names of the key levels ahead of the trade and behind it, nearest first."""
    ahead, behind = [], []
    for name, prices in frame.levels.items():
        away = (float(prices[row]) - price) * direction.sign
        if away > 0.0:
            ahead.append((away, name))
        elif away < 0.0:
            behind.append((-away, name))
    return sorted(ahead), sorted(behind)


def _buffer_factor(iv_percentile: float | None, rules: PlanRules) -> float:
    if iv_percentile is None:
        return 1.0
    if iv_percentile >= rules.high_iv:
        return rules.buffer_in_high_iv
    return rules.buffer_in_low_iv if iv_percentile < rules.low_iv else 1.0


def _place_targets(
    ahead: list[tuple[float, str]], risk: float, profile: RiskProfile, rules: PlanRules, used: dict[str, str]
) -> list[float]:
    """Return the distances of the three targets, ascending.

    A target moves to a level near its own place, if the level lies beyond the previous target and short of the next one's
    place. Of several levels the nearest wins.
    """
    places = [target / profile.stop * risk for target in (profile.target_1, profile.target_2, profile.target_3)]
    rewards: list[float] = []
    for number, (place, reach) in enumerate(zip(places, rules.target_reach_r, strict=True), start=1):
        least = rewards[-1] if rewards else 0.0
        most = places[number] if number < len(places) else math.inf
        near = [
            (abs(away - place), away, name)
            for away, name in ahead
            if abs(away - place) <= reach * risk and least < away < most
        ]
        chosen = min(near, default=None)
        if chosen is not None:
            used[f"target_{number}"] = chosen[2]
        rewards.append(chosen[1] if chosen is not None else place)
    return rewards


def _to_cents(price: float) -> Decimal:
    return Decimal(price).quantize(_CENT)
