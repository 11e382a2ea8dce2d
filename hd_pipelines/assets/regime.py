"""The asset of the market regime, session by session. The work is in `loading.derived.regime`."""

import dagster as dg

from hd_pipelines.assets.lake import get_lake_key
from hd_pipelines.assets.option_pictures import prepare_regime
from hd_pipelines.assets.results import report_refresh
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.checks.regime_suite import build_regime_suite
from hd_pipelines.checks.withholding import make_validator
from hd_pipelines.loading.derived.regime import SOURCES, refresh_regime
from hd_pipelines.partitions import list_sessions
from hd_pipelines.resources import LakeResource, WarehouseResource

SOUND = "regime_is_sound"


@session_asset(
    group="regime",
    kinds={"postgres", "polars"},
    deps=[get_lake_key(dataset) for dataset in SOURCES],
    table="market_regime_history",
    checks={SOUND: "Great Expectations on the regime before it is published; what fails is withheld."},
    automation_condition=dg.AutomationCondition.eager(),
)
def market_regime_history(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    """Volatility, breadth, correlation, sectors, put/call and the regime that they imply. Grain: one row per session."""
    sessions = list_sessions(context)
    suite = build_regime_suite()
    report = refresh_regime(
        warehouse.database, lake.datasets, sessions=sessions, run_id=context.run.run_id, validate=make_validator(suite)
    )
    drawing = prepare_regime(warehouse.database, sessions)
    return report_refresh(context, sessions, report, suite.build_result(SOUND), drawing, unit="sessions")
