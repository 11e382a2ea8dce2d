"""Bars of the running session, minute by minute.

Belongs here: the Dagster face of live bars. How they are fetched, finished and added: `loading.live_bars`. They are rows of
`historical_bars`, but an asset of their own: a materialization of `historical_bars` speaks of files and starts what follows
from them (regime, marts), this one speaks of the newest minutes and is what a scan in session follows. Without news a run
materializes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from hd_pipelines.assets.reporting import OWNERS, findings_metadata
from hd_pipelines.loading.live_bars import LiveBarsReport, refresh_live_bars
from hd_pipelines.market.live_times import has_opened
from hd_pipelines.resources import OptionData, Warehouse
from hd_pipelines.warehouse.records.watchlist import active_symbols


@dg.asset(
    output_required=False,
    group_name="live",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    metadata={"dagster/table_name": "public.historical_bars"},
)
def live_bars(
    context: dg.AssetExecutionContext, option_data: OptionData, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """The session's finished 1m to 4h bars of the watchlist and the funds whose volume stands for its indices."""
    now = datetime.now(UTC)
    if not has_opened(now):  # a tick that a sleeping machine makes up for, or a run by hand
        context.log.info("no session has opened on the day of %s", now)
        return
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    report = refresh_live_bars(warehouse.database, option_data.api, symbols=symbols, now=now, run_id=context.run.run_id)
    for finding in report.findings:
        context.log.warning(str(finding))
    if report.changed:
        yield dg.MaterializeResult(metadata=live_metadata(report))
    else:
        context.log.info("no new minutes; the newest ended at %s", report.until)


def live_metadata(report: LiveBarsReport) -> dict[str, dg.MetadataValue]:
    """What a round brought. `until` and `delay_minutes` are of the newest minute, `slowest_minutes` of the last symbol."""
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
        **findings_metadata(report.findings),
    }
