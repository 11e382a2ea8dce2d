"""Build the JSON that is stored with a signal and explains it.

Everything is JSON-ready: no NaN, no dates, numbers rounded so that equal inputs give equal bytes. Keys and texts are stored
values: changing one changes `composite_signals`. `text` renders the document for people.
"""

from __future__ import annotations

from typing import Any

from hd_pipelines.signals.catalogue import decode_value
from hd_pipelines.signals.engines.reading import Reading
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.evaluator import Draft
from hd_pipelines.signals.scanner.explanation.context_line import describe_context
from hd_pipelines.signals.scanner.explanation.row_labels import list_row_labels
from hd_pipelines.signals.scanner.planning.contracts import Choice
from hd_pipelines.signals.scanner.policy.scan_policy import ScanPolicy
from hd_pipelines.signals.scanner.scoring.data_confidence import explain_confidence
from hd_pipelines.signals.scanner.scoring.styles import STYLES
from hd_pipelines.signals.tape import Contexts


def build_explanation(
    draft: Draft, choice: Choice, frame: FeatureFrame, contexts: Contexts, policy: ScanPolicy
) -> dict[str, Any]:
    """Build the explanation of one signal."""
    candidate = draft.candidate
    row, direction = candidate.row, candidate.direction
    return {
        "context_line": describe_context(frame, row, contexts, direction),
        "detector": candidate.detector.explain(frame, row, direction),
        "raw_score": candidate.raw_score,
        "data_confidence": {
            "total": candidate.confidence,
            **explain_confidence(candidate.completeness, candidate.missing, frame.asset_class, policy.confidence),
        },
        "base_score": candidate.base_score,
        "styles": _styles(draft, policy),
        "readings": [_reading(reading) for reading in draft.readings],
        "permissions": {
            "market_regime": _decode(frame, row, "market_regime"),
            "vix_regime": _decode(frame, row, "vix_regime"),
            "passes": True,
        },
        "thresholds": draft.demand.to_json(draft.style, policy.plan.profiles[draft.style]),
        "plan": _plan(draft, policy),
        "iv_gate": draft.iv.to_json(),
        "edge": draft.edge.to_json(),
        "size_multiplier": draft.size,
        "contract": choice.to_json(),
        "labels": [*list_row_labels(frame, row, draft.readings), *choice.labels],
    }


def _styles(draft: Draft, policy: ScanPolicy) -> dict[str, Any]:
    """Return each style's score before and after contexts, and the modifiers applied before them."""
    candidate = draft.candidate
    return {
        "recommended": draft.style.value,
        "modifiers": {
            name.value: {style.value: policy.styles.modifiers[name].of(style) for style in STYLES}
            for name in candidate.conditions
        },
        "before_contexts": {
            style.value: _round(score) for style, score in zip(STYLES, candidate.style_scores, strict=True)
        },
        "scores": {style.value: draft.scores[style] for style in STYLES},
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "engine": reading.engine.value,
        "status": reading.status.value,
        "multiplier": _round(reading.multiplier),
        "opinion": _round(reading.opinion),
        "confidence": _round(reading.confidence),
        "freshness": _round(reading.freshness),
        "age_minutes": _round(reading.age_minutes) if reading.age_minutes is not None else None,
        "recommendation": reading.recommendation,
        "reason": reading.reason,
    }


def _plan(draft: Draft, policy: ScanPolicy) -> dict[str, Any]:
    plan, profile = draft.plan, policy.plan.profiles[draft.style]
    return {
        "atr": _round(plan.atr),
        "atr_feature": plan.atr_feature,
        "stop_atr": profile.stop,
        "level_buffer_atr": _round(plan.level_buffer),
        "levels": dict(plan.levels),
        "risk_reward": plan.risk_reward,
    }


def _decode(frame: FeatureFrame, row: int, feature: str) -> str | None:
    return decode_value(feature, float(frame[feature][row]))


def _round(value: float) -> float:
    return round(float(value), 6)
