"""Write docs/reference/detectors.md from the detectors: conditions, factors, an example row that fires and near misses.

`make docs` runs it. The design notes of each family come from the docstring of its module.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from hd_pipelines.signals.catalogue import FEATURES, decode_value
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.examples import NearMiss, build_firing_frame, build_near_misses, get_example
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.condition_curves import Bonuses, Cases
from hd_pipelines.signals.detectors.rules.conditions import Condition, Veto
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.tables.vocabulary import AssetClass, Direction

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "detectors.md"
PACKAGE = "hd_pipelines.signals.detectors"
DESIGN_NOTES = "Design notes"
INTRODUCTION = """\
Written by `make docs` from `hd_pipelines/signals/detectors`; change that, not this file. To add a detector, write a module
there and list it in `registry`.

A detector **fires** on a row of a symbol's feature frame when all of its conditions hold and none of its vetoes blocks.
A condition on a missing feature does not hold; a veto on a missing feature does not block. A row that fires has a **base
score**: the weighted mean of the detector's factors, each clipped to 0 to 100. A factor whose features are missing leaves
the mean, and the signal's `coverage` gives the share of the weight that is known.

Each pair is one description, written for a long trade. Below, the short side is shown in terms of the actual frame:
"`rsi_14` > 70", where the code tests that the mirrored RSI is below 30. `hd_pipelines/signals/catalogue.py` defines every
feature.

Every number below is a parameter: `detector.parameters()` lists them, as in `condition.volume.rvol.above` or
`factor.volume.weight`, and `detector.vary({name: number})` returns a copy with other numbers. Each signal stores the
`parameter_version`, a digest of the parameters it was made with."""
_KINDS = {AssetClass.STOCK: "stocks", AssetClass.EQUITY_ETF: "equity ETFs", AssetClass.INDEX: "indices"}


def detectors_page() -> str:
    """Build the text of docs/reference/detectors.md."""
    families = [(name, list(members)) for name, members in groupby(DETECTORS.values(), lambda each: str(each.strategy))]
    parts = ["# Detectors", INTRODUCTION, "## Example rows and near misses", _overview()]
    for name, members in families:
        summary, others, _ = _read_docstring(f"{PACKAGE}.{name}")
        parts += [f"## {_title(name)}", summary, *others, *(_detector(detector) for detector in members)]
    parts += [f"## {DESIGN_NOTES}", "### All detectors", _read_docstring(PACKAGE)[2]]
    for name, _ in families:
        parts += [f"### {_title(name)}", _read_docstring(f"{PACKAGE}.{name}")[2]]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    rows = []
    for detector in DETECTORS.values():
        for direction in detector.directions:
            values = get_example(detector, direction)
            tested = {test.feature: None for each in _conditions(detector, direction) for test in each.tests}
            total = detector.score(build_firing_frame(detector, direction), direction).total[0]
            nearly = build_near_misses(detector, direction)[0]
            rows.append(
                (
                    f"`{detector.name}`",
                    direction.lower(),
                    _values({name: values[name] for name in tested}),
                    f"{total:.2f}",
                    f"{_values(nearly.changes)}: not `{nearly.condition}`",
                )
            )
    return _grid(("detector", "direction", "fires on", "base score", "near miss"), rows)


def _detector(detector: Detector) -> str:
    direction = detector.directions[0]
    misses = build_near_misses(detector, direction)
    parts = [f"### `{detector.name}`", _about(detector), _conditions_table(detector, direction, misses)]
    parts += [*_vetoes_table(detector, direction, misses), _factors_table(detector, direction), _contract(detector)]
    return "\n\n".join(parts)


def _about(detector: Detector) -> str:
    kinds = " and ".join(name for kind, name in _KINDS.items() if kind in detector.asset_classes)
    directions = " and ".join(direction.lower() for direction in detector.directions)
    mirrored = " The tables show the long side; the short side mirrors it." * (len(detector.directions) > 1)
    return (
        f"{detector.purpose} For {kinds}, {directions}{', needs the option chain' * detector.needs_chain}; "
        f"version {detector.version}, {len(detector.parameters())} parameters.{mirrored}"
    )


def _contract(detector: Detector) -> str:
    limits = detector.contract
    first, last = limits.days_to_expiry
    return (
        f"Contract: |delta| {limits.delta[0]:.2f} to {limits.delta[1]:.2f}, "
        f"{f'{first} to {last}' if first < last else first} days to expiry, volume at least {limits.min_volume:,}, open "
        f"interest at least {limits.min_open_interest:,}, spread at most {limits.max_spread_pct:g} %."
    )


def _conditions_table(detector: Detector, direction: Direction, misses: Sequence[NearMiss]) -> str:
    values = get_example(detector, direction)
    rows = [
        (
            f"`{condition.name}`",
            _tests(condition),
            _values({test.feature: values[test.feature] for test in condition.tests}),
            _nearly(condition.name, misses),
        )
        for condition in _conditions(detector, direction)
    ]
    return _grid(("condition", "test", "example", "near miss"), rows)


def _vetoes_table(detector: Detector, direction: Direction, misses: Sequence[NearMiss]) -> list[str]:
    vetoes = [each for each in detector.conditions_for(direction) if isinstance(each, Veto)]
    rows = [(f"`{veto.name}`", _tests(veto), _nearly(veto.name, misses)) for veto in vetoes]
    return [_grid(("veto", "blocks where", "blocks the example with"), rows)] if rows else []


def _factors_table(detector: Detector, direction: Direction) -> str:
    values = get_example(detector, direction)
    scores = detector.score(build_firing_frame(detector, direction), direction)
    rows = [
        (
            f"`{factor.name}`",
            f"{factor.weight:.2f}",
            _curve(factor),
            _values({name: values[name] for name in factor.curve.features}),
            f"{scores.by_factor[factor.name][0]:.1f}",
        )
        for factor in detector.factors_for(direction)
    ]
    total = ("**base score**", f"{sum(factor.weight for factor in detector.factors):.2f}", "", "")
    return _grid(
        ("factor", "weight", "points", "example", "example points"), [*rows, (*total, f"**{scores.total[0]:.2f}**")]
    )


def _conditions(detector: Detector, direction: Direction) -> list[Condition]:
    return [each for each in detector.conditions_for(direction) if isinstance(each, Condition)]


def _curve(factor: Factor) -> str:
    text = str(factor.curve).replace("; ", "<br>")
    named = [name for name, *_ in _rewards(factor)]
    return f"{text}<br>({', '.join(f'`{name}`' for name in named)})" if named else text


def _rewards(factor: Factor) -> Iterable[tuple[object, ...]]:
    if isinstance(factor.curve, Cases):
        return factor.curve.cases
    return factor.curve.bonuses if isinstance(factor.curve, Bonuses) else ()


def _tests(condition: Condition | Veto) -> str:
    return "<br>".join(f"`{test}`" for test in condition.tests)


def _nearly(condition: str, misses: Sequence[NearMiss]) -> str:
    return "<br>".join(_values(miss.changes) for miss in misses if miss.condition == condition)


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_value(name, value)}" for name, value in values.items())


def _value(feature: str, value: float) -> str:
    return (decode_value(feature, value) or "") if FEATURES[feature].enum_values else f"{value:,.10g}"


def _read_docstring(module: str) -> tuple[str, list[str], str]:
    """Split a module's docstring into summary, other paragraphs and design notes. Raises `ValueError` without notes."""
    summary, *paragraphs = (importlib.import_module(module).__doc__ or "").strip().split("\n\n")
    heads = [paragraph.startswith(DESIGN_NOTES) for paragraph in paragraphs]
    if True not in heads:
        raise ValueError(f"{module} has no {DESIGN_NOTES.lower()} in its docstring; write 'None.' if there are none")
    at = heads.index(True)
    return summary, paragraphs[:at], paragraphs[at + 1]


def _title(family: str) -> str:
    return family.replace("_", " ").capitalize()


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(detectors_page())


if __name__ == "__main__":
    main()
