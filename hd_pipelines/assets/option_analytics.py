"""What option chains say: Greeks of every contract, how expensive volatility is, where dealer gamma lies.

Belongs here: the Dagster face of the three tables. What is out of date and how it is made: `loading.greeks`,
`loading.traded_greeks`, `loading.iv_percentiles`, `loading.gamma`. Percentiles and gamma follow new Greeks by themselves
(`AutomationCondition`).
"""

import dagster as dg

from hd_pipelines.assets.lake import lake_key
from hd_pipelines.assets.option_pictures import gamma_pictures, smile_pictures, volatility_pictures
from hd_pipelines.assets.reporting import (
    OWNERS,
    TRANSIENT_RETRIES,
    derived_metadata,
    retrying_only_transient_errors,
    show,
)
from hd_pipelines.checks.gamma_suite import gamma_suite
from hd_pipelines.checks.greeks_suite import greeks_suite
from hd_pipelines.checks.iv_percentile_suite import iv_percentile_suite
from hd_pipelines.checks.withholding import judge_of
from hd_pipelines.loading.gamma import refresh_gamma
from hd_pipelines.loading.greeks import refresh_greeks
from hd_pipelines.loading.iv_percentiles import refresh_iv_percentiles
from hd_pipelines.loading.traded_greeks import READ_FROM, refresh_traded_greeks
from hd_pipelines.partitions import session_partitions, window
from hd_pipelines.resources import Lake, Warehouse
from hd_pipelines.warehouse.records.watchlist import active_symbols

SOUND_GREEKS, SOUND_PERCENTILES, SOUND_GAMMA = "greeks_are_sound", "percentiles_are_sound", "gamma_is_sound"


@dg.asset(
    deps=["option_chains", "treasury_yields", *(lake_key(dataset) for dataset in READ_FROM)],
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="options",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    retry_policy=TRANSIENT_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            SOUND_GREEKS,
            asset="historical_greeks",
            description="Great Expectations on valued contracts before they are published; what fails is withheld.",
        )
    ],
    metadata={"dagster/table_name": "public.historical_greeks"},
)
@retrying_only_transient_errors()
def historical_greeks(context: dg.AssetExecutionContext, lake: Lake, warehouse: Warehouse) -> dg.MaterializeResult:
    """Implied volatility and Greeks of every contract, or the reason why not. Grain: one row per contract and snapshot.

    Of a session without a chain, one row per contract that traded, by its last bar; `price_source` tells.
    """
    sessions = window(context)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    suite = greeks_suite()
    valued, traded = (
        refresh(
            warehouse.database,
            lake.datasets,
            symbols=symbols,
            sessions=sessions,
            run_id=context.run.run_id,
            judge=judge_of(suite),
        )
        for refresh in (refresh_greeks, refresh_traded_greeks)
    )
    show(context, sessions, smile_pictures(warehouse.database, symbols, sessions))
    for finding in (*valued.findings, *traded.findings):
        context.log.warning(str(finding))
    of_traded = {f"traded_{name}": value for name, value in derived_metadata(traded).items()}
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **derived_metadata(valued), **of_traded},
        check_results=[suite.result(SOUND_GREEKS)],
    )


@dg.asset(
    deps=["historical_greeks"],
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    automation_condition=dg.AutomationCondition.eager(),
    group_name="options",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    retry_policy=TRANSIENT_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            SOUND_PERCENTILES,
            asset="iv_percentile_cache",
            description="Great Expectations on percentiles before they are published; what fails is withheld.",
        )
    ],
    metadata={"dagster/table_name": "public.iv_percentile_cache"},
)
@retrying_only_transient_errors()
def iv_percentile_cache(context: dg.AssetExecutionContext, lake: Lake, warehouse: Warehouse) -> dg.MaterializeResult:
    """30-day implied volatility against its own 252 sessions. Grain: one row per symbol and session."""
    sessions = window(context)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    suite = iv_percentile_suite()
    report = refresh_iv_percentiles(
        warehouse.database,
        lake.datasets,
        symbols=symbols,
        sessions=sessions,
        run_id=context.run.run_id,
        judge=judge_of(suite),
    )
    show(context, sessions, volatility_pictures(warehouse.database, symbols, sessions))
    for finding in report.findings:
        context.log.warning(str(finding))
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **derived_metadata(report)},
        check_results=[suite.result(SOUND_PERCENTILES)],
    )


@dg.asset(
    deps=["historical_greeks"],
    partitions_def=session_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    automation_condition=dg.AutomationCondition.eager(),
    group_name="options",
    owners=OWNERS,
    kinds={"postgres", "polars"},
    retry_policy=TRANSIENT_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            SOUND_GAMMA,
            asset="gamma_exposure_snapshots",
            description="Great Expectations on gamma snapshots before they are published; what fails is withheld.",
        )
    ],
    metadata={"dagster/table_name": "public.gamma_exposure_snapshots"},
)
@retrying_only_transient_errors()
def gamma_exposure_snapshots(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Dealer gamma in dollars per 1 % move, its walls and its zero. Grain: one row per symbol and snapshot."""
    sessions = window(context)
    with warehouse.database.connect() as connection:
        symbols = active_symbols(connection)
    suite = gamma_suite()
    report = refresh_gamma(
        warehouse.database, symbols=symbols, sessions=sessions, run_id=context.run.run_id, judge=judge_of(suite)
    )
    show(context, sessions, gamma_pictures(warehouse.database, symbols, sessions))
    for finding in report.findings:
        context.log.warning(str(finding))
    return dg.MaterializeResult(
        metadata={"sessions": len(sessions), **derived_metadata(report)}, check_results=[suite.result(SOUND_GAMMA)]
    )
