"""The Parquet lake: every dataset of the vendor, sorted and typed, one part per session.

Belongs here: the Dagster face of ingestion. Reading the text lives in `vendor`, writing Parquet in `lake`.
"""

import dagster as dg

from hd_pipelines.assets.flat_files import flat_file_key
from hd_pipelines.assets.pictures import columns_by_session
from hd_pipelines.assets.reporting import OWNERS, TRANSIENT_RETRIES, findings_metadata, retrying_only_transient_errors
from hd_pipelines.loading.lake import refresh_lake
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, FlatFileDataset
from hd_pipelines.resources import FlatFileBucket, Lake, Warehouse

COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("ticker", "string", description="The vendor's ticker: SPY, I:SPX, O:SPXW190501C01800000."),
        dg.TableColumn(
            "window_start", "int64", description="Start of the aggregate, nanoseconds since the epoch, UTC."
        ),
        dg.TableColumn("open", "float64", description="First price, unadjusted."),
        dg.TableColumn("high", "float64", description="Highest price."),
        dg.TableColumn("low", "float64", description="Lowest price."),
        dg.TableColumn("close", "float64", description="Last price."),
        dg.TableColumn("volume", "float64", description="Shares or contracts; null for an index."),
        dg.TableColumn("transactions", "int64", description="Number of trades; null for an index."),
    ]
)


def lake_key(dataset: FlatFileDataset) -> dg.AssetKey:
    """Asset key of a dataset in the lake: lake/<dataset>."""
    return dg.AssetKey(["lake", dataset.name])


def _column_lineage(dataset: FlatFileDataset) -> dg.TableColumnLineage:
    upstream = flat_file_key(dataset)
    return dg.TableColumnLineage(
        deps_by_column={name: [dg.TableColumnDep(asset_key=upstream, column_name=name)] for name in dataset.columns}
    )


def _lake_asset(dataset: FlatFileDataset) -> dg.AssetsDefinition:
    @dg.asset(
        key=lake_key(dataset),
        deps=[flat_file_key(dataset)],
        partitions_def=session_partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="lake",
        owners=OWNERS,
        kinds={"parquet", "polars"},
        retry_policy=TRANSIENT_RETRIES,
        metadata={"dagster/column_schema": COLUMNS},
        description=(
            f"`lake/{dataset.name}/session=YYYY-MM-DD/part.parquet`: all rows of the vendor's file that can be believed, "
            "sorted by ticker and time. A refused file leaves the last good part in place."
        ),
    )
    @retrying_only_transient_errors()
    def ingested(
        context: dg.AssetExecutionContext, flat_file_bucket: FlatFileBucket, lake: Lake, warehouse: Warehouse
    ) -> dg.MaterializeResult:
        sessions = window(context)
        report = refresh_lake(
            warehouse.database,
            lake.datasets,
            dataset,
            flat_file_bucket.client.landed(dataset, sessions),
            sessions=sessions,
            run_id=context.run.run_id,
        )
        for finding in report.findings:
            context.log.warning(str(finding))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": report.rows_in_window,
                "dagster/column_lineage": _column_lineage(dataset),
                "sessions": len(sessions),
                "ingested": report.ingested,
                "ingested_rows": report.ingested_rows,
                "rows_set_aside": report.rows_set_aside,
                "already_known": report.already_known,
                "refused": report.refused,
                "source_sha256": report.source_sha256,
                **findings_metadata(report.findings),
                "rows": columns_by_session(report.rows_by_session, f"{dataset.name}: rows by session"),
            }
        )

    return ingested


lake_assets = [_lake_asset(dataset) for dataset in DATASETS]
