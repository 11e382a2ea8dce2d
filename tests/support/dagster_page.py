"""The Dagster page without a browser: the web server's own GraphQL over a real code server, as the page uses it.

Runs go through the real run queue; what the queue releases is executed in this process, so a run costs its work and not
the start of an interpreter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions import reconstruct
from dagster._core.remote_representation.grpc_server_registry import GrpcServerRegistry
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._grpc.server import GrpcServerCommand
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient

from hd_pipelines.cli.runs import WORKSPACE

IN_PROCESS = """
run_launcher:
  module: dagster._core.launcher.sync_in_memory_run_launcher
  class: SyncInMemoryRunLauncher
"""
LOCATION, REPOSITORY, ASSET_JOB = "hd_pipelines", "__repository__", "__ASSET_JOB"
SELECTOR = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION}

ASSET_NODES = """
query { assetNodes { assetKey { path } dependencyKeys { path } groupName isPartitioned isMaterializable
  assetChecksOrError { __typename ... on AssetChecks { checks { name jobNames canExecuteIndividually } } } } }
"""
LAUNCH = """
mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message } ... on InvalidSubsetError { message }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on PipelineNotFoundError { message } ... on ConflictingExecutionParamsError { message } } }
"""
REEXECUTE = """
mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
BACKFILL_STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
  ... on PartitionBackfill { status error { message } runs(limit: 20) { runId status } } ... on PythonError { message } } }
"""
RUN = """
query($id: ID!) { runOrError(runId: $id) { __typename
  ... on Run { status pipelineName tags { key value } repositoryOrigin { repositoryName repositoryLocationName }
    assetMaterializations { assetKey { path } partition } } } }
"""
JOBS = """query($selector: RepositorySelector!) { repositoryOrError(repositorySelector: $selector) {
  __typename ... on Repository { jobs { name } } } }"""
RUNS_OF_JOB = """query($selector: PipelineSelector!) { pipelineOrError(params: $selector) {
  __typename ... on Pipeline { runs(limit: 50) { runId } } } }"""
SENSORS = """query($selector: RepositorySelector!) { sensorsOrError(repositorySelector: $selector) {
  __typename ... on Sensors { results { name sensorType } } } }"""
SCHEDULES = """query($selector: RepositorySelector!) { schedulesOrError(repositorySelector: $selector) {
  __typename ... on Schedules { results { name } } } }"""
SENSOR_TEST = """
mutation($selector: SensorSelector!, $cursor: String) { sensorDryRun(selectorData: $selector, cursor: $cursor) {
  __typename ... on DryRunInstigationTick { evaluationResult { skipReason error { message } runRequests { runKey } } }
  ... on PythonError { message } } }
"""
SCHEDULE_TEST = """
mutation($selector: ScheduleSelector!, $at: Float) { scheduleDryRun(selectorData: $selector, timestamp: $at) {
  __typename ... on DryRunInstigationTick { evaluationResult { skipReason error { message } runRequests { runKey } } }
  ... on PythonError { message } } }
"""


class DagsterPage:
    """Actions of a person on the page, by the requests that the page sends."""

    def __init__(self, process_context: WorkspaceProcessContext, client: TestClient) -> None:
        self.instance = process_context.instance
        self._process_context, self._client = process_context, client
        self._queue = QueuedRunCoordinatorDaemon(interval_seconds=0)
        nodes = self.query(ASSET_NODES)["assetNodes"]
        self.nodes = {"/".join(node["assetKey"]["path"]): node for node in nodes if node["isMaterializable"]}

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        """Return the data of the response. Fails if GraphQL itself refused the request."""
        answer = self._client.post("/graphql", json={"query": text, "variables": variables})
        body = answer.json()
        assert answer.status_code == 200, body
        assert not body.get("errors"), body
        return body["data"]

    def list_assets(self) -> list[str]:
        """List all assets, each after its upstream assets."""
        upstream = {
            name: {"/".join(key["path"]) for key in node["dependencyKeys"]} for name, node in self.nodes.items()
        }
        return [name for name in TopologicalSorter(upstream).static_order() if name in self.nodes]

    def materialize(self, assets: Sequence[str], partition: str | None = None, *, is_executed: bool = True) -> str:
        """Press Materialize on `assets` with one partition, or none; returns the id of the run that it made."""
        nodes = [self.nodes[name] for name in assets]
        return self._launch(
            {
                **SELECTOR,
                "pipelineName": ASSET_JOB,
                "assetSelection": [node["assetKey"] for node in nodes],
                "assetCheckSelection": [
                    {"name": check["name"], "assetKey": node["assetKey"]}
                    for node in nodes
                    for check in node["assetChecksOrError"]["checks"]
                    if ASSET_JOB in check["jobNames"]
                ],
            },
            {} if partition is None else {"dagster/partition": partition},
            is_executed=is_executed,
        )

    def execute_check(self, asset: str, name: str, *, is_executed: bool = True) -> str:
        """Press Execute on one check of `asset`."""
        key = self.nodes[asset]["assetKey"]
        return self._launch(
            {
                **SELECTOR,
                "pipelineName": ASSET_JOB,
                "assetSelection": [],
                "assetCheckSelection": [{"name": name, "assetKey": key}],
            },
            {},
            is_executed=is_executed,
        )

    def launch_job(self, name: str, tags: dict[str, str], *, is_executed: bool = True) -> str:
        """Launch a job from its page."""
        return self._launch({**SELECTOR, "pipelineName": name}, tags, is_executed=is_executed)

    def _launch(self, selector: dict[str, Any], tags: dict[str, str], *, is_executed: bool = True) -> str:
        params = {
            "selector": selector,
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        launched = self.query(LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]
        if is_executed:
            self.run_queue()
        else:  # the page accepted it, which is what planning it can refuse
            self.instance.report_run_canceled(self.instance.get_run_by_id(run_id))
        return run_id

    def reexecute(self, run_id: str, strategy: str) -> str:
        """Re-execute a run: `ALL_STEPS` or `FROM_FAILURE`."""
        answer = self.query(REEXECUTE, params={"parentRunId": run_id, "strategy": strategy})["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        self.run_queue()
        return answer["run"]["runId"]

    def backfill(self, assets: Sequence[str], partitions: Sequence[str]) -> dict[str, Any]:
        """Press Materialize on `assets` with several partitions; returns the backfill when it has ended."""
        params = {"assetSelection": [self.nodes[name]["assetKey"] for name in assets], "partitionNames": partitions}
        answer = self.query(BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        for _ in range(20):
            list(execute_backfill_iteration(self._process_context, logging.getLogger("backfill")))
            self.run_queue()
            state = self.query(BACKFILL_STATUS, id=answer["backfillId"])["partitionBackfillOrError"]
            if state["status"] not in {"REQUESTED", "CANCELING", "FAILING"}:
                return state
        raise AssertionError(f"the backfill does not end: {state}")

    def run_queue(self) -> None:
        """Run one round of the daemon's run queue, and execute the released runs here."""
        for error in self._queue.run_iteration(self._process_context):
            assert error is None, error

    def read_run(self, run_id: str) -> dict[str, Any]:
        """Return what the page shows of a run."""
        return self.query(RUN, id=run_id)["runOrError"]

    def error_of(self, run_id: str) -> str:
        """Return the messages of a run's failed steps, for the test report."""
        logs = self.instance.all_logs(
            run_id, of_type={dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
        )
        return "\n".join(str(entry.dagster_event.event_specific_data) for entry in logs)[:3000]

    def list_jobs(self) -> list[str]:
        """List the names of all jobs but the hidden one behind assets."""
        found = self.query(JOBS, selector=SELECTOR)["repositoryOrError"]["jobs"]
        return [job["name"] for job in found if not job["name"].startswith("__")]

    def list_runs_of_job(self, name: str) -> list[str]:
        """List ids of the runs on a job's own page, newest first."""
        answer = self.query(RUNS_OF_JOB, selector={**SELECTOR, "pipelineName": name})["pipelineOrError"]
        return [run["runId"] for run in answer["runs"]]

    def list_sensors(self) -> list[str]:
        """List sensors with a Test button; the page has none for sensors of automation conditions."""
        found = self.query(SENSORS, selector=SELECTOR)["sensorsOrError"]["results"]
        return [sensor["name"] for sensor in found if sensor["sensorType"] == "STANDARD"]

    def list_schedules(self) -> list[str]:
        return [found["name"] for found in self.query(SCHEDULES, selector=SELECTOR)["schedulesOrError"]["results"]]

    def test_sensor(self, name: str) -> dict[str, Any]:
        """Press Test on a sensor; returns the result of the evaluation."""
        answer = self.query(SENSOR_TEST, selector={**SELECTOR, "sensorName": name}, cursor=None)["sensorDryRun"]
        assert answer["__typename"] == "DryRunInstigationTick", answer
        return answer["evaluationResult"]

    def test_schedule(self, name: str, at: float) -> dict[str, Any]:
        """Press Test on a schedule with a tick's time, seconds since 1970; returns the result."""
        answer = self.query(SCHEDULE_TEST, selector={**SELECTOR, "scheduleName": name}, at=at)["scheduleDryRun"]
        assert answer["__typename"] == "DryRunInstigationTick", answer
        return answer["evaluationResult"]


@contextmanager
def open_dagster_page(instance: dg.DagsterInstance) -> Iterator[DagsterPage]:
    """A web server's application over the code server of `workspace.yaml`."""
    # Runs are executed here and may keep this process from sending heartbeats, after which the code server would stop.
    servers = GrpcServerRegistry(
        instance_ref=instance.get_ref(),
        server_command=GrpcServerCommand.API_GRPC,
        heartbeat_ttl=1800,
        startup_timeout=180,
        wait_for_processes_on_shutdown=True,
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        servers,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(WORKSPACE)]), grpc_server_registry=servers
        ) as process_context,
        TestClient(create_app_from_workspace_process_context(process_context)) as client,
    ):
        # A run's own process loads the definitions once; the runs of this process share them.
        patch.setattr(
            reconstruct,
            "reconstruct_repository_def_from_pointer",
            cache(reconstruct.reconstruct_repository_def_from_pointer),
        )
        yield DagsterPage(process_context, client)
