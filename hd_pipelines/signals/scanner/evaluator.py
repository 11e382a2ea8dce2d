"""Evaluate one candidate against its contexts: readings, style, thresholds, edge, implied volatility and trade plan.

Cool-down, hourly cap and contract choice belong to `scan`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from hd_pipelines.signals.catalogue import decode_value
from hd_pipelines.signals.engines import read_regime, read_shared
from hd_pipelines.signals.engines.permissions import find_refusal
from hd_pipelines.signals.engines.reading import Reading, apply_readings
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.candidates import DECIMALS, Candidate
from hd_pipelines.signals.scanner.planning.iv_gate import IvGate, evaluate_iv_gate
from hd_pipelines.signals.scanner.planning.trade_plan import Plan, build_plan, has_atr
from hd_pipelines.signals.scanner.planning.validity import find_valid_until
from hd_pipelines.signals.scanner.policy.scan_policy import ScanPolicy
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.signals.scanner.scoring.edge import EdgeVerdict, evaluate_edge
from hd_pipelines.signals.scanner.scoring.styles import STYLES
from hd_pipelines.signals.scanner.scoring.thresholds import Requirements, find_requirements
from hd_pipelines.signals.scanner.signal import Edge
from hd_pipelines.signals.tape import Contexts
from hd_pipelines.tables.vocabulary import Direction, MarketRegime, TradingStyle, VixRegime

Edges = Mapping[tuple[str, TradingStyle], Edge]


@dataclass(frozen=True)
class Draft:
    """An accepted candidate, without its contract. scores: by style, after contexts and edge.

    strength: product of the style's multipliers, without the cap of 100; ranks drafts whose scores are equal.
    """

    candidate: Candidate
    scores: Mapping[TradingStyle, float]
    style: TradingStyle
    strength: float
    readings: tuple[Reading, ...]
    demand: Requirements
    edge: EdgeVerdict
    iv: IvGate
    plan: Plan
    valid_until: datetime

    @property
    def score(self) -> float:
        """Score of the recommended style."""
        return self.scores[self.style]

    @property
    def size(self) -> float:
        """Multiplier of a normal position: time window, VIX and implied volatility together."""
        return round(self.demand.size * self.iv.size, 6)


class _RowContext(NamedTuple):
    """Context readings that all candidates of one row and direction share."""

    shared: list[Reading]
    of_style: dict[TradingStyle, Reading]
    iv: IvGate


class CandidateEvaluator:
    """Evaluates the candidates of one symbol's frame; readings are computed once per row and direction."""

    def __init__(self, frame: FeatureFrame, contexts: Contexts, edges: Edges, policy: ScanPolicy) -> None:
        self._frame, self._contexts, self._edges, self._policy = frame, contexts, edges, policy
        self._row = -1
        self._of_row: dict[Direction, _RowContext] = {}

    def evaluate(self, candidate: Candidate) -> Draft | str:
        """Return a draft, or the name of the first check that fails."""
        policy = self._policy
        styles = self._find_styles(candidate)
        if isinstance(styles, str):
            return styles
        context = self._context(candidate)
        verdicts = {
            style: evaluate_edge(self._edges.get((candidate.detector.name, style)), policy.edge) for style in STYLES
        }
        scores = {
            style: _score(before, [*context.shared, context.of_style[style]], verdicts[style])
            for style, before in zip(STYLES, candidate.style_scores, strict=True)
        }
        strengths = {
            style: math.prod((suits, verdicts[style].multiplier, context.of_style[style].multiplier))
            for style, suits in zip(STYLES, candidate.suits, strict=True)
        }
        style = max(styles, key=lambda each: (scores[each], strengths[each]))
        requirements = find_requirements(
            candidate.detector.strategy, self._frame.asset_class, candidate.window, candidate.band, policy.thresholds
        )
        rejection = _find_rejection(scores[style], requirements, verdicts[style], context.iv)
        plan = rejection or self._plan(candidate, style, context.iv, requirements)
        if isinstance(plan, Rejection):
            return plan
        readings = (*context.shared, context.of_style[style])
        return Draft(
            candidate=candidate,
            scores=scores,
            style=style,
            strength=strengths[style],
            readings=readings,
            demand=requirements,
            edge=verdicts[style],
            iv=context.iv,
            plan=plan,
            valid_until=styles[style],
        )

    def _plan(
        self, candidate: Candidate, style: TradingStyle, iv: IvGate, requirements: Requirements
    ) -> Plan | Rejection:
        rules = self._policy.plan
        plan = build_plan(
            self._frame,
            candidate.row,
            direction=candidate.direction,
            style=style,
            iv_percentile=iv.percentile,
            rules=rules,
        )
        if isinstance(plan, Plan) and plan.risk_reward < requirements.risk_reward(rules.profiles[style]):
            return Rejection.RISK_REWARD_TOO_LOW
        return plan

    def _find_styles(self, candidate: Candidate) -> dict[TradingStyle, datetime] | str:
        """Return the styles that have time, an option, permission and an ATR, with their expiry; or the rejection."""
        frame, row, detector = self._frame, candidate.row, candidate.detector
        as_of, session = frame.as_of(row), frame.session(row)
        timely = {
            style: until
            for style in STYLES
            if (
                until := find_valid_until(
                    style,
                    as_of=as_of,
                    session=session,
                    resolution=frame.resolution,
                    contract=detector.contract,
                    rules=self._policy.validity,
                )
            )
            is not None
        }
        if not timely:
            return Rejection.NO_STYLE
        regime = decode_value("market_regime", float(frame["market_regime"][row]))
        vix = decode_value("vix_regime", float(frame["vix_regime"][row]))
        refusals = {
            style: find_refusal(
                detector.strategy,
                candidate.direction,
                regime=MarketRegime(regime) if regime is not None else None,
                vix=VixRegime(vix) if vix is not None else None,
                style=style,
                policy=self._policy.permissions,
            )
            for style in timely
        }
        allowed = [style for style in timely if refusals[style] is None]
        if not allowed:
            return f"{Rejection.NOT_PERMITTED}:{next(iter(refusals.values()))}"
        return {style: timely[style] for style in allowed if has_atr(frame, row, style)} or Rejection.NO_ATR

    def _context(self, candidate: Candidate) -> _RowContext:
        frame, row, direction = self._frame, candidate.row, candidate.direction
        if row != self._row:
            self._row, self._of_row = row, {}
        if direction not in self._of_row:
            contexts = self._contexts
            self._of_row[direction] = _RowContext(
                read_shared(contexts, frame, row, direction=direction),
                {style: read_regime(contexts, frame, row, direction=direction, style=style) for style in STYLES},
                evaluate_iv_gate(contexts.iv, int(frame.as_of_ns[row]), self._policy.iv_gate),
            )
        return self._of_row[direction]


def _find_rejection(score: float, requirements: Requirements, edge: EdgeVerdict, iv: IvGate) -> Rejection | None:
    if score < requirements.style:
        return Rejection.STYLE_SCORE_TOO_LOW
    if edge.is_lost:
        return Rejection.EDGE_LOST
    return Rejection.IV_TOO_HIGH if iv.is_blocked else None


def _score(before: float, readings: list[Reading], edge: EdgeVerdict) -> float:
    return round(min(apply_readings(before, readings) * edge.multiplier, 100.0), DECIMALS)
