"""What the clock owns.

Belongs here: times and the window of sessions each tick covers. New files that come at other times are `sensors`.
"""

import dagster as dg

from hd_pipelines.assets.option_chains import snapshot_run_config
from hd_pipelines.jobs import (
    LIVE,
    live_job,
    main_job,
    missed_snapshots_job,
    retention_job,
    snapshot_job,
    standing_checks_job,
)
from hd_pipelines.market.live_times import is_live_tick
from hd_pipelines.market.sessions import NEW_YORK, is_session, last_completed_session, sessions_back
from hd_pipelines.market.snapshot_times import expected_snapshots
from hd_pipelines.partitions import range_tags
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import OptionData
from hd_pipelines.tables.vocabulary import SnapshotKind

DAILY_SESSIONS = 2
"""The vendor publishes a session's files by 11:00 on the next day: at 17:00 yesterday's are there."""
LIVE_TAG = "hd/live_bars"
"""On runs that take live bars; its value is the session."""
_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
UNDER_WAY = [status for status in dg.DagsterRunStatus if status not in _ENDED]


@dg.schedule(
    job=main_job,
    cron_schedule="0 17 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every weekday at 17:00 New York: the last two sessions.",
)
def daily_sessions(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run over the last two completed sessions; on a holiday there is nothing new to ask for."""
    now = context.scheduled_execution_time
    last = last_completed_session(now)
    if last != now.astimezone(NEW_YORK).date():
        return dg.SkipReason(f"{now:%Y-%m-%d} is not an exchange session; {last} was covered on its own day")
    first = sessions_back(last, DAILY_SESSIONS)[0]
    return dg.RunRequest(run_key=f"daily:{last}", tags=range_tags(first, last))


@dg.schedule(
    job=standing_checks_job,
    cron_schedule="30 11 * * *",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 11:30 New York, half an hour after the vendor's files are due.",
)
def daily_standing_checks(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask once a day, also on days when nothing else ran: that is when something may be missing."""
    return dg.RunRequest(run_key=f"standing:{context.scheduled_execution_time:%Y-%m-%d}")


@dg.schedule(
    job=snapshot_job,
    # In session every quarter of an hour, and 16 minutes after the close of a full and of a half day.
    cron_schedule=["45 9 * * 1-5", "*/15 10-15 * * 1-5", "16 13,16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 15 minutes in session and once at the close, by the exchange calendar: the chains of the moment.",
)
def chain_snapshots(context: dg.ScheduleEvaluationContext, option_data: OptionData) -> dg.RunRequest | dg.SkipReason:
    """One snapshot of every underlying on the watchlist; a tick that the calendar does not plan is passed over."""
    now = context.scheduled_execution_time
    session = now.astimezone(NEW_YORK).date()
    if not is_session(session):
        return dg.SkipReason(f"{session} is not an exchange session")
    plan = next((plan for plan in expected_snapshots(session) if plan.at == now), None)
    if plan is None:
        return dg.SkipReason(f"no snapshot is planned at {now:%H:%M} UTC of {session}")
    try:
        _ = option_data.api
    except SandboxNotRunningError as error:
        return dg.SkipReason(str(error))
    return dg.RunRequest(
        run_key=f"chains:{now:%Y-%m-%dT%H:%M}:{plan.kind}",
        run_config=snapshot_run_config(SnapshotKind(plan.kind)),
        tags=range_tags(session, session),
    )


@dg.schedule(
    job=live_job,
    # Every minute in session; at the close, a minute after it, and once more for a plan whose data is delayed.
    cron_schedule=["31-59 9 * * 1-5", "* 10-15 * * 1-5", "0,1,16 16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every minute in session and after the close, by the exchange calendar: bars of the minutes that ended.",
)
def live_bars_every_minute(
    context: dg.ScheduleEvaluationContext, option_data: OptionData
) -> dg.RunRequest | dg.SkipReason:
    """One round at a time: a minute that a slow round takes is in the next one, which asks for the whole session."""
    now = context.scheduled_execution_time.astimezone(NEW_YORK)
    if not is_live_tick(now):
        return dg.SkipReason(f"the exchange is closed at {now:%Y-%m-%d %H:%M} New York")
    if earlier := context.instance.get_runs(dg.RunsFilter(job_name=LIVE, statuses=UNDER_WAY), limit=1):
        return dg.SkipReason(f"the round of run {earlier[0].run_id} is still under way")
    try:
        _ = option_data.api
    except SandboxNotRunningError as error:
        return dg.SkipReason(str(error))
    return dg.RunRequest(run_key=f"live:{now:%Y-%m-%dT%H:%M}", tags={LIVE_TAG: str(now.date())})


@dg.schedule(
    job=missed_snapshots_job,
    cron_schedule=["10 10-16 * * 1-5", "30 20 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour in session and once after the last moment for a close: was a snapshot missed?",
)
def missed_snapshots(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """An alarm on the same day: what was missed cannot be had later, what is being missed can."""
    now = context.scheduled_execution_time
    if not is_session(session := now.astimezone(NEW_YORK).date()):
        return dg.SkipReason(f"{session} is not an exchange session")
    return dg.RunRequest(run_key=f"missed:{now:%Y-%m-%dT%H:%M}")


@dg.schedule(
    job=retention_job,
    cron_schedule="0 6 * * 0",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Sunday at 06:00 New York: drops what each table has kept long enough.",
)
def weekly_retention(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """When nobody trades."""
    return dg.RunRequest(run_key=f"retention:{context.scheduled_execution_time:%Y-%m-%d}")


ALL_SCHEDULES = [
    daily_sessions,
    daily_standing_checks,
    chain_snapshots,
    live_bars_every_minute,
    missed_snapshots,
    weekly_retention,
]
