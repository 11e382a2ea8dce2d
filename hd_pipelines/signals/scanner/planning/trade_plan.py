"""Entry, stop and targets of a candidate.

Belongs here: distances from ATR, and key levels that move them. Profiles are the policy's. Source: product facts §3.7.

The stop is 0.75, 1 or 1.5 ATR away by style, and never nearer than the style's least per cent of the price. A key level
behind which it can hide takes its place: beyond the nearest level by a buffer of ATR, if that is between 0.75 and 1.5 times
the distance. Targets are multiples of what is risked, as the profile has them; a level near a target's place takes its
place. Missing ATR is a rejection, and so is an ATR that would put the stop beyond the style's most per cent: a nearer
one would stand where the price moves anyway.
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
"""For a look at the close of a session that has no minutes, whatever the style."""
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Plan:
    """Prices to a cent. risk_reward: of the second target, before rounding to cents. levels: what took whose place."""

    entry_price: Decimal
    stop_price: Decimal
    targets: tuple[Decimal, Decimal, Decimal]
    risk_reward: float
    atr: float
    atr_feature: str
    level_buffer: float
    levels: Mapping[str, str]


def find_atr(frame: FeatureFrame, row: int, style: TradingStyle) -> tuple[str, float]:
    """The feature that a style is measured in, and its value in price; NaN where it is missing."""
    if frame.resolution is Resolution.DAY:
        return DAY_ATR, float(frame[DAY_ATR][row]) / 100.0 * float(frame["price"][row])
    feature = ATR_OF_STYLE[style]
    return feature, float(frame[feature][row])


def has_atr(frame: FeatureFrame, row: int, style: TradingStyle) -> bool:
    """Whether there is an ATR to measure in."""
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
    """The plan of a row for a style, or why there is none. `iv_percentile`: 0 to 1, None if unknown."""
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
    """Distances and names of the levels ahead of a trade and behind it, nearest first."""
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
    """Distances of the three targets, rising.

    A level is taken if it is near a target's own place, beyond the target before it and short of the next one's place; of
    several the nearest to the place.
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
