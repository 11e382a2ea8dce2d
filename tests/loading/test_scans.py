"""Scans of stored sessions: what is found is stored once, whenever and however often it is looked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from hd_pipelines.loading.signals import scan as scans
from hd_pipelines.loading.signals.outcomes import settle_outcomes
from hd_pipelines.loading.signals.scan import scan_now, scan_sessions
from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.warehouse.records.signals import read_active_signals
from tests.support.installation import SESSIONS, SYMBOLS, SmallInstallation, rows
from tests.support.signal_installation import LAST, POLICY, climbed, climbing


def stored(installation: SmallInstallation) -> list[tuple[object, ...]]:
    """Every column of every signal but the server's own."""
    return rows(
        installation.url,
        "select to_jsonb(held) - 'created_at' - 'updated_at' - 'run_id' from composite_signals held order by signal_id",
    )


def test_a_session_is_scanned_into_signals_and_named_rejections(breakout_installation: SmallInstallation) -> None:
    report = scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY, run_id="r1")
    assert report.rows == 3 * 390
    assert report.stored
    assert sorted(report.stored) == sorted(signal.signal_id for signal in report.signals)
    assert {signal.detector for signal in report.signals if signal.symbol == "AAPL"} >= {"breakout_bullish"}
    counted = rows(
        breakout_installation.url,
        "select stored, candidates, (select sum((entry ->> 'count')::int) from jsonb_array_elements(rejections) entry)"
        " from signal_scans",
    )
    assert counted == [(len(report.stored), report.candidates, sum(report.rejections.values()))]
    assert report.candidates == len(report.signals) + sum(report.rejections.values())


def test_a_second_scan_stores_nothing_new(breakout_installation: SmallInstallation) -> None:
    scan_sessions(breakout_installation.database, SYMBOLS, SESSIONS, policy=POLICY)
    before = stored(breakout_installation), rows(breakout_installation.url, "select * from signal_scans order by 1")
    again = scan_sessions(breakout_installation.database, SYMBOLS, SESSIONS, policy=POLICY)
    assert (again.up_to_date, again.rows, again.stored) == (len(SESSIONS), 0, [])
    assert (
        stored(breakout_installation),
        rows(breakout_installation.url, "select * from signal_scans order by 1"),
    ) == before


def test_a_scan_whose_record_was_lost_finds_its_signals_stored(breakout_installation: SmallInstallation) -> None:
    first = scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    before = stored(breakout_installation)
    with psycopg.connect(breakout_installation.url) as connection:
        connection.execute("delete from derivation_manifest where table_name = 'composite_signals'")
    again = scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    assert again.rows == first.rows
    assert (again.stored, again.signals) == ([], [])
    assert stored(breakout_installation) == before


def test_minute_by_minute_finds_what_one_pass_finds(
    breakout_installation: SmallInstallation, make_installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    in_one_pass = rows(
        breakout_installation.url,
        "select to_jsonb(held) - 'created_at' - 'updated_at' - 'run_id' - 'status' - 'exit_reason' - 'exit_price'"
        " - 'exited_at' - 'r_multiple' - 'max_favorable_excursion_r' - 'max_adverse_excursion_r' - 'hold_minutes'"
        " from composite_signals held order by signal_id",
    )
    other = make_installation()
    other.publish_files(SESSIONS[:-1])
    other.publish_files([LAST], minutes=climbing, days=climbed)
    other.refresh()
    opens_at = get_regular_hours(LAST).opens_at
    monkeypatch.setattr(scans, "find_newest_minute", lambda *_: clock - timedelta(minutes=1))
    for minute in range(1, 121):
        clock = opens_at + timedelta(minutes=minute)
        scan_now(other.database, SYMBOLS, clock, policy=POLICY)
    until = opens_at + timedelta(minutes=120)
    live = rows(
        other.url,
        "select to_jsonb(held) - 'created_at' - 'updated_at' - 'run_id' - 'status' - 'exit_reason' - 'exit_price'"
        " - 'exited_at' - 'r_multiple' - 'max_favorable_excursion_r' - 'max_adverse_excursion_r' - 'hold_minutes'"
        " from composite_signals held order by signal_id",
    )
    early = [row for row in in_one_pass if datetime.fromisoformat(row[0]["as_of"]) <= until]
    assert at_once.stored
    assert live == early
    assert early


def test_a_scan_that_comes_late_looks_at_the_minutes_it_missed(
    breakout_installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens_at = get_regular_hours(LAST).opens_at
    looked_at = []
    for minute in (30, 31, 34, 50):
        clock = opens_at + timedelta(minutes=minute)
        monkeypatch.setattr(scans, "find_newest_minute", lambda *_, clock=clock: clock - timedelta(minutes=1))
        looked_at.append(scan_now(breakout_installation.database, ["SPY"], clock, policy=POLICY).rows)
    assert looked_at == [1, 1, 3, 5]


def test_a_delayed_feed_is_scanned_at_its_own_time_and_labelled(breakout_installation: SmallInstallation) -> None:
    with psycopg.connect(breakout_installation.url) as connection:
        connection.execute(
            "delete from historical_bars where timeframe = '1m' and timestamp >= %s",
            (get_regular_hours(LAST).opens_at + timedelta(minutes=45),),
        )
    report = scan_now(
        breakout_installation.database, ["SPY"], get_regular_hours(LAST).opens_at + timedelta(minutes=60), policy=POLICY
    )
    assert "bars_are_15_minutes_old" in report.labels
    (row,) = rows(breakout_installation.url, "select last_as_of from signal_scans")
    assert row == (get_regular_hours(LAST).opens_at + timedelta(minutes=45),)


def test_bars_from_the_future_are_not_looked_at(breakout_installation: SmallInstallation) -> None:
    # The whole session is in the warehouse; our clock shows half past ten.
    clock = get_regular_hours(LAST).opens_at + timedelta(minutes=60)
    scan_now(breakout_installation.database, ["SPY"], clock, policy=POLICY)
    assert rows(breakout_installation.url, "select last_as_of from signal_scans") == [(clock,)]


@pytest.mark.parametrize(
    ("clock", "label"),
    [
        (datetime(2026, 5, 23, 15, tzinfo=UTC), "closed"),
        (datetime(2026, 5, 22, 13, tzinfo=UTC), "closed"),
        (datetime(2026, 5, 26, 15, tzinfo=UTC), "no_bars_today"),
    ],
)
def test_without_a_market_there_is_a_label_and_no_scan(
    breakout_installation: SmallInstallation, clock: datetime, label: str
) -> None:
    report = scan_now(breakout_installation.database, SYMBOLS, clock, policy=POLICY)
    assert (report.rows, report.labels) == (0, {label: set(SYMBOLS)})
    assert rows(breakout_installation.url, "select count(*) from signal_scans") == [(0,)]


def test_a_symbol_without_bars_stops_no_other(breakout_installation: SmallInstallation) -> None:
    report = scan_sessions(breakout_installation.database, [*SYMBOLS, "NDX", "ZZZ"], [LAST], policy=POLICY)
    assert report.rows == 3 * 390
    assert report.unseen == {"NDX", "ZZZ"}
    assert report.stored


def test_the_contents_of_a_signal_never_change(breakout_installation: SmallInstallation) -> None:
    scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    for column, value in (("entry_price", "1"), ("style_score", "1"), ("explanation", "'{}'"), ("symbol", "'X'")):
        with (
            psycopg.connect(breakout_installation.url) as connection,
            pytest.raises(psycopg.errors.CheckViolation, match="never changes"),
        ):
            connection.execute(f"update composite_signals set {column} = {value}")


def test_outcomes_are_settled_once_and_stay(breakout_installation: SmallInstallation) -> None:
    scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    after = get_regular_hours(LAST).closes_at + timedelta(days=30)
    settle_outcomes(breakout_installation.database, until=after)
    ended = rows(
        breakout_installation.url,
        "select status, exit_reason, r_multiple is null, max_favorable_excursion_r >= 0, max_adverse_excursion_r <= 0,"
        " hold_minutes >= 0 from composite_signals where exit_reason is not null",
    )
    assert ended
    assert {row[2:] for row in ended} == {(False, True, True, True)}
    before = stored(breakout_installation)
    assert settle_outcomes(breakout_installation.database, until=after + timedelta(days=1)) == 0
    assert stored(breakout_installation) == before


def test_a_signal_stays_open_while_bars_have_not_come_so_far(breakout_installation: SmallInstallation) -> None:
    scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    ids = [row[0] for row in rows(breakout_installation.url, "select signal_id from composite_signals")]
    with psycopg.connect(breakout_installation.url) as connection:
        connection.execute(
            "update composite_signals set status = 'ACTIVE', exit_reason = null, exit_price = null, exited_at = null,"
            " r_multiple = null"
        )
        # Bars end two minutes after the first signal; our clock is long past every validity.
        connection.execute(
            "delete from historical_bars where timeframe = '1m' and timestamp >="
            " (select min(as_of) + interval '2 minutes' from composite_signals)"
        )
    assert ids
    assert (
        settle_outcomes(breakout_installation.database, until=get_regular_hours(LAST).closes_at + timedelta(days=9))
        == 0
    )
    with breakout_installation.database.connect() as connection:
        assert {row["signal_id"] for row in read_active_signals(connection)} == set(ids)


def test_signals_of_a_symbol_that_never_trades_again_are_dismissed_without_an_outcome(
    breakout_installation: SmallInstallation,
) -> None:
    scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    halted = rows(breakout_installation.url, "select distinct symbol from composite_signals")
    with psycopg.connect(breakout_installation.url) as connection:
        connection.execute(
            "update composite_signals set status = 'ACTIVE', exit_reason = null, exit_price = null, exited_at = null,"
            " r_multiple = null"
        )
        connection.execute("delete from historical_bars where timestamp >= %s", (get_regular_hours(LAST).opens_at,))
    after = datetime(2026, 7, 31, tzinfo=UTC)
    assert halted
    assert settle_outcomes(breakout_installation.database, until=after) == 0
    assert rows(breakout_installation.url, "select distinct status from composite_signals") == [("ACTIVE",)]
    with psycopg.connect(breakout_installation.url) as connection:
        # The market has gone on for two months.
        connection.execute(
            "insert into bars_manifest (symbol, session, fingerprint, rows) values ('OTHER', '2026-07-30', 'f', 1)"
        )
    assert settle_outcomes(breakout_installation.database, until=after) == 0
    ended = "select distinct status, exit_reason, r_multiple, dismissed_at from composite_signals"
    assert rows(breakout_installation.url, ended) == [("DISMISSED", None, None, after)]


def test_a_changed_policy_scans_again_and_keeps_what_was_said(breakout_installation: SmallInstallation) -> None:
    scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
    before = stored(breakout_installation)
    stricter = POLICY.vary({"thresholds.default.base": 99.0})
    report = scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=stricter)
    assert report.rows == 3 * 390
    assert report.stored == []
    assert stored(breakout_installation) == before
