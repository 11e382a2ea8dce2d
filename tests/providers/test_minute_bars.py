"""Minutes of the running session from the vendor's aggregates: what is taken, what is left for later, what is refused."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, get_regular_hours
from hd_pipelines.providers.errors import (
    ApiError,
    ApiKeyRefusedError,
    ApiNotEntitledError,
    ApiPaginationError,
    ApiRateLimitedError,
    ApiResponseError,
    ApiUnavailableError,
)
from hd_pipelines.providers.massive.flat_files.layout import INDEX_MINUTE, STOCK_MINUTE
from hd_pipelines.providers.massive.rest import minute_bars
from hd_pipelines.providers.massive.rest.minute_bars import CLOCK_TOLERANCE, MINUTES, fetch_minutes
from hd_pipelines.sandbox.faults import CutConnection, Html, Refuse, Rewrite, make_rest_fault
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.sandbox.rest.market import SyntheticRest
from hd_pipelines.sandbox.rest.wire import RestPlan
from hd_pipelines.tables.vocabulary import Rule
from tests.support.rest import KEY, SESSION, FixedMarket

HOURS = get_regular_hours(SESSION)
OPENS = HOURS.opens_at
HALF_PAST = OPENS + timedelta(minutes=30, seconds=10)


@pytest.fixture
def server(chains_of):
    return chains_of(SyntheticRest(SESSION))


@pytest.fixture
def fetch(server, api_of):
    """Ask at a moment of the service's clock, which is ours too unless `service` is another one."""

    def ask(symbol="SPY", now=HALF_PAST, service=None, **options):
        server.rest.now = service or now
        return fetch_minutes(api_of(server, now=lambda: now, **options), symbol, now=now)

    return ask


def in_file(ticker, dataset=STOCK_MINUTE):
    return build_synthetic_session(7, SESSION, [dataset])[dataset].filter(ticker=ticker)


def regular(fetched):
    return fetched.minutes.filter(pl.col("window_start") >= HOURS.opens_at_ns)


def rewritten(change, row=-3):
    """An answer in which one row is changed."""
    return make_rest_fault(Rewrite(lambda answer: change(answer["results"][row])), "/v2/aggs/*", times=None)


def test_minutes_are_those_of_the_file_that_will_come(fetch):
    fetched = fetch(now=HOURS.closes_at + timedelta(hours=5))
    expected = in_file("SPY").select(MINUTES.names())
    assert fetched.minutes.equals(expected)
    assert (fetched.findings, fetched.forming, fetched.pages) == ((), 0, 1)


def test_an_index_is_asked_for_by_its_ticker_and_has_no_volume(fetch):
    fetched = fetch("SPX", now=HOURS.closes_at + timedelta(minutes=1))
    assert (fetched.symbol, fetched.ticker) == ("SPX", "I:SPX")
    assert fetched.minutes["close"].to_list() == in_file("I:SPX", INDEX_MINUTE)["close"].to_list()
    assert fetched.minutes.select("volume", "transactions").null_count().row(0) == (390, 390)


@pytest.mark.parametrize(
    ("seconds", "finished", "forming"),
    [(61, 0, 2), (62, 1, 1), (119, 1, 1), (120, 1, 1), (121, 1, 2), (122, 2, 1)],
)
def test_a_minute_is_taken_when_it_is_over_and_the_clocks_agree_that_it_is(fetch, seconds, finished, forming):
    assert timedelta(seconds=2) == CLOCK_TOLERANCE
    fetched = fetch(now=OPENS + timedelta(seconds=seconds))
    assert (regular(fetched).height, fetched.forming) == (finished, forming)


def test_what_is_taken_of_a_minute_never_changes(fetch):
    taken: dict[int, tuple] = {}
    for second in range(55, 400, 7):
        for row in fetch(now=OPENS + timedelta(seconds=second)).minutes.iter_rows(named=True):
            values = tuple(row.values())
            assert taken.setdefault(row["window_start"], values) == values


def test_a_delayed_plan_is_read_on_its_own_clock(fetch, server):
    server.rest.plan = RestPlan(is_delayed=True)
    fetched = fetch()
    assert fetched.is_delayed
    last = HOURS.opens_at_ns + 14 * NANOSECONDS_PER_MINUTE  # the minute after it is forming a quarter of an hour ago
    assert (fetched.minutes["window_start"].max(), fetched.forming) == (last, 1)


@pytest.mark.parametrize("says_so", [True, False])
def test_what_is_taken_of_a_delayed_minute_never_changes(fetch, server, says_so):
    server.rest.plan = RestPlan(is_delayed=True)
    if not says_so:
        server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.update(status="OK")), "/v2/*", times=None))
    taken: dict[int, tuple] = {}
    for second in range(900, 1200, 7):
        for row in fetch(now=OPENS + timedelta(seconds=second)).minutes.iter_rows(named=True):
            values = tuple(row.values())
            assert taken.setdefault(row["window_start"], values) == values
    assert max(taken) >= HOURS.opens_at_ns + 3 * NANOSECONDS_PER_MINUTE


def test_a_delayed_session_is_whole_sixteen_minutes_after_its_close(fetch, server):
    server.rest.plan = RestPlan(is_delayed=True)
    assert fetch("SPX", now=HOURS.closes_at + timedelta(minutes=16)).minutes.height == 390


def test_an_unknown_symbol_has_no_minutes_and_is_no_error(fetch):
    fetched = fetch("NOSUCH")
    assert (fetched.minutes.height, fetched.minutes.schema, fetched.findings) == (0, MINUTES, ())


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda row: row.update(t=row["t"] - 86_400_000), Rule.FOREIGN_DATE),
        (lambda row: row.update(t=row["t"] + 1), Rule.TIME_NOT_ON_MINUTE),
        (lambda row: row.update(h=row["l"] / 2), Rule.HIGH_BELOW_LOW),
        (lambda row: row.update(c=row["h"] + 1), Rule.PRICE_OUTSIDE_RANGE),
        (lambda row: row.update(o=0, l=0), Rule.PRICE_NOT_POSITIVE),
        (lambda row: row.update(v=-1), Rule.VOLUME_NEGATIVE),
        (lambda row: row.update(n=-1), Rule.VOLUME_NEGATIVE),
        (lambda row: row.update(t=row["t"] + 60_000), Rule.KEY_CONFLICTING),
    ],
)
def test_a_row_that_breaks_a_rule_is_set_aside_and_reported(fetch, server, change, rule):
    whole = fetch()
    server.faults.add(rewritten(change))
    fetched = fetch()
    (finding,) = fetched.findings
    assert (finding.rule, finding.subject, finding.session, finding.dataset) == (rule, "SPY", SESSION, "live_bars")
    lost = 2 if rule is Rule.KEY_CONFLICTING else 1
    assert fetched.minutes.height + fetched.forming == whole.minutes.height + whole.forming - lost
    assert fetched.minutes.join(whole.minutes, on=MINUTES.names(), how="anti", nulls_equal=True).is_empty()


def test_a_row_that_comes_twice_is_kept_once(fetch, server):
    whole = fetch()
    server.faults.add(
        make_rest_fault(Rewrite(lambda answer: answer["results"].append(answer["results"][-5])), "/v2/*", times=None)
    )
    fetched = fetch()
    assert {finding.rule for finding in fetched.findings} == {Rule.ROW_DUPLICATED, Rule.ROWS_OUT_OF_ORDER}
    assert fetched.minutes.equals(whole.minutes)


def test_rows_in_another_order_are_put_in_order(fetch, server):
    whole = fetch()
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer["results"].reverse()), "/v2/*", times=None))
    fetched = fetch()
    assert [finding.rule for finding in fetched.findings] == [Rule.ROWS_OUT_OF_ORDER]
    assert fetched.minutes.equals(whole.minutes)


def test_minutes_that_begin_later_than_our_clock_are_set_aside(fetch):
    fetched = fetch(service=HALF_PAST + timedelta(minutes=3))
    (finding,) = fetched.findings
    assert (finding.rule, finding.rows) == (Rule.TIME_AHEAD_OF_CLOCK, 3)
    assert regular(fetched).height == 30


def test_a_slow_answer_that_knows_later_minutes_is_cut_and_not_blamed(server, api_of):
    server.rest.now = HALF_PAST + timedelta(minutes=3)
    late = api_of(server, now=lambda: HALF_PAST + timedelta(minutes=3))
    fetched = fetch_minutes(late, "SPY", now=HALF_PAST)
    assert (fetched.findings, regular(fetched).height) == ((), 30)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.pop("c"),
        lambda row: row.pop("v"),
        lambda row: row.update(c="523.4"),
        lambda row: row.update(c=None),
        lambda row: row.update(t=float(row["t"])),
        lambda row: row.update(t=row["t"] * 1_000_000),  # nanoseconds, as in files
        lambda row: row.update(t=True),
        lambda row: row.update(n=1.5),
    ],
    ids=["no close", "no volume", "text", "null", "float time", "nanoseconds", "boolean", "half a trade"],
)
def test_an_answer_of_another_form_is_refused_whole(fetch, server, change):
    server.faults.add(rewritten(change))
    with pytest.raises(ApiResponseError) as caught:
        fetch()
    assert caught.value.finding.rule is Rule.RESPONSE_MALFORMED
    assert "523.4" not in str(caught.value)


@pytest.mark.parametrize(
    "about", [{"ticker": "QQQ"}, {"adjusted": True}, {"adjusted": None}], ids=["another", "adjusted", "unsaid"]
)
def test_an_answer_about_something_else_is_refused(fetch, server, about):
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.update(about)), "/v2/*", times=None))
    with pytest.raises(ApiResponseError):
        fetch()


def test_unadjusted_prices_are_asked_for(server, api_of):
    before_the_split = date(2024, 6, 7)  # NVDA, ten for one on 2024-06-10
    server.rest.now = get_regular_hours(SESSION).closes_at
    now = get_regular_hours(before_the_split).opens_at + timedelta(minutes=10)
    fetched = fetch_minutes(api_of(server), "NVDA", now=now)
    files = build_synthetic_session(7, before_the_split, [STOCK_MINUTE])[STOCK_MINUTE].filter(ticker="NVDA")
    assert fetched.minutes["close"].to_list() == files["close"].to_list()[: fetched.minutes.height]


def test_too_many_bad_rows_refuse_the_answer(fetch, server):
    def all_wrong(answer):
        for row in answer["results"][:20]:
            row["h"] = row["l"] / 2

    server.faults.add(make_rest_fault(Rewrite(all_wrong), "/v2/*", times=None))
    with pytest.raises(ApiResponseError) as caught:
        fetch()
    assert (caught.value.finding.rule, caught.value.finding.rows) == (Rule.HIGH_BELOW_LOW, 20)


def test_pages_are_followed_to_their_own_paths_and_stay_unadjusted(fetch, server, monkeypatch):
    whole = fetch()
    monkeypatch.setattr(minute_bars, "PAGE_SIZE", 37)
    fetched = fetch()
    assert fetched.pages > 5
    assert fetched.minutes.equals(whole.minutes)


@pytest.mark.parametrize(
    "lure",
    [
        "{base}/v2/aggs/ticker/QQQ/range/1/minute/2026-05-22/2026-05-22?cursor=a",
        "{base}/v2/aggs/ticker/SPY/range/5/minute/2026-05-22/2026-05-22?cursor=a",
        "{base}/v2/aggs/ticker/SPY/range/1/minute/2026-05-22/../../x?cursor=a",
        "{base}/v3/snapshot/options/SPY?cursor=a",
        "http://127.0.0.2/v2/aggs/ticker/SPY/range/1/minute/2026-05-22/2026-05-22?cursor=a",
    ],
)
def test_pages_that_lead_elsewhere_are_not_followed(fetch, server, lure):
    target = lure.format(base=server.url)
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.update(next_url=target)), "/v2/*", times=None))
    with pytest.raises(ApiPaginationError):
        fetch()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Refuse(429), ApiRateLimitedError),
        (Refuse(500), ApiUnavailableError),
        (CutConnection(after_bytes=500), ApiUnavailableError),
        (Html(), ApiUnavailableError),
        (Refuse(403), ApiNotEntitledError),
        (Refuse(401), ApiKeyRefusedError),
    ],
    ids=["429", "500", "cut", "html", "403", "401"],
)
def test_what_cannot_be_had_is_asked_again_if_that_may_help(fetch, server, fault, error):
    once = server.faults.add(make_rest_fault(fault, "/v2/*", times=1))
    if error in {ApiNotEntitledError, ApiKeyRefusedError}:
        with pytest.raises(error):
            fetch()
    else:
        assert fetch().minutes.height
        server.faults.add(make_rest_fault(fault, "/v2/*", times=None))
        with pytest.raises(error) as caught:
            fetch(attempts=2)
        assert caught.value.is_transient
    assert once.fired == 1


def test_no_minute_is_waited_for_longer_than_the_next_one_takes(fetch, server):
    server.faults.add(make_rest_fault(Refuse(429, retry_after_seconds=50), "/v2/*", times=None))
    with pytest.raises(ApiRateLimitedError):
        fetch()
    assert server.rest.requests_served == 1


def test_the_key_is_in_no_message(fetch, server):
    for fault in (Refuse(401), Refuse(403), Html()):
        server.faults.clear()
        server.faults.add(make_rest_fault(fault, "/v2/*", times=None))
        with pytest.raises(ApiError) as caught:
            fetch(attempts=1)
        assert KEY not in str(caught.value)


def test_a_closed_day_has_no_minutes(server, api_of):
    with pytest.raises(ValueError, match="no exchange session"):
        fetch_minutes(api_of(server), "SPY", now=OPENS + timedelta(days=1))


def test_any_rows_give_ordered_unique_sound_minutes_or_a_refusal(chains_of, api_of):
    market = FixedMarket({})
    server = chains_of(market)
    server.rest.now = now = HALF_PAST
    api = api_of(server, now=lambda: now)
    rows = in_file("SPY").head(40)

    @settings(max_examples=40, deadline=None)
    @given(
        order=st.permutations(range(40)),
        broken=st.dictionaries(st.integers(0, 39), st.sampled_from(["high", "low", "open", "volume"]), max_size=4),
    )
    def whatever_comes(order, broken):
        changed = rows.with_row_index("row").with_columns(
            pl.when(pl.col("row").is_in([row for row, name in broken.items() if name == column]))
            .then(-pl.col(column))
            .otherwise(column)
            .alias(column)
            for column in ("high", "low", "open", "volume")
        )
        market.minute_rows = {"SPY": changed.drop("row")[list(order)]}
        fetched = fetch_minutes(api, "SPY", now=now)
        stamps = fetched.minutes["window_start"].to_list()
        assert stamps == sorted(set(stamps))
        assert fetched.minutes.height == 40 - len(broken)
        assert fetched.minutes.filter((pl.col("low") <= 0) | (pl.col("high") < pl.col("low"))).is_empty()

    whatever_comes()
