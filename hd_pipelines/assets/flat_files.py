"""Assets of the vendor's flat files as downloaded: one asset per dataset, one object per session.

`providers.massive.flat_files` downloads and verifies objects and decides what a missing one means.
"""

import dagster as dg

from hd_pipelines.assets.pictures import Drawing, show_pictures
from hd_pipelines.assets.results import log_findings
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.charts.sessions import draw_columns
from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.partitions import list_sessions
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, FlatFileDataset
from hd_pipelines.providers.massive.flat_files.publication import PUBLICATION_RULES, find_publication_gaps
from hd_pipelines.resources import Clock, FlatFilesResource, WarehouseResource
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings


def get_flat_file_key(dataset: FlatFileDataset) -> dg.AssetKey:
    """Name the asset of a dataset's downloaded files: flat_files/<dataset>."""
    return dg.AssetKey(["flat_files", dataset.name])


def _make_asset(dataset: FlatFileDataset) -> dg.AssetsDefinition:
    @session_asset(
        key=get_flat_file_key(dataset),
        group="flat_files",
        kinds={"s3", "gzip"},
        pool="vendor_s3",
        description=(
            f"The vendor's objects `{dataset.prefix}/YYYY/MM/YYYY-MM-DD.csv.gz`, verified up to the gzip trailer. "
            "One object per session; an object whose ETag is known is not downloaded again."
        ),
    )
    def download(
        context: dg.AssetExecutionContext,
        clock: Clock,
        flat_file_bucket: FlatFilesResource,
        warehouse: WarehouseResource,
    ) -> dg.MaterializeResult:
        sessions = list_sessions(context)
        client = flat_file_bucket.client
        remotes = client.list_objects(dataset, sessions[0], sessions[-1])
        outcome = client.download_many(
            [remote for remote in remotes if remote.session in set(sessions)], flat_file_bucket.download_workers
        )
        findings = [
            *find_publication_gaps(dataset, sessions, remotes, now=clock.now()),
            *(finding for error in outcome.errors for finding in error.findings),
        ]
        listed = {session.replace(day=1) for session in sessions}  # the months, which findings about stray objects name
        observed = frozenset(sessions) | listed | {finding.session for finding in findings if finding.session}
        with warehouse.database.begin() as connection:
            settle_findings(
                connection,
                findings,
                [CheckedScope(dataset.name, observed, PUBLICATION_RULES)],
                run_id=context.run.run_id,
            )
        log_findings(context, findings)
        sizes = sorted((file.session, file.size) for file in outcome.landed)
        caption = f"{dataset.name}: bytes by session"
        show_pictures(context, sessions, Drawing(sizes, lambda: {"sizes": draw_columns(sizes, caption)}))
        return dg.MaterializeResult(
            metadata={
                "sessions": len(sessions),
                "objects": len(outcome.landed),
                "downloaded": outcome.downloaded,
                "downloaded_mb": round(outcome.downloaded_bytes / 1e6, 3),
                "already_known": len(outcome.landed) - outcome.downloaded,
                "refused": len(outcome.errors),
                **describe_findings(findings),
            }
        )

    return download


flat_file_assets = [_make_asset(dataset) for dataset in DATASETS]
