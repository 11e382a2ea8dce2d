"""Jobs over whole sessions: from vendor files to marts, or parts of the way."""

import dagster as dg

from hd_pipelines.assets.flat_files import get_flat_file_key
from hd_pipelines.assets.lake import get_lake_key
from hd_pipelines.assets.option_analytics import historical_greeks, iv_percentile_cache
from hd_pipelines.assets.option_chains import option_chains, treasury_yields
from hd_pipelines.jobs.standing_checks import STANDING_CHECKS
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, STOCK_DAY

_HISTORY_DATASETS = (STOCK_DAY, INDEX_DAY)

main_job = dg.define_asset_job(
    "main",
    # Signals have jobs of their own, which scan when all of this is loaded. Live bars exist only for the running session.
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("signals", "live") - STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="Vendor files and chains to lake to warehouse to marts, for one session or a range of sessions.",
)
history_job = dg.define_asset_job(
    "history",
    selection=dg.AssetSelection.assets(
        *(get_flat_file_key(dataset) for dataset in _HISTORY_DATASETS),
        *(get_lake_key(dataset) for dataset in _HISTORY_DATASETS),
        option_chains,
        treasury_yields,
        historical_greeks,
        iv_percentile_cache,
    )
    - STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="What ranks and averages need of the preceding year: day bars and chains at the close, no minutes.",
)
bars_job = dg.define_asset_job(
    "bars",
    selection=dg.AssetSelection.groups("bars", "staging", "marts") - STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="Bars and marts from what the lake has, without a download: after a change of the watchlist.",
)
