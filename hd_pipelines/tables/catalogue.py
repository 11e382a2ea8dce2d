"""Every table definition, in the order of the data dictionary."""

from hd_pipelines.tables.alerts import ALERT_CHANNELS, ALERT_OUTBOX, ALERTS
from hd_pipelines.tables.bars import HISTORICAL_BARS, LAKE_BARS
from hd_pipelines.tables.chains import OPTION_CHAIN_SNAPSHOTS, OPTION_CHAINS
from hd_pipelines.tables.findings import DATA_FINDINGS
from hd_pipelines.tables.flow import OPTIONS_FLOW_HISTORY
from hd_pipelines.tables.gamma import GAMMA_EXPOSURE_SNAPSHOTS
from hd_pipelines.tables.gamma_rows import GAMMA_BY_EXPIRATION, GAMMA_BY_STRIKE
from hd_pipelines.tables.greeks import HISTORICAL_GREEKS
from hd_pipelines.tables.manifests import BARS_MANIFEST, DERIVATION_MANIFEST, LOAD_MANIFEST
from hd_pipelines.tables.regime import MARKET_REGIME_HISTORY
from hd_pipelines.tables.scans import SIGNAL_SCANS
from hd_pipelines.tables.signals import COMPOSITE_SIGNALS
from hd_pipelines.tables.volatility import IV_PERCENTILE_CACHE
from hd_pipelines.tables.watchlist import HISTORICAL_INGESTION_QUEUE, WATCHLIST
from hd_pipelines.tables.yields import TREASURY_YIELDS

WAREHOUSE_TABLES = (
    HISTORICAL_BARS,
    BARS_MANIFEST,
    LOAD_MANIFEST,
    DATA_FINDINGS,
    WATCHLIST,
    HISTORICAL_INGESTION_QUEUE,
    HISTORICAL_GREEKS,
    OPTIONS_FLOW_HISTORY,
    IV_PERCENTILE_CACHE,
    GAMMA_EXPOSURE_SNAPSHOTS,
    GAMMA_BY_STRIKE,
    GAMMA_BY_EXPIRATION,
    MARKET_REGIME_HISTORY,
    TREASURY_YIELDS,
    OPTION_CHAIN_SNAPSHOTS,
    DERIVATION_MANIFEST,
    COMPOSITE_SIGNALS,
    SIGNAL_SCANS,
    ALERTS,
    ALERT_OUTBOX,
    ALERT_CHANNELS,
)
LAKE_TABLES = (LAKE_BARS, OPTION_CHAINS)
TABLES = {table.name: table for table in (*LAKE_TABLES, *WAREHOUSE_TABLES)}
"""Every definition by the name of its table; all flat-file datasets in the lake share `lake_bars`."""
