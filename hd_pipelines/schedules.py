"""What the clock owns.

Belongs here: times and the window of sessions each tick covers. New files that come at other times are `sensors`.
"""

import dagster as dg

from hd_pipelines.jobs import main_job, standing_checks_job
from hd_pipelines.market.sessions import NEW_YORK, last_completed_session, sessions_back
from hd_pipelines.partitions import range_tags

DAILY_SESSIONS = 2
"""The vendor publishes a session's files by 11:00 on the next day: at 17:00 yesterday's are there."""


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


ALL_SCHEDULES = [daily_sessions, daily_standing_checks]
