"""The page of a running `hd up`: a person backfills three sessions by clicks, and others get nothing from it."""

import json
import re
import shutil
import subprocess
import threading
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from hd_pipelines.cli import services as services_module
from hd_pipelines.cli.terminal import Refusal
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


def enter(page: Page, services) -> None:
    """Open the link that `hd up` printed, and wait until it has led to the page itself."""
    page.goto(services.link)
    page.wait_for_url(lambda url: "token=" not in url)


def ask(services, query: str) -> dict:
    """Ask GraphQL as a program of the person who started the page does."""
    request = urllib.request.Request(
        f"{services.url}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {services.link.partition('token=')[2]}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


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
        enter(page, services)
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


PAUSE = "mutation { setAutoMaterializePaused(paused: %s) }"
IS_PAUSED = "{ instance { autoMaterializePaused } }"
GET_PAUSE = "/graphql?query=mutation%7BsetAutoMaterializePaused(paused%3Atrue)%7D"
TEXT = ["-H", "Content-Type: text/plain"]
JSON = ["-H", "Content-Type: application/json"]
BODY = ["--data", json.dumps({"query": PAUSE % "true"})]


@pytest.fixture
def nothing_changes(services):
    """What an attack wants to change can be changed by who may, and is as before after the test."""
    ask(services, PAUSE % "true")
    assert ask(services, IS_PAUSED)["instance"]["autoMaterializePaused"] is True
    ask(services, PAUSE % "false")
    yield
    assert ask(services, IS_PAUSED)["instance"]["autoMaterializePaused"] is False


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
@pytest.mark.parametrize(
    ("arguments", "path", "status"),
    [
        pytest.param(["-H", "Host: evil.example"], "/", "421", id="a name that resolves here"),
        pytest.param([], "/", "401", id="another user of this machine"),
        pytest.param([], GET_PAUSE, "405", id="a mutation by GET"),
        pytest.param([*JSON, *BODY], "/graphql", "401", id="a mutation without the token"),
        pytest.param([*JSON, *BODY, "-H", "Authorization: Bearer wrong"], "/graphql", "401", id="a wrong token"),
        pytest.param([*JSON, *BODY, "-H", "Origin: https://evil.example"], "/graphql", "403", id="another origin"),
        pytest.param([*TEXT, *BODY], "/graphql", "415", id="a form's body"),
        pytest.param(["-X", "OPTIONS", "-H", "Origin: https://evil.example"], "/graphql", "403", id="a preflight"),
    ],
)
def test_what_curl_sends_is_refused(services, nothing_changes, arguments, path, status):
    command = ["curl", "--noproxy", "*", "-s", "-o", "/dev/null", "-w", "%{http_code}", *arguments, services.url + path]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == status


ATTACK = """
<!doctype html><title>waiting</title><body><script>
const target = "%(target)s", body = JSON.stringify({query: "%(mutation)s"});
const image = () => new Promise(done => {
  const tag = new Image(); tag.onload = tag.onerror = () => done("image"); tag.src = target + "%(get)s";
});
const frame = () => new Promise(done => {
  const tag = document.createElement("iframe"); tag.onload = () => done("frame"); tag.src = target + "/";
  document.body.append(tag); setTimeout(done, 3000);
});
const form = () => new Promise(done => {
  const inside = document.createElement("iframe"); inside.name = "hidden"; document.body.append(inside);
  const tag = document.createElement("form");
  Object.assign(tag, {method: "POST", action: target + "/graphql", enctype: "text/plain", target: "hidden"});
  const field = document.createElement("input"); field.name = body; tag.append(field); document.body.append(tag);
  inside.onload = () => done("form"); tag.submit(); setTimeout(done, 3000);
});
const socket = () => new Promise(done => {
  const tag = new WebSocket(target.replace("http", "ws") + "/graphql", "graphql-ws");
  tag.onopen = () => done("OPEN"); tag.onerror = () => done("refused");
});
const post = type => fetch(target + "/graphql", {
  method: "POST", mode: type === "application/json" ? "cors" : "no-cors", credentials: "include",
  headers: {"Content-Type": type}, body}).then(answer => answer.type, () => "refused");
Promise.all([image(), frame(), form(), socket(), post("text/plain"), post("application/json")])
  .then(all => { document.title = "done " + JSON.stringify(all); });
</script>
"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_in_the_same_browser_changes_nothing(services, nothing_changes, name):
    text = ATTACK % {"target": services.url, "mutation": PAUSE % "true", "get": GET_PAUSE}

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with open_tab() as page:
            enter(page, services)  # this browser holds the cookie
            page.goto(f"http://{name}:{server.server_port}/")
            page.wait_for_function("document.title.startsWith('done')")
            results = json.loads(page.title().removeprefix("done "))
    finally:
        server.shutdown()
        server.server_close()
    assert results[3] == "refused", "the socket opened"
    assert results[5] == "refused", "the answer to JSON of another origin could be read"
    log = (services.home / "logs" / "page.log").read_text()
    assert "page refused" in log
    assert services.link.partition("token=")[2] not in log


def test_a_second_hd_up_is_told_where_the_first_one_is(services):
    with pytest.raises(Refusal, match=re.escape(services.link)), services_module._hold_installation(services.home):
        pytest.fail("two of them run")


def test_only_this_user_can_read_the_link(services):
    assert (services.home / "page.json").stat().st_mode & 0o777 == 0o600
