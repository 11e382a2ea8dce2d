"""Jobs: which assets run together.

Belongs here: selections. When they run is in `schedules` and `sensors`.
"""

from __future__ import annotations

import dagster as dg

from hd_pipelines.partitions import session_partitions

MAIN = "main"

main_job = dg.define_asset_job(
    MAIN,
    selection=dg.AssetSelection.all(),
    partitions_def=session_partitions(),
    executor_def=dg.in_process_executor,
    description="Vendor files to lake to warehouse to marts, for one session or a range of sessions.",
)
bars_job = dg.define_asset_job(
    "bars",
    selection=dg.AssetSelection.groups("bars").downstream(),
    partitions_def=session_partitions(),
    executor_def=dg.in_process_executor,
    description="Bars and marts from what the lake has: after a change of the watchlist, without a download.",
)
ALL_JOBS = [main_job, bars_job]
