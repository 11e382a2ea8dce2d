"""Jobs around signals: scans of sessions and of the moment, outcomes, and the week's end.

Belongs here: which ops and assets run together. When they run is in `schedules` and `sensors.scan`.
"""

from typing import Any

import dagster as dg

from hd_pipelines.assets.signals import SIGNALS, scan_the_newest_minutes, settle_signal_outcomes
from hd_pipelines.jobs import STANDING

SCAN_TAG = "hd/scan"

signals_job = dg.define_asset_job(
    "signals",
    selection=dg.AssetSelection.assets(SIGNALS),
    executor_def=dg.in_process_executor,
    description="Every minute of whole sessions through all detectors, as the market delivered it.",
)


@dg.job(name="scan", executor_def=dg.in_process_executor)
def scan_job() -> None:
    """The newest minutes of the running session through all detectors."""
    scan_the_newest_minutes()


@dg.job(name="signal_outcomes", executor_def=dg.in_process_executor)
def outcomes_job() -> None:
    """Targets, stops and expiries of signals, from bars."""
    settle_signal_outcomes()


PREWARM = "prewarm"
prewarm_job = dg.define_asset_job(
    PREWARM,
    selection=(
        dg.AssetSelection.assets(
            "historical_bars",
            "historical_greeks",
            "iv_percentile_cache",
            "gamma_exposure_snapshots",
            "market_regime_history",
            SIGNALS,
        )
        | dg.AssetSelection.groups("staging", "marts")
    )
    - STANDING,
    executor_def=dg.in_process_executor,
    description="All that is made of what the lake has, over a week: afterwards every question is one to the database.",
)

SIGNAL_JOBS: list[Any] = [signals_job, scan_job, outcomes_job, prewarm_job]
