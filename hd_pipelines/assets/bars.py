"""The asset of historical bars: all timeframes of the watchlist, in the warehouse. The work is in `loading.derived.bars`."""

from collections.abc import Sequence

import dagster as dg

from hd_pipelines.assets.lake import get_lake_key
from hd_pipelines.assets.pictures import Drawing, show_pictures
from hd_pipelines.assets.results import log_findings
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.charts.sessions import draw_closes, draw_columns
from hd_pipelines.checks.bar_suite import build_bar_suite
from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.checks.withholding import make_bar_validator
from hd_pipelines.loading.derived.backfill_queue import backfill_queue
from hd_pipelines.loading.derived.bars import refresh_bars
from hd_pipelines.market.bar_audit import MISSING_RULES
from hd_pipelines.market.findings import Finding
from hd_pipelines.partitions import list_sessions
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, INDEX_MINUTE, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.resources import LakeResource, WarehouseResource
from hd_pipelines.tables.vocabulary import Severity
from hd_pipelines.warehouse.read import bars as bar_queries

SOUND, COMPLETE = "bars_are_sound", "sessions_are_complete"
SOURCES = (STOCK_MINUTE, STOCK_DAY, INDEX_MINUTE, INDEX_DAY)
_SOURCE_COLUMNS = {
    "symbol": ["ticker"],
    "timestamp": ["window_start"],
    **{name: [name] for name in ("open", "high", "low", "close", "volume")},
    "vwap": ["high", "low", "close", "volume"],
    "trades": ["transactions"],
}
COLUMN_LINEAGE = dg.TableColumnLineage(
    deps_by_column={
        column: [
            dg.TableColumnDep(asset_key=get_lake_key(dataset), column_name=source)
            for dataset in SOURCES
            for source in sources
            if source in dataset.columns
        ]
        for column, sources in _SOURCE_COLUMNS.items()
    }
)


@session_asset(
    group="bars",
    kinds={"postgres", "polars"},
    deps=[get_lake_key(dataset) for dataset in SOURCES],
    table="historical_bars",
    checks={
        SOUND: "Great Expectations on the derived bars before they are published; symbol-sessions that fail are withheld.",
        COMPLETE: "Every session of the exchange calendar has bars of every watchlist symbol.",
    },
    blocking={SOUND},
)
def historical_bars(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    """Bars of all timeframes from one-minute and day aggregates. Grain: one row per symbol, timeframe and bar start."""
    sessions = list_sessions(context)
    symbols = warehouse.read_active_symbols()
    suite = build_bar_suite()
    validate = make_bar_validator(suite)
    report = refresh_bars(
        warehouse.database,
        lake.datasets,
        symbols=symbols,
        sessions=sessions,
        run_id=context.run.run_id,
        validate=validate,
    )
    # Symbols new on the watchlist have history in the lake outside this run's sessions.
    joined = backfill_queue(warehouse.database, lake.datasets, run_id=context.run.run_id, validate=validate)
    log_findings(context, report.findings)
    with warehouse.database.connect() as connection:
        counts = bar_queries.count_bars_by_session(connection, sessions[0], sessions[-1])
        line = bar_queries.read_day_closes(connection, symbols[0], sessions[0], sessions[-1]) if symbols else []
    caption = f"{symbols[0]}: day closes" if symbols else "The watchlist is empty"
    show_pictures(
        context,
        sessions,
        Drawing(
            (counts, line, caption),
            lambda: {
                "rows": draw_columns(counts, "historical_bars: rows by session"),
                "first_symbol": draw_closes(line, caption),
            },
        ),
    )
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
            **describe_findings(report.findings),
        },
        check_results=[suite.build_result(SOUND), _check_completeness(report.findings)],
    )


def _check_completeness(findings: Sequence[Finding]) -> dg.AssetCheckResult:
    missing = [finding for finding in findings if finding.rule in MISSING_RULES]
    has_error = any(finding.severity is Severity.ERROR for finding in missing)
    return dg.AssetCheckResult(
        check_name=COMPLETE,
        passed=not missing,
        severity=dg.AssetCheckSeverity.ERROR if has_error else dg.AssetCheckSeverity.WARN,
        metadata=describe_findings(missing),
    )
