"""The sensor that starts a run over the sessions of new and republished objects in the vendor's bucket.

It compares the bucket with the manifest. An object stays in the difference until a run has loaded it, so a lost tick or a
failed run loses nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from hd_pipelines.jobs.runs import UNDER_WAY
from hd_pipelines.jobs.sessions import main_job
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions
from hd_pipelines.partitions import build_range_tags
from hd_pipelines.providers.massive.flat_files.client import RemoteObject
from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import Clock, FlatFilesResource, WarehouseResource
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.warehouse.records.files import read_current_loads
from hd_pipelines.warehouse.records.findings import read_open_findings

LOOK_BACK = 10
"""Sessions compared: single datasets have been published hours or days after the others."""
MOST_ATTEMPTS = 3
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=1)
"""Before objects that were not available are asked for again."""
TRANSIENT_RULES = frozenset(
    {Rule.OBJECT_UNAVAILABLE, Rule.OBJECT_REPUBLISHED, Rule.CONNECTION_CUT, Rule.DISK_NEARLY_FULL}
)
"""Reasons that say nothing about the object itself."""
BATCH_TAG = "hd/flat_file_batch"


def find_unloaded(
    listed: Iterable[RemoteObject], loaded: Mapping[tuple[str, date], str], sessions: Sequence[date]
) -> list[RemoteObject]:
    """Find objects of `sessions` whose ETag is not the loaded one, ordered by key. `loaded`: (dataset, session) → ETag."""
    wanted = set(sessions)
    fresh = [
        remote
        for remote in listed
        if remote.session in wanted and loaded.get((remote.dataset.name, remote.session)) != remote.etag
    ]
    return sorted(fresh, key=lambda remote: remote.key)


def name_batch(objects: Sequence[RemoteObject]) -> str:
    """Derive 16 hex digits from the keys and ETags alone."""
    text = "\n".join(f"{remote.key} {remote.etag}" for remote in objects)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run of the same batch. `ended_at`: when its status last changed."""

    status: dg.DagsterRunStatus
    ended_at: datetime


def decide(
    batch: str, sessions: Sequence[date], earlier: Sequence[EarlierRun], *, is_waiting: bool, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """Request a run for a batch unless one is under way, its objects were refused, or it has failed too often.

    Args:
        batch: `name_batch` of the objects.
        sessions: Their sessions, ascending.
        earlier: The runs tagged with this batch. If one succeeded and objects are still not loaded, they were refused, and
            another run would find the same: the findings give the reasons.
        is_waiting: Some of these reasons pass by themselves (`TRANSIENT_RULES`), so the objects are asked for again, after
            five minutes, then less and less often up to every hour.
        now: The time of this tick.
    """
    statuses = [run.status for run in earlier]
    has_succeeded = dg.DagsterRunStatus.SUCCESS in statuses
    if any(status in UNDER_WAY for status in statuses):
        return dg.SkipReason(f"a run for batch {batch} is under way")
    if has_succeeded and not is_waiting:
        return dg.SkipReason(f"batch {batch} was read and refused; see data_findings")
    failed = sum(status is not dg.DagsterRunStatus.SUCCESS for status in statuses)
    if failed >= MOST_ATTEMPTS:
        return dg.SkipReason(f"batch {batch} failed {failed} times; look at the runs, then start one by hand")
    if has_succeeded:
        due = max(run.ended_at for run in earlier) + min(FIRST_PAUSE * 2 ** min(len(earlier) - 1, 10), LONGEST_PAUSE)
        if now < due:
            return dg.SkipReason(f"batch {batch} was not available; it is asked for again at {due:%H:%M} UTC")
    return dg.RunRequest(
        run_key=f"flat_files:{batch}__attempt{len(earlier) + 1}",
        tags={**build_range_tags(sessions[0], sessions[-1]), BATCH_TAG: batch},
    )


@dg.sensor(
    job=main_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks for new or republished objects of the last ten sessions in the bucket, every five minutes.",
)
def new_flat_files(
    context: dg.SensorEvaluationContext,
    clock: Clock,
    flat_file_bucket: FlatFilesResource,
    warehouse: WarehouseResource,
) -> dg.RunRequest | dg.SkipReason:
    """Request one run over all sessions with an object that is not loaded yet."""
    sessions = list_last_sessions(find_last_completed_session(clock.now()), LOOK_BACK)
    try:
        client = flat_file_bucket.client
    except SandboxNotRunningError as error:
        return dg.SkipReason(str(error))
    listed = [remote for dataset in DATASETS for remote in client.list_objects(dataset, sessions[0], sessions[-1])]
    with warehouse.database.connect() as connection:
        names = [dataset.name for dataset in DATASETS]
        loads = read_current_loads(connection, names, sessions[0], sessions[-1])
        found = read_open_findings(connection, datasets=names, first=sessions[0], last=sessions[-1])
    waiting = {(finding.dataset, finding.session) for finding in found if finding.rule in TRANSIENT_RULES}
    fresh = find_unloaded(listed, {(load.dataset, load.session): load.etag for load in loads}, sessions)
    if not fresh:
        return dg.SkipReason(f"nothing new among {len(listed)} objects")
    batch = name_batch(fresh)
    records = context.instance.get_run_records(dg.RunsFilter(tags={BATCH_TAG: batch}))
    return decide(
        batch,
        sorted({remote.session for remote in fresh if remote.session}),
        [EarlierRun(record.dagster_run.status, record.update_timestamp) for record in records],
        is_waiting=any((remote.dataset.name, remote.session) in waiting for remote in fresh),
        now=clock.now(),
    )
