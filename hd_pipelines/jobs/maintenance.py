"""Jobs that look after the installation: standing checks and retention."""

import dagster as dg

from hd_pipelines.jobs.standing_checks import STANDING_CHECKS
from hd_pipelines.resources import WarehouseResource
from hd_pipelines.warehouse.schema.retention import drop_old_rows

standing_checks_job = dg.define_asset_job(
    "standing_checks",
    selection=STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="No partition was left failed, the newest due session is loaded, no chain snapshot was missed.",
)


@dg.op(description="Drops the months and years that each table has kept long enough; the lake keeps everything.")
def drop_what_was_kept_long_enough(
    context: dg.OpExecutionContext, warehouse: dg.ResourceParam[WarehouseResource]
) -> None:
    """Report the dropped rows of each table in the log and as metadata."""
    dropped = drop_old_rows(warehouse.database)
    context.log.info(", ".join(f"{table} {rows:,}" for table, rows in dropped.items()))
    context.add_output_metadata(dropped)


@dg.job(name="retention", executor_def=dg.in_process_executor)
def retention_job() -> None:
    """Drops the rows that the warehouse has kept long enough."""
    drop_what_was_kept_long_enough()
