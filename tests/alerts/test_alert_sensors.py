"""From what goes wrong in Dagster and in the warehouse to a message at the receiver, tick by tick."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.market.findings import Finding
from hd_pipelines.notifier.channels import open_usable_channels
from hd_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG
from hd_pipelines.resources import Clock, NotifierResource, WarehouseResource
from hd_pipelines.sensors import failure_alerts, late_data_alerts
from hd_pipelines.sensors.alert_delivery import deliver_alerts
from hd_pipelines.sensors.alert_signals import alert_new_signals
from hd_pipelines.sensors.failure_alerts import OVERLAP, RunCursor, alert_failures, name_partitions
from hd_pipelines.sensors.late_data_alerts import alert_late_data
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.records.alerts import read_open_alerts
from hd_pipelines.warehouse.records.findings import CheckedScope, record_findings, settle_findings
from tests.alerts.conftest import DISCORD
from tests.warehouse.bar_frames import one

CANARY = "canary-s3cret-77"


class World:
    """Sensors of an installation with a hand-moved clock; cursors are kept if the tick succeeded, as the daemon does."""

    def __init__(self, database, clock, instance, urls):
        self.database, self.clock, self.instance, self.urls = database, clock, instance, urls
        self.cursors = {}

    def tick(self, sensor):
        world = self

        class Installation(WarehouseResource):
            @property
            def database(self):
                return world.database

        class Now(Clock):
            def now(self):
                return world.clock.now

        class Channels(NotifierResource):
            def open_channels(self):
                return open_usable_channels(world.urls)

            def build_redactor(self, _database):
                return Redactor([CANARY])

        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            resources={"clock": Now(), "warehouse": Installation(), "notifier": Channels()},
        ) as context:
            answer = sensor(context)
            self.cursors[sensor.name] = context.cursor
            return answer.skip_message

    def open_alerts(self):
        with self.database.connect() as connection:
            return {(alert.rule, alert.subject) for alert in read_open_alerts(connection)}


@pytest.fixture
def world(database, clock, discord):
    with dg.DagsterInstance.ephemeral() as instance:
        clock.now = datetime.now(UTC)  # Dagster's own clock cannot be moved
        yield World(database, clock, instance, DISCORD)


@dg.op
def explode(context):
    if context.run.tags.get("well") != "yes":
        raise RuntimeError(f"boom with {CANARY}") from ValueError(f"the cause, @everyone {CANARY}")


@dg.job(executor_def=dg.in_process_executor)
def fragile():
    explode()


@dg.asset
def table():
    return 1


@dg.asset_check(asset=table)
def is_whole(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    tags = context.run.tags
    return dg.AssetCheckResult(
        passed=tags.get("well") == "yes",
        severity=dg.AssetCheckSeverity.WARN if tags.get("mild") else dg.AssetCheckSeverity.ERROR,
        description="Every row is there.",
        metadata={"missing": 3},
    )


CHECKED = dg.Definitions(
    assets=[table], asset_checks=[is_whole], jobs=[dg.define_asset_job("checked")], executor=dg.in_process_executor
)


def run_fragile(world, *, well=False, **tags):
    return fragile.execute_in_process(
        instance=world.instance, raise_on_error=False, tags={"well": "yes" if well else "no", **tags}
    )


def run_checked(world, *, well=False, **tags):
    job = CHECKED.resolve_job_def("checked")
    return job.execute_in_process(instance=world.instance, tags={"well": "yes" if well else "no", **tags})


def titles(receiver):
    return [each.embed["title"] for each in receiver.accepted]


def test_a_failed_run_is_sent_and_so_is_its_end_and_each_once(world, discord):
    world.tick(alert_failures)
    run_fragile(world)
    for _ in range(3):
        world.tick(alert_failures)
        world.tick(deliver_alerts)
    assert world.open_alerts() == {("run_failed", "fragile")}
    run_fragile(world, well=True)
    for _ in range(3):
        world.tick(alert_failures)
        world.tick(deliver_alerts)
    assert titles(discord) == ["Run of fragile failed", "Resolved: Run of fragile failed"]
    assert world.open_alerts() == set()


def test_the_error_of_a_run_is_sent_without_its_secrets(world, discord, warehouse_url):
    world.tick(alert_failures)
    run_fragile(world)
    world.tick(alert_failures)
    world.tick(deliver_alerts)
    text = discord.accepted[0].embed["description"]
    assert "the cause" in text, "the innermost cause is what a person needs"
    assert "@everyone" not in text
    for table_name in ("alerts", "alert_outbox", "alert_channels"):
        assert CANARY not in str(one(warehouse_url, f"SELECT string_agg({table_name}::text, '') FROM {table_name}"))
    assert CANARY not in str(discord.posted)


def test_a_channel_that_cannot_be_used_is_reported_on_the_others_once(world, discord):
    world.urls = f"discord://geheim {DISCORD}"
    for _ in range(2):
        assert "URL 1 of HD_ALERT_URLS (discord)" in world.tick(deliver_alerts)
    (posted,) = discord.accepted
    assert posted.embed["title"] == "An alert channel cannot be used"
    assert "geheim" not in str(posted)
    world.urls = DISCORD
    world.tick(deliver_alerts)
    assert world.open_alerts() == set()


def test_failures_of_before_the_first_tick_are_history(world, discord):
    run_fragile(world)
    world.clock.now = datetime.now(UTC) + OVERLAP
    world.tick(alert_failures)
    world.tick(alert_failures)
    assert world.open_alerts() == set()


def test_other_sessions_of_the_same_job_are_other_alerts(world):
    world.tick(alert_failures)
    run_fragile(world, **{"dagster/partition": "2026-11-19"})
    run_fragile(world, **{"dagster/partition": "2026-11-20"})
    run_fragile(world, well=True, **{"dagster/partition": "2026-11-20"})
    world.tick(alert_failures)
    assert world.open_alerts() == {("run_failed", "fragile 2026-11-19")}


def test_a_run_that_will_be_retried_is_not_sent(world):
    world.tick(alert_failures)
    run_fragile(world, **{"dagster/will_retry": "true"})
    world.tick(alert_failures)
    assert world.open_alerts() == set()


def test_a_failed_check_is_sent_and_resolved_by_one_that_passes(world, discord):
    world.tick(alert_failures)
    run_checked(world)
    world.tick(alert_failures)
    world.tick(deliver_alerts)
    assert world.open_alerts() == {("check_failed", "table:is_whole")}
    (posted,) = discord.accepted
    assert posted.embed["title"] == r"Check is\_whole of table failed"
    assert posted.embed["description"] == "Every row is there.; missing: 3"
    run_checked(world, well=True)
    world.tick(alert_failures)
    assert world.open_alerts() == set()


def test_a_check_that_only_warns_waits_for_the_digest(world, discord):
    world.tick(alert_failures)
    run_checked(world, mild="yes")
    world.tick(alert_failures)
    world.tick(deliver_alerts)
    assert discord.posted == []
    world.clock.advance(days=1)
    world.tick(deliver_alerts)
    world.tick(deliver_alerts)
    assert titles(discord) == ["1 warning, 1 open"]


def test_a_tick_that_dies_after_its_commit_reports_nothing_twice(world, discord, warehouse_url):
    world.tick(alert_failures)
    before = world.cursors["alert_failures"]
    run_fragile(world)
    run_fragile(world, well=True)
    for _ in range(3):
        world.tick(alert_failures)
        world.cursors["alert_failures"] = before
    world.tick(deliver_alerts)
    assert titles(discord) == ["Run of fragile failed", "Resolved: Run of fragile failed"]
    assert one(warehouse_url, "SELECT (episode, occurrences)::text FROM alerts") == "(1,1)"


def test_a_failure_while_the_database_is_away_is_sent_when_it_is_back(world, discord, monkeypatch):
    world.tick(alert_failures)
    run_fragile(world)
    with monkeypatch.context() as broken:
        broken.setattr(failure_alerts.AlertBook, "observe", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.tick(alert_failures)
    world.tick(alert_failures)
    assert world.open_alerts() == {("run_failed", "fragile")}


def test_more_runs_than_a_tick_looks_at_are_looked_at_by_the_next(world, monkeypatch):
    monkeypatch.setattr(failure_alerts, "RUNS_PER_TICK", 2)
    world.tick(alert_failures)
    for number in range(5):
        run_fragile(world, **{"dagster/partition": f"2026-11-0{number + 1}"})
    for _ in range(4):
        world.tick(alert_failures)
    assert len(world.open_alerts()) == 5


def test_open_alerts_escalate_at_the_receiver(world, discord):
    world.tick(alert_failures)
    run_fragile(world)
    world.tick(alert_failures)
    for _ in range(6):
        world.tick(deliver_alerts)
        world.clock.advance(minutes=16)
    assert titles(discord) == [
        "Run of fragile failed",
        "Still open: Run of fragile failed",
        "Still open: Run of fragile failed",
    ]


def test_without_channels_alerts_are_kept_and_nothing_breaks(world, discord):
    world.urls = ""
    world.tick(alert_failures)
    run_fragile(world)
    world.tick(alert_failures)
    assert "HD_ALERT_URLS is not set" in world.tick(deliver_alerts)
    assert world.open_alerts() == {("run_failed", "fragile")}
    assert "no channel to send to" in world.tick(alert_new_signals)
    assert discord.posted == []


def test_late_bars_are_open_until_they_are_there(world, monkeypatch):
    newest = [None]
    monkeypatch.setattr(late_data_alerts.bar_queries, "find_newest_session", lambda _: newest[0])
    world.clock.now = datetime(2026, 5, 22, 15, 1, tzinfo=UTC)  # Friday 11:01 in New York: Thursday is due
    world.tick(alert_late_data)
    assert world.open_alerts() == {("data_late", "historical_bars")}
    newest[0] = date(2026, 5, 20)
    world.tick(alert_late_data)
    assert world.open_alerts() == {("data_late", "historical_bars")}
    newest[0] = date(2026, 5, 21)
    world.clock.advance(minutes=5)
    world.tick(alert_late_data)
    assert world.open_alerts() == set()


def test_late_findings_are_one_alert_a_place_and_end_with_them(world, discord, monkeypatch):
    monkeypatch.setattr(late_data_alerts.bar_queries, "find_newest_session", lambda _: date(2026, 5, 21))
    world.clock.now = datetime(2026, 5, 22, 15, 1, tzinfo=UTC)
    thursday, long_ago = date(2026, 5, 21), date(2024, 1, 3)

    def missing(symbol, session=thursday, rule=Rule.SNAPSHOT_MISSED, severity=Severity.ERROR):
        return Finding(rule, severity, "option_chains", session, symbol, "No chain.", "Nothing.")

    findings = [missing(f"S{n}") for n in range(8)]
    others = [
        missing("OLD", session=long_ago),
        missing("X", rule=Rule.VALUE_UNREADABLE),
        missing("W", rule=Rule.CHAIN_STALE, severity=Severity.WARNING),
    ]
    with world.database.begin() as connection:
        record_findings(connection, [*findings, *others])
    world.clock.now = datetime.now(UTC)
    monkeypatch.setattr(late_data_alerts, "list_last_sessions", lambda *_: [thursday])
    monkeypatch.setattr(late_data_alerts, "find_newest_due_session", lambda _: thursday)
    for _ in range(2):
        world.tick(alert_late_data)
    place = "option_chains 2026-05-21"
    assert world.open_alerts() == {("snapshot_missed", place), ("chain_stale", place)}
    world.tick(deliver_alerts)
    (posted,) = discord.accepted
    assert posted.embed["title"] == r"Snapshot missed: option\_chains 2026-05-21"
    assert posted.embed["description"].startswith("S0, S1, S2, S3, S4 and 3 more.")
    with world.database.begin() as connection:
        settle_findings(connection, [], [CheckedScope("option_chains", frozenset({thursday}))])
    world.clock.now = datetime.now(UTC)
    world.tick(alert_late_data)
    assert world.open_alerts() == set()


RANGE = {RANGE_START_TAG: "2026-11-02", RANGE_END_TAG: "2026-11-20"}


@pytest.mark.parametrize(
    ("tags", "partitions"),
    [
        ({}, None),
        ({"dagster/partition": "2026-11-20"}, "2026-11-20"),
        (RANGE, "2026-11-02 to 2026-11-20"),
        (RANGE | {RANGE_START_TAG: "2026-11-20"}, "2026-11-20"),
    ],
)
def test_the_sessions_of_a_run_are_described(tags, partitions):
    assert name_partitions(tags) == partitions


def test_a_cursor_remembers_the_last_minute_only():
    at = datetime(2026, 11, 20, 15, tzinfo=UTC)
    cursor = RunCursor(at, {}).advance("a", at).advance("b", at + OVERLAP / 2).advance("c", at + OVERLAP)
    assert set(cursor.seen) == {"b", "c"}
    assert RunCursor.parse(cursor.serialize()) == cursor
    assert RunCursor.parse(None) is None
    assert cursor.advance("late", at + timedelta(seconds=1)).after == cursor.after
