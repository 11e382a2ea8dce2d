"""Live bars on schedule: when a round starts, what the asset reports, and what a round starts in turn."""

import uuid
from datetime import date, datetime, timedelta

import dagster as dg
import pytest
from pydantic import SecretStr

from hd_pipelines.assets.live_bars import live_bars
from hd_pipelines.definitions import build_definitions
from hd_pipelines.jobs.live import live_job
from hd_pipelines.jobs.runs import UNDER_WAY
from hd_pipelines.jobs.sessions import main_job
from hd_pipelines.market.live_times import is_live_tick
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import OptionDataResource, WarehouseResource
from hd_pipelines.sandbox.faults import Refuse, make_rest_fault
from hd_pipelines.sandbox.rest.market import SyntheticRest
from hd_pipelines.sandbox.server import SandboxServer
from hd_pipelines.schedules.live import LIVE_TAG, live_bars_every_minute
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.fixed_clock import FixedClock

FRIDAY, HALF_DAY, HOLIDAY = date(2026, 5, 22), date(2026, 11, 27), date(2026, 5, 25)
OPENS = get_regular_hours(FRIDAY).opens_at
KEY = dg.AssetKey("live_bars")


def new_york(day: date, hour: int, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)


class RunningVendor(OptionDataResource):
    @property
    def api(self):
        return "a client"


class StoppedVendor(OptionDataResource):
    @property
    def api(self):
        raise SandboxNotRunningError("no sandbox is running")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def _daemon_instance():
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def daemon(_daemon_instance):
    """An instance without runs, like the schedule daemon's."""
    yield _daemon_instance
    for run in _daemon_instance.get_runs():
        _daemon_instance.delete_run(run.run_id)


def tick(instance, at: datetime, option_data: OptionDataResource | None = None):
    given = {"option_data": option_data or RunningVendor()}
    with dg.build_schedule_context(instance, scheduled_execution_time=at, resources=given) as context:
        return live_bars_every_minute(context)


def minutes_of_cron() -> set[tuple[int, int]]:
    """Every (hour, minute) that the schedule's cron reaches."""
    reached = set()
    for cron in live_bars_every_minute.cron_schedule:
        minute, hour = (_values(part, most) for part, most in zip(cron.split()[:2], (60, 24), strict=True))
        reached |= {(h, m) for h in hour for m in minute}
    return reached


def _values(part: str, most: int) -> set[int]:
    if part == "*":
        return set(range(most))
    if "-" in part:
        first, last = map(int, part.split("-"))
        return set(range(first, last + 1))
    return set(map(int, part.split(",")))


@pytest.mark.parametrize("day", [FRIDAY, HALF_DAY])
def test_the_cron_reaches_every_planned_minute(day):
    planned = {
        (hour, minute) for hour in range(24) for minute in range(60) if is_live_tick(new_york(day, hour, minute))
    }
    assert planned
    assert planned <= minutes_of_cron()


@pytest.mark.parametrize(
    ("day", "hour", "minute", "is_requested"),
    [
        (FRIDAY, 9, 31, True),
        (FRIDAY, 15, 59, True),
        (FRIDAY, 16, 1, True),
        (FRIDAY, 16, 16, True),
        (HALF_DAY, 12, 59, True),
        (HALF_DAY, 13, 1, True),
        (HALF_DAY, 13, 16, True),
        (HALF_DAY, 13, 2, False),
        (HALF_DAY, 15, 0, False),
        (HOLIDAY, 11, 0, False),
    ],
)
def test_a_tick_requests_a_round_while_the_exchange_is_open(daemon, day, hour, minute, is_requested):
    ticked = tick(daemon, new_york(day, hour, minute))
    assert isinstance(ticked, dg.RunRequest) == is_requested
    if is_requested:
        assert ticked.tags[LIVE_TAG] == str(day)
    else:
        assert "closed" in (ticked.skip_message or "")


def test_every_minute_has_a_key_of_its_own(daemon):
    keys = {tick(daemon, new_york(FRIDAY, 10, minute)).run_key for minute in range(10)}
    assert len(keys) == 10


def test_an_installation_without_a_vendor_skips_the_tick(daemon):
    skipped = tick(daemon, new_york(FRIDAY, 10, 0), StoppedVendor())
    assert "no sandbox is running" in (skipped.skip_message or "")


@pytest.mark.parametrize(
    ("status", "is_requested"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, False),
        (dg.DagsterRunStatus.STARTING, False),
        (dg.DagsterRunStatus.STARTED, False),
        (dg.DagsterRunStatus.CANCELING, False),
        (dg.DagsterRunStatus.SUCCESS, True),
        (dg.DagsterRunStatus.FAILURE, True),
    ],
)
def test_one_round_at_a_time(daemon, status, is_requested):
    assert dg.DagsterRunStatus.QUEUED in UNDER_WAY
    for job, its_status in ((live_job.name, status), (main_job.name, dg.DagsterRunStatus.STARTED)):
        daemon.add_run(dg.DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=its_status))
    assert isinstance(tick(daemon, new_york(FRIDAY, 10, 0)), dg.RunRequest) == is_requested


@pytest.fixture
def round_at(installation, tmp_path, instance):
    """Run the asset at a moment that both the service and the asset take for the current time."""
    with installation.database.begin() as connection:
        add_to_watchlist(connection, ["AAPL", "SPX"])

    class GivenWarehouse(WarehouseResource):
        @property
        def database(self):
            return installation.database

    with SandboxServer(tmp_path / "bucket", market=SyntheticRest(FRIDAY)) as server:

        class Vendor(OptionDataResource):
            @property
            def api(self):
                return VendorApi(url=server.url, key=SecretStr("sandbox-secret"), attempts=1)

        def run(now: datetime, fault=None):
            server.rest.now = now
            server.faults.clear()
            if fault is not None:
                server.faults.add(fault)
            return dg.materialize(
                [live_bars],
                resources={"clock": FixedClock.at(now), "warehouse": GivenWarehouse(), "option_data": Vendor()},
                instance=instance,
                raise_on_error=False,
            )

        yield run


def newest_metadata(instance):
    """Metadata of the newest materialization."""
    record = instance.get_latest_materialization_event(KEY)
    assert record is not None
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


def test_a_round_with_new_minutes_reports_their_end_and_delay(installation, round_at, instance):
    assert round_at(OPENS + timedelta(minutes=7, seconds=6)).success
    metadata = newest_metadata(instance)
    assert metadata["until"] == (OPENS + timedelta(minutes=7)).timestamp()
    assert metadata["delay_minutes"] == metadata["slowest_minutes"] == 0.1
    assert (metadata["session"], metadata["symbols_changed"]) == (str(FRIDAY), "AAPL, SPX, SPY")
    assert (metadata["rows_added"], metadata["rows_corrected"], metadata["errors"]) == (24, 0, 0)
    assert installation.table("select count(*) from historical_bars") == [(24,)]


def test_a_round_without_new_minutes_materializes_nothing(round_at, instance):
    first = round_at(OPENS + timedelta(minutes=7, seconds=6))
    again = round_at(OPENS + timedelta(minutes=7, seconds=40))
    assert first.success
    assert again.success
    assert len(first.get_asset_materialization_events()) == 1
    assert again.get_asset_materialization_events() == []


def test_a_late_tick_on_a_closed_day_is_no_failure(round_at):
    result = round_at(OPENS + timedelta(days=1))
    assert result.success
    assert result.get_asset_materialization_events() == []


def test_a_refused_symbol_is_reported_and_the_run_goes_on(installation, round_at, instance):
    assert round_at(
        OPENS + timedelta(minutes=7, seconds=6), make_rest_fault(Refuse(403), "*/AAPL/*", times=None)
    ).success
    metadata = newest_metadata(instance)
    assert (metadata["symbols_refused"], metadata["errors"]) == ("AAPL", 1)
    assert [(finding.rule, finding.subject) for finding in installation.findings()] == [("object_not_entitled", "AAPL")]


def test_a_refused_key_fails_the_run(round_at):
    result = round_at(OPENS + timedelta(minutes=7, seconds=6), make_rest_fault(Refuse(401), times=None))
    assert not result.success


def test_live_bars_are_in_no_run_over_sessions_and_start_none():
    """The main job must not request live minutes; live minutes must not rebuild regime and marts every minute."""
    definitions = build_definitions()
    repository = definitions.get_repository_def()
    for name in ("main", "bars", "history"):
        assert "live_bars" not in {node.name for node in repository.get_job(name).nodes}
    graph = definitions.resolve_asset_graph()
    followers = {key for key in graph.get_all_asset_keys() if KEY in graph.get(key).parent_keys}
    assert not any(graph.get(key).automation_condition for key in followers)
