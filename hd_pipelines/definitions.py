"""Everything Dagster knows about this platform. The only place that assembles.

Belongs here: one builder, used by the Dagster processes, the command line and the tests alike. Importing this module
opens no connection and loads neither great_expectations nor scipy; a test says so.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster_dbt import DbtCliResource

from hd_pipelines.assets.bars import historical_bars
from hd_pipelines.assets.flat_files import flat_file_assets
from hd_pipelines.assets.lake import lake_assets
from hd_pipelines.assets.live_bars import live_bars
from hd_pipelines.assets.marts import dbt_models
from hd_pipelines.assets.option_analytics import gamma_exposure_snapshots, historical_greeks, iv_percentile_cache
from hd_pipelines.assets.option_chains import option_chains, treasury_yields
from hd_pipelines.assets.regime import market_regime_history
from hd_pipelines.assets.signals import composite_signals
from hd_pipelines.checks.standing import (
    newest_due_session_is_published,
    no_partitions_left_failed,
    no_snapshot_was_missed,
)
from hd_pipelines.jobs import ALL_JOBS, SESSION_ASSET_KEYS
from hd_pipelines.resources import FlatFileBucket, Lake, OptionData, Warehouse
from hd_pipelines.resources.dbt import DBT_EXECUTABLE, PROJECT, DbtProject
from hd_pipelines.resources.notifier import Notifier
from hd_pipelines.schedules import ALL_SCHEDULES
from hd_pipelines.sensors import ALL_SENSORS
from hd_pipelines.signal_jobs import SIGNAL_JOBS
from hd_pipelines.signal_schedules import SIGNAL_SCHEDULES

SESSION_ASSETS = [
    *flat_file_assets,
    *lake_assets,
    historical_bars,
    option_chains,
    treasury_yields,
    historical_greeks,
    iv_percentile_cache,
    gamma_exposure_snapshots,
    market_regime_history,
    composite_signals,
]


def build_definitions(*, resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources; `resource_overrides` replaces resources by key."""
    resources: dict[str, object] = {
        "flat_file_bucket": FlatFileBucket(),
        "lake": Lake(),
        "option_data": OptionData(),
        "warehouse": Warehouse(),
        "dbt_project": DbtProject(),
        "dbt": DbtCliResource(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=DBT_EXECUTABLE),
        "notifier": Notifier(),
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=[*SESSION_ASSETS, live_bars, dbt_models],
        asset_checks=[
            no_partitions_left_failed(SESSION_ASSET_KEYS),
            newest_due_session_is_published,
            no_snapshot_was_missed,
        ],
        jobs=[*ALL_JOBS, *SIGNAL_JOBS],
        schedules=[*ALL_SCHEDULES, *SIGNAL_SCHEDULES],
        sensors=ALL_SENSORS,
        resources=resources,
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` and `dg` load."""
    return build_definitions()
