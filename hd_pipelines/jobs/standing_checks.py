"""The checks that run on their own, whether or not anything was loaded.

One step evaluates `no_partitions_left_failed` for all assets, so every job that selects assets subtracts
`STANDING_CHECKS`.
"""

import dagster as dg

from hd_pipelines.assets.all_assets import SESSION_ASSET_KEYS
from hd_pipelines.assets.bars import historical_bars
from hd_pipelines.assets.option_chains import option_chains
from hd_pipelines.checks.standing import NEWEST_DUE, NO_PARTITIONS_LEFT_FAILED, NO_SNAPSHOT_MISSED

MISSED_SNAPSHOTS = dg.AssetSelection.checks(dg.AssetCheckKey(option_chains.key, NO_SNAPSHOT_MISSED))
STANDING_CHECKS = MISSED_SNAPSHOTS | dg.AssetSelection.checks(
    dg.AssetCheckKey(historical_bars.key, NEWEST_DUE),
    *(dg.AssetCheckKey(key, NO_PARTITIONS_LEFT_FAILED) for key in SESSION_ASSET_KEYS),
)
