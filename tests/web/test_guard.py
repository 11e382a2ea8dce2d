"""The guard answers what does not come from the person who started the page: the requests of a review, and their kind."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from hd_pipelines.web.guard import LOGGED_PER_MINUTE, Guard

PORT, TOKEN = 3000, "a-token-of-these-tests-that-nobody-knows"
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
JSON = ("content-type", "application/json")
COOKIE = ("cookie", f"hd_page_{PORT}={TOKEN}")
EVIL = "https://evil.example"


class Page:
    """A page that counts who reached it."""

    def __init__(self):
        self.reached = 0

    async def __call__(self, scope, _receive, send):
        self.reached += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"page"})


def ask(*headers, method="GET", path="/", query="", kind="http", host=HOST, guard=None):
    """Return (what the browser got, whether the page was reached)."""
    page = Page()
    before = guard or Guard(page, port=PORT, token=TOKEN)
    page = before._app if isinstance(before._app, Page) else page
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    hosts = [("host", host)] if host is not None else []
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (*hosts, *headers)],
    }
    reached = page.reached
    asyncio.run(before(scope, receive, send))
    return sent, page.reached > reached


def status(sent):
    return sent[0].get("status")


def header(sent, name):
    return [value.decode() for key, value in sent[0]["headers"] if key == name.encode()]


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        ([COOKIE], {}),
        ([COOKIE], {"path": "/assets/historical_bars", "query": "view=overview"}),
        ([COOKIE, ("sec-fetch-site", "same-origin"), ("origin", ORIGIN), JSON], {"method": "POST", "path": "/graphql"}),
        ([COOKIE, ("sec-fetch-site", "none")], {}),
        ([COOKIE, ("origin", ORIGIN)], {"kind": "websocket", "path": "/graphql"}),
        ([("authorization", f"Bearer {TOKEN}"), JSON], {"method": "POST", "path": "/graphql"}),
        ([("authorization", f"bearer {TOKEN}")], {"kind": "websocket", "path": "/graphql"}),
        *(
            ([("cookie", f"{other}; hd_page_{PORT}={TOKEN}; more=2")], {})
            for other in ("other=1", 'pref={"x":"y z"}', "a=b c", "flag", "path=/", "x=a\xe9b", "a/b=1", "=", ";;")
        ),
        ([("cookie", "other=1"), COOKIE], {}),
        (
            [
                COOKIE,
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
            {},
        ),
        ([COOKIE, ("content-type", "application/json; charset=utf-8")], {"method": "POST", "path": "/graphql"}),
        ([COOKIE], {"method": "HEAD"}),
    ],
)
def test_the_person_who_started_the_page_gets_it(headers, options):
    sent, reached = ask(*headers, **options)
    assert reached, sent
    if options.get("kind") != "websocket":
        assert header(sent, "x-frame-options") == ["DENY"]
        assert header(sent, "cross-origin-resource-policy") == ["same-origin"]


@pytest.mark.parametrize(
    ("headers", "options", "answer"),
    [
        pytest.param([COOKIE], {"host": "evil.example"}, 421, id="a name that resolves to this machine"),
        pytest.param([COOKIE], {"host": f"127.0.0.1:{PORT + 1}"}, 421, id="another port"),
        pytest.param([COOKIE], {"host": "127.0.0.1"}, 421, id="no port"),
        pytest.param([COOKIE], {"host": f"localhost:{PORT}"}, 421, id="a name that ::1 has too"),
        pytest.param([COOKIE], {"host": f"[::1]:{PORT}"}, 421, id="an address where nobody of ours listens"),
        pytest.param([COOKIE], {"host": f"127.0.0.1.:{PORT}"}, 421, id="a trailing dot"),
        pytest.param([COOKIE], {"host": f"{HOST}.evil.example"}, 421, id="a longer name"),
        pytest.param([COOKIE], {"host": None}, 421, id="no host"),
        pytest.param([COOKIE, ("host", "evil.example")], {}, 421, id="two hosts"),
        pytest.param([COOKIE, ("origin", EVIL)], {}, 403, id="another origin"),
        pytest.param([COOKIE, ("origin", "null")], {}, 403, id="a sandboxed frame"),
        pytest.param([COOKIE, ("origin", f"http://127.0.0.1:{PORT + 1}")], {}, 403, id="another port's origin"),
        pytest.param([COOKIE, ("origin", f"https://{HOST}")], {}, 403, id="another scheme"),
        pytest.param([COOKIE, ("origin", ORIGIN), ("origin", EVIL)], {}, 403, id="two origins"),
        pytest.param([COOKIE, ("origin", "")], {}, 403, id="an empty origin"),
        pytest.param(
            [COOKIE, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
            {"path": "/graphql", "query": "query=mutation{x}"},
            403,
            id="an image tag of another site",
        ),
        pytest.param([COOKIE, ("sec-fetch-site", "same-site")], {}, 403, id="another port's page"),
        pytest.param(
            [
                COOKIE,
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
                JSON,
            ],
            {"method": "POST", "path": "/graphql"},
            403,
            id="a form of another site",
        ),
        pytest.param(
            [COOKIE, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            {},
            403,
            id="a frame of another site",
        ),
        pytest.param([COOKIE], {"path": "/graphql", "query": "query={x}"}, 405, id="a mutation by GET"),
        pytest.param([COOKIE], {"path": "/graphql/"}, 405, id="a mutation by GET, with a slash"),
        pytest.param([COOKIE], {"path": "/GraphQL"}, 405, id="a mutation by GET, in other letters"),
        pytest.param([COOKIE], {"path": "/graphql\n"}, 400, id="a mutation by GET, with a line break"),
        pytest.param([COOKIE], {"path": "/graphql\r"}, 400, id="a mutation by GET, with a carriage return"),
        pytest.param([COOKIE], {"path": "/graphql\x00"}, 400, id="a mutation by GET, with a null"),
        pytest.param(
            [COOKIE, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
            {},
            403,
            id="a link on another port's page",
        ),
        pytest.param([COOKIE, JSON], {"method": "PUT"}, 405, id="PUT"),
        pytest.param([COOKIE, JSON], {"method": "DELETE"}, 405, id="DELETE"),
        pytest.param([COOKIE], {"method": "OPTIONS"}, 405, id="a preflight"),
        pytest.param([COOKIE], {"method": "POST"}, 415, id="POST without a type"),
        pytest.param([COOKIE, ("content-type", "text/plain")], {"method": "POST"}, 415, id="POST of text"),
        pytest.param(
            [COOKIE, ("content-type", "application/x-www-form-urlencoded")], {"method": "POST"}, 415, id="a form"
        ),
        pytest.param(
            [COOKIE, ("content-type", "multipart/form-data; boundary=x")], {"method": "POST"}, 415, id="files"
        ),
        pytest.param([COOKIE, JSON, ("content-type", "text/plain")], {"method": "POST"}, 415, id="two types"),
        pytest.param([], {}, 401, id="another user's curl"),
        pytest.param([JSON], {"method": "POST", "path": "/graphql"}, 401, id="another user's mutation"),
        pytest.param([("cookie", f"hd_page_{PORT}={TOKEN}x")], {}, 401, id="a wrong cookie"),
        pytest.param([("cookie", f"hd_page_{PORT + 1}={TOKEN}")], {}, 401, id="the cookie of another port"),
        pytest.param([("cookie", "a=b; ;; =; \x01")], {}, 401, id="a broken cookie"),
        pytest.param([("authorization", f"Basic {TOKEN}")], {}, 401, id="another scheme of authorization"),
        pytest.param([("authorization", "Bearer ")], {}, 401, id="an empty token"),
        pytest.param([], {"query": "token=wrong"}, 401, id="a wrong link"),
        pytest.param([], {"query": "token="}, 401, id="an empty link"),
        pytest.param([JSON], {"method": "POST", "query": "token=é"}, 401, id="a token that is no ASCII"),
    ],
)
def test_others_do_not_reach_it(headers, options, answer):
    sent, reached = ask(*headers, **options)
    assert not reached
    assert status(sent) == answer
    assert header(sent, "access-control-allow-origin") == []
    assert TOKEN not in str(sent)


@pytest.mark.parametrize(
    "headers",
    [
        [COOKIE],
        [COOKIE, ("origin", EVIL)],
        [COOKIE, ("origin", "null")],
        [("origin", ORIGIN)],
        [COOKIE, ("origin", ORIGIN), ("sec-fetch-site", "cross-site")],
    ],
)
def test_a_websocket_of_others_is_closed_before_it_opens(headers):
    sent, reached = ask(*headers, kind="websocket", path="/graphql")
    assert not reached
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize(
    ("path", "query", "leads_to"),
    [
        ("/", f"token={TOKEN}", "/"),
        ("/runs", f"token={TOKEN}&q=1&a=%26", "/runs?q=1&amp;a=%26"),
        ("//evil.example/x", f"token={TOKEN}", "/evil.example/x"),
        ("/\\evil.example", f"token={TOKEN}", "/evil.example"),
        ('/"><script>', f"token={TOKEN}", "/%22%3E%3Cscript%3E"),
    ],
)
def test_the_link_sets_a_cookie_that_scripts_and_other_sites_never_get_and_leads_on_without_itself(
    path, query, leads_to
):
    sent, reached = ask(path=path, query=query)
    assert not reached
    assert status(sent) == 200
    (cookie,) = header(sent, "set-cookie")
    assert cookie == f"hd_page_{PORT}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    assert f'url={leads_to}"' in sent[1]["body"].decode()
    assert TOKEN not in sent[1]["body"].decode()


def test_the_link_does_not_work_under_another_name():
    sent, _ = ask(query=f"token={TOKEN}", host="evil.example")
    assert status(sent) == 421
    assert header(sent, "set-cookie") == []


def test_a_start_and_an_end_of_the_server_pass():
    passed = []

    async def app(scope, _receive, _send):
        passed.append(scope["type"])

    asyncio.run(Guard(app, port=PORT, token=TOKEN)({"type": "lifespan"}, None, None))
    assert passed == ["lifespan"]


@given(
    st.dictionaries(
        st.sampled_from(["origin", "sec-fetch-site", "sec-fetch-mode", "content-type", "cookie", "authorization", "x"]),
        st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60),
        max_size=5,
    ),
    st.sampled_from(["GET", "POST", "PUT", "TRACE", "x"]),
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.sampled_from(["http", "websocket"]),
)
def test_without_the_token_nothing_reaches_the_page(headers, method, query, kind):
    _, reached = ask(*headers.items(), method=method, query=query.encode("latin-1").decode("latin-1"), kind=kind)
    assert not reached


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40))
def test_with_the_token_no_other_name_of_this_machine_reaches_the_page(host):
    _, reached = ask(COOKIE, host=host)
    assert reached == (host == HOST)


@pytest.mark.parametrize("path", ["/graphql", "/graphql\n", "/graphql/", "/graphql\n/"])
def test_no_spelling_of_graphql_reaches_its_route_by_get(path):
    answered = []

    async def answer(request):
        answered.append(request.url)
        return PlainTextResponse("changed")

    app = Starlette(routes=[Route("/graphql", answer, methods=["GET", "POST"])])
    ask(COOKIE, path=path, query="query=mutation{x}", guard=Guard(app, port=PORT, token=TOKEN))
    assert answered == []


def test_refusals_are_logged_with_what_was_tried_and_not_without_end():
    now = [0.0]
    guard = Guard(Page(), port=PORT, token=TOKEN, monotonic=lambda: now[0])
    with capture_logs() as logged:
        for _ in range(LOGGED_PER_MINUTE + 5):
            ask(("origin", EVIL), guard=guard)
        now[0] = 61.0
        ask(("origin", EVIL), guard=guard)
    assert [line["event"] for line in logged] == ["page refused"] * (LOGGED_PER_MINUTE + 1)
    assert logged[0]["origin"] == EVIL
    assert logged[-1]["not_logged_before"] == 5
    assert TOKEN not in str(logged)
