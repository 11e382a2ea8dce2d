"""Write docs/img/*.png from a running installation (`make up` after `make demo`): lineage, two assets, four pictures.

Needs Debian's chromium, which Playwright drives; its own browsers are not downloaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from hd_pipelines.settings import load_settings

IMAGES = Path(__file__).parent.parent / "docs" / "img"
CHROMIUM = "/usr/bin/chromium"
# Chromium otherwise looks for updates and half a dozen services at every start.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAGES = {
    "lineage": ("/assets/composite_signals?view=lineage&lineageScope=upstream&lineageDepth=6", "composite_signals"),
    "asset": ("/assets/historical_bars?view=overview", "Column name"),
    "signals": ("/assets/composite_signals?view=overview", "rejections"),
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
    base = f"http://127.0.0.1:{load_settings().ui_port}"
    if not Path(CHROMIUM).exists():
        sys.exit("take_screenshots: install chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1760, "height": 1240})
        for name, (path, expected) in PAGES.items():
            page.goto(base + path)
            page.get_by_text(expected).first.wait_for(timeout=30_000)
            page.wait_for_timeout(5_000)
            page.screenshot(path=str(IMAGES / f"{name}.png"))
        for name, (asset, key) in PICTURES.items():
            page.goto(f"{base}/assets/{asset}?view=overview")
            row = page.locator("tr", has=page.get_by_text(key, exact=True))
            row.get_by_text("Show Markdown").click(timeout=30_000)
            picture = page.locator("[role=dialog] img, .bp5-dialog img, .dagster-dialog img, img[alt]").last
            picture.wait_for(timeout=30_000)
            page.wait_for_timeout(1_000)
            picture.screenshot(path=str(IMAGES / f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    main()
