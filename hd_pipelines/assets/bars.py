"""Historical bars of the watchlist, all timeframes, in the warehouse.

Belongs here: the Dagster face of the bars. Derivation lives in `market.bars`, what is out of date in `loading.bars`, the
table in `warehouse`.
"""

from collections.abc import Sequence

import dagster as dg

from hd_pipelines.assets.lake import lake_key
from hd_pipelines.assets.pictures import closes, columns_by_session
from hd_pipelines.assets.reporting import OWNERS, TRANSIENT_RETRIES, findings_metadata, retrying_only_transient_errors
from hd_pipelines.checks.bar_suite import BarSuite
from hd_pipelines.loading.bars import refresh_bars
from hd_pipelines.loading.watchlist import backfill_queue
from hd_pipelines.market.bar_audit import MISSING_RULES
from hd_pipelines.market.findings import Finding
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, INDEX_MINUTE, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.resources import Lake, Warehouse
from hd_pipelines.tables.vocabulary import Severity
from hd_pipelines.warehouse.read import bars as bar_queries
from hd_pipelines.warehouse.records.watchlist import active_symbols

SOUND, COMPLETE = "bars_are_sound", "sessions_are_complete"
SOURCES = (STOCK_MINUTE, STOCK_DAY, INDEX_MINUTE, INDEX_DAY)
COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("symbol", "text", description="Watchlist symbol: SPY, SPX, BRK.B."),
        dg.TableColumn("timeframe", "text", description="1m, 5m, 15m, 1h, 4h, day or week."),
        dg.TableColumn("timestamp", "timestamptz", description="Start of the bar; day and week: the session's open."),
        dg.TableColumn("session", "date", description="Exchange session; of a week, its last."),
        dg.TableColumn("open", "numeric", description="First price, unadjusted."),
        dg.TableColumn("high", "numeric", description="Highest price."),
        dg.TableColumn("low", "numeric", description="Lowest price."),
        dg.TableColumn("close", "numeric", description="Last price."),
        dg.TableColumn("volume", "numeric", description="Shares; null for an index."),
        dg.TableColumn(
            "vwap", "numeric", description="Volume-weighted typical price of the minutes; null without them."
        ),
        dg.TableColumn("trades", "bigint", description="Number of trades; null where the source has none."),
        dg.TableColumn("created_at", "timestamptz", description="When the row was written."),
    ]
)
_MADE_FROM = {
    "symbol": ["ticker"],
    "timestamp": ["window_start"],
    **{name: [name] for name in ("open", "high", "low", "close", "volume")},
    "vwap": ["high", "low", "close", "volume"],
    "trades": ["transactions"],
}
COLUMN_LINEAGE = dg.TableColumnLineage(
    deps_by_column={
        column: [
            dg.TableColumnDep(asset_key=lake_key(dataset), column_name=source)
            for dataset in SOURCES
            for source in sources
            if source in dataset.columns
        ]
        for column, sources in _MADE_FROM.items()
    }
)


@dg.asset(
    deps=[lake_key(dataset) for dataset in SOURCES],
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="bars",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    retry_policy=TRANSIENT_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            SOUND,
            asset="historical_bars",
            blocking=True,
            description="Great Expectations on the derived bars before they are published; what fails is withheld.",
        ),
        dg.AssetCheckSpec(
            COMPLETE,
            asset="historical_bars",
            description="Every session of the exchange calendar has bars of every watchlist symbol.",
        ),
    ],
    metadata={
        "dagster/column_schema": COLUMNS,
        "dagster/table_name": "public.historical_bars",
    },
)
@retrying_only_transient_errors()
def historical_bars(context: dg.AssetExecutionContext, lake: Lake, warehouse: Warehouse) -> dg.MaterializeResult:
    """Bars of all timeframes from one-minute and day aggregates. Grain: one row per symbol, timeframe and bar start."""
    sessions = window(context)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    suite = BarSuite()
    report = refresh_bars(
        warehouse.database,
        lake.datasets,
        symbols=symbols,
        sessions=sessions,
        run_id=context.run.run_id,
        judge=suite.judge,
    )
    # Symbols that joined the watchlist, by command or by hand, have history in the lake beyond this window.
    joined = backfill_queue(warehouse.database, lake.datasets, run_id=context.run.run_id, judge=suite.judge)
    for finding in report.findings:
        context.log.warning(str(finding))
    with warehouse.database.connect() as connection:
        counts = bar_queries.bars_by_session(connection, sessions[0], sessions[-1])
        line = bar_queries.day_closes(connection, symbols[0], sessions[0], sessions[-1]) if symbols else []
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(rows for _, rows in counts),
            "dagster/column_lineage": COLUMN_LINEAGE,
            "sessions": len(sessions),
            "symbols": len(symbols),
            "published_symbol_sessions": report.published,
            "up_to_date_symbol_sessions": report.up_to_date,
            "withheld_symbol_sessions": report.withheld,
            "published_rows": report.rows + sum(more.rows for more in joined.values()),
            "symbols_joined": ", ".join(joined),
            "seconds": round(report.seconds, 3),
            **{f"rows_{timeframe}": rows for timeframe, rows in sorted(report.rows_by_timeframe.items())},
            **findings_metadata(report.findings),
            "rows": columns_by_session(counts, "historical_bars: rows by session"),
            "first_symbol": closes(line, f"{symbols[0]}: day closes" if symbols else "The watchlist is empty"),
        },
        check_results=[suite.result(SOUND), _completeness(report.findings)],
    )


def _completeness(findings: Sequence[Finding]) -> dg.AssetCheckResult:
    missing = [finding for finding in findings if finding.rule in MISSING_RULES]
    has_error = any(finding.severity is Severity.ERROR for finding in missing)
    return dg.AssetCheckResult(
        check_name=COMPLETE,
        passed=not missing,
        severity=dg.AssetCheckSeverity.ERROR if has_error else dg.AssetCheckSeverity.WARN,
        metadata=findings_metadata(missing),
    )
