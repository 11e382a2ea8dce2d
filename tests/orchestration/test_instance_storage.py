"""Dagster's storage of one HD_HOME: pooled, in its own schema, found without an address in a file."""

import os
from datetime import date

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from sqlalchemy.pool import NullPool, QueuePool

from hd_pipelines.checks.standing import build_failed_partitions_check
from hd_pipelines.partitions import build_range_tags, build_session_partitions
from hd_pipelines.resources.instance import EVENT_BATCH, open_instance
from hd_pipelines.resources.instance_storage import BatchedEventLogStorage, PooledPostgresStorage
from hd_pipelines.settings import load_settings
from tests.support.installation import rows


@pytest.fixture(scope="module")
def hd_home(module_database_url, tmp_path_factory):
    """A home whose database is the test server's."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HD_HOME", str(home))
        patch.setenv("HD_DATABASE_URL", module_database_url)
        patch.setenv("DAGSTER_HOME", "")
        patch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
        yield home
        os.environ.pop("DAGSTER_EVENT_BATCH_SIZE", None)


@pytest.fixture(scope="module")
def instance(hd_home):
    with open_instance(load_settings()) as opened:
        yield opened


def test_dagster_yaml_makes_the_storage_and_holds_no_address(instance, hd_home, module_database_url):
    assert PooledPostgresStorage.__name__ in (hd_home / "dagster" / "dagster.yaml").read_text()
    assert isinstance(instance.event_log_storage, BatchedEventLogStorage)
    written = (hd_home / "dagster" / "dagster.yaml").read_text()
    assert "postgresql" not in written
    assert os.environ["DAGSTER_HOME"] == str(hd_home / "dagster")
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == EVENT_BATCH


def test_the_three_storages_share_one_pool_of_connections(instance):
    """dagster-postgres alone opens a connection for every event."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    (engine,) = {storage._engine for storage in storages}
    assert isinstance(engine.pool, QueuePool)
    assert not isinstance(engine.pool, NullPool)


def test_a_connection_is_reused(instance):
    engine = instance.event_log_storage._engine
    with engine.connect() as connection:
        first = connection.connection.driver_connection.get_backend_pid()
    instance.get_runs()
    with engine.connect() as connection:
        assert connection.connection.driver_connection.get_backend_pid() == first


def test_dagsters_tables_are_in_its_own_schema(instance, module_database_url):
    found = dict(rows(module_database_url, "select schemaname, count(*) from pg_tables group by 1"))
    assert found["dagster"] >= 20
    assert "public" not in found
    assert rows(module_database_url, "select 1 from pg_tables where schemaname = 'dagster' and tablename = 'runs'")


def test_events_are_stored_and_failed_runs_are_not_restarted(instance):
    @dg.asset
    def something() -> None:
        """Nothing."""

    assert dg.materialize([something], instance=instance).success
    assert instance.get_latest_materialization_event(dg.AssetKey("something")) is not None
    assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False


def test_a_failed_partition_is_found_until_it_has_succeeded(instance):
    key = dg.AssetKey("sessional")
    broken = {"2026-05-21"}

    @dg.asset(partitions_def=build_session_partitions())
    def sessional(context: dg.AssetExecutionContext) -> None:
        """Fails on broken sessions."""
        if context.partition_key in broken:
            raise RuntimeError("no file")

    check = build_failed_partitions_check([key])

    def evaluate():
        result = dg.materialize([sessional, check], instance=instance, selection=dg.AssetSelection.checks(check))
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation.passed, evaluation.metadata["failed"].value, evaluation.metadata["newest"].value

    for day in ("2026-05-20", "2026-05-21"):
        dg.materialize([sessional], instance=instance, partition_key=day, raise_on_error=False)
    assert evaluate() == (False, 1, "2026-05-21")
    broken.clear()
    dg.materialize([sessional], instance=instance, partition_key="2026-05-21")
    assert evaluate() == (True, 0, "")


def test_a_planned_check_has_a_row_per_partition_like_those_of_dagster_postgres(
    instance, module_database_url, monkeypatch
):
    @dg.asset(
        partitions_def=build_session_partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("sound", asset="ranged")],
    )
    def ranged() -> dg.MaterializeResult:
        """Nothing, over a range."""
        if fails:
            raise RuntimeError("no result")
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="sound", passed=True)])

    def write_planned_check():
        job = dg.Definitions(assets=[ranged]).resolve_implicit_global_asset_job_def()
        run = job.execute_in_process(
            instance=instance, tags=build_range_tags(date(2026, 5, 18), date(2026, 5, 22)), raise_on_error=False
        )
        return rows(
            module_database_url,
            "select asset_key, check_name, partition, execution_status, evaluation_event_storage_id is not null"
            " from dagster.asset_check_executions where run_id = %s order by partition",
            run.run_id,
        )

    fails = True
    assert len(write_planned_check()) == 5
    key = dg.AssetCheckKey(dg.AssetKey("ranged"), "sound")
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=5):
        assert record.status is AssetCheckExecutionRecordStatus.PLANNED
        assert record.event.step_key == "ranged"
        assert record.event.dagster_event.asset_check_planned_data.asset_check_key == key
    fails = False
    ours = write_planned_check()
    monkeypatch.delattr(BatchedEventLogStorage, "_store_asset_check_evaluation_planned")
    assert write_planned_check() == ours
    assert len(ours) >= 1
