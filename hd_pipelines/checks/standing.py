"""Standing checks: no partition was left failed, the newest due session is loaded, no chain snapshot was missed.

They look at the state of partitions and snapshots, whether or not anything ran. Dagster's freshness policies look at an
asset as a whole, so a backfill of an old day would make them pass.
"""

from collections.abc import Sequence
from datetime import date, datetime

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.loading.inputs.chain_snapshots import settle_missed_snapshots
from hd_pipelines.market.sessions import NEW_YORK, find_last_completed_session, list_last_sessions
from hd_pipelines.partitions import build_session_partitions
from hd_pipelines.providers.massive.flat_files.publication import compute_due_time
from hd_pipelines.providers.source import find_chain_archive
from hd_pipelines.resources import Clock, WarehouseResource
from hd_pipelines.settings import load_settings
from hd_pipelines.tables.vocabulary import SnapshotKind
from hd_pipelines.warehouse.read import bars as bar_queries

MOST_NAMED = 20
"""Failed partitions that are named; the count is always exact."""
LOOK_BACK = 5
"""Sessions in which a missing file or snapshot is looked for."""
NO_PARTITIONS_LEFT_FAILED = "no_partitions_left_failed"
NEWEST_DUE = "newest_due_session_is_published"
NO_SNAPSHOT_MISSED = "no_snapshot_was_missed"


def find_newest_due_session(now: datetime) -> date:
    """Find the newest session whose files should be in the bucket at `now`."""
    candidates = list_last_sessions(find_last_completed_session(now), LOOK_BACK)
    return next(session for session in reversed(candidates) if compute_due_time(session) <= now)


def list_failed_partitions(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, partitions: dg.PartitionsDefinition[str]
) -> list[str]:
    """List the partitions whose last attempt failed and that are not being tried again, ascending.

    `DagsterInstance.get_status_by_partition` looks every partition up in three sets of time windows: with 2,500 sessions
    that took one to three CPU seconds per asset, most of the time of a run of one asset. The same cached status holds the
    failed partitions as a set of their own; tests/orchestration/test_standing_checks.py compares the two answers.
    """
    status = get_and_update_asset_status_cache_value(instance, asset_key, partitions)
    if status is None:
        return []
    failed = set(status.deserialize_failed_partition_subsets(partitions).get_partition_keys())
    return sorted(failed.difference(status.deserialize_in_progress_partition_subsets(partitions).get_partition_keys()))


def build_failed_partitions_check(asset_keys: Sequence[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """Check each asset for session partitions whose last attempt failed, in one step for all assets.

    The step can be subset: a run that materializes one asset from the page includes the check of that asset only. A check
    that could not be subset would make Dagster refuse every run and every backfill of a part of the assets.
    """
    name = NO_PARTITIONS_LEFT_FAILED

    @dg.multi_asset_check(
        name=name,
        specs=[
            dg.AssetCheckSpec(name, asset=key, description="No session's last attempt failed.") for key in asset_keys
        ],
        can_subset=True,
    )
    def failed_partitions(context: dg.AssetCheckExecutionContext):  # type: ignore[no-untyped-def]  # noqa: ANN202
        for check_key in sorted(context.op_execution_context.selected_asset_check_keys):
            asset_key = check_key.asset_key
            failed = list_failed_partitions(context.instance, asset_key, build_session_partitions())
            yield dg.AssetCheckResult(
                asset_key=asset_key,
                check_name=name,
                passed=not failed,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"failed": len(failed), "newest": ", ".join(failed[-MOST_NAMED:])},
            )

    return failed_partitions


@dg.asset_check(
    asset="historical_bars",
    name=NEWEST_DUE,
    description="The newest session whose files are due has bars in the warehouse.",
)
def newest_due_session_is_published(clock: Clock, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Fail on the morning after a session whose data is late, not a week later when someone sees an empty chart."""
    expected = find_newest_due_session(clock.now())
    with warehouse.database.connect() as connection:
        newest = bar_queries.find_newest_session(connection)
    return dg.AssetCheckResult(
        passed=newest is not None and newest >= expected,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"expected": str(expected), "newest": str(newest)},
    )


@dg.asset_check(
    asset="option_chains",
    name=NO_SNAPSHOT_MISSED,
    description="Every chain snapshot of the last five sessions was taken: no other source sells it later.",
)
def no_snapshot_was_missed(clock: Clock, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Expect snapshots in session only with an API key for the vendor's REST service, closes also from an archive."""
    now = clock.now()
    # Today is included: a snapshot that is still missing today can be taken.
    sessions = list_last_sessions(now.astimezone(NEW_YORK).date(), LOOK_BACK)
    settings = load_settings()
    kinds: tuple[SnapshotKind, ...] = tuple(SnapshotKind) if settings.has_vendor_api_key else (SnapshotKind.CLOSE,)
    if not settings.has_vendor_api_key and find_chain_archive(settings) is None:
        return dg.AssetCheckResult(
            passed=True, metadata={"not_expected": "This installation has no source of option chains."}
        )
    findings = settle_missed_snapshots(
        warehouse.database,
        underlyings=warehouse.read_active_symbols(),
        sessions=sessions,
        now=now,
        kinds=kinds,
    )
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"sessions": f"{sessions[0]} to {sessions[-1]}", **describe_findings(findings)},
    )
