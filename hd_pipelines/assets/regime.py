"""The market's regime, session by session.

Belongs here: the Dagster face of `market_regime_history`. What is out of date and how it is made: `loading.regime`.
"""

import dagster as dg

from hd_pipelines.assets.lake import lake_key
from hd_pipelines.assets.option_pictures import regime_pictures
from hd_pipelines.assets.reporting import (
    OWNERS,
    TRANSIENT_RETRIES,
    derived_metadata,
    retrying_only_transient_errors,
    show,
)
from hd_pipelines.checks.regime_suite import regime_suite
from hd_pipelines.checks.withholding import judge_of
from hd_pipelines.loading.regime import SOURCES, refresh_regime
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.resources import Lake, Warehouse

SOUND = "regime_is_sound"


@dg.asset(
    deps=[lake_key(dataset) for dataset in SOURCES],
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    automation_condition=dg.AutomationCondition.eager(),
    group_name="regime",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    retry_policy=TRANSIENT_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            SOUND,
            asset="market_regime_history",
            description="Great Expectations on the regime before it is published; what fails is withheld.",
        )
    ],
    metadata={"dagster/table_name": "public.market_regime_history"},
)
@retrying_only_transient_errors()
def market_regime_history(context: dg.AssetExecutionContext, lake: Lake, warehouse: Warehouse) -> dg.MaterializeResult:
    """Volatility, breadth, correlation, sectors, put/call and the regime they decide. Grain: one row per session."""
    sessions = window(context)
    suite = regime_suite()
    report = refresh_regime(
        warehouse.database, lake.datasets, sessions=sessions, run_id=context.run.run_id, judge=judge_of(suite)
    )
    for finding in report.findings:
        context.log.warning(str(finding))
    show(context, sessions, regime_pictures(warehouse.database, sessions))
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **derived_metadata(report)}, check_results=[suite.result(SOUND)]
    )
