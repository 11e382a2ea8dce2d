"""Jobs: which assets run together.

Belongs here: selections. When they run is in `schedules` and `sensors`.
"""

from typing import Any

import dagster as dg

from hd_pipelines.assets.flat_files import flat_file_key
from hd_pipelines.assets.lake import lake_key
from hd_pipelines.checks.standing import NEWEST_DUE, NO_PARTITIONS_LEFT_FAILED, NO_SNAPSHOT_MISSED
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, INDEX_DAY, STOCK_DAY
from hd_pipelines.resources import Warehouse
from hd_pipelines.warehouse.schema.retention import drop_old_rows

MAIN, HISTORY, SNAPSHOT, LIVE = "main", "history", "chain_snapshot", "live"
BARS_KEY, CHAINS_KEY = dg.AssetKey("historical_bars"), dg.AssetKey("option_chains")
_VALUED = [CHAINS_KEY, dg.AssetKey("treasury_yields"), dg.AssetKey("historical_greeks")]
_DERIVED = [dg.AssetKey(n) for n in ("iv_percentile_cache", "gamma_exposure_snapshots", "market_regime_history")]
_OF_THE_YEAR_BEFORE = (STOCK_DAY, INDEX_DAY)
SESSION_ASSET_KEYS = [
    *(flat_file_key(d) for d in DATASETS),
    *(lake_key(d) for d in DATASETS),
    BARS_KEY,
    *_VALUED,
    *_DERIVED,
]
_MISSED = dg.AssetSelection.checks(dg.AssetCheckKey(CHAINS_KEY, NO_SNAPSHOT_MISSED))
STANDING = _MISSED | dg.AssetSelection.checks(
    dg.AssetCheckKey(BARS_KEY, NEWEST_DUE),
    *(dg.AssetCheckKey(key, NO_PARTITIONS_LEFT_FAILED) for key in SESSION_ASSET_KEYS),
)
"""Checks that are asked on their own; every selection of assets has to leave them out, since one step answers them all."""

main_job = dg.define_asset_job(
    MAIN,
    # Signals are scanned when all of this is there: by their own jobs, minute by minute. Live bars are of the moment.
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("signals", "live") - STANDING,
    executor_def=dg.in_process_executor,
    description="Vendor files and chains to lake to warehouse to marts, for one session or a range of sessions.",
)
history_job = dg.define_asset_job(
    HISTORY,
    selection=dg.AssetSelection.assets(
        *(flat_file_key(d) for d in _OF_THE_YEAR_BEFORE),
        *(lake_key(d) for d in _OF_THE_YEAR_BEFORE),
        *_VALUED,
        dg.AssetKey("iv_percentile_cache"),
    )
    - STANDING,
    executor_def=dg.in_process_executor,
    description="What ranks and averages need of the year before: day bars and closes of chains, no minutes.",
)
snapshot_job = dg.define_asset_job(
    SNAPSHOT,
    selection=dg.AssetSelection.assets(*_VALUED) - STANDING,
    executor_def=dg.in_process_executor,
    description="Takes the chains of the moment and values them; percentiles and gamma follow by themselves.",
)
live_job = dg.define_asset_job(
    LIVE,
    selection=dg.AssetSelection.assets("live_bars"),
    executor_def=dg.in_process_executor,
    description="The running session's newest minutes, and the bars that they finish. Needs an open exchange.",
)
bars_job = dg.define_asset_job(
    "bars",
    selection=(dg.AssetSelection.groups("bars", "staging", "marts")) - STANDING,
    executor_def=dg.in_process_executor,
    description="Bars and marts from what the lake has: after a change of the watchlist, without a download.",
)
standing_checks_job = dg.define_asset_job(
    "standing_checks",
    selection=STANDING,
    executor_def=dg.in_process_executor,
    description="Nothing was left failed, the newest session that is due is there, no chain snapshot was missed.",
)
missed_snapshots_job = dg.define_asset_job(
    "missed_snapshots",
    selection=_MISSED,
    executor_def=dg.in_process_executor,
    description="Whether every chain snapshot of the last sessions was taken. Nobody sells them later.",
)


@dg.op(description="Drops the months and years that each table has kept long enough; the lake keeps everything.")
def drop_what_was_kept_long_enough(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
    """Rows dropped by table, in the log and as metadata."""
    dropped = drop_old_rows(warehouse.database)
    context.log.info(", ".join(f"{table} {rows:,}" for table, rows in dropped.items()))
    context.add_output_metadata(dropped)


@dg.job(name="retention", executor_def=dg.in_process_executor)
def retention_job() -> None:
    """Drops what the warehouse has kept long enough."""
    drop_what_was_kept_long_enough()


ALL_JOBS: list[Any] = [
    main_job,
    history_job,
    snapshot_job,
    live_job,
    bars_job,
    standing_checks_job,
    missed_snapshots_job,
    retention_job,
]
