"""Assets of the Parquet lake: every flat-file dataset sorted and typed, one part per session.

`providers.massive.flat_files` parses the text, `lake` writes Parquet.
"""

import dagster as dg

from hd_pipelines.assets.flat_files import get_flat_file_key
from hd_pipelines.assets.pictures import Drawing, show_pictures
from hd_pipelines.assets.results import log_findings
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.charts.sessions import draw_columns
from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.loading.inputs.flat_files import refresh_lake
from hd_pipelines.partitions import list_sessions
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, FlatFileDataset
from hd_pipelines.resources import FlatFilesResource, LakeResource, WarehouseResource


def get_lake_key(dataset: FlatFileDataset) -> dg.AssetKey:
    """Name the asset of a dataset in the lake: lake/<dataset>."""
    return dg.AssetKey(["lake", dataset.name])


def _trace_columns(dataset: FlatFileDataset) -> dg.TableColumnLineage:
    upstream = get_flat_file_key(dataset)
    return dg.TableColumnLineage(
        deps_by_column={name: [dg.TableColumnDep(asset_key=upstream, column_name=name)] for name in dataset.columns}
    )


def _make_asset(dataset: FlatFileDataset) -> dg.AssetsDefinition:
    @session_asset(
        key=get_lake_key(dataset),
        group="lake",
        kinds={"parquet", "polars"},
        deps=[get_flat_file_key(dataset)],
        table="lake_bars",
        description=(
            f"`lake/{dataset.name}/session=YYYY-MM-DD/part.parquet`: all plausible rows of the vendor's file, sorted by "
            "ticker and time. If a file is refused, the last good part stays in place."
        ),
    )
    def ingest(
        context: dg.AssetExecutionContext,
        flat_file_bucket: FlatFilesResource,
        lake: LakeResource,
        warehouse: WarehouseResource,
    ) -> dg.MaterializeResult:
        sessions = list_sessions(context)
        report = refresh_lake(
            warehouse.database,
            lake.datasets,
            dataset,
            flat_file_bucket.client.find_landed(dataset, sessions),
            sessions=sessions,
            run_id=context.run.run_id,
        )
        log_findings(context, report.findings)
        counts, caption = report.rows_by_session, f"{dataset.name}: rows by session"
        show_pictures(context, sessions, Drawing(counts, lambda: {"rows": draw_columns(counts, caption)}))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": report.rows_in_window,
                "dagster/column_lineage": _trace_columns(dataset),
                "sessions": len(sessions),
                "ingested": report.ingested,
                "ingested_rows": report.ingested_rows,
                "rows_set_aside": report.rows_set_aside,
                "already_known": report.already_known,
                "refused": report.refused,
                "source_sha256": report.source_sha256,
                **describe_findings(report.findings),
            }
        )

    return ingest


lake_assets = [_make_asset(dataset) for dataset in DATASETS]
