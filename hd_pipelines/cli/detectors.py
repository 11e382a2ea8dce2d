"""`hd detectors`: the seventeen by name, or one with every number that can be varied.

Belongs here: printing. What a detector is: `signals.detectors`, and in words docs/reference/detectors.md.
"""

from __future__ import annotations

import difflib

from rich.table import Table

from hd_pipelines.cli.terminal import Refusal, console
from hd_pipelines.signals.detectors.registry import DETECTORS


def run_detectors(name: str | None) -> None:
    """Print all detectors, or the parameters of one. Raises `Refusal` for a name that none has."""
    if name is None:
        console().print(_all())
        return
    detector = DETECTORS.get(name)
    if detector is None:
        near = difflib.get_close_matches(name, DETECTORS, n=1)
        raise Refusal(
            f"there is no detector {name!r}" + (f"; did you mean {near[0]}?" if near else "; see `hd detectors`")
        )
    out = console()
    out.print(f"[bold]{detector.name}[/bold]: {detector.purpose}")
    out.print(f"version {detector.version}, parameters {detector.parameter_version}")
    for parameter, value in detector.parameters().items():
        out.print(f"  {parameter} = {value:g}", markup=False)


def _all() -> Table:
    table = Table(title=f"{len(DETECTORS)} detectors", title_justify="left", header_style="bold", pad_edge=False)
    for column in ("detector", "direction", "for", "chain", "version", "parameters", "purpose"):
        table.add_column(column, no_wrap=column != "purpose")
    for detector in DETECTORS.values():
        table.add_row(
            detector.name,
            ", ".join(detector.directions),
            ", ".join(sorted(detector.asset_classes)),
            "needed" if detector.needs_chain else "",
            str(detector.version),
            f"{len(detector.parameters())}, {detector.parameter_version}",
            detector.purpose,
        )
    return table
