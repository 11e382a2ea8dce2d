"""Jobs by subject: which assets, checks and ops run together. `schedules` and `sensors` decide when they run."""

from typing import Any

from hd_pipelines.jobs.chains import missed_snapshots_job, snapshot_job
from hd_pipelines.jobs.live import live_job
from hd_pipelines.jobs.maintenance import retention_job, standing_checks_job
from hd_pipelines.jobs.sessions import bars_job, history_job, main_job
from hd_pipelines.jobs.signals import outcomes_job, prewarm_job, scan_job, signals_job

ALL_JOBS: list[Any] = [
    main_job,
    history_job,
    bars_job,
    snapshot_job,
    missed_snapshots_job,
    live_job,
    signals_job,
    scan_job,
    outcomes_job,
    prewarm_job,
    standing_checks_job,
    retention_job,
]
