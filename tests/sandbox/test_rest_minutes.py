"""Minutes of the running session as the sandbox serves them, read by the vendor's own client."""

import json
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from massive import RESTClient
from massive.exceptions import BadResponse
from urllib3.exceptions import MaxRetryError

from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours
from hd_pipelines.providers.massive.flat_files.layout import INDEX_MINUTE, STOCK_MINUTE
from hd_pipelines.sandbox.faults import Refuse, make_rest_fault
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.sandbox.rest.market import RecordedRest, SyntheticRest
from hd_pipelines.sandbox.rest.wire import RestPlan
from tests.support.rest import KEY, SESSION, api_of, chains_of

__all__ = ["api_of", "chains_of"]

OPENS = get_regular_hours(SESSION).opens_at
DAY_AFTER = datetime(2026, 5, 23, 16, tzinfo=UTC)


@pytest.fixture
def server(chains_of):
    server = chains_of(SyntheticRest(SESSION))
    server.rest.now = DAY_AFTER
    return server


def minutes(server, ticker="SPY", first=SESSION, last=SESSION, **options):
    """What the vendor's client makes of the answer."""
    client = RESTClient(KEY, base=server.url, retries=0)
    given = {"adjusted": False, "sort": "asc", "limit": 50_000} | options
    return list(client.list_aggs(ticker, 1, "minute", first, last, **given))


def asked(server, path):
    """Status and JSON of a plain GET."""
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {KEY}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def in_file(ticker, dataset=STOCK_MINUTE):
    return build_synthetic_session(7, SESSION, [dataset])[dataset].filter(ticker=ticker)


def test_a_session_that_is_over_reads_as_its_file_will(server):
    expected = in_file("SPY")
    received = minutes(server)
    assert [row.timestamp * 1_000_000 for row in received] == expected["window_start"].to_list()
    assert [(row.open, row.high, row.low, row.close) for row in received] == list(
        expected.select("open", "high", "low", "close").iter_rows()
    )
    assert [row.volume for row in received] == expected["volume"].to_list()
    assert [row.transactions for row in received] == expected["transactions"].to_list()


def test_an_index_has_neither_volume_nor_trades(server):
    received = minutes(server, "I:SPX")
    assert len(received) == in_file("I:SPX", INDEX_MINUTE).height == 390
    assert {(row.volume, row.vwap, row.transactions) for row in received} == {(None, None, None)}
    assert minutes(server, "SPX") == []  # the vendor answers an index under its plain symbol like that


def test_a_session_plays_minute_by_minute(server):
    seen = []
    for seconds in (0, 1, 59, 60, 61, 600):
        server.rest.now = OPENS + timedelta(seconds=seconds)
        seen.append(sum(row.timestamp >= OPENS.timestamp() * 1000 for row in minutes(server)))
    assert seen == [0, 1, 1, 1, 2, 10]


def test_the_forming_minute_is_not_what_it_will_be(server):
    server.rest.now = OPENS + timedelta(seconds=90)
    *_, forming = minutes(server)
    server.rest.now = OPENS + timedelta(seconds=121)
    final = next(row for row in minutes(server) if row.timestamp == forming.timestamp)
    assert forming.open == forming.high == forming.low == forming.close == final.open
    assert forming.volume < final.volume
    assert final.high > final.low


def test_a_delayed_plan_is_a_quarter_of_an_hour_behind_and_says_so(server):
    server.rest.plan = RestPlan(is_delayed=True)
    server.rest.now = OPENS + timedelta(minutes=20)
    newest = minutes(server)[-1]
    assert newest.timestamp == (OPENS + timedelta(minutes=4)).timestamp() * 1000
    assert asked(server, f"/v2/aggs/ticker/SPY/range/1/minute/{SESSION}/{SESSION}")[1]["status"] == "DELAYED"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [100, 389, 960])
def test_any_page_size_gives_the_same_session(server, limit, order):
    whole = sorted(row.timestamp for row in minutes(server, "I:SPX"))
    paged = [row.timestamp for row in minutes(server, "I:SPX", limit=limit, sort=order)]
    assert paged == sorted(whole, reverse=order == "desc")


def test_the_next_page_has_another_path_and_forgets_that_prices_are_unadjusted(server):
    _, page = asked(server, f"/v2/aggs/ticker/SPY/range/1/minute/{SESSION}/{SESSION}?adjusted=false&limit=10")
    assert page["adjusted"] is False
    assert f"/minute/{page['results'][-1]['t'] + 60_000}/{SESSION}?cursor=" in page["next_url"]
    assert KEY not in page["next_url"]
    _, following = asked(server, page["next_url"].removeprefix(server.url))
    assert following["adjusted"] is True


def test_prices_are_adjusted_for_later_splits_unless_asked_otherwise(server):
    before_the_split = date(2024, 6, 7)  # NVDA, ten for one on 2024-06-10
    (plain, *_), (adjusted, *_) = (
        minutes(server, "NVDA", before_the_split, before_the_split, adjusted=flag) for flag in (False, True)
    )
    assert adjusted.open == pytest.approx(plain.open / 10)
    assert adjusted.volume == pytest.approx(plain.volume * 10)


def test_times_in_milliseconds_cut_the_session(server):
    first = int(OPENS.timestamp() * 1000)
    received = minutes(server, "I:SPX", first, first + 9 * 60_000)
    assert [row.timestamp for row in received] == [first + minute * 60_000 for minute in range(10)]


@pytest.mark.parametrize("ticker", ["NOSUCH", "SPX", "O:SPY"])
def test_what_is_not_known_is_an_empty_200_without_results(server, ticker):
    status, answer = asked(server, f"/v2/aggs/ticker/{ticker}/range/1/minute/{SESSION}/{SESSION}")
    assert (status, answer["resultsCount"], "results" in answer) == (200, 0, False)


def test_closed_days_and_the_future_have_no_minutes(server):
    assert minutes(server, "SPY", date(2026, 5, 23), date(2026, 5, 25)) == []
    server.rest.now = OPENS - timedelta(days=1)
    assert minutes(server) == []


def test_without_a_set_clock_minutes_follow_the_real_one(server):
    server.rest.now = None
    today = datetime.now(UTC).astimezone(NEW_YORK).date()
    horizon = datetime.now(UTC).timestamp() * 1000
    assert all(row.timestamp <= horizon for row in minutes(server, "I:SPX", today - timedelta(days=7), today))
    assert minutes(server, "SPY", today + timedelta(days=1), today + timedelta(days=5)) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("SPY/range/1/minute/2026-05-22/2026-05-22?limit=50001", 400),
        ("SPY/range/1/minute/2026-05-22/2026-05-22?sort=up", 400),
        ("SPY/range/1/minute/2026-05-22/2026-05-22?cursor=%21%21", 400),
        ("SPY/range/1/minute/2026-13-22/2026-05-22", 400),
        ("SPY/range/1/minute/99999999999999999/2026-05-22", 400),
        ("SPY/range/5/minute/2026-05-22/2026-05-22", 404),
        ("SPY/range/1/hour/2026-05-22/2026-05-22", 404),
    ],
)
def test_what_cannot_be_answered_is_refused(server, path, status):
    answer_status, body = asked(server, "/v2/aggs/ticker/" + path)
    assert answer_status == status
    assert "results" not in body


def test_a_plan_without_indices_is_refused_theirs(server):
    server.rest.plan = RestPlan(has_indices=False)
    with pytest.raises(BadResponse, match="NOT_AUTHORIZED"):
        minutes(server, "I:SPX")
    assert minutes(server)


def test_faults_reach_minutes_too(server):
    server.faults.add(make_rest_fault(Refuse(429), "/v2/aggs/ticker/SPY/*"))
    with pytest.raises(MaxRetryError, match="429"):
        minutes(server)
    assert minutes(server)


def test_a_recording_plays_its_own_minutes(chains_of, shared_folder):
    recording = shared_folder / "recordings" / "minutes-2019-02"
    day = date(2019, 2, 12)
    server = chains_of(RecordedRest(recording))
    server.rest.now = get_regular_hours(day).closes_at + timedelta(hours=8)
    rows = pl.read_parquet(recording / "minute_bars.parquet").filter(
        pl.col("ticker") == "SPY", pl.col("window_start").dt.convert_time_zone("America/New_York").dt.date() == day
    )
    received = minutes(server, "SPY", day, day)
    assert len(received) == rows.height > 300
    assert [row.close for row in received] == rows.sort("window_start")["close"].to_list()
    server.rest.now = get_regular_hours(day).opens_at + timedelta(minutes=30, seconds=1)
    assert len([row for row in minutes(server, "SPY", day, day) if row.timestamp >= received[0].timestamp]) <= 31 + 330
    assert minutes(server, "NOSUCH", day, day) == []
