"""The asset of the running session's bars, minute by minute. The work is in `loading.inputs.live_bars`.

The rows are rows of `historical_bars`, but the asset is its own: a materialization of `historical_bars` means that files
were loaded and starts the regime and the marts; a materialization of `live_bars` means new minutes, which scans of the
running session follow. A run without new minutes materializes nothing.
"""

from collections.abc import Iterator

import dagster as dg

from hd_pipelines.assets.results import log_findings
from hd_pipelines.assets.session_asset import OWNERS
from hd_pipelines.assets.table_metadata import describe_table
from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.loading.inputs.live_bars import LiveBarsReport, refresh_live_bars
from hd_pipelines.market.live_times import has_opened
from hd_pipelines.resources import Clock, OptionDataResource, WarehouseResource


@dg.asset(
    output_required=False,
    group_name="live",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    metadata=describe_table("historical_bars"),
)
def live_bars(
    context: dg.AssetExecutionContext, clock: Clock, option_data: OptionDataResource, warehouse: WarehouseResource
) -> Iterator[dg.MaterializeResult]:
    """Finished 1m to 4h bars of the running session: the watchlist, and the funds whose volume represents its indices."""
    now = clock.now()
    if not has_opened(now):  # a tick delayed by a sleeping machine, or a run started by hand
        context.log.info("no session has opened on the day of %s", now)
        return
    report = refresh_live_bars(
        warehouse.database, option_data.api, symbols=warehouse.read_active_symbols(), now=now, run_id=context.run.run_id
    )
    log_findings(context, report.findings)
    if report.changed:
        yield dg.MaterializeResult(metadata=describe_round(report))
    else:
        context.log.info("no new minutes; the newest ended at %s", report.until)


def describe_round(report: LiveBarsReport) -> dict[str, dg.MetadataValue]:
    """Describe one round. `until` and `delay_minutes` belong to the newest minute, `slowest_minutes` to the last symbol."""
    delays = report.delay_minutes.values()
    return {
        "session": dg.MetadataValue.text(str(report.session)),
        **({"until": dg.MetadataValue.timestamp(report.until)} if report.until is not None else {}),
        **({"delay_minutes": dg.MetadataValue.float(round(min(delays), 2))} if delays else {}),
        **({"slowest_minutes": dg.MetadataValue.float(round(max(delays), 2))} if delays else {}),
        "is_delayed_plan": dg.MetadataValue.bool(report.is_delayed),
        "rows_added": dg.MetadataValue.int(report.rows_added),
        "rows_corrected": dg.MetadataValue.int(report.rows_corrected),
        "symbols_changed": dg.MetadataValue.text(", ".join(report.changed)),
        "symbols_refused": dg.MetadataValue.text(", ".join(report.refused)),
        "symbols_from_files": dg.MetadataValue.text(", ".join(report.from_files)),
        "forming_rows_left_out": dg.MetadataValue.int(report.forming),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        **describe_findings(report.findings),
    }
