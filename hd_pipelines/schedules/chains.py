"""Schedules of option chain snapshots, by the exchange calendar."""

import dagster as dg

from hd_pipelines.assets.option_chains import build_snapshot_config
from hd_pipelines.jobs.chains import missed_snapshots_job, snapshot_job
from hd_pipelines.market.sessions import NEW_YORK, is_session
from hd_pipelines.market.snapshot_times import plan_snapshots
from hd_pipelines.partitions import build_range_tags
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import OptionDataResource
from hd_pipelines.tables.vocabulary import SnapshotKind


@dg.schedule(
    job=snapshot_job,
    # In session every quarter of an hour, and 16 minutes after the close of a full and of a half day.
    cron_schedule=["45 9 * * 1-5", "*/15 10-15 * * 1-5", "16 13,16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 15 minutes in session and once after the close, by the exchange calendar: the current chains.",
)
def chain_snapshots(
    context: dg.ScheduleEvaluationContext, option_data: OptionDataResource
) -> dg.RunRequest | dg.SkipReason:
    """Request one snapshot of every underlying on the watchlist; skip ticks at which the calendar expects none."""
    now = context.scheduled_execution_time
    session = now.astimezone(NEW_YORK).date()
    if not is_session(session):
        return dg.SkipReason(f"{session} is not an exchange session")
    plan = next((plan for plan in plan_snapshots(session) if plan.at == now), None)
    if plan is None:
        return dg.SkipReason(f"no snapshot is planned at {now:%H:%M} UTC of {session}")
    try:
        _ = option_data.api
    except SandboxNotRunningError as error:
        return dg.SkipReason(str(error))
    return dg.RunRequest(
        run_key=f"chains:{now:%Y-%m-%dT%H:%M}:{plan.kind}",
        run_config=build_snapshot_config(SnapshotKind(plan.kind)),
        tags=build_range_tags(session, session),
    )


@dg.schedule(
    job=missed_snapshots_job,
    cron_schedule=["10 10-16 * * 1-5", "30 20 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour in session, and once after the last chance to take a close: was a snapshot missed?",
)
def missed_snapshots(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Check on the same day: a close that is still missing can be taken, one of yesterday cannot."""
    now = context.scheduled_execution_time
    if not is_session(session := now.astimezone(NEW_YORK).date()):
        return dg.SkipReason(f"{session} is not an exchange session")
    return dg.RunRequest(run_key=f"missed:{now:%Y-%m-%dT%H:%M}")
