"""Every button of the Dagster page that starts something, by the requests that the page sends to the web server."""

import os
from datetime import datetime

import psycopg
import pytest

from hd_pipelines.cli.installation import open_installation
from hd_pipelines.cli.runs import run_job
from hd_pipelines.cli.sandbox import fill, serve_sandbox
from hd_pipelines.market.sessions import NEW_YORK, list_last_sessions
from hd_pipelines.resources import instance as dagster_instance
from hd_pipelines.settings import load_settings
from tests.support.dagster_page import IN_PROCESS, open_dagster_page
from tests.support.installation import SESSIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WINDOW = list_last_sessions(SESSIONS[-1], 3)
NAMES = [str(session) for session in WINDOW]
DBT_GROUPS = {"staging", "marts"}
EXECUTED_JOBS = {"history", "signals", "scan", "live", "standing_checks", "retention"}
TWINS = {"flat_files/index_day_aggs", "lake/index_day_aggs"}
"""Every press is a run that costs a second or two. Where several buttons start the same code (twelve assets of six
datasets, models of dbt, jobs over the same assets) the page's acceptance is tested of all, and the run of one."""
JOBS_WITHOUT_PARTITIONS = {"live", "scan", "signal_outcomes", "standing_checks", "missed_snapshots", "retention"}


@pytest.fixture(scope="module")
def installation(module_database_url, tmp_path_factory):
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HD_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("HD_DATABASE_URL", module_database_url)
        patch.setenv("HD_WATCHLIST", "SPX,AAPL")
        patch.setattr(dagster_instance, "DAGSTER_YAML", dagster_instance.DAGSTER_YAML + IN_PROCESS)
        settings = load_settings()
        opened = open_installation(settings)
        fill(settings, None, WINDOW, lambda *_: None)
        with serve_sandbox(settings, None):
            yield opened
        opened.database.close()
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


@pytest.fixture(scope="module")
def page(installation):
    with dagster_instance.open_instance(installation.settings) as instance, open_dagster_page(instance) as opened:
        yield opened


def assert_success(page, run_id):
    status = page.read_run(run_id)["status"]
    assert status == "SUCCESS", page.error_of(run_id)


def is_executed(page, name):
    """One of the datasets stands for its twins; dbt has a test of its own."""
    is_twin = name.startswith(("flat_files/", "lake/")) and name not in TWINS
    return not is_twin and page.nodes[name]["groupName"] not in DBT_GROUPS


def test_each_asset_is_materialized_by_itself(page):
    for name in page.list_assets():
        partition = NAMES[-1] if page.nodes[name]["isPartitioned"] else None
        run = page.materialize([name], partition, is_executed=is_executed(page, name))
        if is_executed(page, name):
            assert_success(page, run)


def test_models_of_dbt_are_built_without_the_others(page):
    views = [name for name, node in page.nodes.items() if node["groupName"] == "staging"]
    assert_success(page, page.materialize(views))
    run = page.materialize(["fct_daily_returns"])
    assert_success(page, run)
    assert [made["assetKey"]["path"] for made in page.read_run(run)["assetMaterializations"]] == [["fct_daily_returns"]]


def test_each_group_is_materialized_by_itself(page):
    for group in sorted({node["groupName"] for node in page.nodes.values()}):
        names = [name for name, node in page.nodes.items() if node["groupName"] == group]
        is_partitioned = any(page.nodes[name]["isPartitioned"] for name in names)
        run = page.materialize(names, NAMES[-1] if is_partitioned else None, is_executed=group == "options")
        if group == "options":
            assert_success(page, run)


@pytest.mark.parametrize("name", ["historical_bars", "composite_signals"])
def test_one_asset_is_backfilled_over_three_sessions_in_one_run(page, name):
    backfill = page.backfill([name], NAMES)
    assert (backfill["status"], backfill["error"]) == ("COMPLETED_SUCCESS", None)
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS"]
    made = page.read_run(backfill["runs"][0]["runId"])["assetMaterializations"]
    assert sorted(made_one["partition"] for made_one in made) == NAMES


def test_all_assets_are_materialized_at_once(page):
    run = page.materialize(page.list_assets(), NAMES[-1])
    assert_success(page, run)


def test_each_job_is_launched(page):
    jobs = page.list_jobs()
    assert set(jobs) >= EXECUTED_JOBS
    for name in jobs:
        tags = {} if name in JOBS_WITHOUT_PARTITIONS else {"dagster/partition": NAMES[-1]}
        run = page.launch_job(name, tags, is_executed=name in EXECUTED_JOBS)
        if name in EXECUTED_JOBS:
            assert_success(page, run)


def test_each_check_that_stands_alone_is_executed_alone(page):
    alone = {
        (name, check["name"])
        for name, node in page.nodes.items()
        for check in node["assetChecksOrError"]["checks"]
        if check["canExecuteIndividually"] == "CAN_EXECUTE" and node["groupName"] not in DBT_GROUPS
    }
    partitioned = {name for name, node in page.nodes.items() if node["isPartitioned"]}
    assert {name for name, check in alone if check == "no_partitions_left_failed"} == partitioned
    executed = {check: name for name, check in sorted(alone)}
    for name, check in sorted(alone):
        run = page.execute_check(name, check, is_executed=executed[check] == name)
        if executed[check] == name:
            assert_success(page, run)


def test_a_failed_run_is_executed_again_from_its_failure(page, installation):
    names = ["historical_greeks", "gamma_exposure_snapshots"]
    with psycopg.connect(installation.database.url) as connection:
        connection.execute("ALTER TABLE gamma_exposure_snapshots RENAME TO out_of_reach")
    failed = page.materialize(names, NAMES[-1])
    assert page.read_run(failed)["status"] == "FAILURE"
    with psycopg.connect(installation.database.url) as connection:
        connection.execute("ALTER TABLE out_of_reach RENAME TO gamma_exposure_snapshots")
    again = page.reexecute(failed, "FROM_FAILURE")
    assert_success(page, again)
    made = {made["assetKey"]["path"][0] for made in page.read_run(again)["assetMaterializations"]}
    assert made == {"gamma_exposure_snapshots"}


def test_each_sensor_is_tested(page):
    assert len(page.list_sensors()) >= 5
    for name in page.list_sensors():
        assert page.test_sensor(name)["error"] is None, name


def test_each_schedule_is_tested(page):
    at = datetime(2026, 5, 22, 16, 16, tzinfo=NEW_YORK).timestamp()
    for name in page.list_schedules():
        assert page.test_schedule(name, at)["error"] is None, name


def test_a_run_of_a_command_belongs_to_its_job_and_can_be_executed_again(page, installation):
    outcome = run_job(installation, "signals", WINDOW[-1:])
    assert outcome.succeeded
    shown = page.read_run(outcome.run_id)
    assert (shown["pipelineName"], shown["status"]) == ("signals", "SUCCESS")
    assert shown["repositoryOrigin"] == {"repositoryName": "__repository__", "repositoryLocationName": "hd_pipelines"}
    assert outcome.run_id in page.list_runs_of_job("signals")
    assert_success(page, page.reexecute(outcome.run_id, "ALL_STEPS"))
