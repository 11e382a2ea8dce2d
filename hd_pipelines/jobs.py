"""Jobs: which assets run together.

Belongs here: selections. When they run is in `schedules` and `sensors`.
"""

from __future__ import annotations

import dagster as dg

from hd_pipelines.assets.flat_files import flat_file_key
from hd_pipelines.assets.lake import lake_key
from hd_pipelines.checks.standing import NEWEST_DUE, NO_PARTITIONS_LEFT_FAILED
from hd_pipelines.vendor.flat_file_layout import DATASETS

MAIN = "main"
BARS_KEY = dg.AssetKey("historical_bars")
SESSION_ASSET_KEYS = [*(flat_file_key(d) for d in DATASETS), *(lake_key(d) for d in DATASETS), BARS_KEY]
_STANDING = dg.AssetSelection.checks(
    dg.AssetCheckKey(BARS_KEY, NEWEST_DUE),
    *(dg.AssetCheckKey(key, NO_PARTITIONS_LEFT_FAILED) for key in SESSION_ASSET_KEYS),
)

main_job = dg.define_asset_job(
    MAIN,
    selection=dg.AssetSelection.all() - _STANDING,
    executor_def=dg.in_process_executor,
    description="Vendor files to lake to warehouse to marts, for one session or a range of sessions.",
)
bars_job = dg.define_asset_job(
    "bars",
    selection=dg.AssetSelection.groups("bars").downstream() - _STANDING,
    executor_def=dg.in_process_executor,
    description="Bars and marts from what the lake has: after a change of the watchlist, without a download.",
)
standing_checks_job = dg.define_asset_job(
    "standing_checks",
    selection=_STANDING,
    executor_def=dg.in_process_executor,
    description="Nothing was left failed, and the newest session that is due is there.",
)
ALL_JOBS = [main_job, bars_job, standing_checks_job]
