"""The definitions compared with one committed snapshot, and the cost of loading them."""

import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from hd_pipelines.assets.all_assets import SESSION_ASSET_KEYS
from hd_pipelines.checks.standing import NO_PARTITIONS_LEFT_FAILED
from hd_pipelines.definitions import build_definitions
from hd_pipelines.market.sessions import get_last_snapshot_session
from hd_pipelines.partitions import CALENDAR_WARNING
from hd_pipelines.tables.catalogue import TABLES

SNAPSHOT = Path(__file__).with_name("definitions_snapshot.json")
UPDATE = "UPDATE_SNAPSHOTS"
HEAVY = ("great_expectations", "dbt", "scipy", "exchange_calendars", "hypothesis", "sklearn", "matplotlib")
MOST_CPU_SECONDS = 20.0


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


def describe(definitions: dg.Definitions) -> dict[str, object]:
    """Describe all specs in a form that reads well in a diff."""
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            spec.key.to_user_string(): {
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "group": spec.group_name,
                "kinds": sorted(spec.kinds),
                "owners": sorted(spec.owners),
                "partitions": type(spec.partitions_def).__name__ if spec.partitions_def else None,
                "described": bool(spec.description),
            }
            for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)
        },
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": {"blocking": graph.get_check_spec(key).blocking}
            for key in sorted(graph.asset_check_keys, key=str)
        },
        "jobs": {
            job.name: {"steps": sorted(node.name for node in job.nodes), "partitioned": job.partitions_def is not None}
            for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
        },
        "schedules": {
            schedule.name: {
                "job": schedule.job_name,
                "cron": schedule.cron_schedule,
                "timezone": schedule.execution_timezone,
                "status": schedule.default_status.value,
            }
            for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name)
        },
        "sensors": {
            sensor.name: {
                "jobs": sorted(target.job_name for target in sensor.targets),
                "seconds": sensor.minimum_interval_seconds,
                "status": sensor.default_status.value,
            }
            for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name)
        },
        "resources": sorted(definitions.resources or {}),
    }


def test_definitions_are_those_of_the_snapshot(definitions):
    now = json.dumps(describe(definitions), indent=1, sort_keys=True) + "\n"
    if os.environ.get(UPDATE):
        SNAPSHOT.write_text(now)
    expected = SNAPSHOT.read_text()
    assert json.loads(now) == json.loads(expected), (
        f"The definitions changed. If this is intended, run `{UPDATE}=1 pytest {SNAPSHOT.parent.name}` and read the diff."
    )


def test_definitions_are_loadable(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_every_session_asset_has_one_partitioning_and_owners(definitions):
    specs = [spec for spec in definitions.resolve_all_asset_specs() if spec.partitions_def]
    assert {spec.key for spec in specs} == set(SESSION_ASSET_KEYS)
    assert len({spec.partitions_def for spec in specs}) == 1
    assert all(spec.owners and spec.kinds and spec.description and spec.group_name for spec in specs)


def test_a_failed_partition_of_any_session_asset_is_found(definitions):
    checked = {
        key.asset_key
        for key in definitions.resolve_asset_graph().asset_check_keys
        if key.name == NO_PARTITIONS_LEFT_FAILED
    }
    assert checked == {spec.key for spec in definitions.resolve_all_asset_specs() if spec.partitions_def}
    assert dg.AssetKey("composite_signals") in checked


def test_every_asset_that_writes_a_table_shows_its_columns(definitions):
    written = definitions.resolve_asset_graph().materializable_asset_keys
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs() if spec.key in written}
    shown = {
        name: [column.name for column in spec.metadata["dagster/column_schema"].columns]
        for name, spec in specs.items()
        if "dagster/column_schema" in spec.metadata
    }
    assert shown.keys() == {name for name in specs if not name.startswith("flat_files/")}
    assert shown["historical_greeks"] == list(TABLES["historical_greeks"].names)
    assert shown["lake/option_day_aggs"] == list(TABLES["lake_bars"].names)
    assert specs["composite_signals"].metadata["dagster/table_name"] == "public.composite_signals"
    assert "dagster/table_name" not in specs["option_chains"].metadata


def test_a_backfill_of_session_assets_is_one_run(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        if graph.get(key).partitions_def is not None:
            assert graph.get(key).backfill_policy == dg.BackfillPolicy.single_run()


def test_a_resource_can_be_replaced():
    other = dg.ResourceDefinition.hardcoded_resource("lake of a test")
    assert build_definitions(resource_overrides={"lake": other}).resources["lake"] is other


@pytest.mark.slow
def test_loading_the_definitions_is_cheap_and_loads_nothing_heavy():
    """Measured in a fresh interpreter as user CPU, so that a busy machine does not matter. Every Dagster process pays it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    answer = subprocess.run(
        [sys.executable, "-c", "import json, sys, hd_pipelines.definitions; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    loaded = {name.partition(".")[0] for name in json.loads(answer.stdout)}
    # Near the end of the calendar's snapshot every process computes later sessions, with a warning in its log.
    is_snapshot_ending = datetime.now(UTC).date() + CALENDAR_WARNING > get_last_snapshot_session()
    assert loaded.isdisjoint(set(HEAVY) - ({"exchange_calendars"} if is_snapshot_ending else set()))
    assert seconds < MOST_CPU_SECONDS * (2 if is_snapshot_ending else 1)


def test_no_resource_takes_anything_from_a_runs_configuration():
    repository = build_definitions().get_repository_def()
    fields = {
        (job.name, name): sorted(getattr(resource.config_schema.config_type, "fields", None) or ())
        for job in repository.get_all_jobs()
        for name, resource in job.resource_defs.items()
        if resource.config_schema is not None
    }
    assert {place: names for place, names in fields.items() if names} == {}
