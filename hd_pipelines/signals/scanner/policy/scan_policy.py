"""The scanner's policy: every number that decides about a candidate, as frozen data with named parameters and a digest.

The default values are in `default_policy`. Each class names the module that uses it. Field names enter `policy_version`, so
renaming a field changes the digest of stored signals.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

from hd_pipelines.signals.detectors.detector import UnknownParameterError
from hd_pipelines.signals.engines import permissions
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition, TimeWindow, VixBand
from hd_pipelines.tables.vocabulary import AssetClass, Strategy, TradingStyle


@dataclass(frozen=True)
class UniversalFilters:
    """Minimum requirements of every candidate (`filters`). Average volume applies to stocks and ETFs only."""

    min_relative_volume: float
    min_average_daily_volume: float
    max_price_age_minutes: float


@dataclass(frozen=True)
class ConfidenceRules:
    """How missing data lowers confidence (`data_confidence`). weights: importance of each feature; they sum to 100."""

    weights: Mapping[str, float]
    less_for_critical: float
    less_below_50: float
    less_below_70: float
    more_from_90: float
    least: float


@dataclass(frozen=True)
class ByStyle:
    """One number per style."""

    scalp: float
    day_trade: float
    swing: float

    def of(self, style: TradingStyle) -> float:
        """The number of one style."""
        return float(getattr(self, style.value))


@dataclass(frozen=True)
class StyleRules:
    """How a base score becomes three style scores (`styles`).

    bounds: feature thresholds of the conditions. least, most: bounds on the product of all modifiers.
    """

    modifiers: Mapping[StyleCondition, ByStyle]
    bounds: Mapping[StyleCondition, float]
    least: float
    most: float


@dataclass(frozen=True)
class Thresholds:
    """Minimum base score, style score and reward-to-risk ratio."""

    base: float
    style: float
    risk_reward: float


@dataclass(frozen=True)
class Adjustment:
    """What a time window or VIX band adds to each threshold, and its multiplier of the position size."""

    base: float
    style: float
    risk_reward: float
    size: float


@dataclass(frozen=True)
class ThresholdRules:
    """How thresholds are combined (`thresholds`). vix_bounds: upper ends of the first three VIX bands, points."""

    default: Thresholds
    by_asset_class: Mapping[AssetClass, Thresholds]
    by_strategy: Mapping[Strategy, Thresholds]
    windows: Mapping[TimeWindow, Adjustment]
    vix: Mapping[VixBand, Adjustment]
    vix_bounds: tuple[float, float, float]
    highest_score: float
    lowest_risk_reward: float


@dataclass(frozen=True)
class RiskProfile:
    """Stop and targets of a style in ATR, and bounds of the stop in percent of the price (`trade_plan`)."""

    stop: float
    target_1: float
    target_2: float
    target_3: float
    min_risk_reward: float
    min_stop_pct: float
    max_stop_pct: float
    level_buffer: float


@dataclass(frozen=True)
class PlanRules:
    """How key levels move stop and targets (`trade_plan`).

    nearest_stop, farthest_stop: a stop placed at a level lies between these multiples of the profile's stop.
    target_reach_r: how far, in R, each target may move to a level. buffer_in_high_iv, buffer_in_low_iv: factors of the
    level buffer.
    """

    profiles: Mapping[TradingStyle, RiskProfile]
    nearest_stop: float
    farthest_stop: float
    target_reach_r: tuple[float, float, float]
    high_iv: float
    buffer_in_high_iv: float
    low_iv: float
    buffer_in_low_iv: float


@dataclass(frozen=True)
class IvGateRules:
    """When options may be bought (`iv_gate`). Percentiles and moves are fractions; modifiers scale the position size."""

    blocked_from: float
    optimal_from: float
    optimal_to: float
    crush_below: float
    spike_above: float
    readings: int
    if_cheap: float
    if_optimal: float
    if_elevated: float
    after_crush: float
    after_spike: float
    least: float
    most: float


@dataclass(frozen=True)
class EdgeRules:
    """How settled signals change a score (`edge`). Each span is the largest move of the multiplier away from 1."""

    few: int
    some: int
    many: int
    span_of_few: float
    span_of_some: float
    span_of_many: float
    full_at_r: float
    min_profit_factor: float
    min_win_rate: float


@dataclass(frozen=True)
class Pace:
    """Signal frequency (`cooldown`): minutes between signals of one detector, and signals of a symbol per hour."""

    cool_down_minutes: int
    per_hour: int


@dataclass(frozen=True)
class Validity:
    """How long a signal is valid (`validity`). least_minutes: a style with less time left is not offered."""

    scalp_minutes: int
    day_trade_minutes_before_close: int
    swing_sessions: int
    least_minutes: ByStyle


@dataclass(frozen=True)
class ZeroDteLimits:
    """Extra limits on options that expire today, on top of the detector's; prices are mids in dollars."""

    delta: tuple[float, float]
    min_volume: int
    min_open_interest: int
    max_spread_pct: float
    price: tuple[float, float]


@dataclass(frozen=True)
class ContractRules:
    """Maximum age of a chain (`contracts`), and limits by symbol for options that expire today."""

    max_chain_age_minutes: float
    zero_dte: Mapping[str, ZeroDteLimits]


@dataclass(frozen=True)
class ScanPolicy:
    """The whole policy. Raise `version` when the meaning changes; changed numbers are covered by `policy_version`."""

    filters: UniversalFilters
    confidence: ConfidenceRules
    styles: StyleRules
    thresholds: ThresholdRules
    plan: PlanRules
    iv_gate: IvGateRules
    edge: EdgeRules
    pace: Pace
    pace_by_asset_class: Mapping[AssetClass, Pace]
    validity: Validity
    contracts: ContractRules
    permissions: permissions.Policy = permissions.PUBLISHED
    version: int = 1

    def get_pace(self, asset_class: AssetClass) -> Pace:
        """Return the asset class's own pace, or the default."""
        return self.pace_by_asset_class.get(asset_class, self.pace)

    def parameters(self) -> dict[str, float]:
        """Every tunable number by name: `thresholds.default.base`, `plan.profiles.swing.stop`."""
        return {path: float(number) for part in _list_variable_parts(self) for path, number in _iterate_numbers(*part)}

    def vary(self, changes: Mapping[str, float]) -> ScanPolicy:
        """Return a copy with `changes` applied. Raises `UnknownParameterError` for an unknown name."""
        unknown = sorted(changes.keys() - self.parameters().keys())
        if unknown:
            raise UnknownParameterError(
                f"the scanner's policy has no parameter {unknown[0]!r}; `ScanPolicy.parameters()` lists those that it has"
            )
        return replace(self, **{name: _change(name, part, changes) for name, part in _list_variable_parts(self)})

    @cached_property
    def policy_version(self) -> str:
        """Digest of all numbers and permissions, 12 hex digits."""
        text = json.dumps([self.version, self.parameters(), _permissions_to_json(self.permissions)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _list_variable_parts(policy: ScanPolicy) -> list[tuple[str, Any]]:
    return [(f.name, getattr(policy, f.name)) for f in fields(policy) if f.name not in {"permissions", "version"}]


def _list_children(value: object) -> list[tuple[str, Any]]:
    if is_dataclass(value):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    if isinstance(value, Mapping):
        return [(str(key), child) for key, child in value.items()]
    return [(str(position), child) for position, child in enumerate(value)] if isinstance(value, tuple) else []


def _iterate_numbers(path: str, value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, int | float):
        yield path, value
    for name, child in _list_children(value):
        yield from _iterate_numbers(f"{path}.{name}", child)


def _change(path: str, value: Any, changes: Mapping[str, float]) -> Any:  # noqa: ANN401  # a tree of many types
    if isinstance(value, int | float):
        return type(value)(changes.get(path, value))
    children = [_change(f"{path}.{name}", child, changes) for name, child in _list_children(value)]
    if isinstance(value, tuple):
        return tuple(children)
    if isinstance(value, Mapping):
        return dict(zip(value, children, strict=True))
    return replace(value, **dict(zip((f.name for f in fields(value)), children, strict=True)))


def _permissions_to_json(policy: permissions.Policy) -> dict[str, Any]:
    def to_json(value: object) -> object:
        if isinstance(value, Mapping):
            return {str(key): to_json(child) for key, child in value.items()}
        return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)

    return {f.name: to_json(getattr(policy, f.name)) for f in fields(policy)}
