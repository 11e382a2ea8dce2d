"""Questions about earlier runs of a job."""

import dagster as dg

_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
UNDER_WAY = [status for status in dg.DagsterRunStatus if status not in _ENDED]
"""Statuses of a run that has not ended yet, queued and canceling ones included."""


def find_run_under_way(instance: dg.DagsterInstance, job: str) -> str | None:
    """Return the id of a run of `job` that has not ended, or None."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNDER_WAY), limit=1)
    return runs[0].run_id if runs else None
