"""Option chains in the lake, and the Treasury curve that discounts them.

Belongs here: the Dagster face of both. An archive brings closes of the past; a snapshot of the moment is taken when the
run asks for one, which the schedules of the snapshots do. How: `loading.chains` and `loading.snapshots`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from enum import Enum

import dagster as dg

from hd_pipelines.assets.pictures import columns_by_session
from hd_pipelines.assets.reporting import OWNERS, TRANSIENT_RETRIES, findings_metadata, retrying_only_transient_errors
from hd_pipelines.checks.chain_suite import chain_suite
from hd_pipelines.loading.chains import refresh_chain_archive
from hd_pipelines.loading.snapshots import SnapshotReport, take_snapshot
from hd_pipelines.loading.yields import refresh_yields
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.symbols import ticker_of
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.resources import Lake, OptionData, Warehouse
from hd_pipelines.tables.vocabulary import Rule, SnapshotKind
from hd_pipelines.warehouse.records.chains import recorded_chains
from hd_pipelines.warehouse.records.watchlist import active_symbols

COMPLETE, PLAUSIBLE = "chains_are_complete", "chains_are_plausible"
HARMLESS = frozenset({Rule.CONTRACT_ADJUSTED})
"""Worth knowing, and part of a complete chain."""
ROUNDS = 2
"""Rounds of one snapshot: underlyings that failed for a passing reason are asked for once more."""
_TYPES = {"String": "string", "Int64": "int64", "Float64": "float64", "Date": "date"}
COLUMNS = dg.TableSchema(
    columns=[dg.TableColumn(name, _TYPES.get(str(kind), "timestamp[us, UTC]")) for name, kind in CHAIN.items()]
)


class Snapshot(Enum):
    """Which snapshot of the moment a run takes."""

    NONE = "none"
    INTRADAY = "intraday"
    CLOSE = "close"


class ChainsConfig(dg.Config):
    """Configuration of a run of `option_chains`."""

    snapshot: Snapshot = Snapshot.NONE


def snapshot_run_config(kind: SnapshotKind) -> dict[str, object]:
    """Run configuration of a job that takes a snapshot of `kind`."""
    return {"ops": {"option_chains": {"config": {"snapshot": Snapshot(kind.value).name}}}}


@dg.asset(
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="options",
    owners=OWNERS,
    kinds={"parquet", "polars"},
    pool="vendor_api",
    retry_policy=TRANSIENT_RETRIES,
    metadata={"dagster/column_schema": COLUMNS},
    check_specs=[
        dg.AssetCheckSpec(
            COMPLETE,
            asset="option_chains",
            description="No chain lost contracts or strikes, was stale, or could not be had or believed.",
        ),
        dg.AssetCheckSpec(
            PLAUSIBLE,
            asset="option_chains",
            description="Great Expectations on the newest session's chains: quotes, counts and words can be right.",
        ),
    ],
)
@retrying_only_transient_errors()
def option_chains(
    context: dg.AssetExecutionContext, config: ChainsConfig, lake: Lake, option_data: OptionData, warehouse: Warehouse
) -> dg.MaterializeResult:
    """`lake/option_chains/session=…`: one file per underlying and snapshot. Open interest is of the session before."""
    sessions = window(context)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    findings: list[Finding] = []
    told: dict[str, str | int | float] = {}
    archive = option_data.archive
    if archive is not None:
        report = refresh_chain_archive(
            warehouse.database,
            lake.datasets,
            archive,
            underlyings=symbols,
            sessions=sessions,
            run_id=context.run.run_id,
        )
        findings += report.findings
        told |= {
            "archive_loaded": report.loaded,
            "archive_contracts": report.contracts,
            "archive_already_known": report.already_known,
            "archive_refused": report.refused,
            "rows_set_aside": report.rows_set_aside,
        }

    def take(underlyings: Sequence[str], kind: SnapshotKind) -> SnapshotReport:
        return take_snapshot(
            warehouse.database,
            lake.datasets,
            option_data.api,
            underlyings=underlyings,
            now=datetime.now(UTC),
            kind=kind,
            run_id=context.run.run_id,
        )

    for taken in _rounds(config.snapshot, take, symbols):
        findings += taken.findings
        told |= {
            "snapshot_at": str(taken.snapshot_at),
            "snapshot_contracts": taken.contracts,
            "snapshot_underlyings": ", ".join(taken.taken),
            "snapshot_refused": ", ".join(taken.refused),
            "snapshot_pages": taken.pages,
            "snapshot_skew_seconds": round(taken.skew_seconds, 3),
        }
    for finding in findings:
        context.log.warning(str(finding))
    with warehouse.database.connect() as connection:
        held = recorded_chains(connection, sessions[0], sessions[-1], {ticker_of(symbol) for symbol in symbols})
    contracts: dict[date, int] = {}
    for chain in held:
        contracts[chain.session] = contracts.get(chain.session, 0) + chain.contracts
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(contracts.values()),
            "sessions": len(sessions),
            "snapshots": len(held),
            "archive": str(archive is not None),
            **told,
            **findings_metadata(findings),
            "contracts": columns_by_session(sorted(contracts.items()), "option_chains: contracts by session"),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=COMPLETE,
                passed=all(finding.rule in HARMLESS for finding in findings),
                severity=dg.AssetCheckSeverity.WARN,
                metadata=findings_metadata(findings),
            ),
            _plausible(lake, symbols, sessions, is_news=bool(told.get("archive_loaded") or told.get("snapshot_at"))),
        ],
    )


def _plausible(lake: Lake, symbols: Sequence[str], sessions: Sequence[date], *, is_news: bool) -> dg.AssetCheckResult:
    """Great Expectations on the newest session's chains as they lie in the lake: a warning, for they are the vendor's."""
    if not is_news:
        return dg.AssetCheckResult(
            check_name=PLAUSIBLE, passed=True, metadata={"not_run_again": "No chain was loaded or taken by this run."}
        )
    suite = chain_suite()
    suite.judge(lake.datasets.chains.read(symbols, sessions[-1], sessions[-1]))
    return suite.result(PLAUSIBLE)


def _rounds(
    wanted: Snapshot, take: Callable[[Sequence[str], SnapshotKind], SnapshotReport], symbols: Sequence[str]
) -> list[SnapshotReport]:
    """The rounds of one snapshot; empty where none is wanted."""
    reports: list[SnapshotReport] = []
    asked = symbols
    for _ in range(0 if wanted is Snapshot.NONE else ROUNDS):
        reports.append(report := take(asked, SnapshotKind(wanted.value)))
        asked = report.refused
        if not any(error.is_transient for error in report.errors):
            break
    return reports


@dg.asset(
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="options",
    owners=OWNERS,
    kinds={"postgres", "parquet"},
    pool="vendor_api",
    retry_policy=TRANSIENT_RETRIES,
    metadata={"dagster/table_name": "public.treasury_yields"},
)
@retrying_only_transient_errors()
def treasury_yields(
    context: dg.AssetExecutionContext, lake: Lake, option_data: OptionData, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Constant-maturity Treasury yields as continuously compounded rates. Grain: one row per day and maturity."""
    sessions = window(context)
    report = refresh_yields(
        warehouse.database,
        lake.datasets,
        option_data.api_if_any,
        option_data.archive,
        sessions=sessions,
        run_id=context.run.run_id,
    )
    for finding in report.findings:
        context.log.warning(str(finding))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.points,
            "rows_written": report.written,
            "sessions": len(sessions),
            "days_with_a_curve": report.days,
            **findings_metadata(report.findings),
        }
    )
