"""`hd detectors`: lists the detectors, or every parameter of one. They are described in docs/reference/detectors.md."""

from __future__ import annotations

import difflib

from rich.markup import escape

from hd_pipelines.cli.output.table import Column, Priority, print_table
from hd_pipelines.cli.terminal import Refusal, console, print_json
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.registry import DETECTORS


def run_detectors(name: str | None, *, wide: bool = False, as_json: bool = False) -> None:
    """Print all detectors, or the parameters of one. Raises `Refusal` for an unknown name."""
    found = list(DETECTORS.values()) if name is None else [_find_detector(name)]
    if as_json:
        print_json([_describe(detector) for detector in found])
    elif name is None:
        print_table(_COLUMNS, found, title=f"{len(found)} detectors", wide=wide)
    else:
        _show_detector(found[0])


def _find_detector(name: str) -> Detector:
    if name in DETECTORS:
        return DETECTORS[name]
    near = difflib.get_close_matches(name, DETECTORS, n=1)
    raise Refusal(f"there is no detector {name!r}" + (f"; did you mean {near[0]}?" if near else "; see `hd detectors`"))


def _show_detector(detector: Detector) -> None:
    out = console()
    out.print(f"[bold]{detector.name}[/bold]: {detector.purpose}")
    out.print(f"version {detector.version}, parameters {detector.parameter_version}")
    for parameter, value in detector.parameters().items():
        out.print(f"  {parameter} = {value:g}", markup=False)


def _describe(detector: Detector) -> dict[str, object]:
    return {
        "detector": detector.name,
        "directions": [str(each) for each in detector.directions],
        "asset_classes": sorted(detector.asset_classes),
        "needs_chain": detector.needs_chain,
        "version": detector.version,
        "parameter_version": detector.parameter_version,
        "parameters": dict(detector.parameters()),
        "purpose": detector.purpose,
    }


_COLUMNS: tuple[Column[Detector], ...] = (
    Column("detector", lambda each: each.name),
    Column("direction", lambda each: ", ".join(each.directions)),
    Column("for", lambda each: ", ".join(sorted(each.asset_classes)), Priority.DETAIL),
    Column("chain", lambda each: "needed" if each.needs_chain else "", Priority.USUAL),
    Column("version", lambda each: str(each.version), Priority.DETAIL, is_number=True),
    Column("parameters", lambda each: f"{len(each.parameters())}, {each.parameter_version}", Priority.DETAIL),
    Column("purpose", lambda each: escape(each.purpose), wraps_at=36),
)
