"""The sensor that evaluates the automation conditions of assets; each asset declares its own condition."""

import dagster as dg

FOLLOWERS = ("iv_percentile_cache", "gamma_exposure_snapshots", "market_regime_history")
"""Percentiles and gamma follow new Greeks, the regime follows new day bars; the marts follow all of them."""

follow_new_greeks = dg.AutomationConditionSensorDefinition(
    "follow_new_greeks",
    target=dg.AssetSelection.assets(*FOLLOWERS) | dg.AssetSelection.groups("staging", "marts"),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts runs of tables whose sources have newer rows, for the newest session.",
)
