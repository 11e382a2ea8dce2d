"""Checks that stand for ever: nothing was left failed, what is due has arrived, no chain snapshot was missed.

Belongs here: questions about the state of partitions and snapshots, asked whether or not anything ran. Dagster's
freshness policies look at an asset as a whole, so that a backfill of an old day would turn them green.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import dagster as dg

from hd_pipelines.assets.reporting import findings_metadata
from hd_pipelines.loading.snapshots import settle_missed_snapshots
from hd_pipelines.market.sessions import NEW_YORK, last_completed_session, sessions_back
from hd_pipelines.partitions import session_partitions
from hd_pipelines.providers.massive.flat_files.publication import due_at
from hd_pipelines.providers.source import chain_archive
from hd_pipelines.resources import Warehouse
from hd_pipelines.settings import load_settings
from hd_pipelines.tables.vocabulary import SnapshotKind
from hd_pipelines.warehouse.read import bars as bar_queries
from hd_pipelines.warehouse.records.watchlist import active_symbols

SAMPLE = 20
"""Failed partitions that are named; the count is always exact."""
LOOK_BACK = 5
NO_PARTITIONS_LEFT_FAILED = "no_partitions_left_failed"
NEWEST_DUE = "newest_due_session_is_published"
NO_SNAPSHOT_MISSED = "no_snapshot_was_missed"


def newest_due_session(now: datetime) -> date:
    """The newest session whose files ought to be in the bucket at `now`."""
    candidates = sessions_back(last_completed_session(now), LOOK_BACK)
    return next(session for session in reversed(candidates) if due_at(session) <= now)


def no_partitions_left_failed(asset_keys: Sequence[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """One check per asset in a single step: no session partition whose last attempt failed."""
    name = NO_PARTITIONS_LEFT_FAILED

    @dg.multi_asset_check(
        name=name,
        specs=[
            dg.AssetCheckSpec(name, asset=key, description="No session's last attempt failed.") for key in asset_keys
        ],
    )
    def failed_partitions(context: dg.AssetCheckExecutionContext):  # type: ignore[no-untyped-def]  # noqa: ANN202
        partitions = session_partitions()
        keys = set(partitions.get_partition_keys())
        for asset_key in asset_keys:
            statuses = context.instance.get_status_by_partition(asset_key, sorted(keys), partitions) or {}
            failed = sorted(key for key, status in statuses.items() if status is not None and status.name == "FAILED")
            yield dg.AssetCheckResult(
                asset_key=asset_key,
                check_name=name,
                passed=not failed,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"failed": len(failed), "newest": ", ".join(failed[-SAMPLE:])},
            )

    return failed_partitions


@dg.asset_check(
    asset="historical_bars",
    name=NEWEST_DUE,
    description="The newest session whose files are due has bars in the warehouse.",
)
def newest_due_session_is_published(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Late data is a failed check by the morning after, not an empty chart a week later."""
    expected = newest_due_session(datetime.now(UTC))
    with warehouse.database.connect() as connection:
        newest = bar_queries.newest_session(connection)
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
def no_snapshot_was_missed(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Snapshots in session are expected of a desk with a key to the vendor's REST service, closes also of an archive."""
    now = datetime.now(UTC)
    sessions = sessions_back(
        now.astimezone(NEW_YORK).date(), LOOK_BACK
    )  # today's too: what is being missed can be cured
    settings = load_settings()
    kinds: tuple[SnapshotKind, ...] = tuple(SnapshotKind) if settings.has_vendor_api_key else (SnapshotKind.CLOSE,)
    if not settings.has_vendor_api_key and chain_archive(settings) is None:
        return dg.AssetCheckResult(passed=True, metadata={"not_expected": "This desk has no source of option chains."})
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    findings = settle_missed_snapshots(
        warehouse.database,
        underlyings=symbols,
        sessions=sessions,
        now=now,
        kinds=kinds,
    )
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"sessions": f"{sessions[0]} to {sessions[-1]}", **findings_metadata(findings)},
    )
