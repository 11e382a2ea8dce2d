"""The sandbox's REST service, held to the vendor's protocol by the vendor's own client."""

import json
import urllib.error
import urllib.request
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from massive import RESTClient
from massive.exceptions import BadResponse

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.sandbox.faults import Refuse, make_rest_fault
from hd_pipelines.sandbox.market.chain_extent import Extent
from hd_pipelines.sandbox.market.chains import build_synthetic_chains
from hd_pipelines.sandbox.rest.market import RecordedRest, SyntheticRest
from hd_pipelines.sandbox.rest.wire import RestPlan
from hd_pipelines.sandbox.server import SandboxServer, SandboxStartError
from tests.support.rest import CLOSE, KEY, SESSION, FixedMarket, api_of, chains_of, contract_rows

__all__ = ["api_of", "chains_of"]


def official(server, **options):
    """The vendor's client, pointed at the sandbox."""
    return RESTClient(KEY, base=server.url, retries=0, **options)


def chain(server, underlying="SPY", **params):
    return list(official(server).list_snapshot_options_chain(underlying, params=params))


def asked(server, path, key=KEY):
    """Status and JSON of a plain GET."""
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_vendors_client_pages_through_a_whole_chain(chains_of):
    server = chains_of({"SPY": contract_rows(613)})
    contracts = chain(server, limit=250)
    assert [contract.details.ticker for contract in contracts] == contract_rows(613)["ticker"].to_list()
    assert server.rest.requests_served == 3


def test_the_vendors_client_reads_every_field(chains_of):
    (first, *_) = chain(chains_of({"SPY": contract_rows(4)}))
    row = contract_rows(4).row(0, named=True)
    assert (first.details.strike_price, first.details.contract_type, first.details.exercise_style) == (
        row["strike"],
        row["option_type"],
        "american",
    )
    assert (first.last_quote.bid, first.last_quote.ask, first.last_quote.bid_size) == (row["bid"], row["ask"], 5)
    assert first.last_quote.last_updated == row["quote_at_ns"]
    assert (first.greeks.delta, first.implied_volatility, first.open_interest) == (0.5, 0.2, row["open_interest"])
    assert (first.underlying_asset.ticker, first.underlying_asset.price) == ("SPY", 523.4)
    assert (first.last_trade.price, first.day.volume) == (row["last"], row["volume"])


def test_the_vendors_client_takes_the_synthetic_index_chain_of_the_last_close(chains_of):
    server = chains_of(SyntheticRest(SESSION, extent=Extent.LIGHT))
    contracts = chain(server, "I:SPX", limit=250)
    expected = build_synthetic_chains(7, CLOSE, ["SPX"], Extent.LIGHT)
    assert [contract.details.ticker for contract in contracts] == expected["ticker"].to_list()
    assert [contract.open_interest for contract in contracts] == expected["open_interest"].to_list()
    assert [contract.implied_volatility for contract in contracts] == expected["vendor_iv"].to_list()
    assert {contract.details.exercise_style for contract in contracts} == {"european"}
    without_greeks = [contract for contract in contracts if contract.implied_volatility is None]
    assert without_greeks
    assert all(contract.greeks is None or contract.greeks.delta is None for contract in without_greeks)


def test_an_index_under_its_plain_symbol_is_an_empty_200(chains_of):
    server = chains_of(SyntheticRest(SESSION, extent=Extent.SPARSE))
    assert chain(server, "SPX") == []
    assert chain(server, "I:SPX") != []


def test_filters_order_and_default_page(chains_of):
    server = chains_of({"SPY": contract_rows(40)})
    status, page = asked(server, "/v3/snapshot/options/SPY")
    assert (status, len(page["results"]), "next_url" in page) == (200, 10, True)
    calls = chain(server, contract_type="call", **{"strike_price.gte": 505, "strike_price.lt": 508})
    assert [(one.details.strike_price, one.details.contract_type) for one in calls] == [
        (505, "call"),
        (506, "call"),
        (507, "call"),
    ]
    down = chain(server, sort="strike_price", order="desc", limit=7)
    assert [one.details.strike_price for one in down] == sorted(contract_rows(40)["strike"], reverse=True)
    assert chain(server, expiration_date="2026-06-18") == []


def test_any_page_size_gives_the_same_chain(chains_of):
    market = FixedMarket({})
    server = chains_of(market)

    @settings(max_examples=15, deadline=None)
    @given(count=st.integers(1, 80), limit=st.integers(1, 250))
    def whatever_the_size(count, limit):
        market.chains = {"SPY": contract_rows(count)}
        tickers = [contract.details.ticker for contract in chain(server, limit=limit)]
        assert tickers == contract_rows(count)["ticker"].to_list()

    whatever_the_size()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3/snapshot/options/SPY?limit=251", 400),
        ("/v3/snapshot/options/SPY?limit=0", 400),
        ("/v3/snapshot/options/SPY?limit=many", 400),
        ("/v3/snapshot/options/SPY?sort=delta", 400),
        ("/v3/snapshot/options/SPY?order=up", 400),
        ("/v3/snapshot/options/SPY?cursor=nonsense", 400),
        ("/v3/snapshot/options/SPY?strike_price.gte=high", 400),
        ("/v3/snapshot/options/SPY?expiration_date=tomorrow", 400),
        ("/v3/snapshot/options/SPY/O:SPY260619C00999000", 404),
        ("/v3/snapshot/nothing", 404),
        ("/fed/v1/treasury-yields?date.gte=soon", 400),
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_vendors_words(chains_of, path, status):
    answer_status, body = asked(chains_of({"SPY": contract_rows(4)}), path)
    assert answer_status == status
    assert body["status"] in {"ERROR", "NOT_FOUND"}
    assert "results" not in body


def test_a_single_contract_is_an_object(chains_of):
    _, body = asked(chains_of({"SPY": contract_rows(4)}), "/v3/snapshot/options/SPY/O:SPY260619C00500000")
    assert body["results"]["details"]["ticker"] == "O:SPY260619C00500000"


def test_the_key_is_asked_for_in_header_or_query(chains_of):
    server = chains_of({"SPY": contract_rows(4)})
    status, body = asked(server, "/v3/snapshot/options/SPY", key=None)
    assert (status, body["status"], body["error"]) == (401, "ERROR", "API Key was not provided")
    assert asked(server, "/v3/snapshot/options/SPY", key="wrong")[1]["error"] == "Unknown API Key"
    assert asked(server, f"/v3/snapshot/options/SPY?apiKey={KEY}", key=None)[0] == 200


def test_next_url_never_holds_the_key(chains_of):
    _, body = asked(chains_of({"SPY": contract_rows(40)}), f"/v3/snapshot/options/SPY?apiKey={KEY}", key=None)
    assert KEY not in body["next_url"]


def test_the_vendors_client_hears_of_faults(chains_of):
    server = chains_of({"SPY": contract_rows(40)})
    server.faults.add(make_rest_fault(Refuse(403), nth=2))
    with pytest.raises(BadResponse, match="NOT_AUTHORIZED"):
        chain(server, limit=10)


def test_a_plan_shows_what_it_includes(chains_of):
    plan = RestPlan(has_quotes=False, has_trades=False, has_underlying_prices=False, has_indices=False, is_delayed=True)
    server = chains_of({"SPY": contract_rows(4)}, rest_plan=plan)
    _, body = asked(server, "/v3/snapshot/options/SPY")
    assert body["status"] == "DELAYED"
    for contract in body["results"]:
        assert {"last_quote", "last_trade"}.isdisjoint(contract)
        assert {"price", "value"}.isdisjoint(contract["underlying_asset"])
    assert asked(server, "/v3/snapshot/indices")[0] == 403


def test_indices_tell_what_they_do_not_know_inside_a_200(chains_of):
    server = chains_of(FixedMarket({}))
    found = list(official(server).get_snapshot_indices(["I:SPX", "I:NONE"]))
    assert (found[0].ticker, found[0].value, found[0].session.previous_close) == ("I:SPX", 5234.5, 5210.0)
    assert (found[1].ticker, found[1].error) == ("I:NONE", "NOT_FOUND")


def test_the_clock_of_the_service_can_be_set(chains_of):
    server = chains_of(SyntheticRest(SESSION, extent=Extent.SPARSE))
    prices = set()
    for minutes in (0, 30, 200):
        server.rest.now = get_regular_hours(SESSION).opens_at + timedelta(minutes=minutes)
        prices.add(chain(server, "AAPL", limit=5)[0].underlying_asset.price)
    assert len(prices) == 3


def test_before_the_open_the_last_close_is_shown(chains_of):
    server = chains_of(SyntheticRest(SESSION, extent=Extent.SPARSE))
    before = list_last_sessions(SESSION, 2)[0]
    server.rest.now = get_regular_hours(SESSION).opens_at - timedelta(hours=1)
    expected = build_synthetic_chains(7, get_regular_hours(before).closes_at, ["AAPL"], Extent.SPARSE)
    assert [one.details.ticker for one in chain(server, "AAPL")] == expected["ticker"].to_list()


def test_yields_come_by_day_and_window(chains_of):
    server = chains_of(SyntheticRest(SESSION))
    _, body = asked(server, "/fed/v1/treasury-yields?date.gte=2026-05-18&date.lte=2026-05-26&limit=3")
    assert [row["date"] for row in body["results"]] == ["2026-05-18", "2026-05-19", "2026-05-20"]
    _, rest = asked(server, body["next_url"].removeprefix(server.url))
    assert [row["date"] for row in rest["results"]] == ["2026-05-21", "2026-05-22"]


def test_a_recording_is_served_as_it_was(chains_of, shared_folder):
    recording = shared_folder / "recordings" / "spx-2019q2"
    server = chains_of(RecordedRest(recording))
    assert server.rest.market.last_moment() == get_regular_hours(date(2019, 6, 28)).closes_at
    server.rest.now = get_regular_hours(date(2019, 5, 1)).closes_at
    contracts = chain(server, "I:SPX", limit=250, expiration_date="2019-05-17")
    assert contracts
    assert {contract.details.ticker[2:5] for contract in contracts} == {"SPX"}
    server.rest.now = get_regular_hours(date(2019, 5, 10)).closes_at
    assert chain(server, "I:SPX") == []


def test_a_server_without_a_market_has_no_rest_service(tmp_path):
    with SandboxServer(tmp_path / "bucket") as server, pytest.raises(SandboxStartError, match="no REST service"):
        _ = server.rest
