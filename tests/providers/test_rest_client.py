"""The REST client against a service that misbehaves: what is retried, what is not, and what never happens.

Numbers R01 to R13 name the faults, as in docs/data-quality.md.
"""

import gzip
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from hd_pipelines.providers.errors import (
    ApiError,
    ApiKeyRefusedError,
    ApiNotEntitledError,
    ApiNotFoundError,
    ApiPaginationError,
    ApiRateLimitedError,
    ApiRequestRefusedError,
    ApiResponseError,
    ApiUnavailableError,
    ObjectPlace,
)
from hd_pipelines.providers.massive.rest import client as rest
from hd_pipelines.providers.massive.rest.chain_snapshot import build_chain_path
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.sandbox.faults import CutConnection, Html, Refuse, Rewrite, SlowBody, make_rest_fault
from hd_pipelines.tables.vocabulary import Rule
from tests.support.rest import CLOSE, KEY, SESSION, contract_rows, utc

SPY = build_chain_path("SPY")
PLACE = ObjectPlace("option_chains", SESSION, SPY)


def tickers(api, limit=10):
    """Tickers of all pages, in the order they came."""
    pages = api.fetch_pages(SPY, {"limit": limit}, PLACE)
    return [contract["details"]["ticker"] for page in pages for contract in page.results]


@pytest.fixture
def server(chains_of):
    return chains_of({"SPY": contract_rows(30)})


EXPECTED = contract_rows(30)["ticker"].to_list()


@pytest.mark.parametrize(
    ("refusal", "nap"),
    [
        pytest.param(Refuse(429, retry_after_seconds=7), 7.0, id="seconds"),
        pytest.param(Refuse(429, retry_after=utc(2026, 5, 22, 20, 1, 30)), 90.0, id="date"),
        pytest.param(Refuse(429, retry_after=utc(2026, 5, 22, 19, 0)), 0.0, id="date that has passed"),
        pytest.param(Refuse(429), 4.0, id="no Retry-After"),
        pytest.param(Refuse(429, has_body=False), 4.0, id="no Retry-After and without a body"),
        pytest.param(Refuse(503, retry_after_seconds=3), 3.0, id="overloaded"),
    ],
)
def test_r01_retries_wait_as_long_as_the_service_requests(server, api_of, refusal, nap):
    server.faults.add(make_rest_fault(refusal, nth=2))
    api = api_of(server, now=lambda: CLOSE)
    assert tickers(api) == EXPECTED
    assert api.naps == [nap]


def test_r01_a_limit_that_stays_is_reported_after_all_attempts(server, api_of):
    server.faults.add(make_rest_fault(Refuse(429, retry_after_seconds=1), times=None))
    api = api_of(server)
    with pytest.raises(ApiRateLimitedError, match="429, You've exceeded the maximum requests per minute") as caught:
        tickers(api)
    assert (len(api.naps), caught.value.is_transient, caught.value.finding.rule) == (4, True, Rule.OBJECT_UNAVAILABLE)


def test_r01_no_wait_is_longer_than_the_deadline(server, api_of):
    server.faults.add(make_rest_fault(Refuse(429, retry_after_seconds=3600)))
    api = api_of(server)
    with pytest.raises(ApiRateLimitedError):
        tickers(api)
    assert api.naps == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_r02_a_broken_service_is_asked_again(server, api_of, status):
    fault = server.faults.add(make_rest_fault(Refuse(status), nth=2, times=2))
    api = api_of(server)
    assert tickers(api) == EXPECTED
    assert fault.fired == 2
    assert 0.5 <= api.naps[0] <= 1.0 <= api.naps[1] <= 2.0


@pytest.mark.parametrize("status", [200, 502])
def test_r02_the_page_of_a_proxy_is_no_answer(server, api_of, status):
    server.faults.add(make_rest_fault(Html(status)))
    assert tickers(api_of(server)) == EXPECTED
    server.faults.add(make_rest_fault(Html(status), times=None))
    with pytest.raises(ApiUnavailableError):
        tickers(api_of(server))


def test_r03_a_page_that_drips_ends_at_the_deadline(server, api_of):
    server.faults.add(make_rest_fault(SlowBody(chunk_bytes=64, pause_seconds=0.1), nth=2))
    with pytest.raises(ApiUnavailableError, match="no complete answer before the deadline"):
        tickers(api_of(server, deadline_seconds=1.0))


def test_r03_a_service_that_never_answers_is_given_up(server, api_of):
    server.faults.add(make_rest_fault(SlowBody(chunk_bytes=64, pause_seconds=2.0), times=None))
    with pytest.raises(ApiUnavailableError, match="ReadTimeout"):
        tickers(api_of(server, read_seconds=0.2, attempts=2))


def test_r03_a_cut_connection_and_half_a_json_are_asked_again(server, api_of):
    server.faults.add(make_rest_fault(CutConnection(after_bytes=700), nth=2))
    api = api_of(server)
    assert tickers(api) == EXPECTED
    assert len(api.naps) == 1


def test_r03_a_refused_connection_is_reported(server, api_of):
    api = api_of(server)
    server.stop()
    with pytest.raises(ApiUnavailableError, match="ConnectError"):
        tickers(api)


def test_r04_pages_in_a_circle_are_refused(server, api_of):
    first = []

    def back(answer):
        first.append(answer["next_url"])
        answer["next_url"] = first[0]

    server.faults.add(make_rest_fault(Rewrite(back), times=None))
    with pytest.raises(ApiPaginationError, match="comes back to a page already read"):
        tickers(api_of(server))
    assert len(first) <= 3


def test_r04_pages_that_never_end_are_refused(server, api_of, monkeypatch):
    monkeypatch.setattr(rest, "MOST_PAGES", 5)
    with pytest.raises(ApiPaginationError, match="more than 5 pages"):
        tickers(api_of(server), limit=1)


@pytest.mark.parametrize(
    "lure",
    [
        "http://127.0.0.1:9/v3/snapshot/options/SPY?cursor=x",
        "https://api.massive.com.evil.tld/v3/snapshot/options/SPY?cursor=x",
        "https://evil.tld/v3/snapshot/options/SPY?cursor=x",
        "https://api.massive.com@evil.tld/v3/snapshot/options/SPY?cursor=x",
        "//evil.tld/v3/snapshot/options/SPY?cursor=x",
        "@evil.tld/v3/snapshot/options/SPY?cursor=x",
        "http://api.massive.com/v3/snapshot/options/SPY?cursor=x",
        "https://api.massive.com:8443/v3/snapshot/options/SPY?cursor=x",
        "https://api.massive.com/v3/snapshot/options/QQQ?cursor=x",
        "https://api.mässive.com/v3/snapshot/options/SPY?cursor=x",
        "https://[::1/v3/snapshot/options/SPY?cursor=x",
        "",
    ],
)
def test_r05_the_key_goes_to_the_configured_service_only(server, api_of, lure):
    asked = []

    def elsewhere(answer):
        asked.append(1)
        answer["next_url"] = lure

    server.faults.add(make_rest_fault(Rewrite(elsewhere), times=None))
    if not lure:
        assert len(tickers(api_of(server))) == 10  # no next page: that is the end
        return
    with pytest.raises(ApiPaginationError, match="not on with") as caught:
        tickers(api_of(server))
    assert (len(asked), caught.value.finding.rule) == (1, Rule.PAGINATION_BROKEN)


@pytest.mark.parametrize("base", ["https://api.massive.com", "https://api.polygon.io"])
def test_r05_the_vendors_own_name_in_next_url_is_asked_of_the_configured_service(server, api_of, base):
    server.rest.public_base = base
    assert tickers(api_of(server)) == EXPECTED


def test_r05_a_key_in_next_url_is_not_repeated(server, api_of):
    seen = []

    def with_key(answer):
        if "next_url" in answer:
            answer["next_url"] += "&apiKey=somebody-elses"

    server.faults.add(make_rest_fault(Rewrite(with_key), times=None))
    api = api_of(server)
    api._client.event_hooks["request"].append(lambda request: seen.append(str(request.url)))
    assert tickers(api) == EXPECTED
    assert len(seen) == 3
    assert not any("apiKey" in url for url in seen)


def test_a_redirect_is_not_followed(server, api_of):
    server.faults.add(make_rest_fault(Refuse(302)))
    with pytest.raises(ApiResponseError, match="a redirect"):
        tickers(api_of(server))


def test_r06_a_page_that_failed_is_asked_again_and_no_other(server, api_of):
    server.faults.add(make_rest_fault(Refuse(500), nth=3))
    assert tickers(api_of(server)) == EXPECTED
    assert server.rest.requests_served == 4  # three pages and one repetition


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}, ApiNotEntitledError),
        ({"status": "NOT_FOUND", "message": "Ticker not found."}, ApiNotFoundError),
        ({"status": "ERROR", "error": "Something went wrong."}, ApiUnavailableError),
        ({"status": "MAYBE"}, ApiResponseError),
        ({"status": None}, ApiResponseError),
    ],
)
def test_r10_a_refusal_inside_a_200_is_treated_as_a_refusal(server, api_of, change, error):
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.update(change)), times=None))
    with pytest.raises(error):
        tickers(api_of(server))


def test_r10_delayed_data_is_data(server, api_of):
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.update(status="DELAYED")), times=None))
    assert {page.is_delayed for page in api_of(server).fetch_pages(SPY, {"limit": 10}, PLACE)} == {True}


def test_r11_nanoseconds_do_not_pass_through_a_float(server, api_of):
    page = next(api_of(server).fetch_pages(SPY, {"limit": 1}, PLACE))
    assert page.results[0]["last_quote"]["last_updated"] == contract_rows(1)["quote_at_ns"][0]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, ApiKeyRefusedError), (403, ApiNotEntitledError), (404, ApiNotFoundError), (400, ApiRequestRefusedError)],
)
def test_r12_permanent_refusals_are_requested_once(server, api_of, status, error):
    fault = server.faults.add(make_rest_fault(Refuse(status), times=None))
    api = api_of(server)
    with pytest.raises(error) as caught:
        tickers(api)
    assert (fault.fired, api.naps, caught.value.is_transient) == (1, [], False)


def test_r12_a_wrong_key_is_refused_and_never_shown(server, api_of, caplog, capsys):
    api = api_of(server, key=SecretStr("wrong-" + KEY))
    with pytest.raises(ApiKeyRefusedError, match="Unknown API Key") as caught:
        tickers(api)
    everything = f"{caught.value}{caught.value.finding}{api!r}{vars(api)}{caplog.text}{capsys.readouterr()}"
    assert KEY not in everything


def test_r13_retries_of_a_broken_service_are_limited(server, api_of, monkeypatch):
    monkeypatch.setattr(rest, "RETRIES_IN_HAND", 3.0)
    server.faults.add(make_rest_fault(Refuse(500), times=None))
    api = api_of(server)
    for _ in range(4):
        with pytest.raises(ApiError):
            tickers(api)
    assert server.rest.requests_served == 4 + 3  # four questions, three repetitions between them


def test_a_body_packed_twice_is_refused_and_never_unpacked():
    bomb = gzip.compress(gzip.compress(bytes(64 << 20), 9), 9)

    def answer(_request):
        return httpx.Response(200, headers={"content-encoding": "gzip, gzip"}, stream=httpx.ByteStream(bomb))

    with (
        VendorApi(url="http://127.0.0.1:1", key=SecretStr("key"), transport=httpx.MockTransport(answer)) as api,
        pytest.raises(ApiResponseError, match="not offered"),
    ):
        tickers(api)


def test_a_packed_body_is_measured_as_it_is_unpacked():
    bomb = gzip.compress(bytes(rest.LARGEST_BODY + (1 << 20)), 9)

    def answer(request):
        assert request.headers["accept-encoding"] == "gzip"
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(bomb))

    with (
        VendorApi(url="http://127.0.0.1:1", key=SecretStr("key"), transport=httpx.MockTransport(answer)) as api,
        pytest.raises(ApiResponseError, match="larger than"),
    ):
        tickers(api)


@pytest.mark.parametrize(
    ("status", "error"), [(401, ApiKeyRefusedError), (429, ApiRateLimitedError), (503, ApiUnavailableError)]
)
@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, gzip"])
def test_a_refusal_is_what_its_status_says_however_its_body_is_coded(status, error, coding):
    def answer(_request):
        return httpx.Response(status, headers={"content-encoding": coding}, stream=httpx.ByteStream(b""))

    with (
        VendorApi(
            url="http://127.0.0.1:1", key=SecretStr("key"), attempts=1, transport=httpx.MockTransport(answer)
        ) as api,
        pytest.raises(error),
    ):
        tickers(api)


def test_a_proxy_never_sees_requests_to_this_machine(server, api_of, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert tickers(api_of(server))


def test_a_body_beyond_all_measure_is_not_read(server, api_of, monkeypatch):
    monkeypatch.setattr(rest, "LARGEST_BODY", 2_000)
    with pytest.raises(ApiResponseError, match="larger than"):
        tickers(api_of(server), limit=250)


def test_the_deadline_holds_for_all_pages_together(server, api_of):
    clock = iter(range(1_000))
    server.faults.add(make_rest_fault(Refuse(500), nth=3, times=None))
    api = api_of(server, monotonic=lambda: float(next(clock)), deadline_seconds=20.0)
    with pytest.raises(ApiUnavailableError):
        tickers(api)
    assert timedelta(seconds=next(clock)) < timedelta(seconds=40)
