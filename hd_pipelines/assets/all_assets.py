"""Every asset of the platform. The standing checks and the tests are derived from these lists, so add a new asset here."""

import dagster as dg

from hd_pipelines.assets.bars import historical_bars
from hd_pipelines.assets.flat_files import flat_file_assets
from hd_pipelines.assets.lake import lake_assets
from hd_pipelines.assets.live_bars import live_bars
from hd_pipelines.assets.marts import dbt_models
from hd_pipelines.assets.option_analytics import gamma_exposure_snapshots, historical_greeks, iv_percentile_cache
from hd_pipelines.assets.option_chains import option_chains, treasury_yields
from hd_pipelines.assets.regime import market_regime_history
from hd_pipelines.assets.signals import composite_signals

SESSION_ASSETS: list[dg.AssetsDefinition] = [
    *flat_file_assets,
    *lake_assets,
    historical_bars,
    option_chains,
    treasury_yields,
    historical_greeks,
    iv_percentile_cache,
    gamma_exposure_snapshots,
    market_regime_history,
    composite_signals,
]
"""Assets with one partition per exchange session."""
SESSION_ASSET_KEYS = [asset.key for asset in SESSION_ASSETS]
ALL_ASSETS: list[dg.AssetsDefinition] = [*SESSION_ASSETS, live_bars, dbt_models]
