"""The scanner's policy: every number that decides about a candidate, as frozen data that can be varied.

Belongs here: the shapes, and naming, varying and digesting the numbers. The published values are in `default_policy`;
what is done with them is in the module that each class names.
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
    """What every candidate must have (`filters`). Average volume is asked of stocks and funds only."""

    min_relative_volume: float
    min_average_daily_volume: float
    max_price_age_minutes: float


@dataclass(frozen=True)
class ConfidenceRules:
    """How far data can be trusted (`data_confidence`). weights: features by what they mean to a score; 100 together."""

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
        """The style's."""
        return float(getattr(self, style.value))


@dataclass(frozen=True)
class StyleRules:
    """How a base score becomes three style scores (`styles`).

    bounds: where conditions that compare a feature begin. least, most: of the product of all modifiers.
    """

    modifiers: Mapping[StyleCondition, ByStyle]
    bounds: Mapping[StyleCondition, float]
    least: float
    most: float


@dataclass(frozen=True)
class Thresholds:
    """Least base score, style score and reward per risk."""

    base: float
    style: float
    risk_reward: float


@dataclass(frozen=True)
class Adjustment:
    """What a time window or a level of the VIX adds to thresholds, and what it makes of the size."""

    base: float
    style: float
    risk_reward: float
    size: float


@dataclass(frozen=True)
class ThresholdRules:
    """How thresholds are put together (`thresholds`). vix_bounds: upper ends of the first three bands, points."""

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
    """Stop and targets of a style in ATR, and what a stop may be in per cent of the price (`trade_plan`)."""

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
    """How levels move stop and targets (`trade_plan`).

    nearest_stop, farthest_stop: a stop at a level lies between these multiples of the profile's. target_reach_r: how far
    from its own place each target looks for a level. buffer_in_high_iv, buffer_in_low_iv: factors of the level buffer.
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
    """When options may be bought (`iv_gate`). Percentiles and moves are shares of 1; modifiers are of the size."""

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
    """What settled signals do to a score (`edge`). The spans are the most that each count moves the multiplier from 1."""

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
    """How often a symbol may speak (`cooldown`): minutes between signals of one detector, signals of all in an hour."""

    cool_down_minutes: int
    per_hour: int


@dataclass(frozen=True)
class Validity:
    """How long a signal stands (`validity`). least_minutes: a style with less time than that is not offered."""

    scalp_minutes: int
    day_trade_minutes_before_close: int
    swing_sessions: int
    least_minutes: ByStyle


@dataclass(frozen=True)
class ZeroDteLimits:
    """What an option that expires today needs beside the detector's own limits; prices are mids in dollars."""

    delta: tuple[float, float]
    min_volume: int
    min_open_interest: int
    max_spread_pct: float
    price: tuple[float, float]


@dataclass(frozen=True)
class ContractRules:
    """Which chains a contract may come from (`contracts`), and limits by symbol for options that expire today."""

    max_chain_age_minutes: float
    zero_dte: Mapping[str, ZeroDteLimits]


@dataclass(frozen=True)
class ScanPolicy:
    """All of it. `version` is raised when the meaning changes; numbers have their own digest, `policy_version`."""

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
        """The class's own, or everybody's."""
        return self.pace_by_asset_class.get(asset_class, self.pace)

    def parameters(self) -> dict[str, float]:
        """Every number that can be varied, by name: `thresholds.default.base`, `plan.profiles.swing.stop`."""
        return {path: float(number) for part in _list_variable_parts(self) for path, number in _iterate_numbers(*part)}

    def vary(self, changes: Mapping[str, float]) -> ScanPolicy:
        """The policy with other numbers. Raises `UnknownParameterError` for a name that it does not have."""
        unknown = sorted(changes.keys() - self.parameters().keys())
        if unknown:
            raise UnknownParameterError(
                f"the scanner's policy has no parameter {unknown[0]!r}; `ScanPolicy.parameters()` lists those that it has"
            )
        return replace(self, **{name: _change(name, part, changes) for name, part in _list_variable_parts(self)})

    @cached_property
    def policy_version(self) -> str:
        """12 hex digits that change when any number or permission does."""
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
