"""Write docs/reference/validation.md: our numbers beside those that others published.

`python scripts/write_validation.py [FOLDER]`; FOLDER holds `data/` and `recordings/` (default: `shared` beside this
checkout). This script lists the comparisons in their order; `validation` computes them.
The recordings may not be redistributed, so the document shows differences and sums, no quotes. Ends with 1 if a
requirement is not met that is not known to be out of reach, with 2 if the data is not there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from validation.document import Section, render_document
from validation.gamma_sections import build_gamma_section
from validation.reference_sections import build_golden_section, build_regime_section
from validation.volatility_sections import (
    build_spy_section,
    build_vendor_section,
    build_vix_rank_section,
    build_vix_section,
)

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
DOCUMENT = ROOT / "docs" / "reference" / "validation.md"
NEEDED = (
    *(f"recordings/{name}" for name in ("spx-2019q2", "spy-2021", "gex-days")),
    *(f"data/{name}" for name in ("daily_history", "reference_values")),
)
OUT_OF_REACH = {
    "mean absolute error over all sessions, each chain at its own hour",
    "standard deviation of the difference in volatility, both sides of every strike",
    "difference in delta, both sides of every strike",
}
"""Requirements that the data does not allow; the document says why."""

INTRODUCTION = (
    "Written by `make validation` (`scripts/write_validation.py`) from recordings and reference values that are not part of "
    "this repository; change code, not this file. Each section says what is compared with whom, what was required, what was "
    "measured, and what differs."
)


def sections(folder: Path) -> dict[str, Callable[[], Section]]:
    """The comparisons by name, in the order of the document."""
    recordings, history = folder / "recordings", folder / "data" / "daily_history"
    return {
        "volatility and delta of the vendor": lambda: build_vendor_section(recordings),
        "official VIX": lambda: build_vix_section(recordings, history),
        "SPY 2021": lambda: build_spy_section(recordings),
        "VIX since 1990": lambda: build_vix_rank_section(history),
        "gamma": lambda: build_gamma_section(recordings),
        "golden values": lambda: build_golden_section(folder / "data" / "reference_values"),
        "regime": lambda: build_regime_section(history),
    }


def main(arguments: list[str] | None = None) -> int:
    """Compare everything, write the document, print what is not met; the exit code."""
    parser = argparse.ArgumentParser(
        description="Write docs/reference/validation.md: our numbers beside published ones."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED, help="holds data/ and recordings/")
    parser.add_argument("--output", type=Path, default=DOCUMENT)
    given = parser.parse_args(arguments)
    absent = [name for name in NEEDED if not (given.folder / name).is_dir()]
    if absent:
        print(
            f"The reference data is not at {given.folder}: {', '.join(absent)} missing. It may not be redistributed with "
            "this project; give the folder that holds it: python scripts/write_validation.py FOLDER",
            file=sys.stderr,
        )
        return 2
    found = []
    for name, compare in sections(given.folder).items():
        started = time.perf_counter()
        found.append(compare())
        print(f"{name:36}{time.perf_counter() - started:6.1f} s")
    given.output.write_text(render_document("Validation", INTRODUCTION, found))
    missed = [requirement for section in found for requirement in section.requirements if not requirement.is_met]
    for requirement in missed:
        known = " (known, see the document)" if requirement.required in OUT_OF_REACH else ""
        print(f"not met{known}: {requirement.required}: {requirement.measured}, required {requirement.limit}")
    return int(any(requirement.required not in OUT_OF_REACH for requirement in missed))


if __name__ == "__main__":
    sys.exit(main())
