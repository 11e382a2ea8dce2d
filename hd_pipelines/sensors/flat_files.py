"""New and republished objects in the vendor's bucket start a run over their sessions.

Belongs here: comparing the bucket with the manifest. The comparison is the signal: an object stays in it until a run
has loaded it, so a tick that is lost, or a run that fails, loses nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from hd_pipelines.jobs import main_job
from hd_pipelines.market.sessions import last_completed_session, sessions_back
from hd_pipelines.partitions import range_tags
from hd_pipelines.providers.massive.flat_files.client import RemoteObject
from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import FlatFileBucket, Warehouse
from hd_pipelines.warehouse.read import queries

LOOK_BACK = 10
"""Sessions swept: single datasets have come hours and days after their siblings."""
MOST_ATTEMPTS = 3
BATCH_TAG = "hd/flat_file_batch"


def unloaded(
    listed: Iterable[RemoteObject], loaded: Mapping[tuple[str, date], str], sessions: Sequence[date]
) -> list[RemoteObject]:
    """Objects of `sessions` whose ETag is not the loaded one, ordered by key. `loaded`: (dataset, session) → ETag."""
    wanted = set(sessions)
    fresh = [
        remote
        for remote in listed
        if remote.session in wanted and loaded.get((remote.dataset.name, remote.session)) != remote.etag
    ]
    return sorted(fresh, key=lambda remote: remote.key)


def batch_id(objects: Sequence[RemoteObject]) -> str:
    """16 hex digits, a pure function of the keys and ETags."""
    text = "\n".join(f"{remote.key} {remote.etag}" for remote in objects)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decide(
    batch: str, sessions: Sequence[date], earlier: Sequence[dg.DagsterRunStatus]
) -> dg.RunRequest | dg.SkipReason:
    """Start a run for a batch unless one is under way, has succeeded, or has failed too often.

    `earlier`: statuses of the runs that carried this batch. A batch that succeeded and is still unloaded was refused:
    its findings say why, and asking again would not change them.
    """
    if any(status not in {dg.DagsterRunStatus.SUCCESS, *_ENDED_BADLY} for status in earlier):
        return dg.SkipReason(f"a run for batch {batch} is under way")
    if dg.DagsterRunStatus.SUCCESS in earlier:
        return dg.SkipReason(f"batch {batch} was read and refused; see data_findings")
    if len(earlier) >= MOST_ATTEMPTS:
        return dg.SkipReason(f"batch {batch} failed {len(earlier)} times; start it by hand after a look at the runs")
    return dg.RunRequest(
        run_key=f"flat_files:{batch}__attempt{len(earlier) + 1}",
        tags={**range_tags(sessions[0], sessions[-1]), BATCH_TAG: batch},
    )


_ENDED_BADLY = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@dg.sensor(
    job=main_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sweeps the bucket's last ten sessions every five minutes for new or republished objects.",
)
def new_flat_files(
    context: dg.SensorEvaluationContext, flat_file_bucket: FlatFileBucket, warehouse: Warehouse
) -> dg.RunRequest | dg.SkipReason:
    """One run over all sessions with an object that is not loaded yet."""
    sessions = sessions_back(last_completed_session(datetime.now(UTC)), LOOK_BACK)
    try:
        client = flat_file_bucket.client
    except SandboxNotRunningError as error:
        return dg.SkipReason(str(error))
    listed = [remote for dataset in DATASETS for remote in client.list_objects(dataset, sessions[0], sessions[-1])]
    with warehouse.database.connect() as connection:
        loads = queries.current_loads(connection, [dataset.name for dataset in DATASETS], sessions[0], sessions[-1])
    fresh = unloaded(listed, {(load.dataset, load.session): load.etag for load in loads}, sessions)
    if not fresh:
        return dg.SkipReason(f"nothing new among {len(listed)} objects")
    batch = batch_id(fresh)
    runs = context.instance.get_runs(dg.RunsFilter(tags={BATCH_TAG: batch}))
    return decide(batch, sorted({r.session for r in fresh if r.session}), [run.status for run in runs])
