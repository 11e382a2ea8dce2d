"""Chains from the REST service: paging, and what the service omits, repeats or changes."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.providers.errors import (
    ApiNotEntitledError,
    ApiResponseError,
    ApiUnavailableError,
    FileRefusedError,
    ObjectPlace,
)
from hd_pipelines.providers.massive.rest import chain_snapshot
from hd_pipelines.providers.massive.rest.answers import read_page
from hd_pipelines.providers.massive.rest.chain_snapshot import build_chain_path, fetch_chain
from hd_pipelines.sandbox.faults import Rewrite, make_rest_fault
from hd_pipelines.sandbox.rest.wire import RestPlan
from hd_pipelines.tables.vocabulary import Rule, Severity, SnapshotKind
from tests.support.rest import CLOSE, SESSION, FixedMarket, contract_rows

NOW = CLOSE + timedelta(minutes=16, microseconds=250_000)
OPTIONAL_FIELDS = {
    "greeks": ["vendor_delta", "vendor_gamma", "vendor_theta", "vendor_vega"],
    "implied_volatility": ["vendor_iv"],
    "last_quote": ["bid", "ask", "bid_size", "ask_size", "quote_at"],
    "last_trade": ["last"],
    "day": ["volume"],
    "open_interest": ["open_interest"],
}


def fetched(api, underlying="SPY"):
    return fetch_chain(api, underlying, now=NOW, kind=SnapshotKind.CLOSE)


def rewritten(server, edit, *, path="*"):
    """Change every contract of every answer with `edit(contract, position)`."""

    def on_answer(answer):
        for position, contract in enumerate(answer["results"]):
            edit(contract, position)

    return server.faults.add(make_rest_fault(Rewrite(on_answer), path, times=None))


def test_all_pages_become_one_chain(chains_of, api_of, monkeypatch):
    monkeypatch.setattr(chain_snapshot, "PAGE_SIZE", 40)
    server = chains_of({"SPY": contract_rows(501)})
    fetch = fetched(api_of(server))
    chain = fetch.validated.chain
    assert dict(chain.schema) == dict(CHAIN)
    assert chain["ticker"].to_list() == contract_rows(501)["ticker"].to_list()
    assert (fetch.pages, fetch.validated.rows_set_aside, fetch.validated.findings) == (13, 0, ())
    assert chain["snapshot_at"].unique().to_list() == [NOW.replace(microsecond=0)]
    assert fetch.skew_seconds >= 0
    assert fetch.url == f"{server.url}/v3/snapshot/options/SPY?limit=40"


def test_any_page_size_gives_the_same_chain(chains_of, api_of, monkeypatch):
    market = FixedMarket({})
    api = api_of(chains_of(market))

    @settings(max_examples=25, deadline=None)
    @given(page_size=st.integers(1, 60), count=st.integers(1, 60))
    def whatever_the_size(page_size, count):
        market.chains = {"SPY": contract_rows(count)}
        chains = []
        for size in (page_size, 250):
            monkeypatch.setattr(chain_snapshot, "PAGE_SIZE", size)
            chains.append(fetched(api))
        assert chains[0].validated.chain.equals(chains[1].validated.chain)
        assert (chains[0].pages, chains[1].pages) == (-(-count // page_size), 1)

    whatever_the_size()


def test_values_arrive_as_they_were_sent(chains_of, api_of):
    rows = contract_rows(6)
    chain = fetched(api_of(chains_of({"SPY": rows}))).validated.chain
    same = ["ticker", "root", "expiration", "option_type", "strike", "bid", "ask", "last", "volume", "open_interest"]
    same += ["underlying_price", "vendor_iv", "vendor_delta", "bid_size", "exercise_style", "shares_per_contract"]
    assert chain.select(same).equals(rows.select(same))
    assert chain["quote_at"].dt.timestamp("us").to_list() == (rows["quote_at_ns"] // 1000).to_list()
    assert set(chain["source"]) == {"chain_snapshot"}


def test_open_interest_is_labelled_as_of_the_close_before(chains_of, api_of):
    chain = fetched(api_of(chains_of({"SPY": contract_rows(4)}))).validated.chain
    assert set(chain["open_interest_as_of"]) == {date(2026, 5, 21)}


def test_open_interest_of_a_tuesday_after_a_holiday_is_fridays(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(4)})
    after_memorial_day = NOW + timedelta(days=4)
    chain = fetch_chain(api_of(server), "SPY", now=after_memorial_day, kind=SnapshotKind.CLOSE).validated.chain
    assert set(chain["open_interest_as_of"]) == {date(2026, 5, 22)}


def test_an_index_is_asked_for_by_its_ticker_and_priced_by_value(chains_of, api_of):
    server = chains_of({"I:SPX": contract_rows(4, "I:SPX", exercise_style="european")})
    assert build_chain_path("SPX") == build_chain_path("I:SPX") == "/v3/snapshot/options/I:SPX"
    chain = fetched(api_of(server), "SPX").validated.chain
    assert set(chain["underlying"]) == {"I:SPX"}
    assert set(chain["underlying_price"]) == {523.4}
    assert set(chain["exercise_style"]) == {"european"}


def test_a_name_without_options_is_no_chain(chains_of, api_of):
    with pytest.raises(FileRefusedError, match="no contract") as caught:
        fetched(api_of(chains_of({"SPY": contract_rows(4)})), "ZZZZ")
    assert caught.value.finding.rule is Rule.NO_ROWS


@pytest.mark.parametrize("field", OPTIONAL_FIELDS)
@pytest.mark.parametrize("form", ["omitted", "null", "empty"])
def test_r08_fields_that_the_service_omits_are_null(chains_of, api_of, field, form):
    server = chains_of({"SPY": contract_rows(6)})

    def leave_out(contract, position):
        if position != 2:
            return
        if form == "omitted" or (form == "empty" and not isinstance(contract[field], dict)):
            del contract[field]
        else:
            contract[field] = None if form == "null" else {}

    rewritten(server, leave_out)
    fetch = fetched(api_of(server))
    nulls = {name for name, count in fetch.validated.chain.null_count().row(0, named=True).items() if count}
    assert nulls == set(OPTIONAL_FIELDS[field])
    assert (
        fetch.validated.chain.filter(pl.any_horizontal(pl.all().is_null()))["ticker"][0]
        == contract_rows(6)["ticker"][2]
    )
    assert fetch.validated.findings == ()


def test_r08_an_iv_of_zero_and_partial_greeks_are_no_answer(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(6)})

    def partly(contract, position):
        if position == 0:
            contract["implied_volatility"] = 0
            contract["greeks"] = {"delta": 0.7}

    rewritten(server, partly)
    first = fetched(api_of(server)).validated.chain.row(0, named=True)
    assert (first["vendor_iv"], first["vendor_delta"], first["vendor_gamma"]) == (None, 0.7, None)


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [(0, 0.05, (0.0, 0.05)), (0, 0, (None, None)), (1.2, 0, (1.2, None)), (1.3, 1.2, (1.3, 1.2))],
)
def test_r08_a_bid_of_zero_is_real_and_an_offer_of_zero_is_null(chains_of, api_of, bid, ask, expected):
    server = chains_of({"SPY": contract_rows(3)})
    rewritten(server, lambda contract, _: contract["last_quote"].update(bid=bid, ask=ask))
    assert set(fetched(api_of(server)).validated.chain.select("bid", "ask").iter_rows()) == {expected}


def test_plans_without_quotes_trades_or_prices_give_chains_without_them(chains_of, api_of):
    small = RestPlan(has_quotes=False, has_trades=False, has_underlying_prices=False, is_delayed=True)
    fetch = fetched(api_of(chains_of({"SPY": contract_rows(6)}, rest_plan=small)))
    for name in ("bid", "ask", "quote_at", "last", "underlying_price"):
        assert fetch.validated.chain[name].null_count() == 6
    assert fetch.is_delayed


def test_r07_new_fields_are_not_a_fault(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(3)})

    def more(contract, _):
        contract["moneyness"] = 0.98
        contract["details"]["settlement"] = {"type": "pm"}
        contract["greeks"]["rho"] = 0.1

    rewritten(server, more)
    assert fetched(api_of(server)).validated.chain.height == 3


def _renamed(contract, _):
    contract["details"]["strike"] = contract["details"].pop("strike_price")


def _as_text(contract, _):
    contract["last_quote"]["bid"] = str(contract["last_quote"]["bid"])


def _without_details(contract, _):
    del contract["details"]


def _float_stamp(contract, _):
    contract["last_quote"]["last_updated"] += 0.5


def _quote_of_other_names(contract, _):
    contract["last_quote"] = {"b": 1.0, "a": 1.1}


def _number_for_text(contract, _):
    contract["details"]["ticker"] = 17


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (_renamed, "details.strike_price"),
        (_as_text, "last_quote"),
        (_without_details, "details"),
        (_float_stamp, "last_quote"),
        (_quote_of_other_names, "last_quote"),
        (_number_for_text, "details.ticker"),
    ],
)
def test_r07_a_field_that_is_missing_renamed_or_of_another_type_stops_the_snapshot(chains_of, api_of, edit, field):
    server = chains_of({"SPY": contract_rows(30)})
    rewritten(server, edit)
    with pytest.raises(ApiResponseError) as caught:
        fetched(api_of(server))
    finding = caught.value.finding
    assert (finding.rule, finding.severity, finding.rows) == (Rule.RESPONSE_MALFORMED, Severity.ERROR, 30)
    assert field in finding.detail
    assert "523.4" not in finding.detail  # fields are named, values are not


def test_r07_an_answer_without_results_is_no_chain(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(3)})
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.pop("results"))))
    with pytest.raises(FileRefusedError, match="no contract"):
        fetched(api_of(server))


def test_r07_open_interest_missing_from_all_contracts_is_reported(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(30)})
    rewritten(server, lambda contract, _: contract.pop("open_interest"))
    with pytest.raises(ApiResponseError, match="no contract has an open_interest"):
        fetched(api_of(server))


def test_r07_half_a_contract_open_is_no_count(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(3)})
    rewritten(server, lambda contract, _: contract.update(open_interest=7.5))
    with pytest.raises(ApiResponseError, match="no whole number"):
        fetched(api_of(server))


def test_r07_a_chain_of_another_underlying_is_refused(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(3, "QQQ")})
    with pytest.raises(ApiResponseError, match="QQQ, not on SPY"):
        fetched(api_of(server))


def test_r09_a_contract_on_two_pages_comes_once_with_the_newest_quote(chains_of, api_of, monkeypatch):
    monkeypatch.setattr(chain_snapshot, "PAGE_SIZE", 10)
    server = chains_of({"SPY": contract_rows(30)})
    kept = []

    def again(answer):
        if not kept:
            kept.append(answer["results"][-1])
            return
        newer = {**kept[0], "last_quote": {**kept[0]["last_quote"], "bid": 9.0, "ask": 9.1}}
        newer["last_quote"]["last_updated"] += 1_000_000_000
        answer["results"] = [newer, *answer["results"]]

    server.faults.add(make_rest_fault(Rewrite(again), times=2))
    fetch = fetched(api_of(server))
    chain = fetch.validated.chain
    assert (chain.height, chain["ticker"].n_unique(), fetch.validated.rows_set_aside) == (30, 30, 1)
    assert chain.filter(ticker=kept[0]["details"]["ticker"])["bid"].to_list() == [9.0]
    assert [(found.rule, found.severity) for found in fetch.validated.findings] == [
        (Rule.CONTRACT_DUPLICATED, Severity.WARNING)
    ]


def test_incomplete_json_is_requested_again():
    with pytest.raises(ApiUnavailableError, match="no JSON"):
        read_page(b'{"status":"OK","results":[{"details":{"ti', CLOSE, ObjectPlace("option_chains", SESSION, "x"))


def test_a_chain_that_the_plan_does_not_include_is_reported_as_not_entitled(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(3)})
    server.faults.add(
        make_rest_fault(Rewrite(lambda answer: answer.update(status="NOT_AUTHORIZED", message="Please upgrade.")))
    )
    with pytest.raises(ApiNotEntitledError, match="Please upgrade") as caught:
        fetched(api_of(server))
    assert caught.value.finding.rule is Rule.OBJECT_NOT_ENTITLED


def test_there_is_no_chain_on_a_closed_day(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(3)})
    with pytest.raises(ValueError, match="2026-05-25 is no exchange session"):
        fetch_chain(api_of(server), "SPY", now=NOW + timedelta(days=3), kind=SnapshotKind.CLOSE)
    assert server.rest.requests_served == 0


def test_the_same_pages_have_the_same_fingerprint_and_others_another(chains_of, api_of):
    market = FixedMarket({"SPY": contract_rows(30)})
    server = chains_of(market)
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.update(request_id="same")), times=None))
    first, second = fetched(api_of(server)).sha256, fetched(api_of(server)).sha256
    market.chains = {"SPY": contract_rows(30, open_interest=1)}
    assert first == second != fetched(api_of(server)).sha256
