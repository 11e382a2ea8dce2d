"""Find the rows on which a detector fires, and drop those that fail a check all rows can take at once.

Covers firing, universal filters, permissions, data confidence and the base score. The checks that look at one row and its
contexts are in `evaluator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from hd_pipelines.signals.catalogue import FEATURES
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.engines.permissions import Policy as Permissions
from hd_pipelines.signals.engines.permissions import find_refusal
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.policy.scan_policy import ScanPolicy
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.signals.scanner.scoring.data_confidence import measure_confidence
from hd_pipelines.signals.scanner.scoring.filters import find_refused
from hd_pipelines.signals.scanner.scoring.styles import compute_suitability, find_conditions
from hd_pipelines.signals.scanner.scoring.thresholds import classify_vix, find_base_thresholds
from hd_pipelines.signals.scanner.scoring.windows import assign_windows
from hd_pipelines.tables.vocabulary import Direction, MarketRegime, VixRegime

DECIMALS = 4
"""Scores are rounded before they are compared, so that the stored score is the one that decided."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that passed every check that needs no context. Tuples of three are in the order of `styles.STYLES`."""

    # Position of the row in the frame.
    row: int
    # Position of the detector among all, to break ties.
    order: int
    detector: Detector
    direction: Direction
    # Weighted mean of the factors, 0 to 100.
    raw_score: float
    # Raw score times data confidence.
    base_score: float
    # Data confidence, 0 to 100.
    confidence: float
    # Weighted share of the features that are known, 0 to 100.
    completeness: float
    # Names of the features that are not known.
    missing: tuple[str, ...]
    # Scores by style, before contexts.
    style_scores: tuple[float, float, float]
    # Products of the style modifiers, unbounded; they rank styles whose scores are equal.
    suits: tuple[float, float, float]
    # Style conditions that hold.
    conditions: tuple[StyleCondition, ...]
    # Position in `WINDOWS`.
    window: int
    # Position in `BANDS`.
    band: int


@dataclass(frozen=True)
class DetectorResult:
    """One detector's result in one direction. fired: number of rows; stored: how many of them already have a signal."""

    fired: int
    stored: int
    rejections: Counter[str]
    candidates: list[Candidate]


def find_candidates(
    frame: FeatureFrame,
    detector: Detector,
    direction: Direction,
    *,
    order: int,
    first_row: int,
    stored_ns: Collection[int],
    policy: ScanPolicy,
) -> DetectorResult:
    """Find the rows of `frame` on which the detector fires, and count those that fail a check by reason.

    first_row: row number of the frame's row 0 in candidates. stored_ns: instants that already have a stored signal.
    """
    rows = np.flatnonzero(detector.fires(frame, direction))
    fired = rows.size
    if stored_ns and fired:
        rows = rows[~np.isin(frame.as_of_ns[rows], list(stored_ns))]
    sieve = _Sieve(rows.size)
    if not rows.size:
        return DetectorResult(fired, fired, sieve.rejections, [])
    found = frame if rows.size == len(frame) else frame.select(rows)
    for reason, where in (
        *find_refused(found, policy.filters),
        *_find_forbidden(found, detector, direction, policy.permissions),
    ):
        sieve.drop(reason, where)
    trust = measure_confidence(found, policy.confidence)
    sieve.drop(Rejection.LOW_DATA_CONFIDENCE, trust.total < policy.confidence.least)
    raw = detector.score(found, direction).total
    sieve.drop(Rejection.NO_SCORE, np.isnan(raw))
    base = np.round(raw * trust.total / 100.0, DECIMALS)
    window, band = assign_windows(found), classify_vix(found["vix_level"], policy.thresholds)
    least = find_base_thresholds(detector.strategy, found.asset_class, window, band, policy.thresholds)
    sieve.drop(Rejection.BASE_SCORE_TOO_LOW, base < least)
    if not sieve.left.any():
        return DetectorResult(fired, fired - rows.size, sieve.rejections, [])
    holds = find_conditions(found, window, direction, policy.styles)
    suits = compute_suitability(holds, policy.styles)
    of_styles = np.clip(base[:, None] * np.clip(suits, policy.styles.least, policy.styles.most), 0.0, 100.0)
    candidates = [
        Candidate(
            row=first_row + int(rows[i]),
            order=order,
            detector=detector,
            direction=direction,
            raw_score=round(float(raw[i]), DECIMALS),
            base_score=float(base[i]),
            confidence=round(float(trust.total[i]), DECIMALS),
            completeness=round(float(trust.completeness[i]), DECIMALS),
            missing=tuple(name for name, where in trust.missing.items() if where[i]),
            style_scores=tuple(of_styles[i].tolist()),
            suits=tuple(suits[i].tolist()),
            conditions=tuple(name for name, where in holds.items() if where[i]),
            window=int(window[i]),
            band=int(band[i]),
        )
        for i in np.flatnonzero(sieve.left).tolist()
    ]
    return DetectorResult(fired, fired - rows.size, sieve.rejections, candidates)


class _Sieve:
    """The rows that are left, and a count of dropped rows by the first check they failed."""

    def __init__(self, rows: int) -> None:
        self.left = np.ones(rows, np.bool_)
        self.rejections: Counter[str] = Counter()

    def drop(self, reason: str, where: Booleans) -> None:
        count = int(np.count_nonzero(self.left & where))
        if count:
            self.rejections[str(reason)] += count
            self.left &= ~where


def _find_forbidden(
    frame: FeatureFrame, detector: Detector, direction: Direction, permissions: Permissions
) -> Iterator[tuple[str, Booleans]]:
    """Yield where market regime and VIX forbid the strategy, by the rule's name."""
    markets = np.stack((frame["market_regime"], frame["vix_regime"]))
    kinds, which = np.unique(np.where(np.isnan(markets), -1.0, markets), axis=1, return_inverse=True)
    for position, (regime, vix) in enumerate(kinds.T.tolist()):
        name = find_refusal(
            detector.strategy,
            direction,
            regime=MarketRegime(word) if (word := _decode("market_regime", regime)) else None,
            vix=VixRegime(word) if (word := _decode("vix_regime", vix)) else None,
            policy=permissions,
        )
        if name is not None:
            yield f"{Rejection.NOT_PERMITTED}:{name}", which.reshape(-1) == position


def _decode(feature: str, code: float) -> str | None:
    return FEATURES[feature].enum_values[int(code)] if code >= 0 else None
