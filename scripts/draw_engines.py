"""Write docs/reference/engines.md and docs/img/engine-*.png: the multiplier of each context engine for every possible input.

`python scripts/draw_engines.py [--text]`; `--text` leaves the pictures as they are. What they show is in
`engine_document`, `engine_pictures` and `engine_grids`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import engine_document
import engine_grids
import engine_pictures

from hd_pipelines.charts.figure import to_png
from hd_pipelines.charts.style import use_style

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "engines.md"
IMAGES = DOCUMENT.parent.parent / "img"
SCALE = 1.5
"""Pixels of a file for each of the picture, for screens with fine pixels."""


def draw() -> None:
    """Write every picture as PNG."""
    for name, picture in (engine_pictures.PICTURES | engine_grids.PICTURES).items():
        (IMAGES / f"{name}.png").write_bytes(use_style(to_png)(picture(), scale=SCALE))


def main() -> None:
    """Write the document and, unless `--text` is given, the pictures."""
    parser = argparse.ArgumentParser(description="Write docs/reference/engines.md and its pictures.")
    parser.add_argument("--text", action="store_true", help="leave the pictures as they are")
    given = parser.parse_args()
    DOCUMENT.write_text(engine_document.document())
    if not given.text:
        draw()


if __name__ == "__main__":
    main()
