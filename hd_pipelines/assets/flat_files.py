"""The vendor's flat files as they landed: one asset per dataset, one object per session.

Belongs here: the Dagster face of downloading. How an object is fetched and verified lives in
`providers.massive.flat_files.client`; what a
missing one means in `providers.massive.flat_files.publication`.
"""

from datetime import UTC, datetime

import dagster as dg

from hd_pipelines.assets.pictures import columns_by_session
from hd_pipelines.assets.reporting import OWNERS, TRANSIENT_RETRIES, findings_metadata, retrying_only_transient_errors
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, FlatFileDataset
from hd_pipelines.providers.massive.flat_files.publication import PUBLICATION_RULES, publication_findings
from hd_pipelines.resources import FlatFileBucket, Warehouse
from hd_pipelines.warehouse.records.findings import Judged, settle


def flat_file_key(dataset: FlatFileDataset) -> dg.AssetKey:
    """Asset key of a dataset's landed files: flat_files/<dataset>."""
    return dg.AssetKey(["flat_files", dataset.name])


def _flat_file_asset(dataset: FlatFileDataset) -> dg.AssetsDefinition:
    @dg.asset(
        key=flat_file_key(dataset),
        partitions_def=session_partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="flat_files",
        owners=OWNERS,
        kinds={"s3", "gzip"},
        pool="vendor_s3",
        retry_policy=TRANSIENT_RETRIES,
        description=(
            f"Objects `{dataset.prefix}/YYYY/MM/YYYY-MM-DD.csv.gz` of the vendor, verified to the gzip trailer. "
            "One object per session; an object whose ETag is known is not fetched again."
        ),
    )
    @retrying_only_transient_errors()
    def landed(
        context: dg.AssetExecutionContext, flat_file_bucket: FlatFileBucket, warehouse: Warehouse
    ) -> dg.MaterializeResult:
        sessions = window(context)
        client = flat_file_bucket.client
        remotes = client.list_objects(dataset, sessions[0], sessions[-1])
        outcome = client.download_many(
            [remote for remote in remotes if remote.session in set(sessions)], flat_file_bucket.download_workers
        )
        findings = [
            *publication_findings(dataset, sessions, remotes, now=datetime.now(UTC)),
            *(finding for error in outcome.errors for finding in error.findings),
        ]
        seen = frozenset(sessions) | {finding.session for finding in findings if finding.session}
        with warehouse.database.begin() as connection:
            settle(connection, findings, [Judged(dataset.name, seen, PUBLICATION_RULES)], run_id=context.run.run_id)
        for finding in findings:
            context.log.warning(str(finding))
        return dg.MaterializeResult(
            metadata={
                "sessions": len(sessions),
                "objects": len(outcome.landed),
                "downloaded": outcome.downloaded,
                "downloaded_mb": round(outcome.downloaded_bytes / 1e6, 3),
                "already_known": len(outcome.landed) - outcome.downloaded,
                "refused": len(outcome.errors),
                **findings_metadata(findings),
                "sizes": columns_by_session(
                    sorted((file.session, file.size) for file in outcome.landed), f"{dataset.name}: bytes by session"
                ),
            }
        )

    return landed


flat_file_assets = [_flat_file_asset(dataset) for dataset in DATASETS]
