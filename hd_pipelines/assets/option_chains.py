"""Assets of option chains in the lake and of the Treasury curve that discounts them.

Closes of past sessions come from an archive. A snapshot of the current chains is taken if the run's configuration asks
for one, as the snapshot schedules do. The work is in `loading.inputs.chain_archive` and `loading.inputs.chain_snapshots`.
"""

from collections.abc import Callable, Sequence
from datetime import date
from enum import Enum

import dagster as dg

from hd_pipelines.assets.pictures import Drawing, show_pictures
from hd_pipelines.assets.results import log_findings
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.charts.sessions import draw_columns
from hd_pipelines.checks.chain_suite import build_chain_suite
from hd_pipelines.checks.findings_metadata import describe_findings
from hd_pipelines.loading.derived.yields import refresh_yields
from hd_pipelines.loading.inputs.chain_archive import refresh_chain_archive
from hd_pipelines.loading.inputs.chain_snapshots import SnapshotReport, take_snapshot
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.symbols import to_ticker
from hd_pipelines.partitions import list_sessions
from hd_pipelines.resources import Clock, LakeResource, OptionDataResource, WarehouseResource
from hd_pipelines.tables.vocabulary import Rule, SnapshotKind
from hd_pipelines.warehouse.records.chains import read_recorded_chains

COMPLETE, PLAUSIBLE = "chains_are_complete", "chains_are_plausible"
HARMLESS = frozenset({Rule.CONTRACT_ADJUSTED})
"""Findings that a complete chain may have."""
ROUNDS = 2
"""Attempts at one snapshot: underlyings that failed with a transient error are requested once more."""


class Snapshot(Enum):
    """Which snapshot of the current chains a run takes."""

    NONE = "none"
    INTRADAY = "intraday"
    CLOSE = "close"


class ChainsConfig(dg.Config):
    """Configuration of a run of `option_chains`."""

    snapshot: Snapshot = Snapshot.NONE


def build_snapshot_config(kind: SnapshotKind) -> dict[str, object]:
    """Build the run configuration of a job that takes a snapshot of `kind`."""
    return {"ops": {"option_chains": {"config": {"snapshot": Snapshot(kind.value).name}}}}


@session_asset(
    group="options",
    kinds={"parquet", "polars"},
    pool="vendor_api",
    table="option_chains",
    checks={
        COMPLETE: "No chain lost contracts or strikes, was stale, was unavailable or was refused.",
        PLAUSIBLE: "Great Expectations on the newest session's chains: quotes, counts and enum values are plausible.",
    },
)
def option_chains(  # noqa: PLR0917 (Dagster injects the resources)
    context: dg.AssetExecutionContext,
    config: ChainsConfig,
    clock: Clock,
    lake: LakeResource,
    option_data: OptionDataResource,
    warehouse: WarehouseResource,
) -> dg.MaterializeResult:
    """`lake/option_chains/session=…`: one file per underlying and snapshot. Open interest is the previous session's."""
    sessions = list_sessions(context)
    symbols = warehouse.read_active_symbols()
    findings: list[Finding] = []
    metadata: dict[str, str | int | float] = {}
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
        metadata |= {
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
            now=clock.now(),
            kind=kind,
            run_id=context.run.run_id,
        )

    for taken in _take_in_rounds(config.snapshot, take, symbols):
        findings += taken.findings
        metadata |= {
            "snapshot_at": str(taken.snapshot_at),
            "snapshot_contracts": taken.contracts,
            "snapshot_underlyings": ", ".join(taken.taken),
            "snapshot_refused": ", ".join(taken.refused),
            "snapshot_pages": taken.pages,
            "snapshot_skew_seconds": round(taken.skew_seconds, 3),
        }
    log_findings(context, findings)
    with warehouse.database.connect() as connection:
        held = read_recorded_chains(connection, sessions[0], sessions[-1], {to_ticker(symbol) for symbol in symbols})
    contracts: dict[date, int] = {}
    for chain in held:
        contracts[chain.session] = contracts.get(chain.session, 0) + chain.contracts
    counts, caption = sorted(contracts.items()), "option_chains: contracts by session"
    show_pictures(context, sessions, Drawing(counts, lambda: {"contracts": draw_columns(counts, caption)}))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(contracts.values()),
            "sessions": len(sessions),
            "snapshots": len(held),
            "archive": str(archive is not None),
            **metadata,
            **describe_findings(findings),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=COMPLETE,
                passed=all(finding.rule in HARMLESS for finding in findings),
                severity=dg.AssetCheckSeverity.WARN,
                metadata=describe_findings(findings),
            ),
            _check_plausibility(
                lake, symbols, sessions, is_news=bool(metadata.get("archive_loaded") or metadata.get("snapshot_at"))
            ),
        ],
    )


def _check_plausibility(
    lake: LakeResource, symbols: Sequence[str], sessions: Sequence[date], *, is_news: bool
) -> dg.AssetCheckResult:
    """Validate the newest session's chains in the lake. Only a warning: the rows are the vendor's."""
    if not is_news:
        return dg.AssetCheckResult(
            check_name=PLAUSIBLE, passed=True, metadata={"not_run_again": "This run loaded and took no chain."}
        )
    suite = build_chain_suite()
    suite.validate(lake.datasets.chains.read(symbols, sessions[-1], sessions[-1]))
    return suite.build_result(PLAUSIBLE)


def _take_in_rounds(
    wanted: Snapshot, take: Callable[[Sequence[str], SnapshotKind], SnapshotReport], symbols: Sequence[str]
) -> list[SnapshotReport]:
    """Take one snapshot in up to `ROUNDS` rounds; none if none is wanted."""
    reports: list[SnapshotReport] = []
    requested = symbols
    for _ in range(0 if wanted is Snapshot.NONE else ROUNDS):
        reports.append(report := take(requested, SnapshotKind(wanted.value)))
        requested = report.refused
        if not any(error.is_transient for error in report.errors):
            break
    return reports


@session_asset(group="options", kinds={"postgres", "parquet"}, pool="vendor_api", table="treasury_yields")
def treasury_yields(
    context: dg.AssetExecutionContext, lake: LakeResource, option_data: OptionDataResource, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    """Constant-maturity Treasury yields as continuously compounded rates. Grain: one row per day and maturity."""
    sessions = list_sessions(context)
    report = refresh_yields(
        warehouse.database,
        lake.datasets,
        option_data.api_if_any,
        option_data.archive,
        sessions=sessions,
        run_id=context.run.run_id,
    )
    log_findings(context, report.findings)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.points,
            "rows_written": report.written,
            "sessions": len(sessions),
            "days_with_a_curve": report.days,
            **describe_findings(report.findings),
        }
    )
