"""The schedule of the running session's bars."""

import dagster as dg

from hd_pipelines.jobs.live import live_job
from hd_pipelines.jobs.runs import find_run_under_way
from hd_pipelines.market.live_times import is_live_tick
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import OptionDataResource

LIVE_TAG = "hd/live_bars"
"""Tag of runs that load live bars; its value is the session."""


@dg.schedule(
    job=live_job,
    # Every minute in session; at the close, a minute after it, and once more for a plan whose data is delayed.
    cron_schedule=["31-59 9 * * 1-5", "* 10-15 * * 1-5", "0,1,16 16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every minute in session and after the close, by the exchange calendar: bars of the minutes that ended.",
)
def live_bars_every_minute(
    context: dg.ScheduleEvaluationContext, option_data: OptionDataResource
) -> dg.RunRequest | dg.SkipReason:
    """Request one round at a time: the round after a slow one loads the minutes in between, since it asks for them all."""
    now = context.scheduled_execution_time.astimezone(NEW_YORK)
    if not is_live_tick(now):
        return dg.SkipReason(f"the exchange is closed at {now:%Y-%m-%d %H:%M} New York")
    if earlier := find_run_under_way(context.instance, live_job.name):
        return dg.SkipReason(f"the round of run {earlier} is still under way")
    try:
        _ = option_data.api
    except SandboxNotRunningError as error:
        return dg.SkipReason(str(error))
    return dg.RunRequest(run_key=f"live:{now:%Y-%m-%dT%H:%M}", tags={LIVE_TAG: str(now.date())})
