"""Schedules of standing checks and retention."""

import dagster as dg

from hd_pipelines.jobs.maintenance import retention_job, standing_checks_job
from hd_pipelines.market.sessions import NEW_YORK


@dg.schedule(
    job=standing_checks_job,
    cron_schedule="30 11 * * *",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 11:30 New York, half an hour after the vendor's files are due.",
)
def daily_standing_checks(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request the checks every day: days on which nothing else ran are those on which something may be missing."""
    return dg.RunRequest(run_key=f"standing:{context.scheduled_execution_time:%Y-%m-%d}")


@dg.schedule(
    job=retention_job,
    cron_schedule="0 6 * * 0",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Sunday at 06:00 New York: drops what each table has kept long enough.",
)
def weekly_retention(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request retention on a day without trading."""
    return dg.RunRequest(run_key=f"retention:{context.scheduled_execution_time:%Y-%m-%d}")
