"""The job of the running session's bars."""

import dagster as dg

from hd_pipelines.assets.live_bars import live_bars

live_job = dg.define_asset_job(
    "live",
    selection=dg.AssetSelection.assets(live_bars),
    executor_def=dg.in_process_executor,
    description="The running session's newest minutes and the bars that they complete. Needs an open exchange.",
)
