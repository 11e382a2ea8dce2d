"""Jobs of option chains: take and value a snapshot, and check that none was missed."""

import dagster as dg

from hd_pipelines.assets.option_analytics import historical_greeks
from hd_pipelines.assets.option_chains import option_chains, treasury_yields
from hd_pipelines.jobs.standing_checks import MISSED_SNAPSHOTS, STANDING_CHECKS

snapshot_job = dg.define_asset_job(
    "chain_snapshot",
    selection=dg.AssetSelection.assets(option_chains, treasury_yields, historical_greeks) - STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="Takes a snapshot of the current chains and values it; percentiles and gamma follow automatically.",
)
missed_snapshots_job = dg.define_asset_job(
    "missed_snapshots",
    selection=MISSED_SNAPSHOTS,
    executor_def=dg.in_process_executor,
    description="Checks that every chain snapshot of the last sessions was taken. No vendor sells them afterwards.",
)
