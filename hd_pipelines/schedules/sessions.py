"""The schedule of the main job."""

from datetime import datetime

import dagster as dg

from hd_pipelines.jobs.sessions import main_job
from hd_pipelines.market.sessions import NEW_YORK, find_last_completed_session, list_last_sessions
from hd_pipelines.partitions import build_range_tags

DAILY_SESSIONS = 2
"""The vendor publishes a session's files by 11:00 on the next day, so at 17:00 yesterday's are complete."""


@dg.schedule(
    job=main_job,
    cron_schedule="0 17 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every weekday at 17:00 New York: the last two sessions.",
)
def daily_sessions(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request one run over the last two completed sessions; skip holidays, which bring no new files."""
    return request_last_sessions("daily", context.scheduled_execution_time)


def request_last_sessions(prefix: str, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """Request one run over the last `DAILY_SESSIONS` sessions, keyed by `prefix` and the last; skip days without one."""
    last = find_last_completed_session(now)
    if last != now.astimezone(NEW_YORK).date():
        return dg.SkipReason(f"{now:%Y-%m-%d} is not an exchange session; {last} was covered on its own day")
    first = list_last_sessions(last, DAILY_SESSIONS)[0]
    return dg.RunRequest(run_key=f"{prefix}:{last}", tags=build_range_tags(first, last))
