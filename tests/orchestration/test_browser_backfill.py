"""A person in a browser: three sessions are backfilled by clicks on the page of a running `hd up`."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from hd_pipelines.lake import Lake
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions
from hd_pipelines.providers.massive.flat_files.layout import STOCK_DAY
from hd_pipelines.sensors.flat_files import LOOK_BACK
from tests.support.chromium import CHROMIUM, open_tab
from tests.support.hd_up import running_services

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM}: apt-get install chromium"),
]
BACKFILLED = 300_000
"""Milliseconds. The daemon looks at backfills every 30 seconds: one look starts the run, another one finds it done."""
ENDED = re.compile("^(Succeeded|Failed|Failing|Canceled)$")


@pytest.fixture(scope="module")
def sessions():
    # Older than the sensor of new files looks, so that only the clicks can load them.
    return list_last_sessions(find_last_completed_session(datetime.now(UTC)), LOOK_BACK + 3)[:3]


@pytest.fixture(scope="module")
def services(module_database_url, tmp_path_factory, sessions):
    with running_services(tmp_path_factory.mktemp("home"), module_database_url, sessions) as started:
        yield started


def launch_backfill(page: Page, address: str, names: list[str]) -> None:
    """Press Materialize all on the graph of an asset and its source, enter partitions, press Launch backfill."""
    page.goto(address)
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    # The dialog offers 90 days back from the browser's clock, which need not be the services'.
    dialog.get_by_role("button", name="Show all partitions").click()
    dialog.get_by_role("textbox").fill(", ".join(names))
    dialog.get_by_role("textbox").press("Enter")
    expect(dialog.get_by_text(f"{len(names)} partitions", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()


def read_error(page: Page) -> str:
    """Read why a backfill failed, so that a slow machine is not taken for a broken platform."""
    if (button := page.get_by_role("button", name="View error")).is_visible():
        button.click()
        return page.get_by_role("dialog").inner_text()
    return page.locator("body").inner_text()


def test_three_sessions_of_an_asset_and_its_source_are_backfilled_by_clicks(services, sessions):
    lake, names = Lake(services.home / "lake"), [str(session) for session in sessions]
    assert lake.list_sessions(STOCK_DAY) == []
    with open_tab() as page:
        address = f"{services.url}/assets/lake/stock_day_aggs?view=lineage&lineageScope=upstream"
        launch_backfill(page, address, names)
        page.get_by_text("View", exact=True).click()  # in the message "Created backfill …"
        expect(page.get_by_text(f"{names[0]}...{names[-1]}")).to_be_visible()
        # The table's column headings of the same names are links.
        status = page.locator("span, button").filter(has_text=ENDED).first
        expect(status).to_be_visible(timeout=BACKFILLED)
        assert status.inner_text() == "Succeeded", read_error(page)
        expect(page.get_by_text("100% completed")).to_have_count(2)
    assert lake.list_sessions(STOCK_DAY) == sessions
    bars = lake.read(STOCK_DAY, sessions[0], sessions[-1], ["AAPL"])
    assert bars["session"].to_list() == sessions
