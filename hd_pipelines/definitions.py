"""Assembles everything that Dagster loads: one builder for the Dagster processes, the command line and the tests.

Importing this module opens no connection and loads neither great_expectations nor scipy nor matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from hd_pipelines.assets.all_assets import ALL_ASSETS, SESSION_ASSET_KEYS
from hd_pipelines.checks.standing import (
    build_failed_partitions_check,
    newest_due_session_is_published,
    no_snapshot_was_missed,
)
from hd_pipelines.jobs import ALL_JOBS
from hd_pipelines.resources import (
    Clock,
    FlatFilesResource,
    LakeResource,
    NotifierResource,
    OptionDataResource,
    WarehouseResource,
)
from hd_pipelines.resources.dbt import DBT_EXECUTABLE, PROJECT, DbtResource
from hd_pipelines.resources.dbt_command import DbtCommand
from hd_pipelines.resources.step_values import StepValues
from hd_pipelines.schedules import ALL_SCHEDULES
from hd_pipelines.sensors import ALL_SENSORS


def build_definitions(*, resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """Assemble assets, checks, jobs, schedules, sensors and resources; `resource_overrides` replaces resources by key."""
    resources: dict[str, object] = {
        "clock": Clock(),
        "flat_file_bucket": FlatFilesResource(),
        "lake": LakeResource(),
        "option_data": OptionDataResource(),
        "warehouse": WarehouseResource(),
        "dbt_project": DbtResource(),
        # These two would otherwise take paths from a run's configuration: of a program to start, of a folder to unpickle.
        "dbt": dg.ResourceDefinition.hardcoded_resource(
            DbtCommand(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=DBT_EXECUTABLE)
        ),
        "io_manager": StepValues(),
        "notifier": NotifierResource(),
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=ALL_ASSETS,
        asset_checks=[
            build_failed_partitions_check(SESSION_ASSET_KEYS),
            newest_due_session_is_published,
            no_snapshot_was_missed,
        ],
        jobs=ALL_JOBS,
        schedules=ALL_SCHEDULES,
        sensors=ALL_SENSORS,
        resources=resources,
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Build the definitions that `workspace.yaml` and `dg` load."""
    return build_definitions()
