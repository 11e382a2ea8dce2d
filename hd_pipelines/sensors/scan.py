"""New bars, Greeks, gamma or prints of the running session start a scan.

Belongs here: noticing that there is something newer than the last scan saw. The level is the signal: as long as it is
newer, a tick that is lost loses nothing. What a scan does is `loading.signals`.
"""

import json
from datetime import UTC, date, datetime

import dagster as dg

from hd_pipelines.market.live_times import bars_may_come
from hd_pipelines.resources import Warehouse
from hd_pipelines.signal_jobs import SCAN_TAG, scan_job
from hd_pipelines.warehouse.read.signals import newest_inputs
from hd_pipelines.warehouse.records.watchlist import active_symbols


def newer(seen: dict[str, str], newest: dict[str, str]) -> list[str]:
    """Names of the inputs that are newer than they were."""
    return [name for name, at in newest.items() if at > seen.get(name, "")]


@dg.sensor(
    job=scan_job,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a scan when bars, Greeks, gamma or option prints of the session are newer than the last one saw.",
)
def new_inputs_in_session(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
    """One scan for everything that came since; none outside of regular hours, and none while one is under way."""
    now = datetime.now(UTC)
    if not bars_may_come(now):
        return dg.SkipReason(f"no session is running at {now:%Y-%m-%d %H:%M} UTC")
    newest = _newest(warehouse, now.date())
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    names = newer(seen, newest)
    if not names:
        return dg.SkipReason("nothing newer than the last scan saw")
    if context.instance.get_runs(dg.RunsFilter(job_name=scan_job.name, statuses=_UNDER_WAY), limit=1):
        return dg.SkipReason("a scan is under way; the next tick sees what came since")
    text = json.dumps(newest, sort_keys=True)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"scan:{text}", tags={SCAN_TAG: ",".join(names)})], cursor=text
    )


_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def _newest(warehouse: Warehouse, session: date) -> dict[str, str]:
    with warehouse.database.connect() as connection:
        found = newest_inputs(connection, active_symbols(connection), session)
    return {name: at.astimezone(UTC).isoformat() for name, at in found.items() if at is not None}
