"""Write docs/img/*.png from a running installation (`make up` after `make demo`): lineage, two assets, four pictures.

`make screenshots` runs it. Needs Debian's chromium, which Playwright drives; its own browsers are not downloaded.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from hd_pipelines.cli.services import read_page_address
from hd_pipelines.settings import load_settings

IMAGES = Path(__file__).parent.parent / "docs" / "img"
CHROMIUM = "/usr/bin/chromium"
# Chromium otherwise looks for updates and half a dozen services at every start.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAGES = {
    "lineage": ("/assets/rpt_radar?view=lineage&lineageScope=upstream&lineageDepth=8", "rpt_radar"),
    "asset": ("/assets/historical_bars?view=overview", "Column name"),
    "signals": ("/assets/composite_signals?view=events", "newest_signals"),
}
PICTURES = {
    "smile": ("historical_greeks", "smile_SPX"),
    "gamma": ("gamma_exposure_snapshots", "gamma_SPX"),
    "volatility": ("iv_percentile_cache", "volatility_SPX"),
    "regime": ("market_regime_history", "regime"),
}
"""Metadata of an asset that the page shows in a window of its own."""


def main() -> None:
    """Open each page, wait for what it should show and let the graph settle."""
    running = read_page_address(load_settings().home)
    if running is None:
        sys.exit("take_screenshots: start `make up` first")
    base = running.url
    if not Path(CHROMIUM).exists():
        sys.exit("take_screenshots: install chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1760, "height": 1360})
        page.goto(running.link)
        page.wait_for_timeout(2_000)
        for name, (path, expected) in PAGES.items():
            page.goto(base + path)
            page.get_by_text(expected).first.wait_for(timeout=30_000)
            page.wait_for_timeout(8_000)
            _save(page.screenshot(), name)
        for name, (asset, key) in PICTURES.items():
            page.goto(f"{base}/assets/{asset}?view=overview")
            row = page.locator("tr", has=page.get_by_text(key, exact=True))
            row.get_by_text("Show Markdown").click(timeout=30_000)
            picture = page.locator("[role=dialog] img, .bp5-dialog img, .dagster-dialog img, img[alt]").last
            picture.wait_for(timeout=30_000)
            page.wait_for_timeout(1_000)
            # In its own colours: 256 of them turn the orange of a small label brown.
            picture.screenshot(path=str(IMAGES / f"{name}.png"))
        browser.close()


def _save(png: bytes, name: str) -> None:
    """Write a PNG of 256 colours, a third of the size: the page has few more, all of them in smoothed edges."""
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
