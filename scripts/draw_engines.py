"""Write docs/reference/engines.md and docs/img/engine-*.png: what each context engine makes of every possible input.

`python scripts/draw_engines.py [--text]`; `--text` leaves the pictures as they are. Pictures need Debian's chromium, which
Playwright drives; its own browsers are not downloaded. Belongs here: writing the files; what they show is in
`engine_document`, `engine_pictures` and `engine_grids`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import engine_document
import engine_grids
import engine_pictures

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "engines.md"
IMAGES = DOCUMENT.parent.parent / "img"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def draw() -> None:
    """Every picture as a PNG of one and a half times its size."""
    from playwright.sync_api import sync_playwright

    if not Path(CHROMIUM).exists():
        sys.exit("draw_engines: install chromium (apt-get install chromium), or give --text to write the tables only")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(device_scale_factor=1.5, color_scheme="light")
        for name, picture in (engine_pictures.PICTURES | engine_grids.PICTURES).items():
            page.set_content(f"<body style='margin:0'>{picture()}</body>")
            page.locator("svg").screenshot(path=str(IMAGES / f"{name}.png"), omit_background=True)
        browser.close()


def main() -> None:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description="Write docs/reference/engines.md and its pictures.")
    parser.add_argument("--text", action="store_true", help="leave the pictures as they are")
    given = parser.parse_args()
    DOCUMENT.write_text(engine_document.document())
    if not given.text:
        draw()


if __name__ == "__main__":
    main()
