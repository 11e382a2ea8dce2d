"""Tables that follow others by themselves: percentiles and gamma new Greeks, the regime new day bars, marts all.

Belongs here: the sensor that evaluates the assets' automation conditions. Which condition an asset has is its own.
"""

import dagster as dg

FOLLOWERS = ("iv_percentile_cache", "gamma_exposure_snapshots", "market_regime_history")
"""The marts, which are made of them, follow too."""

follow_new_greeks = dg.AutomationConditionSensorDefinition(
    "follow_new_greeks",
    target=dg.AssetSelection.assets(*FOLLOWERS) | dg.AssetSelection.groups("staging", "marts"),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts runs of tables whose sources have newer rows, for the newest session.",
)
