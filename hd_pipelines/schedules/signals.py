"""Schedules of signals: a scan every minute, whole sessions after the files, outcomes, and the week's end.

Scans that new data starts are in `sensors.scan`.
"""

from datetime import UTC

import dagster as dg

from hd_pipelines.jobs.signals import outcomes_job, prewarm_job, scan_job, signals_job
from hd_pipelines.market.live_times import can_bars_arrive
from hd_pipelines.market.sessions import (
    NEW_YORK,
    find_last_completed_session,
    is_session,
    list_week_sessions,
)
from hd_pipelines.partitions import build_range_tags
from hd_pipelines.resources import WarehouseResource
from hd_pipelines.schedules.sessions import request_last_sessions
from hd_pipelines.warehouse.read.scan_inputs import find_newest_minute
from hd_pipelines.warehouse.records.signals import find_last_scanned, read_active_signals
from hd_pipelines.warehouse.records.watchlist import read_active_symbols


@dg.schedule(
    job=scan_job,
    cron_schedule="* 9-16 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every minute in regular hours: scans the newest minutes with all detectors, if there are any.",
)
def scan_every_minute(
    context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    """Request a scan unless an earlier tick or the sensor of new inputs has scanned every minute in the warehouse."""
    now = context.scheduled_execution_time.astimezone(UTC)
    if not can_bars_arrive(now):
        return dg.SkipReason(f"no session is running at {now:%Y-%m-%d %H:%M} UTC")
    with warehouse.database.connect() as connection:
        newest = find_newest_minute(connection, read_active_symbols(connection), now.date())
        scanned = find_last_scanned(connection, now.date())
    if newest is None:
        return dg.SkipReason("the running session has no bars yet")
    if scanned is not None and scanned > newest:
        return dg.SkipReason(f"every minute until {scanned:%H:%M} UTC was scanned")
    return dg.RunRequest(run_key=f"scan:{now:%Y-%m-%dT%H:%M}")


@dg.schedule(
    job=signals_job,
    cron_schedule="45 17 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every weekday at 17:45 New York, after the vendor's files: the last two sessions, minute by minute.",
)
def daily_signals(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request what scans of the running session could not see: minutes of an outage, and files that came later."""
    return request_last_sessions("signals", context.scheduled_execution_time)


@dg.schedule(
    job=outcomes_job,
    cron_schedule=["*/5 10-15 * * 1-5", "5,25 16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every five minutes in session and twice after: which signals reached a target or their stop, or expired.",
)
def signal_outcomes(
    context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    """Request the settling of open signals; skip while none is open."""
    now = context.scheduled_execution_time
    if not is_session(session := now.astimezone(NEW_YORK).date()):
        return dg.SkipReason(f"{session} is not an exchange session")
    with warehouse.database.connect() as connection:
        if not read_active_signals(connection):
            return dg.SkipReason("no signal is open")
    return dg.RunRequest(run_key=f"outcomes:{now:%Y-%m-%dT%H:%M}")


@dg.schedule(
    job=prewarm_job,
    cron_schedule="5 16 * * 5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Fridays at 16:05 New York: everything derived from the week's data, so that a weekend only reads.",
)
def friday_prewarm(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request one run over the sessions of the ending week, whichever they are."""
    last = find_last_completed_session(context.scheduled_execution_time)
    week = [session for session in list_week_sessions(last) if session <= last]
    return dg.RunRequest(run_key=f"prewarm:{last}", tags=build_range_tags(week[0], last))
