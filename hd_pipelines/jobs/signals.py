"""Jobs of signals: scans of whole sessions and of the newest minutes, outcomes, and the week's end."""

import dagster as dg

from hd_pipelines.assets.bars import historical_bars
from hd_pipelines.assets.option_analytics import gamma_exposure_snapshots, historical_greeks, iv_percentile_cache
from hd_pipelines.assets.regime import market_regime_history
from hd_pipelines.assets.signals import composite_signals, describe_scan, describe_stored
from hd_pipelines.jobs.standing_checks import STANDING_CHECKS
from hd_pipelines.loading.signals.outcomes import settle_outcomes
from hd_pipelines.loading.signals.scan import scan_now
from hd_pipelines.resources import Clock, WarehouseResource

signals_job = dg.define_asset_job(
    "signals",
    selection=dg.AssetSelection.assets(composite_signals) - STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="Scans every minute of whole sessions with all detectors, each with what was known at that minute.",
)


@dg.op(description="Scans the newest minutes of the running session and stores new signals.")
def scan_the_newest_minutes(
    context: dg.OpExecutionContext, clock: dg.ResourceParam[Clock], warehouse: dg.ResourceParam[WarehouseResource]
) -> None:
    """Report stored signals and rejections by reason as a materialization of the session's partition."""
    now = clock.now()
    report = scan_now(warehouse.database, warehouse.read_active_symbols(), now, run_id=context.run.run_id)
    if not report.sessions:
        context.log.info("nothing to scan: %s", ", ".join(report.labels))
        return
    for signal in report.signals:
        context.log.info("%s %s %s %.0f", signal.symbol, signal.detector, signal.style, signal.style_score)
    metadata = {**describe_scan(report), **describe_stored(warehouse, now.date(), now.date())}
    context.log_event(dg.AssetMaterialization(composite_signals.key, metadata=metadata, partition=str(now.date())))


@dg.job(name="scan", executor_def=dg.in_process_executor)
def scan_job() -> None:
    """Scans the newest minutes of the running session with all detectors."""
    scan_the_newest_minutes()


@dg.op(description="Settles signals that reached a target or their stop, or expired, from one-minute bars.")
def settle_signal_outcomes(
    context: dg.OpExecutionContext, clock: dg.ResourceParam[Clock], warehouse: dg.ResourceParam[WarehouseResource]
) -> None:
    """Report how many signals were settled."""
    settled = settle_outcomes(warehouse.database, until=clock.now())
    context.log.info("%d signals settled", settled)
    context.add_output_metadata({"settled": settled})


@dg.job(name="signal_outcomes", executor_def=dg.in_process_executor)
def outcomes_job() -> None:
    """Settles the targets, stops and expiries of signals from bars."""
    settle_signal_outcomes()


prewarm_job = dg.define_asset_job(
    "prewarm",
    selection=(
        dg.AssetSelection.assets(
            historical_bars,
            historical_greeks,
            iv_percentile_cache,
            gamma_exposure_snapshots,
            market_regime_history,
            composite_signals,
        )
        | dg.AssetSelection.groups("staging", "marts")
    )
    - STANDING_CHECKS,
    executor_def=dg.in_process_executor,
    description="Everything derived from the lake, over a week: afterwards every question is one database query.",
)
