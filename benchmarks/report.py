"""All results in one table and one file.

Belongs here: reading what the benchmark modules return. Each returns `benchmark`, `machine`, `rounds` and `contestants`:
name → figures, of which `wall_s` is always there; `work_s` (without the start of the process), `cpu_s`, `peak_mb`,
`rows_per_s` and `limit_s` where they mean something. The contestant called `ours` is what the others are compared with,
or the one that `beside` names where a benchmark has several tasks.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
_COLUMNS = (("wall s", 9), ("work s", 9), ("CPU s", 9), ("peak MB", 9), ("rows/s", 12), ("ours is", 16))


def seconds(figures: Mapping[str, Any]) -> float:
    """What a contestant is compared by: its work, or its wall time where that is all there is."""
    return float(figures.get("work_s", figures["wall_s"]))


def comparison(figures: Mapping[str, Any], ours: Mapping[str, Any] | None) -> str:
    """How `ours` stands to this contestant, or this one to its limit: `1.31 x faster`, `0.62 of limit`."""
    if "limit_s" in figures:
        return f"{figures['wall_s'] / figures['limit_s']:.2f} of limit"
    if ours is None or ours is figures:
        return ""
    return _times(seconds(figures) / seconds(ours))


def _times(ratio: float) -> str:
    if ratio >= 100:
        return f"{ratio:,.0f} x faster"
    return f"{ratio:.2f} x faster" if ratio >= 1 else f"{1 / ratio:.2f} x slower"


def table(results: Iterable[Mapping[str, Any]]) -> str:
    """One table over all results; machines are named once where they are the same."""
    lines: list[str] = []
    told = ""
    for result in results:
        about = result["machine"]
        machine = (
            f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, Python {about['python']}, "
            f"{result['measured_on']}"
        )
        if machine != told:
            lines += ["", machine, f"{'':38}" + "".join(f"{name:>{width}}" for name, width in _COLUMNS)]
            told = machine
        for name, figures in result["contestants"].items():
            ours = result["contestants"].get(figures.get("beside", "ours"))
            lines.append(f"{result['benchmark'] + ' ' + name:38}" + _cells(figures, comparison(figures, ours)))
        lines += _predecessor(result.get("predecessors_case"))
    return "\n".join(lines).strip("\n")


def _cells(figures: Mapping[str, Any], compared: str) -> str:
    shown = (
        _number(figures.get("wall_s"), 2),
        _number(figures.get("work_s"), 2),
        _number(figures.get("cpu_s"), 2),
        _number(figures.get("peak_mb"), 0),
        _number(figures.get("rows_per_s"), 0),
        compared,
    )
    return "".join(f"{cell:>{width}}" for cell, (_, width) in zip(shown, _COLUMNS, strict=True))


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def _predecessor(case: Mapping[str, Any] | None) -> list[str]:
    """The predecessor's case: our figures now, its own as they were measured elsewhere."""
    if case is None:
        return []
    lines = [f"{'predecessors_case ours':38}" + _cells(case, "")]
    for name, rate in case["predecessor_rows_per_s"].items():
        compared = _times(case["rows_per_s"] / rate)
        lines.append(f"{'predecessors_case ' + name:38}" + _cells({"rows_per_s": rate}, compared))
    return lines


def recorded(path: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Results by benchmark as the file has them; empty without a file."""
    return json.loads(path.read_text()) if path.exists() else {}


def record(result: Mapping[str, Any], today: date, path: Path = RESULTS) -> None:
    """Put one result into the file in place of an older one of the same benchmark; the others stay."""
    everything = recorded(path) | {str(result["benchmark"]): {"measured_on": today.isoformat(), **result}}
    written = path.with_suffix(".part")
    written.write_text(json.dumps(everything, indent=1) + "\n")
    written.replace(path)
