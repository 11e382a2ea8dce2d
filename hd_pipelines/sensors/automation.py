"""The sensor that evaluates the automation conditions of assets; each asset declares its own condition."""

import dagster as dg

from hd_pipelines.assets.all_assets import SESSION_ASSETS

FOLLOWERS = [asset for asset in SESSION_ASSETS if any(spec.automation_condition for spec in asset.specs)]
"""Percentiles and gamma follow new Greeks, the regime follows new day bars; the marts follow all of them."""

follow_new_greeks = dg.AutomationConditionSensorDefinition(
    "follow_new_greeks",
    target=dg.AssetSelection.assets(*FOLLOWERS) | dg.AssetSelection.groups("staging", "marts"),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts runs of tables whose sources have newer rows, for the newest session.",
)
