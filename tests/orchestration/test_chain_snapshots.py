"""Scheduled snapshots of option chains: when one is requested, what the asset does, and the check for missed ones."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from pydantic import SecretStr

from hd_pipelines.assets.option_chains import build_snapshot_config, option_chains
from hd_pipelines.checks import standing
from hd_pipelines.checks.standing import no_snapshot_was_missed
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours
from hd_pipelines.partitions import RANGE_START_TAG
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import LakeResource, OptionDataResource, WarehouseResource
from hd_pipelines.sandbox.rest.market import SyntheticRest
from hd_pipelines.sandbox.server import SandboxServer
from hd_pipelines.schedules.chains import chain_snapshots, missed_snapshots
from hd_pipelines.tables.vocabulary import SnapshotKind
from hd_pipelines.warehouse.records.chains import read_recorded_chains
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.fixed_clock import FixedClock

FRIDAY, HALF_DAY, HOLIDAY = date(2026, 5, 22), date(2026, 11, 27), date(2026, 5, 25)
EXPECTED_CLOSE = {FRIDAY: (16, 16), HALF_DAY: (13, 16)}


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


def tick(at: datetime, option_data: OptionDataResource | None = None):
    given = {"option_data": option_data or RunningVendor()}
    with dg.build_schedule_context(scheduled_execution_time=at, resources=given) as context:
        return chain_snapshots(context)


def requested_snapshot(ticked) -> str | None:
    return (
        ticked.run_config["ops"]["option_chains"]["config"]["snapshot"] if isinstance(ticked, dg.RunRequest) else None
    )


@pytest.mark.parametrize("day", [FRIDAY, HALF_DAY])
def test_a_session_is_taken_every_quarter_of_an_hour_and_once_after_its_close(day):
    minutes = [new_york(day, 9, 0) + timedelta(minutes=minute) for minute in range(9 * 60)]
    # The cron of the schedule decides which minutes are evaluated at all, so it must contain all planned ones.
    requested_at = {at: requested_snapshot(tick(at)) for at in minutes if at.minute in {0, 15, 16, 30, 45}}
    taken = [(at.hour, at.minute, kind) for at, kind in requested_at.items() if kind]
    quarter = [(9, 45), *((hour, minute) for hour in range(10, 16) for minute in (0, 15, 30, 45))]
    close = EXPECTED_CLOSE[day]
    assert taken == [
        *((*at, "INTRADAY") for at in quarter if at < (close[0], 0)),
        (*close, "CLOSE"),
    ]


def test_the_cron_reaches_every_planned_moment():
    planned = [(9, 45), *((hour, minute) for hour in range(10, 16) for minute in (0, 15, 30, 45)), (13, 16), (16, 16)]
    reached = set()
    for cron in chain_snapshots.cron_schedule:
        minute, hour = cron.split()[:2]
        minutes = range(0, 60, 15) if minute == "*/15" else [int(minute)]
        hours = (
            range(int(hour.split("-")[0]), int(hour.split("-")[1]) + 1) if "-" in hour else map(int, hour.split(","))
        )
        reached |= {(h, m) for h in hours for m in minutes}
    assert set(planned) <= reached


def test_a_tick_has_a_key_of_its_own_and_covers_its_session():
    one, other = tick(new_york(FRIDAY, 10, 0)), tick(new_york(FRIDAY, 10, 15))
    assert one.run_key != other.run_key
    assert one.tags[RANGE_START_TAG] == str(FRIDAY)


def test_closed_days_and_installations_without_a_vendor_are_skipped():
    assert isinstance(tick(new_york(HOLIDAY, 10, 0)), dg.SkipReason)
    skipped = tick(new_york(FRIDAY, 10, 0), StoppedVendor())
    assert isinstance(skipped, dg.SkipReason)
    assert "no sandbox is running" in (skipped.skip_message or "")
    holiday = dg.build_schedule_context(scheduled_execution_time=new_york(HOLIDAY, 10, 10))
    assert isinstance(missed_snapshots(holiday), dg.SkipReason)


@pytest.fixture
def resources(installation, monkeypatch, tmp_path):
    """Resources on a test database and lake, and a REST service with the synthetic market."""
    with installation.database.begin() as connection:
        add_to_watchlist(connection, ["AAPL", "SPX"])

    class GivenWarehouse(WarehouseResource):
        @property
        def database(self):
            return installation.database

    class GivenLake(LakeResource):
        @property
        def datasets(self):
            return installation.lake

    with SandboxServer(tmp_path / "bucket", market=SyntheticRest(FRIDAY)) as server:

        class Vendor(OptionDataResource):
            @property
            def api(self):
                return VendorApi(url=server.url, key=SecretStr("sandbox-secret"))

            @property
            def archive(self):
                return None

        yield {"warehouse": GivenWarehouse(), "lake": GivenLake(), "option_data": Vendor(), "server": server}


def take(resources, kind: SnapshotKind, now: datetime) -> dg.ExecuteInProcessResult:
    resources["server"].rest.now = now.astimezone(UTC)
    given = {name: resource for name, resource in resources.items() if name != "server"} | {"clock": FixedClock.at(now)}
    return dg.materialize(
        [option_chains],
        partition_key=str(FRIDAY),
        resources=given,
        run_config=build_snapshot_config(kind),
        instance=dg.DagsterInstance.ephemeral(),
    )


@pytest.mark.slow
def test_both_kinds_of_snapshot_reach_the_lake_and_the_check_passes_after_the_close(
    installation, resources, monkeypatch
):
    morning, evening = new_york(FRIDAY, 10, 0), new_york(FRIDAY, 16, 16)
    night = FixedClock.at(new_york(FRIDAY, 21, 0))
    monkeypatch.setattr(standing, "find_chain_archive", lambda _: "a source of chains")
    assert take(resources, SnapshotKind.INTRADAY, morning).success

    missing = no_snapshot_was_missed(clock=night, warehouse=resources["warehouse"])
    assert (missing.passed, missing.severity) == (False, dg.AssetCheckSeverity.ERROR)
    missed = {finding.subject for finding in installation.findings() if finding.rule == "snapshot_missed"}
    assert missed == {"AAPL", "SPX"}

    metadata = take(resources, SnapshotKind.CLOSE, evening).asset_materializations_for_node("option_chains")[0].metadata
    assert metadata["snapshot_underlyings"].value == "AAPL, I:SPX"
    with installation.database.connect() as connection:
        held = read_recorded_chains(connection, FRIDAY, FRIDAY)
    assert [(chain.underlying, chain.kind) for chain in held] == [
        ("AAPL", SnapshotKind.INTRADAY),
        ("AAPL", SnapshotKind.CLOSE),
        ("I:SPX", SnapshotKind.INTRADAY),
        ("I:SPX", SnapshotKind.CLOSE),
    ]
    assert held[1].snapshot_at == get_regular_hours(FRIDAY).closes_at + timedelta(minutes=16)

    no_snapshot_was_missed(clock=night, warehouse=resources["warehouse"])
    still = [
        (f.subject, f.detail) for f in installation.findings() if f.rule == "snapshot_missed" and f.session == FRIDAY
    ]
    assert still == []
