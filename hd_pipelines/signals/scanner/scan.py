"""Scan one symbol's rows: from firing detectors to stored-ready signals. docs/reference/scanner.md describes every check.

For all rows at once: which detector fires, universal filters, permissions, data confidence, base score (`candidates`).
Then row by row in time: cool-down, contexts, style, thresholds, edge, volatility and plan (`evaluator`). Of a row's
drafts the best scores go first until the hourly cap is reached; only those ask for an option chain.

A signal depends only on its row, on contexts known at that instant and on signals at or before it. Scanning minute by
minute, each scan given the signals found before, therefore finds exactly what one scan of the whole session finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from types import MappingProxyType

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.option_chain import ChainAt
from hd_pipelines.signals.scanner.candidates import Candidate, find_candidates
from hd_pipelines.signals.scanner.cooldown import SignalMemory
from hd_pipelines.signals.scanner.evaluator import CandidateEvaluator, Draft, Edges
from hd_pipelines.signals.scanner.explanation.document import build_explanation
from hd_pipelines.signals.scanner.planning.contracts import Choice, choose_contract
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.policy.scan_policy import ScanPolicy
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.signals.scanner.signal import CompositeSignal, EarlierSignal, ScanOutcome
from hd_pipelines.signals.tape import Contexts
from hd_pipelines.tables.vocabulary import Resolution, TradingStyle

__all__ = ["DEFAULT_POLICY", "scan"]

NO_EDGES: Edges = MappingProxyType({})
NO_ROWS = "no_rows"
_MINUTE = timedelta(minutes=1)


def scan(
    frame: FeatureFrame,
    contexts: Contexts,
    *,
    detectors: Mapping[str, Detector] = DETECTORS,
    policy: ScanPolicy = DEFAULT_POLICY,
    earlier: Sequence[EarlierSignal] = (),
    chain_at: ChainAt | None = None,
    edges: Edges = NO_EDGES,
    rows: slice | None = None,
) -> ScanOutcome:
    """Return the signals and rejections of one symbol's rows, in time order.

    earlier: the symbol's stored signals, for cool-downs and caps; a row whose own signal is among them is neither found
    again nor rejected. chain_at: looks up the option chain; None means no contract is suggested. edges: results of settled
    signals by detector and style. rows: slice of rows to scan, step 1. Missing data yields fewer signals, never an error.
    """
    first, end, _ = (rows or slice(None)).indices(len(frame))
    part = frame if (first, end) == (0, len(frame)) else frame.select(slice(first, end))
    if not len(part):
        return ScanOutcome(frame.symbol, 0, 0, (), labels=(*frame.labels, NO_ROWS))
    stored_ns = _stored_instants(earlier, frame.resolution)
    rejections: Counter[tuple[str, str]] = Counter()
    found: list[Candidate] = []
    fired = stored = 0
    for order, detector in enumerate(detectors.values()):
        for direction in detector.directions:
            sighting = find_candidates(
                part,
                detector,
                direction,
                order=order,
                first_row=first,
                stored_ns=stored_ns.get(detector.name, ()),
                policy=policy,
            )
            fired, stored = fired + sighting.fired, stored + sighting.stored
            found += sighting.candidates
            for reason, count in sighting.rejections.items():
                rejections[detector.name, reason] += count
    loop = _RowLoop(
        frame,
        contexts,
        memory=SignalMemory(earlier, policy.get_pace(frame.asset_class)),
        evaluator=CandidateEvaluator(frame, contexts, edges, policy),
        chain_at=chain_at,
        policy=policy,
        rejections=rejections,
    )
    found.sort(key=lambda candidate: (candidate.row, candidate.order))
    signals = [
        signal
        for _, of_row in groupby(found, key=lambda candidate: candidate.row)
        for signal in loop.process_row(of_row)
    ]
    return ScanOutcome(frame.symbol, len(part), fired, tuple(signals), rejections, frame.labels, stored)


def _stored_instants(earlier: Iterable[EarlierSignal], resolution: Resolution) -> dict[str, set[int]]:
    """Return the instants (ns) of rows that have a stored signal, by detector."""
    instants: dict[str, set[int]] = {}
    for signal in earlier:
        of_row = signal.bar_time + _MINUTE
        if resolution is Resolution.DAY:
            hours = get_regular_hours(signal.bar_time.astimezone(UTC).date())
            of_row = hours.closes_at if signal.bar_time == hours.opens_at else signal.bar_time
        instants.setdefault(signal.detector, set()).add(to_ns(of_row))
    return instants


class _RowLoop:
    """Processes rows in time order, since an admitted signal affects the cool-down and cap of later rows."""

    def __init__(
        self,
        frame: FeatureFrame,
        contexts: Contexts,
        *,
        memory: SignalMemory,
        evaluator: CandidateEvaluator,
        chain_at: ChainAt | None,
        policy: ScanPolicy,
        rejections: Counter[tuple[str, str]],
    ) -> None:
        self._frame, self._contexts, self._memory = frame, contexts, memory
        self._evaluator, self._chain_at, self._policy = evaluator, chain_at, policy
        self._rejections = rejections

    def process_row(self, candidates: Iterable[Candidate]) -> list[CompositeSignal]:
        """Return the signals of one row: its drafts, best first, until the cap is reached."""
        drafts: list[Draft] = []
        for candidate in candidates:
            as_of = self._frame.as_of(candidate.row)
            if self._memory.is_cooling(candidate.detector.name, as_of):
                self._reject(candidate, Rejection.COOL_DOWN)
                continue
            result = self._evaluator.evaluate(candidate)
            if isinstance(result, Draft):
                drafts.append(result)
            else:
                self._reject(candidate, result)
        return [self._signal(draft) for draft in sorted(drafts, key=_sort_key) if self._is_admitted(draft)]

    def _is_admitted(self, draft: Draft) -> bool:
        name, as_of = draft.candidate.detector.name, self._frame.as_of(draft.candidate.row)
        if self._memory.is_cooling(name, as_of):
            self._reject(draft.candidate, Rejection.COOL_DOWN)
            return False
        if self._memory.is_full(as_of):
            self._reject(draft.candidate, Rejection.HOURLY_CAP)
            return False
        self._memory.admit(name, as_of)
        return True

    def _reject(self, candidate: Candidate, reason: str) -> None:
        self._rejections[candidate.detector.name, str(reason)] += 1

    def _signal(self, draft: Draft) -> CompositeSignal:
        frame, candidate, plan = self._frame, draft.candidate, draft.plan
        detector, as_of, session = candidate.detector, frame.as_of(candidate.row), frame.session(candidate.row)
        choice = self._choice(draft)
        return CompositeSignal(
            symbol=frame.symbol,
            detector=detector.name,
            strategy=detector.strategy,
            direction=candidate.direction,
            asset_class=frame.asset_class,
            resolution=frame.resolution,
            session=session,
            bar_time=_find_bar_time(frame, as_of),
            as_of=as_of,
            base_score=candidate.base_score,
            scalp_score=draft.scores[TradingStyle.SCALP],
            day_trade_score=draft.scores[TradingStyle.DAY_TRADE],
            swing_score=draft.scores[TradingStyle.SWING],
            style=draft.style,
            style_score=draft.score,
            data_confidence=candidate.confidence,
            entry_price=plan.entry_price,
            stop_price=plan.stop_price,
            target_1=plan.targets[0],
            target_2=plan.targets[1],
            target_3=plan.targets[2],
            risk_reward=plan.risk_reward,
            size_multiplier=draft.size,
            valid_until=draft.valid_until,
            detector_version=detector.version,
            parameter_version=detector.parameter_version,
            policy_version=self._policy.policy_version,
            contract_ticker=choice.ticker,
            contract=choice.contract,
            explanation=build_explanation(draft, choice, frame, self._contexts, self._policy),
        )

    def _choice(self, draft: Draft) -> Choice:
        if self._chain_at is None:
            return Choice(None, None, "no chains were looked at")
        row = draft.candidate.row
        as_of_ns = int(self._frame.as_of_ns[row])
        return choose_contract(
            self._chain_at(as_of_ns),
            symbol=self._frame.symbol,
            direction=draft.candidate.direction,
            session=self._frame.session(row),
            as_of_ns=as_of_ns,
            valid_until=draft.valid_until,
            limits=draft.candidate.detector.contract,
            rules=self._policy.contracts,
        )


def _sort_key(draft: Draft) -> tuple[float, float, float, int]:
    """Order drafts by score; ties by base score, then strength, then detector order."""
    return -draft.score, -draft.candidate.base_score, -draft.strength, draft.candidate.order


def _find_bar_time(frame: FeatureFrame, as_of: datetime) -> datetime:
    """Return the start of the minute, or of the session, that ended at `as_of`."""
    return get_regular_hours(as_of.date()).opens_at if frame.resolution is Resolution.DAY else as_of - _MINUTE
