"""Render a stored explanation as blocks of plain text, for terminals and pages.

Nothing is recomputed. A part that an older document does not have is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Document = Mapping[str, Any]


class Block(NamedTuple):
    """A heading and its lines."""

    title: str
    lines: list[str]


def render_blocks(document: Document) -> list[Block]:
    """Render the parts of an explanation, in the order in which they were decided."""
    return [Block(title, read(document[key])) for key, title, read in _PARTS if document.get(key)]


def render_lines(document: Document) -> list[str]:
    """Render the explanation as lines of text, with an empty line between blocks."""
    lines: list[str] = []
    for title, block in render_blocks(document):
        lines += ["", title, *(f"  {line}" for line in block)]
    return lines[1:]


def _render_line(text: str) -> list[str]:
    return [text]


def _render_detector(part: Document) -> list[str]:
    lines = []
    for condition in part["conditions"]:
        seen = "; ".join(f"{_format_value(test['value'])} ({test['test']})" for test in condition["seen"])
        holds = (
            {True: "holds", False: "fails"} if condition["kind"] == "condition" else {True: "lets pass", False: "bars"}
        )
        lines.append(f"{condition['kind']} {condition['name']} {holds[condition['passes']]}: {seen}")
    for factor in part["factors"]:
        seen = ", ".join(f"{name} {_format_value(value)}" for name, value in factor["seen"].items())
        lines.append(
            f"factor {factor['name']}: {_format_value(factor['points'])} points × {factor['weight']:g} ({seen})"
        )
    return lines


def _render_confidence(part: Document) -> list[str]:
    lines = [f"{part['total']:g} of 100: {part['completeness']:g} % known, step {part['step']:+g}"]
    if part["missing"]:
        critical = set(part["missing_critical"])
        names = ", ".join(f"{name} (critical)" if name in critical else name for name in part["missing"])
        lines.append(f"missing: {names}")
    return lines


def _render_base(score: float) -> list[str]:
    return [f"{score:g} after data confidence"]


def _render_styles(part: Document) -> list[str]:
    lines = [
        f"{style}: {part['before_contexts'][style]:g} before contexts, {score:g} after"
        + (" (recommended)" if style == part["recommended"] else "")
        for style, score in part["scores"].items()
    ]
    for name, modifiers in part["modifiers"].items():
        lines.append(f"{name}: " + ", ".join(f"{style} ×{value:g}" for style, value in modifiers.items()))
    return lines


def _render_readings(part: list[Document]) -> list[str]:
    return [
        f"{reading['engine']} ×{reading['multiplier']:g} ({reading['recommendation']}): {reading['reason']}"
        for reading in part
    ]


def _render_permissions(part: Document) -> list[str]:
    regime, vix = part["market_regime"] or "unknown", part["vix_regime"] or "unknown"
    return [f"allowed with regime {regime} and VIX {vix}"]


def _render_thresholds(part: Document) -> list[str]:
    lines = [f"base {part['base']:g}, {part['of_style']} {part['style']:g}, reward per risk {part['risk_reward']:g}"]
    start, *others = part["parts"]
    lines.append(f"{start['source']}: {start['base']:g}, {start['style']:g}, {start['risk_reward']:g}")
    lines += [f"{more['source']}: {more['base']:+g}, {more['style']:+g}, {more['risk_reward']:+g}" for more in others]
    return lines


def _render_plan(part: Document) -> list[str]:
    lines = [
        f"reward per risk {part['risk_reward']:g}; {part['atr_feature']} {part['atr']:g}, stop at {part['stop_atr']:g} ATR"
    ]
    lines += [f"{target} at {level}" for target, level in part["levels"].items()]
    return lines


def _render_iv_gate(part: Document) -> list[str]:
    return [f"{part['reason']}; size ×{part['size']:g}"]


def _render_edge(part: Document) -> list[str]:
    return [f"{part['reason']}; score ×{part['multiplier']:g}"]


def _render_contract(part: Document) -> list[str]:
    lines = [f"{part['ticker'] or 'none'}: {part['reason']}"]
    if part["near_misses"]:
        misses = ", ".join(f"{name} {count}" for name, count in part["near_misses"].items())
        lines.append(f"kept out by one limit alone: {misses}")
    return lines


def _format_value(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


_PARTS: tuple[tuple[str, str, Callable[[Any], list[str]]], ...] = (
    ("context_line", "Context", _render_line),
    ("detector", "Detector", _render_detector),
    ("data_confidence", "Data confidence", _render_confidence),
    ("base_score", "Base score", _render_base),
    ("styles", "Styles", _render_styles),
    ("readings", "Contexts, in the order in which they are applied", _render_readings),
    ("permissions", "Permissions", _render_permissions),
    ("thresholds", "Thresholds (base score, style score, reward per risk)", _render_thresholds),
    ("plan", "Plan", _render_plan),
    ("iv_gate", "Volatility", _render_iv_gate),
    ("edge", "Edge", _render_edge),
    ("contract", "Contract", _render_contract),
    ("labels", "Labels", list),
)
"""Key of the document, heading, and renderer."""
