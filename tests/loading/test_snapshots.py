"""Snapshots of the moment: from the REST service to lake, record and findings; and the alarm for missed ones."""

import threading
from datetime import date, timedelta

import polars as pl
import pytest
from pydantic import SecretStr

from hd_pipelines.loading.inputs import chain_snapshots as loading_snapshots
from hd_pipelines.loading.inputs.chain_archive import refresh_chain_archive
from hd_pipelines.loading.inputs.chain_snapshots import settle_missed_snapshots, take_snapshot
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.providers.archive.chains import COLUMNS
from hd_pipelines.providers.errors import ApiKeyRefusedError
from hd_pipelines.sandbox.faults import CutConnection, Html, Refuse, Rewrite, make_rest_fault
from hd_pipelines.sandbox.market.chain_extent import Extent
from hd_pipelines.sandbox.rest.market import SyntheticRest
from hd_pipelines.tables.vocabulary import PriceSource, Rule, Severity, SnapshotKind
from hd_pipelines.warehouse.records.chains import read_recorded_chains
from tests.support.rest import CLOSE, SESSION, FixedMarket, contract_rows

NOW = CLOSE + timedelta(minutes=16)
OPENS = get_regular_hours(SESSION).opens_at
WATCHED = ["SPY", "SPX", "QQQ"]


@pytest.fixture
def market():
    return FixedMarket({name: contract_rows(60, name) for name in ("SPY", "I:SPX", "QQQ")})


@pytest.fixture
def server(chains_of, market):
    return chains_of(market)


@pytest.fixture
def take(installation, server, api_of):
    """One round of snapshots by a client of its own."""

    def round_of(underlyings=WATCHED, now=NOW, kind=SnapshotKind.CLOSE, **options):
        return take_snapshot(
            installation.database,
            installation.lake,
            api_of(server, **options),
            underlyings=underlyings,
            now=now,
            kind=kind,
        )

    return round_of


def records(installation):
    with installation.database.connect() as connection:
        return read_recorded_chains(connection, date(2020, 1, 2), date(2027, 1, 4))


def open_rules(installation):
    return sorted((found.rule, found.subject) for found in installation.findings())


def test_a_round_takes_every_chain_and_records_it(installation, take):
    report = take()
    assert report.taken == ("I:SPX", "QQQ", "SPY")
    assert (report.refused, report.contracts, report.pages, report.findings) == ((), 180, 3, ())
    assert report.snapshot_at == NOW
    assert {(one.underlying, one.snapshot_at, one.kind, one.source) for one in records(installation)} == {
        (name, NOW, SnapshotKind.CLOSE, PriceSource.CHAIN_SNAPSHOT) for name in report.taken
    }
    rows = installation.lake.chains.read(None, SESSION, SESSION, SnapshotKind.CLOSE)
    assert rows.height == 180
    assert set(rows["open_interest_as_of"]) == {date(2026, 5, 21)}


def test_the_same_snapshot_again_changes_nothing(installation, take):
    take()
    before = (
        installation.lake.chains.read(None, SESSION, SESSION),
        [(one.underlying, one.snapshot_at, one.contracts, one.completeness) for one in records(installation)],
    )
    take()
    assert installation.lake.chains.read(None, SESSION, SESSION).equals(before[0])
    assert [
        (one.underlying, one.snapshot_at, one.contracts, one.completeness) for one in records(installation)
    ] == before[1]
    assert len(installation.lake.chains.list_snapshots(SESSION, SESSION)) == 3


def test_snapshots_of_a_day_stand_beside_each_other(installation, take):
    for minutes in (15, 30, 45):
        take(now=OPENS + timedelta(minutes=minutes), kind=SnapshotKind.INTRADAY)
    take()
    assert len(installation.lake.chains.list_snapshots(SESSION, SESSION, ["SPY"])) == 4
    assert installation.lake.chains.read(["SPY"], SESSION, SESSION, SnapshotKind.CLOSE).height == 60


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (Refuse(500), Rule.OBJECT_UNAVAILABLE),
        (Refuse(429), Rule.OBJECT_UNAVAILABLE),
        (Refuse(403), Rule.OBJECT_NOT_ENTITLED),
        (Html(), Rule.RESPONSE_MALFORMED),
        (CutConnection(after_bytes=3000), Rule.OBJECT_UNAVAILABLE),
        (Rewrite(lambda answer: answer["results"][3]["details"].pop("strike_price")), Rule.RESPONSE_MALFORMED),
        (Rewrite(lambda answer: answer.update(results=[])), Rule.NO_ROWS),
        (
            Rewrite(lambda answer: answer["results"][3]["last_quote"].update(last_updated=2**63)),
            Rule.RESPONSE_MALFORMED,
        ),
        (Rewrite(lambda answer: answer["results"][3]["last_quote"].update(bid_size=1e300)), Rule.RESPONSE_MALFORMED),
        (Rewrite(lambda answer: answer["results"][3].update(open_interest=10**400)), Rule.RESPONSE_MALFORMED),
    ],
    ids=["500", "429", "403", "html", "cut", "drift", "empty", "beyond int64", "beyond counting", "beyond floats"],
)
def test_a_chain_that_cannot_be_fetched_is_reported_and_the_others_go_on(installation, server, take, fault, rule):
    server.faults.add(make_rest_fault(fault, "*/QQQ", times=None))
    report = take(attempts=2)
    assert (report.taken, report.refused) == (("I:SPX", "SPY"), ("QQQ",))
    assert open_rules(installation) == [(rule, "/v3/snapshot/options/QQQ")]
    assert [one.underlying for one in installation.lake.chains.list_snapshots(SESSION, SESSION)] == ["I:SPX", "SPY"]
    assert [error.finding.rule for error in report.errors] == [rule]

    server.faults.clear()
    assert take(["QQQ"], attempts=2).refused == ()
    assert installation.findings() == []


def test_a_snapshot_that_fails_on_a_later_page_publishes_nothing(installation, server, market, take):
    market.chains = {"SPY": contract_rows(900)}
    server.faults.add(make_rest_fault(Refuse(503), nth=4, times=None))
    report = take(["SPY"], attempts=2)
    assert (report.taken, report.refused, report.contracts) == ((), ("SPY",), 0)
    assert installation.lake.chains.list_snapshots(SESSION, SESSION) == []
    assert records(installation) == []
    assert not list((installation.folder.parent / "lake").rglob("*.parquet"))


def test_a_page_that_fails_once_costs_nothing(installation, server, market, take):
    market.chains = {"SPY": contract_rows(900)}
    server.faults.add(make_rest_fault(Refuse(503), nth=4, times=1))
    report = take(["SPY"])
    assert (report.taken, report.contracts, report.pages) == (("SPY",), 900, 4)
    assert server.rest.requests_served == 5


def test_a_kill_before_the_record_is_healed_by_the_next_round(installation, take, monkeypatch):
    def killed(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(loading_snapshots, "record_loaded_chains", killed)
        with pytest.raises(KeyboardInterrupt):
            take()
    assert records(installation) == []
    take()
    assert len(records(installation)) == 3
    assert len(installation.lake.chains.list_snapshots(SESSION, SESSION)) == 3


def test_an_error_that_nobody_thought_of_is_that_underlyings_finding(installation, take, monkeypatch):
    fetch = loading_snapshots.fetch_chain

    def fetch_some(api, ticker, **options):
        if ticker == "QQQ":
            raise OverflowError("int too large")
        return fetch(api, ticker, **options)

    monkeypatch.setattr(loading_snapshots, "fetch_chain", fetch_some)
    report = take()
    assert (report.taken, report.refused) == (("I:SPX", "SPY"), ("QQQ",))
    assert open_rules(installation) == [(Rule.RESPONSE_MALFORMED, "/v3/snapshot/options/QQQ")]
    assert "OverflowError" in installation.findings()[0].detail


def test_a_chain_that_cannot_be_kept_is_raised_after_the_others_were(installation, take, monkeypatch):
    publish = loading_snapshots.publish_chain

    def publish_some(lake, validated, *given):
        if validated.chain["underlying"][0] == "I:SPX":
            raise OSError("no space left on device")
        return publish(lake, validated, *given)

    monkeypatch.setattr(loading_snapshots, "publish_chain", publish_some)
    with pytest.raises(OSError, match="no space left"):
        take()
    assert [held.underlying for held in records(installation)] == ["QQQ", "SPY"]


def test_a_round_killed_while_one_chain_waits_has_recorded_the_others(installation, take, monkeypatch):
    fetch, others_are_recorded = loading_snapshots.fetch_chain, threading.Event()
    record = loading_snapshots.record_loaded_chains

    def fetch_some(api, ticker, **options):
        if ticker == "QQQ":  # as if it waited for a Retry-After of a minute
            assert others_are_recorded.wait(30)
            raise KeyboardInterrupt
        return fetch(api, ticker, **options)

    def count(*given, **options):
        done = record(*given, **options)
        if len(records(installation)) == 2:
            others_are_recorded.set()
        return done

    monkeypatch.setattr(loading_snapshots, "fetch_chain", fetch_some)
    monkeypatch.setattr(loading_snapshots, "record_loaded_chains", count)
    with pytest.raises(KeyboardInterrupt):
        take()
    assert [held.underlying for held in records(installation)] == ["I:SPX", "SPY"]


def test_a_wrong_key_stops_the_round_and_is_reported(installation, take):
    with pytest.raises(ApiKeyRefusedError):
        take(key=SecretStr("revoked"))
    assert {rule for rule, _ in open_rules(installation)} == {Rule.OBJECT_UNAVAILABLE}
    assert "revoked" not in str(installation.findings())


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (OPENS - timedelta(minutes=1), SnapshotKind.INTRADAY),
        (CLOSE - timedelta(seconds=1), SnapshotKind.CLOSE),
        (CLOSE, SnapshotKind.INTRADAY),
        (CLOSE + timedelta(days=1), SnapshotKind.CLOSE),
        (CLOSE + timedelta(days=3), SnapshotKind.INTRADAY),
    ],
)
def test_there_is_a_time_for_everything(installation, server, take, now, kind):
    with pytest.raises(ValueError, match=r"no moment for a snapshot|no exchange session"):
        take(now=now, kind=kind)
    assert server.rest.requests_served == 0


def test_completeness_is_measured_against_earlier_snapshots_of_the_same_kind(installation, market, take):
    for session in list_last_sessions(SESSION, 7)[:-1]:
        take(["SPY"], get_regular_hours(session).closes_at + timedelta(minutes=16))
    market.chains = {"SPY": contract_rows(30)}
    take(["SPY"], OPENS + timedelta(minutes=15), SnapshotKind.INTRADAY)
    assert records(installation)[-1].completeness is None
    take(["SPY"])
    assert records(installation)[-1].completeness == 0.5
    assert (Rule.CHAIN_INCOMPLETE, "SPY") in open_rules(installation)

    market.chains = {"SPY": contract_rows(60)}
    take(["SPY"])
    assert (Rule.CHAIN_INCOMPLETE, "SPY") not in open_rules(installation)


def test_stale_quotes_are_published_and_reported(installation, market, take):
    an_hour_old = int((NOW - timedelta(hours=1)).timestamp()) * 1_000_000_000
    market.chains = {"SPY": contract_rows(60, quote_at_ns=an_hour_old)}
    report = take(["SPY"])
    assert (report.taken, [found.rule for found in report.findings]) == (("SPY",), [Rule.CHAIN_STALE])


def test_missed_snapshots_are_reported_until_they_are_no_longer_missed(installation, take):
    sessions = list_last_sessions(SESSION, 2)
    later = NOW + timedelta(days=1)
    take(["SPY"])
    take(["SPY"], OPENS + timedelta(minutes=16), SnapshotKind.INTRADAY)

    findings = settle_missed_snapshots(installation.database, underlyings=["SPY", "SPX"], sessions=sessions, now=later)
    reported = {(found.subject, str(found.session)): (found.severity, found.rows) for found in findings}
    assert reported == {
        ("SPX", "2026-05-21"): (Severity.ERROR, 26),
        ("SPX", "2026-05-22"): (Severity.ERROR, 26),
        ("SPY", "2026-05-21"): (Severity.ERROR, 26),
        ("SPY", "2026-05-22"): (Severity.WARNING, 24),
    }
    assert len(installation.findings()) == 4

    closes = settle_missed_snapshots(
        installation.database, underlyings=["SPY", "SPX"], sessions=sessions, now=later, kinds=[SnapshotKind.CLOSE]
    )
    assert [(found.subject, str(found.session)) for found in closes] == [
        ("SPX", "2026-05-21"),
        ("SPY", "2026-05-21"),
        ("SPX", "2026-05-22"),
    ]
    assert len(installation.findings()) == 3


def test_a_missed_close_is_resolved_when_an_archive_supplies_it(installation, take, tmp_path):
    sessions, later = [SESSION], NOW + timedelta(days=1)
    alarm = {"underlyings": ["SPX"], "sessions": sessions, "now": later, "kinds": [SnapshotKind.CLOSE]}
    assert len(settle_missed_snapshots(installation.database, **alarm)) == len(installation.findings()) == 1
    rows = contract_rows(60, "I:SPX").with_columns(session=pl.lit(SESSION)).select(list(COLUMNS))
    (tmp_path / "archive" / "chains" / "SPX").mkdir(parents=True)
    rows.write_parquet(tmp_path / "archive" / "chains" / "SPX" / f"{SESSION}.parquet")
    refresh_chain_archive(
        installation.database, installation.lake, tmp_path / "archive", underlyings=["SPX"], sessions=sessions
    )
    assert settle_missed_snapshots(installation.database, **alarm) == []
    assert installation.findings() == []


def test_a_round_does_not_resolve_the_alarm_for_missed_snapshots(installation, take):
    settle_missed_snapshots(
        installation.database,
        underlyings=["SPY"],
        sessions=[SESSION],
        now=NOW + timedelta(days=1),
        kinds=[SnapshotKind.CLOSE],
    )
    take(["SPY"], OPENS + timedelta(minutes=15), SnapshotKind.INTRADAY)
    assert [rule for rule, _ in open_rules(installation)] == [Rule.SNAPSHOT_MISSED]


def test_the_synthetic_market_is_taken_whole_and_twice_the_same(installation, chains_of, api_of):
    server = chains_of(SyntheticRest(SESSION, extent=Extent.LIGHT))
    api = api_of(server)
    rounds = [
        take_snapshot(
            installation.database, installation.lake, api, underlyings=["SPX", "AMD"], now=NOW, kind=SnapshotKind.CLOSE
        )
        for _ in range(2)
    ]
    assert rounds[0].taken == rounds[1].taken == ("AMD", "I:SPX")
    assert [found.rule for found in rounds[0].findings] == [Rule.CONTRACT_ADJUSTED]
    rows = installation.lake.chains.read(None, SESSION, SESSION)
    assert rows.height == rounds[0].contracts == rounds[1].contracts
    assert set(rows.filter(underlying="I:SPX")["root"]) == {"SPX", "SPXW"}
    assert set(rows.filter(root="AMD1")["shares_per_contract"]) == {150.0}
    assert rows.select(pl.col("bid") == 0).sum().item() > 0
