"""The asset of signals that the detectors found in whole sessions, minute by minute.

The work is in `loading.signals.scan`. Scans of the running session are a job (`jobs.signals`), which reports on this asset's
page.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from hd_pipelines.assets.bars import historical_bars
from hd_pipelines.assets.option_analytics import gamma_exposure_snapshots, iv_percentile_cache
from hd_pipelines.assets.regime import market_regime_history
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.loading.signals.outcomes import settle_outcomes
from hd_pipelines.loading.signals.reports import ScanReport
from hd_pipelines.loading.signals.scan import scan_sessions
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.partitions import list_sessions
from hd_pipelines.resources import Clock, WarehouseResource
from hd_pipelines.warehouse.records.signals import count_rejections, read_signals

EVERY_SYMBOL_WAS_SEEN = "every_symbol_was_seen"
MOST_ROWS = 50
UNBROKEN = str.maketrans({"-": "\N{NON-BREAKING HYPHEN}", " ": "\N{NO-BREAK SPACE}"})
"""The Dagster page breaks a time in a narrow column over three lines."""


@session_asset(
    group="signals",
    kinds={"postgres", "numpy"},
    deps=[historical_bars, iv_percentile_cache, gamma_exposure_snapshots, market_regime_history],
    table="composite_signals",
    checks={
        EVERY_SYMBOL_WAS_SEEN: "Every symbol on the watchlist had bars to scan; labels name other inputs that were missing."
    },
)
def composite_signals(
    context: dg.AssetExecutionContext, clock: Clock, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    """Setups that seventeen detectors found and five contexts accepted. Grain: one row per symbol, detector and bar.

    Each minute of a session is scanned with what was known at that minute. A session whose inputs and rules are unchanged
    is not scanned again. Signals that have ended since are settled from bars.
    """
    sessions = list_sessions(context)
    report = scan_sessions(warehouse.database, warehouse.read_active_symbols(), sessions, run_id=context.run.run_id)
    report.settled += settle_outcomes(warehouse.database, until=clock.now())
    stored = describe_stored(warehouse, sessions[0], sessions[-1])
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **describe_scan(report), **stored},
        check_results=[_check_every_symbol(report)],
    )


def _check_every_symbol(report: ScanReport) -> dg.AssetCheckResult:
    unseen = sorted(report.unseen)
    return dg.AssetCheckResult(
        check_name=EVERY_SYMBOL_WAS_SEEN,
        passed=not unseen,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"without_bars": ", ".join(unseen) or "none"},
    )


def describe_scan(report: ScanReport) -> dict[str, Any]:
    """Describe what a scan did and which inputs were missing."""
    return {
        "rows_scanned": report.rows,
        "candidates": report.candidates,
        "signals_stored": len(report.stored),
        "signals_settled": report.settled,
        "sessions_up_to_date": report.up_to_date,
        "seconds": round(report.seconds, 3),
        **(
            {"labels": _build_counts_table("label", {k: len(v) for k, v in report.labels.items()})}
            if report.labels
            else {}
        ),
    }


def describe_stored(warehouse: WarehouseResource, first: date, last: date) -> dict[str, Any]:
    """Describe the stored signals of sessions, whichever scan found them: the newest, and rejections by reason."""
    with warehouse.database.connect() as connection:
        signals = read_signals(connection, first, last, limit=MOST_ROWS)
        rejections = count_rejections(connection, first, last)
    reasons: Counter[str] = Counter()
    for (_, reason), count in rejections.items():
        reasons[reason] += count
    return {
        **({"newest_signals": _build_signals_table(signals)} if signals else {}),
        **({"rejections": _build_counts_table("reason", reasons)} if reasons else {}),
    }


def _build_signals_table(signals: list[dict[str, Any]]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "as_of_new_york": f"{row['as_of'].astimezone(NEW_YORK):%Y-%m-%d %H:%M}".translate(UNBROKEN),
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


def _build_counts_table(name: str, counts: Mapping[str, int]) -> dg.TableMetadataValue:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: value, "count": count}) for value, count in ordered],
        schema=dg.TableSchema(columns=[dg.TableColumn(name), dg.TableColumn("count", "int")]),
    )
