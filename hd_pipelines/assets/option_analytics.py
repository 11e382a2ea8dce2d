"""Assets computed from option chains: Greeks of every contract, IV percentiles and dealer gamma.

The work is in `loading`. Percentiles and gamma follow new Greeks automatically (`AutomationCondition`).
"""

import dagster as dg

from hd_pipelines.assets.lake import get_lake_key
from hd_pipelines.assets.option_chains import option_chains, treasury_yields
from hd_pipelines.assets.option_pictures import prepare_gamma_profiles, prepare_smiles, prepare_volatility_histories
from hd_pipelines.assets.pictures import show_pictures
from hd_pipelines.assets.results import describe_refresh, log_findings, report_refresh
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.checks.gamma_suite import build_gamma_suite
from hd_pipelines.checks.greeks_suite import build_greeks_suite
from hd_pipelines.checks.iv_percentile_suite import build_iv_percentile_suite
from hd_pipelines.checks.withholding import make_validator
from hd_pipelines.loading.derived.gamma import refresh_gamma
from hd_pipelines.loading.derived.greeks import refresh_greeks
from hd_pipelines.loading.derived.iv_percentiles import refresh_iv_percentiles
from hd_pipelines.loading.derived.traded_greeks import READ_FROM, refresh_traded_greeks
from hd_pipelines.partitions import list_sessions
from hd_pipelines.resources import LakeResource, WarehouseResource

SOUND_GREEKS, SOUND_PERCENTILES, SOUND_GAMMA = "greeks_are_sound", "percentiles_are_sound", "gamma_is_sound"


@session_asset(
    group="options",
    kinds={"postgres", "polars"},
    deps=[option_chains, treasury_yields, *(get_lake_key(dataset) for dataset in READ_FROM)],
    table="historical_greeks",
    checks={SOUND_GREEKS: "Great Expectations on valued contracts before they are published; what fails is withheld."},
)
def historical_greeks(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    """Implied volatility and Greeks of every contract, or why there are none. Grain: one row per contract and snapshot.

    A session without a chain has one row per contract that traded, valued from its last bar; see `price_source`.
    """
    sessions = list_sessions(context)
    symbols = warehouse.read_active_symbols()
    suite = build_greeks_suite()
    valued, traded = (
        refresh(
            warehouse.database,
            lake.datasets,
            symbols=symbols,
            sessions=sessions,
            run_id=context.run.run_id,
            validate=make_validator(suite),
        )
        for refresh in (refresh_greeks, refresh_traded_greeks)
    )
    log_findings(context, (*valued.findings, *traded.findings))
    show_pictures(context, sessions, prepare_smiles(warehouse.database, symbols, sessions))
    traded_metadata = {f"option_bars_{name}": value for name, value in describe_refresh(traded).items()}
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **describe_refresh(valued), **traded_metadata},
        check_results=[suite.build_result(SOUND_GREEKS)],
    )


@session_asset(
    group="options",
    kinds={"postgres", "polars"},
    deps=[historical_greeks],
    table="iv_percentile_cache",
    checks={SOUND_PERCENTILES: "Great Expectations on percentiles before they are published; what fails is withheld."},
    automation_condition=dg.AutomationCondition.eager(),
)
def iv_percentile_cache(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    """30-day implied volatility ranked within its own 252 sessions. Grain: one row per symbol and session."""
    sessions = list_sessions(context)
    symbols = warehouse.read_active_symbols()
    suite = build_iv_percentile_suite()
    report = refresh_iv_percentiles(
        warehouse.database,
        lake.datasets,
        symbols=symbols,
        sessions=sessions,
        run_id=context.run.run_id,
        validate=make_validator(suite),
    )
    drawing = prepare_volatility_histories(warehouse.database, symbols, sessions)
    return report_refresh(context, sessions, report, suite.build_result(SOUND_PERCENTILES), drawing)


@session_asset(
    group="options",
    kinds={"postgres", "polars"},
    deps=[historical_greeks],
    table="gamma_exposure_snapshots",
    checks={
        SOUND_GAMMA: "Great Expectations on snapshots and their strikes before they are published; what fails is withheld."
    },
    automation_condition=dg.AutomationCondition.eager(),
)
def gamma_exposure_snapshots(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
    """Dealer gamma in dollars per 1 % move, its walls and its zero. Grain: one row per symbol and snapshot.

    In the same transaction it writes `gamma_by_strike` and `gamma_by_expiration`; `rows_written` counts all three tables.
    """
    sessions = list_sessions(context)
    symbols = warehouse.read_active_symbols()
    suite = build_gamma_suite()
    report = refresh_gamma(
        warehouse.database,
        symbols=symbols,
        sessions=sessions,
        run_id=context.run.run_id,
        validate=make_validator(suite),
    )
    drawing = prepare_gamma_profiles(warehouse.database, symbols, sessions)
    return report_refresh(context, sessions, report, suite.build_result(SOUND_GAMMA), drawing)
