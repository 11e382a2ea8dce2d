"""Signals: what detectors found in sessions of the past, and in the minutes that just ended.

Belongs here: the Dagster face of `composite_signals`. What is scanned and stored: `loading.signals`; what decides:
`signals.scanner`.

Two ways in. The asset covers whole sessions, minute by minute, and is what a backfill runs. The op looks at the newest
minutes of the running session; the clock and new data start it, and it says so on the asset's page.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from hd_pipelines.assets.reporting import OWNERS, TRANSIENT_RETRIES, retrying_only_transient_errors
from hd_pipelines.loading.outcomes import settle_outcomes
from hd_pipelines.loading.scan_reports import ScanReport
from hd_pipelines.loading.signals import scan_now, scan_sessions
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.resources import Warehouse
from hd_pipelines.warehouse.records.signals import rejections_of, signals_of
from hd_pipelines.warehouse.records.watchlist import active_symbols

SIGNALS = "composite_signals"
EVERY_SYMBOL_WAS_SEEN = "every_symbol_was_seen"
SHOWN = 50


@dg.asset(
    deps=["historical_bars", "iv_percentile_cache", "gamma_exposure_snapshots", "market_regime_history"],
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="signals",
    owners=OWNERS,
    kinds={"postgres", "numpy"},
    retry_policy=TRANSIENT_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            EVERY_SYMBOL_WAS_SEEN,
            asset=SIGNALS,
            description="Every symbol of the watchlist had bars to scan; what a scan had to do without is in its labels.",
        )
    ],
    metadata={"dagster/table_name": f"public.{SIGNALS}"},
)
@retrying_only_transient_errors()
def composite_signals(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Setups that seventeen detectors found and five contexts let pass. Grain: one row per symbol, detector and bar.

    Every minute of the sessions is looked at as the market delivered it; a session whose inputs and rules did not change
    is not scanned again. Signals that have ended since are settled from bars.
    """
    sessions = window(context)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    report = scan_sessions(warehouse.database, symbols, sessions, run_id=context.run.run_id)
    report.settled += settle_outcomes(warehouse.database, until=datetime.now(UTC))
    of_sessions = stored_metadata(warehouse, sessions[0], sessions[-1])
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **scan_metadata(report), **of_sessions}, check_results=[_seen(report)]
    )


def _seen(report: ScanReport) -> dg.AssetCheckResult:
    unseen = sorted(report.unseen)
    return dg.AssetCheckResult(
        check_name=EVERY_SYMBOL_WAS_SEEN,
        passed=not unseen,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"without_bars": ", ".join(unseen) or "none"},
    )


@dg.op(description="Scans the newest minutes of the running session and stores what is new.")
def scan_the_newest_minutes(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
    """Signals stored and rejections by reason, as a materialization of the session's partition."""
    now = datetime.now(UTC)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    report = scan_now(warehouse.database, symbols, now, run_id=context.run.run_id)
    if not report.sessions:
        context.log.info("nothing to scan: %s", ", ".join(report.labels))
        return
    for signal in report.signals:
        context.log.info("%s %s %s %.0f", signal.symbol, signal.detector, signal.style, signal.style_score)
    metadata = {**scan_metadata(report), **stored_metadata(warehouse, now.date(), now.date())}
    context.log_event(dg.AssetMaterialization(SIGNALS, metadata=metadata, partition=str(now.date())))


@dg.op(description="Settles signals that reached a target or their stop, or ran out of time, from one-minute bars.")
def settle_signal_outcomes(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
    """How many were settled."""
    settled = settle_outcomes(warehouse.database, until=datetime.now(UTC))
    context.log.info("%d signals settled", settled)
    context.add_output_metadata({"settled": settled})


def scan_metadata(report: ScanReport) -> dict[str, Any]:
    """What a scan did, and what it had to do without."""
    return {
        "rows_scanned": report.rows,
        "candidates": report.candidates,
        "signals_stored": len(report.stored),
        "signals_settled": report.settled,
        "sessions_up_to_date": report.up_to_date,
        "seconds": round(report.seconds, 3),
        **({"labels": _counts("label", {k: len(v) for k, v in report.labels.items()})} if report.labels else {}),
    }


def stored_metadata(warehouse: Warehouse, first: date, last: date) -> dict[str, Any]:
    """What the sessions have now, whoever found it: the newest signals, and why other candidates were kept back."""
    with warehouse.database.connect() as connection:
        signals = signals_of(connection, first, last, limit=SHOWN)
        rejections = rejections_of(connection, first, last)
    reasons: Counter[str] = Counter()
    for (_, reason), count in rejections.items():
        reasons[reason] += count
    return {
        **({"newest_signals": _signals_table(signals)} if signals else {}),
        **({"rejections": _counts("reason", reasons)} if reasons else {}),
    }


def _signals_table(signals: list[dict[str, Any]]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "as_of": f"{row['as_of']:%Y-%m-%d %H:%M}",
                "symbol": row["symbol"],
                "detector": row["detector"],
                "direction": row["direction"],
                "style": row["style"],
                "score": round(row["style_score"], 1),
                "entry": str(row["entry_price"]),
                "stop": str(row["stop_price"]),
                "target_2": str(row["target_2"]),
                "risk_reward": round(row["risk_reward"], 2),
                "contract": row["contract_ticker"] or "",
                "outcome": row["exit_reason"] or row["status"],
                "signal_id": row["signal_id"],
            }
        )
        for row in signals
    ]
    numbers = {"score": "float", "risk_reward": "float"}
    columns = [dg.TableColumn(name, numbers.get(name, "string")) for name in records[0].data]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=columns))


def _counts(name: str, counts: Mapping[str, int]) -> dg.TableMetadataValue:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: word, "count": count}) for word, count in ordered],
        schema=dg.TableSchema(columns=[dg.TableColumn(name), dg.TableColumn("count", "int")]),
    )
