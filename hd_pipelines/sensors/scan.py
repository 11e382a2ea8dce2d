"""The sensor that starts a scan when the running session has new bars, Greeks, gamma or prints.

It compares the newest inputs with those of the last scan, so a lost tick loses nothing. A scan itself is
`loading.signals.scan`.
"""

import json
from datetime import UTC, date

import dagster as dg

from hd_pipelines.jobs.runs import find_run_under_way
from hd_pipelines.jobs.signals import scan_job
from hd_pipelines.market.live_times import can_bars_arrive
from hd_pipelines.resources import Clock, WarehouseResource
from hd_pipelines.warehouse.read.scan_inputs import find_newest_inputs
from hd_pipelines.warehouse.records.watchlist import read_active_symbols

SCAN_TAG = "hd/scan"
"""Tag of runs that a new input started; its value is the names of the inputs."""


def find_newer(scanned: dict[str, str], newest: dict[str, str]) -> list[str]:
    """Find the names of the inputs that are newer than at the last scan."""
    return [name for name, at in newest.items() if at > scanned.get(name, "")]


@dg.sensor(
    job=scan_job,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a scan when bars, Greeks, gamma or option prints of the session are newer than at the last scan.",
)
def new_inputs_in_session(
    context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """Request one scan for everything new; none outside regular hours, and none while another one is under way."""
    now = clock.now()
    if not can_bars_arrive(now):
        return dg.SkipReason(f"no session is running at {now:%Y-%m-%d %H:%M} UTC")
    newest = _read_newest(warehouse, now.date())
    scanned: dict[str, str] = json.loads(context.cursor or "{}")
    names = find_newer(scanned, newest)
    if not names:
        return dg.SkipReason("nothing newer than at the last scan")
    if find_run_under_way(context.instance, scan_job.name):
        return dg.SkipReason("a scan is under way; the next tick looks again")
    text = json.dumps(newest, sort_keys=True)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"scan:{text}", tags={SCAN_TAG: ",".join(names)})], cursor=text
    )


def _read_newest(warehouse: WarehouseResource, session: date) -> dict[str, str]:
    with warehouse.database.connect() as connection:
        found = find_newest_inputs(connection, read_active_symbols(connection), session)
    return {name: at.astimezone(UTC).isoformat() for name, at in found.items() if at is not None}
