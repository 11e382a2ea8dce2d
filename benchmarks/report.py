"""Shows all benchmark results in one table, and stores them in one file.

Each benchmark module returns `benchmark`, `machine`, `rounds` and `contestants`: name → figures. `wall_s` is always
present; `work_s` (without the start of the process), `cpu_s`, `peak_mb`, `rows_per_s` and `limit_s` where they apply. The
others are compared with the contestant called `ours`, or with the one that `beside` names if a benchmark has several tasks.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
_COLUMNS = (("wall s", 9), ("work s", 9), ("CPU s", 9), ("peak MB", 9), ("rows/s", 12), ("ours is", 16))


def get_seconds(figures: Mapping[str, Any]) -> float:
    """Get the seconds by which a contestant is compared: its work, or its wall time if that is all there is."""
    return float(figures.get("work_s", figures["wall_s"]))


def compare(figures: Mapping[str, Any], ours: Mapping[str, Any] | None) -> str:
    """Compare `ours` with this contestant, or this one with its limit: `1.31 x faster`, `0.62 of limit`."""
    if "limit_s" in figures:
        return f"{figures['wall_s'] / figures['limit_s']:.2f} of limit"
    if ours is None or ours is figures:
        return ""
    return _format_ratio(get_seconds(figures) / get_seconds(ours))


def _format_ratio(ratio: float) -> str:
    if ratio >= 100:
        return f"{ratio:,.0f} x faster"
    return f"{ratio:.2f} x faster" if ratio >= 1 else f"{1 / ratio:.2f} x slower"


def build_table(results: Iterable[Mapping[str, Any]]) -> str:
    """Build one table of all results; machines are named once if they are the same."""
    lines: list[str] = []
    named = ""
    for result in results:
        about = result["machine"]
        machine = (
            f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, Python {about['python']}, "
            f"{result['measured_on']}"
        )
        if machine != named:
            lines += ["", machine, f"{'':38}" + "".join(f"{name:>{width}}" for name, width in _COLUMNS)]
            named = machine
        for name, figures in result["contestants"].items():
            ours = result["contestants"].get(figures.get("beside", "ours"))
            lines.append(f"{result['benchmark'] + ' ' + name:38}" + _format_cells(figures, compare(figures, ours)))
        lines += _describe_earlier_system_case(result.get("earlier_system_case"))
    return "\n".join(lines).strip("\n")


def _format_cells(figures: Mapping[str, Any], compared: str) -> str:
    shown = (
        _format_number(figures.get("wall_s"), 2),
        _format_number(figures.get("work_s"), 2),
        _format_number(figures.get("cpu_s"), 2),
        _format_number(figures.get("peak_mb"), 0),
        _format_number(figures.get("rows_per_s"), 0),
        compared,
    )
    return "".join(f"{cell:>{width}}" for cell, (_, width) in zip(shown, _COLUMNS, strict=True))


def _format_number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def _describe_earlier_system_case(case: Mapping[str, Any] | None) -> list[str]:
    """Describe the recorded case: our figures now, and the earlier system's as measured elsewhere."""
    if case is None:
        return []
    lines = [f"{'earlier_system_case ours':38}" + _format_cells(case, "")]
    for name, rate in case["earlier_system_rows_per_s"].items():
        compared = _format_ratio(case["rows_per_s"] / rate)
        lines.append(f"{'earlier_system_case ' + name:38}" + _format_cells({"rows_per_s": rate}, compared))
    return lines


def read_results(path: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Read the results by benchmark from the file; empty without a file."""
    return json.loads(path.read_text()) if path.exists() else {}


def record_result(result: Mapping[str, Any], today: date, path: Path = RESULTS) -> None:
    """Put one result into the file in place of an older one of the same benchmark; the others stay."""
    everything = read_results(path) | {str(result["benchmark"]): {"measured_on": today.isoformat(), **result}}
    written = path.with_suffix(".part")
    written.write_text(json.dumps(everything, indent=1) + "\n")
    written.replace(path)
