"""Bars of the running session: played minute by minute from the sandbox into the warehouse, and replaced by files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from functools import partial

import polars as pl
import pytest
from pydantic import SecretStr

from hd_pipelines.loading.derived.bars import derive_bars
from hd_pipelines.loading.inputs import live_bars
from hd_pipelines.loading.inputs.live_bars import add_volume_proxies, refresh_live_bars, select_finished_bars
from hd_pipelines.market.bars import MINUTES
from hd_pipelines.market.live_times import PATIENCE
from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.providers.errors import ApiKeyRefusedError
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, INDEX_MINUTE, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.sandbox.faults import CutConnection, Html, Refuse, Rewrite, make_rest_fault
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.sandbox.rest.market import SyntheticRest
from hd_pipelines.sandbox.rest.wire import RestPlan
from hd_pipelines.tables.vocabulary import Rule, Timeframe
from hd_pipelines.warehouse.publish.live_bars import is_live
from hd_pipelines.warehouse.read.bars import find_newest_session
from tests.support.installation import vendor_object
from tests.support.rest import KEY, SESSION

HOURS = get_regular_hours(SESSION)
OPENS, CLOSES = HOURS.opens_at, HOURS.closes_at
HALF_DAY = date(2025, 11, 28)
WATCHED = ["AAPL", "SPX", "SPY"]
BARS = "select symbol, timeframe, timestamp, session, open, high, low, close, volume, vwap, trades from historical_bars"


def at(minutes: float, session: date = SESSION):
    """That many minutes after the open, and five seconds."""
    return get_regular_hours(session).opens_at + timedelta(minutes=minutes, seconds=5)


@pytest.fixture
def server(chains_of):
    return chains_of(SyntheticRest(SESSION))


@pytest.fixture
def play(installation, server, api_of):
    """One round at a moment that is the service's and ours."""

    def round_at(now, symbols=WATCHED, **options):
        server.rest.now = now
        api = api_of(server, now=lambda: now, **options)
        return refresh_live_bars(installation.database, api, symbols=symbols, now=now, run_id=f"at {now:%H:%M}")

    return round_at


def counts(installation, symbol="SPY"):
    """Bars by timeframe."""
    return dict(
        installation.table(
            "select timeframe, count(*) from historical_bars where symbol = %s group by timeframe", symbol
        )
    )


def manifest(installation):
    return installation.table("select symbol, session, fingerprint, rows from bars_manifest order by 1, 2")


def deliver(installation, datasets=(STOCK_MINUTE, INDEX_MINUTE, STOCK_DAY, INDEX_DAY), change=lambda frame: frame):
    """Next morning: the session's files come, into the lake."""
    for dataset, rows in build_synthetic_session(7, SESSION, datasets).items():
        known = rows.filter(pl.col("ticker").is_in(["AAPL", "I:SPX", "SPY"])).select(dataset.columns)
        installation.land(dataset, SESSION, vendor_object(change(known), dataset, SESSION))
    installation.to_lake([SESSION])


def open_rules(installation):
    return sorted((finding.rule, finding.subject) for finding in installation.findings())


def test_an_index_has_the_fund_whose_volume_it_borrows():
    assert add_volume_proxies(["SPX", "AAPL"]) == ["AAPL", "SPX", "SPY"]
    assert add_volume_proxies(["NDX", "RUT", "QQQ", "VIX"]) == ["IWM", "NDX", "QQQ", "RUT", "VIX"]


def test_a_round_adds_the_minutes_that_ended(installation, play):
    report = play(at(7))
    assert (report.changed, report.refused, report.from_files, report.findings) == (tuple(WATCHED), (), (), ())
    assert (report.rows_added, report.rows_corrected) == (3 * 8, 0)
    assert report.until == OPENS + timedelta(minutes=7)
    assert report.delay_minutes == {symbol: pytest.approx(5 / 60) for symbol in WATCHED}
    assert counts(installation) == {"1m": 7, "5m": 1}
    assert all(is_live(mark) and "T13:37Z-" in mark for _, _, mark, _ in manifest(installation))
    assert installation.table("select distinct run_id from bars_manifest") == [(f"at {at(7):%H:%M}",)]


def test_a_session_played_minute_by_minute_is_what_its_files_give(installation, play):
    """The bars of the platform do not depend on the way they came: a signal seen live is seen in a later scan."""
    added = sum(play(at(minute), ["SPY", "SPX"]).rows_added for minute in (*range(1, 391, 13), 390, 391, 406))
    live = installation.table(BARS + " order by 1, 2, 3")
    assert added == len(live) == 2 * (390 + 78 + 26 + 7 + 2)
    deliver(installation)
    installation.to_bars([SESSION], symbols=["SPY", "SPX"])
    from_files = installation.table(BARS + " where timeframe not in ('day', 'week') order by 1, 2, 3")
    assert from_files == live


@pytest.mark.parametrize("minute", [1, 4, 5, 14, 15, 59, 60, 239, 240, 241, 389])
def test_a_bar_that_is_still_forming_is_not_published(installation, play, minute):
    play(at(minute))
    lengths = {Timeframe.M1: 1, **MINUTES}
    expected = {timeframe.value: minute // length for timeframe, length in lengths.items() if minute >= length}
    assert counts(installation) == expected
    assert counts(installation, "SPX") == expected


def test_the_last_bars_end_with_the_session_and_no_day_bar_is_made_of_minutes(installation, play):
    play(CLOSES + timedelta(minutes=1))
    assert counts(installation) == {"1m": 390, "5m": 78, "15m": 26, "1h": 7, "4h": 2}
    newest = installation.table("select timeframe, max(timestamp) from historical_bars where symbol = 'SPY' group by 1")
    assert dict(newest)["1h"] == CLOSES - timedelta(minutes=30)


def test_a_half_day_ends_at_one(installation, chains_of, api_of):
    server = chains_of(SyntheticRest(HALF_DAY))
    closes = get_regular_hours(HALF_DAY).closes_at
    for now in (closes - timedelta(minutes=1), closes + timedelta(minutes=1), closes + timedelta(hours=2)):
        server.rest.now = now
        api = api_of(server, now=lambda now=now: now)
        report = refresh_live_bars(installation.database, api, symbols=["SPY"], now=now)
    assert (report.until, report.changed, report.delay_minutes) == (closes, (), {"SPY": 0.0})
    assert counts(installation) == {"1m": 210, "5m": 42, "15m": 14, "1h": 4, "4h": 1}


def test_a_second_round_without_new_minutes_writes_nothing(installation, play):
    play(at(30))
    before = installation.row_versions(), installation.table("select ctid, xmin, * from bars_manifest order by symbol")
    report = play(at(30))
    assert (report.changed, report.rows_added, report.rows_corrected) == ((), 0, 0)
    assert (
        installation.row_versions(),
        installation.table("select ctid, xmin, * from bars_manifest order by symbol"),
    ) == before


def test_bars_that_are_there_are_not_written_again(installation, play):
    play(at(30))
    before = set(installation.row_versions())
    report = play(at(31))
    assert report.rows_added == 3
    assert before < set(installation.row_versions())


def test_a_corrected_minute_corrects_its_bars_and_no_other(installation, server, play):
    play(at(30))
    before = {row[:3]: row for row in installation.row_versions()}

    def corrected(answer):
        row = next(row for row in answer["results"] if row["t"] == OPENS.timestamp() * 1000 + 7 * 60_000)
        row.update(h=row["h"] + 1)

    server.faults.add(make_rest_fault(Rewrite(corrected), "*/SPY/*", times=None))
    report = play(at(30))
    assert (report.changed, report.rows_added, report.rows_corrected) == (("SPY",), 0, 3)  # 1m, 5m, 15m
    changed = {key for key, row in {row[:3]: row for row in installation.row_versions()}.items() if before[key] != row}
    assert {(symbol, timeframe) for symbol, timeframe, _ in changed} == {("SPY", "1m"), ("SPY", "5m"), ("SPY", "15m")}
    assert [rows for symbol, _, _, rows in manifest(installation) if symbol == "SPY"] == [30 + 6 + 2]


def test_a_delayed_plan_reports_its_delay(installation, server, play):
    server.rest.plan = RestPlan(is_delayed=True)
    assert play(at(14)).until is None
    report = play(at(31))
    assert report.is_delayed
    assert report.until == OPENS + timedelta(minutes=16)
    assert report.delay_minutes["SPY"] == pytest.approx(15 + 5 / 60)
    assert report.findings == ()
    assert counts(installation) == {"1m": 16, "5m": 3, "15m": 1}
    play(CLOSES + timedelta(minutes=1))
    assert counts(installation)["1m"] == 375
    play(CLOSES + timedelta(minutes=16))
    assert counts(installation) == counts(installation, "SPX") == {"1m": 390, "5m": 78, "15m": 26, "1h": 7, "4h": 2}


def test_a_bar_is_not_finished_by_the_clock_but_by_a_later_minute():
    """A feed that stands still for a while must not turn three minutes into a five-minute bar."""
    minutes = (
        build_synthetic_session(7, SESSION, [STOCK_MINUTE])[STOCK_MINUTE]
        .filter(ticker="SPY")
        .filter(pl.col("window_start").is_between(HOURS.opens_at_ns, HOURS.opens_at_ns + 7 * 60_000_000_000))
        .with_columns(symbol=pl.lit("SPY"), session=pl.lit(SESSION), is_index=pl.lit(value=False))
    )
    stuck = select_finished_bars(minutes, HOURS, at(300))
    assert stuck.filter(timeframe="5m")["timestamp"].dt.epoch("ns").to_list() == [HOURS.opens_at_ns]
    another = minutes.tail(1).with_columns(symbol=pl.lit("AAPL"), window_start=pl.lit(HOURS.opens_at_ns + 600 * 10**9))
    moved_on = select_finished_bars(pl.concat([minutes, another]), HOURS, at(300))
    assert moved_on.filter(symbol="SPY", timeframe="5m").height == 2
    over = select_finished_bars(minutes, HOURS, CLOSES + timedelta(minutes=16))
    assert over.filter(symbol="SPY", timeframe="4h").height == 1


def test_the_files_of_the_next_morning_replace_live_bars(installation, play):
    play(at(100))
    assert all(is_live(mark) for _, _, mark, _ in manifest(installation))
    deliver(installation)
    report = installation.to_bars([SESSION], symbols=WATCHED)
    assert (report.published, report.withheld) == (3, 0)
    assert not any(is_live(mark) for _, _, mark, _ in manifest(installation))
    assert counts(installation) == {"1m": 390, "5m": 78, "15m": 26, "1h": 7, "4h": 2, "day": 1}
    assert installation.to_bars([SESSION], symbols=WATCHED).published == 0


def test_a_session_from_files_is_never_overwritten_by_live_bars(installation, server, play):
    deliver(installation)
    installation.to_bars([SESSION], symbols=["SPY"])
    before = [row for row in installation.row_versions() if row[0] == "SPY"]
    report = play(at(200))
    assert (report.from_files, report.changed) == (("SPY",), ("AAPL", "SPX"))
    assert server.rest.requests_served == 2  # and it is not requested from the vendor
    assert [row for row in installation.row_versions() if row[0] == "SPY"] == before


def test_a_day_file_that_comes_first_leaves_the_minutes_until_their_file_comes(installation, play):
    play(CLOSES + timedelta(minutes=1))
    live = installation.table(BARS + " order by 1, 2, 3")
    deliver(installation, (STOCK_DAY, INDEX_DAY))
    installation.to_bars([SESSION], symbols=WATCHED)
    assert installation.table(BARS + " where timeframe <> 'day' order by 1, 2, 3") == live
    assert counts(installation)["day"] == 1
    deliver(installation, (STOCK_DAY, INDEX_DAY), change=lambda frame: frame.with_columns(pl.col("high") + 1))
    installation.to_bars([SESSION], symbols=WATCHED)
    assert installation.table(BARS + " where timeframe <> 'day' order by 1, 2, 3") == live
    deliver(installation)
    installation.to_bars([SESSION], symbols=WATCHED)
    expected = derive_bars(installation.lake, WATCHED, [SESSION])
    assert sum(rows for *_, rows in manifest(installation)) == expected.height


def test_live_bars_do_not_pass_for_the_session_that_is_due(installation, play):
    play(at(30))
    with installation.database.connect() as connection:
        assert find_newest_session(connection) is None
    deliver(installation)
    installation.to_bars([SESSION], symbols=WATCHED)
    with installation.database.connect() as connection:
        assert find_newest_session(connection) == SESSION


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (Refuse(500), Rule.OBJECT_UNAVAILABLE),
        (Refuse(429), Rule.OBJECT_UNAVAILABLE),
        (Refuse(403), Rule.OBJECT_NOT_ENTITLED),
        (Html(), Rule.RESPONSE_MALFORMED),
        (CutConnection(after_bytes=3000), Rule.OBJECT_UNAVAILABLE),
        (Rewrite(lambda answer: answer["results"][3].pop("c")), Rule.RESPONSE_MALFORMED),
        (Rewrite(lambda answer: answer["results"][-3].update(h=0.01)), Rule.HIGH_BELOW_LOW),
        (Rewrite(lambda answer: answer.pop("results")), Rule.SYMBOL_MISSING),
    ],
    ids=["500", "429", "403", "html", "cut", "drift", "bad row", "empty"],
)
def test_a_symbol_that_cannot_be_fetched_is_reported_and_the_others_go_on(installation, server, play, fault, rule):
    server.faults.add(make_rest_fault(fault, "*/AAPL/*", times=None))
    report = play(at(30), attempts=2)
    assert {"SPX", "SPY"} <= set(report.changed)
    assert open_rules(installation) == [(rule, "AAPL")]
    assert report.refused == (() if rule in {Rule.SYMBOL_MISSING, Rule.HIGH_BELOW_LOW} else ("AAPL",))
    server.faults.clear()
    assert "AAPL" in play(at(31), attempts=2).changed
    assert installation.findings() == []
    assert counts(installation, "AAPL") == counts(installation)


def test_a_refusal_that_passes_costs_nothing(installation, server, play):
    server.faults.add(make_rest_fault(Refuse(503), times=2))
    assert play(at(30)).changed == tuple(WATCHED)
    assert installation.findings() == []


def test_a_symbol_without_bars_is_reported_once_a_delayed_plan_would_have_them(installation, play):
    assert play(at(19), ["SPY", "NOSUCH"]).findings == ()
    report = play(at(21), ["SPY", "NOSUCH"])
    assert [(f.rule, f.subject) for f in report.findings] == [(Rule.SYMBOL_MISSING, "NOSUCH")]
    assert "NOSUCH" not in report.delay_minutes


def test_a_symbol_without_new_minutes_is_reported_and_keeps_its_bars(installation, server, play):
    play(at(30))

    def halted(answer):
        edge = (OPENS + timedelta(minutes=30)).timestamp() * 1000
        answer["results"] = [row for row in answer["results"] if row["t"] < edge]

    server.faults.add(make_rest_fault(Rewrite(halted), "*/AAPL/*", times=None))
    assert play(at(30 + PATIENCE / timedelta(minutes=1) - 1)).findings == ()
    report = play(at(51))
    assert [(f.rule, f.subject) for f in report.findings] == [(Rule.BARS_STALE, "AAPL")]
    assert report.delay_minutes["AAPL"] == pytest.approx(21 + 5 / 60)
    assert counts(installation, "AAPL")["1m"] == 30
    server.faults.clear()
    play(at(52))
    assert installation.findings() == []


def test_a_vendor_without_any_minute_is_one_error(installation, server, play):
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer.pop("results", None)), times=None))
    report = play(at(40))
    assert [(f.rule, f.severity, f.subject) for f in report.findings] == [
        (Rule.SESSION_MISSING, "error", "all symbols")
    ]
    assert (report.until, report.delay_minutes, manifest(installation)) == (None, {}, [])


def test_minutes_ahead_of_our_clock_are_set_aside_and_reported(installation, server, api_of):
    now = at(30)
    server.rest.now = now + timedelta(minutes=4)
    report = refresh_live_bars(installation.database, api_of(server, now=lambda: now), symbols=["SPY"], now=now)
    assert [(f.rule, f.subject) for f in report.findings] == [(Rule.TIME_AHEAD_OF_CLOCK, "SPY")]
    assert counts(installation)["1m"] == 30


def test_a_refused_key_stops_the_round_and_is_reported(installation, play):
    with pytest.raises(ApiKeyRefusedError):
        play(at(30), key=SecretStr("wrong"))
    assert {rule for rule, _ in open_rules(installation)} == {Rule.OBJECT_UNAVAILABLE}
    assert manifest(installation) == []


def test_outside_sessions_nothing_is_asked(installation, server, play):
    for now in (OPENS - timedelta(minutes=1), OPENS + timedelta(days=1)):
        with pytest.raises(ValueError, match="is in no session"):
            play(now)
    assert server.rest.requests_served == 0


# One process forks a child per step; the child takes a round of live bars and kills itself when it reaches that step.
DIE_AT_EACH_STEP = """
import os, signal, sys
from datetime import datetime
from functools import partial
from pydantic import SecretStr
from hd_pipelines.loading.inputs import live_bars
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.warehouse.engine import Database

url, service, key, now, *steps = sys.argv[1:]
now, add = datetime.fromisoformat(now), live_bars.add_live_bars

for step in steps:
    pid = os.fork()
    if not pid:
        def on_step(reached):
            if reached == step:
                os.kill(os.getpid(), signal.SIGKILL)
        live_bars.add_live_bars = partial(add, on_step=on_step)
        try:
            api = VendorApi(url=service, key=SecretStr(key))
            live_bars.refresh_live_bars(Database(url), api, symbols=["SPX", "SPY"], now=now)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
STEPS = ["locked", "copied", "corrected", "inserted", "recorded", "before_commit"]


@pytest.mark.slow
def test_kill_9_at_any_step_leaves_what_was_there_and_the_next_round_heals_it(installation, server, play):
    play(at(30), ["SPX", "SPY"])
    before = installation.bars()
    server.rest.now = now = at(45)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            DIE_AT_EACH_STEP,
            installation.url,
            server.url,
            KEY,
            now.isoformat(),
            *STEPS,
            "after_commit",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.split()] == [-signal.SIGKILL] * (len(STEPS) + 1)
    assert len(installation.bars()) > len(before)  # the last one died after its commit, the others before
    assert play(at(45), ["SPX", "SPY"]).changed == ()
    assert counts(installation) == {"1m": 45, "5m": 9, "15m": 3}
    assert [rows for *_, rows in manifest(installation)] == [57, 57]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_round_that_fails_at_any_step_changes_nothing(installation, play, monkeypatch, step):
    play(at(30))
    before = installation.bars()

    def stop(reached):
        if reached == step:
            raise RuntimeError("stop here")

    with monkeypatch.context() as crash:
        crash.setattr(live_bars, "add_live_bars", partial(live_bars.add_live_bars, on_step=stop))
        with pytest.raises(RuntimeError, match="stop here"):
            play(at(45))
    assert installation.bars() == before
    assert play(at(45)).changed == tuple(WATCHED)
