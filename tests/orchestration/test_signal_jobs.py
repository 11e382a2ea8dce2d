"""Signals in Dagster: whole sessions as an asset, the newest minutes as a job, and what starts them when."""

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial

import dagster as dg
import psycopg
import pytest

from hd_pipelines.assets import signals as asset_module
from hd_pipelines.assets.signals import EVERY_SYMBOL_WAS_SEEN, composite_signals
from hd_pipelines.jobs import signals as jobs_module
from hd_pipelines.jobs.signals import outcomes_job, scan_job
from hd_pipelines.loading.signals.scan import scan_now, scan_sessions
from hd_pipelines.market.live_times import can_bars_arrive
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours
from hd_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, build_range_tags
from hd_pipelines.resources import Clock, WarehouseResource
from hd_pipelines.schedules.signals import daily_signals, friday_prewarm, scan_every_minute, signal_outcomes
from hd_pipelines.sensors.scan import find_newer, new_inputs_in_session
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.fixed_clock import FixedClock
from tests.support.installation import SYMBOLS, rows
from tests.support.signal_installation import LAST, POLICY

HALF_DAY, HOLIDAY, SATURDAY = date(2026, 11, 27), date(2026, 5, 25), date(2026, 5, 23)


def new_york(day: date, hour: int, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)


@pytest.fixture
def watched(breakout_installation, monkeypatch):
    with breakout_installation.database.begin() as connection:
        add_to_watchlist(connection, SYMBOLS)
    monkeypatch.setattr(asset_module, "scan_sessions", partial(scan_sessions, policy=POLICY))
    return breakout_installation


class GivenWarehouse(WarehouseResource):
    """The warehouse of the test's database."""

    _database_of_test = None

    @property
    def database(self):
        return type(self)._database_of_test


@pytest.fixture
def warehouse(watched):
    GivenWarehouse._database_of_test = watched.database
    return GivenWarehouse()


def test_the_asset_reports_signals_and_rejections(watched, warehouse):
    result = dg.materialize(
        [composite_signals],
        resources={"clock": Clock(), "warehouse": warehouse},
        tags=build_range_tags(LAST, LAST),
        selection=[composite_signals],
    )
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    (count,) = rows(watched.url, "select count(*) from composite_signals")[0]
    assert metadata["signals_stored"].value == count > 0
    assert metadata["rows_scanned"].value == 3 * 390
    assert {record.data["symbol"] for record in metadata["newest_signals"].records} == {"AAPL"} | {
        row[0] for row in rows(watched.url, "select symbol from composite_signals")
    }
    assert (
        sum(record.data["count"] for record in metadata["rejections"].records) == metadata["candidates"].value - count
    )
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (EVERY_SYMBOL_WAS_SEEN, True)


def test_a_symbol_without_bars_warns_and_stops_nothing(watched, warehouse):
    with watched.database.begin() as connection:
        add_to_watchlist(connection, ["NDX"])
    result = dg.materialize(
        [composite_signals], resources={"clock": Clock(), "warehouse": warehouse}, tags=build_range_tags(LAST, LAST)
    )
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["without_bars"].value == "NDX"
    assert result.success


def test_a_scan_of_the_newest_minutes_shows_on_the_assets_page(watched, warehouse, monkeypatch):
    at = get_regular_hours(LAST).opens_at + timedelta(minutes=60)
    monkeypatch.setattr(jobs_module, "scan_now", partial(scan_now, policy=POLICY))
    with dg.DagsterInstance.ephemeral() as instance:
        result = scan_job.execute_in_process(
            resources={"clock": FixedClock.at(at), "warehouse": warehouse}, instance=instance
        )
        assert result.success
        latest = instance.get_latest_materialization_event(dg.AssetKey("composite_signals"))
    assert latest.asset_materialization.partition == str(LAST)
    assert latest.asset_materialization.metadata["rows_scanned"].value == 3


def test_outcomes_have_their_own_job(watched, warehouse):
    scan_sessions(watched.database, SYMBOLS, [LAST], policy=POLICY)
    assert outcomes_job.execute_in_process(resources={"clock": Clock(), "warehouse": warehouse}).success


@pytest.mark.parametrize(
    ("at", "open_now"),
    [
        (new_york(LAST, 9, 29), False),
        (new_york(LAST, 9, 30), True),
        (new_york(LAST, 16, 20), True),
        (new_york(LAST, 16, 21), False),
        (new_york(HALF_DAY, 13, 20), True),
        (new_york(HALF_DAY, 13, 21), False),
        (new_york(HOLIDAY, 11, 0), False),
        (new_york(SATURDAY, 11, 0), False),
    ],
)
def test_regular_hours_are_those_of_the_exchange(at, open_now):
    assert can_bars_arrive(at.astimezone(UTC)) is open_now


def evaluate_schedule(schedule, at, warehouse):
    with dg.build_schedule_context(scheduled_execution_time=at, resources={"warehouse": warehouse}) as context:
        return schedule(context)


def test_the_schedule_requests_a_scan_while_there_are_minutes_to_scan(watched, warehouse):
    assert evaluate_schedule(scan_every_minute, new_york(LAST, 10, 30), warehouse).run_key == "scan:2026-05-22T14:30"
    assert (
        "no session is running"
        in evaluate_schedule(scan_every_minute, new_york(SATURDAY, 10, 30), warehouse).skip_message
    )
    assert (
        "no bars yet"
        in evaluate_schedule(scan_every_minute, new_york(date(2026, 5, 26), 10, 30), warehouse).skip_message
    )
    scan_sessions(watched.database, SYMBOLS, [LAST], policy=POLICY)
    assert "was scanned" in evaluate_schedule(scan_every_minute, new_york(LAST, 15, 59), warehouse).skip_message


def evaluate_sensor(warehouse, at, cursor=None, instance=None):
    resources = {"clock": FixedClock.at(at), "warehouse": warehouse}
    with dg.build_sensor_context(cursor=cursor, instance=instance, resources=resources) as context:
        return new_inputs_in_session(context)


def test_new_bars_start_one_scan_and_old_ones_none(watched, warehouse):
    at = get_regular_hours(LAST).opens_at + timedelta(minutes=60)
    with dg.DagsterInstance.ephemeral() as instance:
        first = evaluate_sensor(warehouse, at, instance=instance)
        assert [request.run_key for request in first.run_requests] == [f"scan:{first.cursor}"]
        assert json.loads(first.cursor) == {"bars": "2026-05-22T19:59:00+00:00"}
        again = evaluate_sensor(warehouse, at, first.cursor, instance)
        assert "nothing newer" in again.skip_message
        with psycopg.connect(watched.url) as connection:
            connection.execute("delete from historical_bars where timestamp = '2026-05-22 19:59+00'")
        assert "nothing newer" in evaluate_sensor(warehouse, at, first.cursor, instance).skip_message


def test_outside_of_the_session_nothing_starts_a_scan(warehouse):
    with dg.DagsterInstance.ephemeral() as instance:
        skipped = evaluate_sensor(warehouse, datetime(2026, 5, 23, 15, tzinfo=UTC), instance=instance)
    assert "no session is running" in skipped.skip_message


def test_an_input_that_disappears_is_not_new():
    assert find_newer({"bars": "b", "flow": "a"}, {"bars": "b"}) == []
    assert find_newer({"bars": "a"}, {"bars": "b", "gamma": "a"}) == ["bars", "gamma"]


def test_the_day_after_the_files_two_sessions_are_scanned():
    with dg.build_schedule_context(scheduled_execution_time=new_york(LAST, 17, 45)) as context:
        request = daily_signals(context)
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == ("2026-05-21", "2026-05-22")
    with dg.build_schedule_context(scheduled_execution_time=new_york(HOLIDAY, 17, 45)) as context:
        assert "not an exchange session" in daily_signals(context).skip_message


@pytest.mark.parametrize(
    ("friday", "first", "last"),
    [
        (LAST, "2026-05-18", "2026-05-22"),
        (date(2026, 4, 3), "2026-03-30", "2026-04-02"),  # Good Friday
        (HALF_DAY, "2026-11-23", "2026-11-27"),
    ],
)
def test_the_week_is_prepared_on_friday_even_if_friday_is_a_holiday(friday, first, last):
    with dg.build_schedule_context(scheduled_execution_time=new_york(friday, 16, 5)) as context:
        request = friday_prewarm(context)
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == (first, last)
    assert friday_prewarm.cron_schedule == "5 16 * * 5"


def test_outcomes_are_requested_while_a_signal_is_open(watched, warehouse):
    assert "no signal is open" in evaluate_schedule(signal_outcomes, new_york(LAST, 10, 5), warehouse).skip_message
    scan_sessions(watched.database, SYMBOLS, [LAST], policy=POLICY)
    with psycopg.connect(watched.url) as connection:
        connection.execute(
            "update composite_signals set status = 'ACTIVE', exit_reason = null, exit_price = null, exited_at = null,"
            " r_multiple = null"
        )
    assert evaluate_schedule(signal_outcomes, new_york(LAST, 10, 5), warehouse).run_key == "outcomes:2026-05-22T10:05"
