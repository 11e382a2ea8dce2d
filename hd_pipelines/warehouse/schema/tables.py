"""The warehouse's tables as SQLAlchemy Core metadata, built from the definitions in `hd_pipelines.tables`.

Triggers, row-level security and functions are SQL in `migrations`; a test holds that metadata and migrated schema agree.
Partitions are created by `partitions` and do not appear here.
"""

from __future__ import annotations

from hd_pipelines.tables.alerts import ALERT_CHANNELS, ALERT_OUTBOX, ALERTS
from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.tables.chains import OPTION_CHAIN_SNAPSHOTS
from hd_pipelines.tables.findings import DATA_FINDINGS
from hd_pipelines.tables.flow import OPTIONS_FLOW_HISTORY
from hd_pipelines.tables.gamma import GAMMA_EXPOSURE_SNAPSHOTS
from hd_pipelines.tables.gamma_rows import GAMMA_BY_EXPIRATION, GAMMA_BY_STRIKE
from hd_pipelines.tables.greeks import HISTORICAL_GREEKS
from hd_pipelines.tables.manifests import BARS_MANIFEST, DERIVATION_MANIFEST, LOAD_MANIFEST
from hd_pipelines.tables.regime import MARKET_REGIME_HISTORY
from hd_pipelines.tables.scans import SIGNAL_SCANS
from hd_pipelines.tables.signals import COMPOSITE_SIGNALS
from hd_pipelines.tables.vocabulary import Timeframe
from hd_pipelines.tables.volatility import IV_PERCENTILE_CACHE
from hd_pipelines.tables.watchlist import HISTORICAL_INGESTION_QUEUE, QUEUE_STATUSES, WATCHLIST
from hd_pipelines.tables.yields import TREASURY_YIELDS
from hd_pipelines.warehouse.schema.build import build_table, metadata

__all__ = [
    "BAR_COLUMNS",
    "BAR_KEY",
    "QUEUE_STATUSES",
    "TIMEFRAMES",
    "alert_channels",
    "alert_outbox",
    "alerts",
    "bars_manifest",
    "composite_signals",
    "data_findings",
    "derivation_manifest",
    "gamma_by_expiration",
    "gamma_by_strike",
    "gamma_exposure_snapshots",
    "historical_bars",
    "historical_greeks",
    "historical_ingestion_queue",
    "iv_percentile_cache",
    "load_manifest",
    "market_regime_history",
    "metadata",
    "option_chain_snapshots",
    "options_flow_history",
    "signal_scans",
    "treasury_yields",
    "watchlist",
]

TIMEFRAMES = tuple(timeframe.value for timeframe in Timeframe)
"""Every timeframe that `historical_bars` holds, shortest first; the database refuses others."""
BAR_COLUMNS = tuple(column.name for column in HISTORICAL_BARS.published)
"""Columns of a published frame of bars, in the table's order."""
BAR_KEY = HISTORICAL_BARS.key

historical_bars = build_table(HISTORICAL_BARS)
bars_manifest = build_table(BARS_MANIFEST)
load_manifest = build_table(LOAD_MANIFEST)
derivation_manifest = build_table(DERIVATION_MANIFEST)
data_findings = build_table(DATA_FINDINGS)
watchlist = build_table(WATCHLIST)
historical_ingestion_queue = build_table(HISTORICAL_INGESTION_QUEUE)
historical_greeks = build_table(HISTORICAL_GREEKS)
options_flow_history = build_table(OPTIONS_FLOW_HISTORY)
option_chain_snapshots = build_table(OPTION_CHAIN_SNAPSHOTS)
iv_percentile_cache = build_table(IV_PERCENTILE_CACHE)
gamma_exposure_snapshots = build_table(GAMMA_EXPOSURE_SNAPSHOTS)
gamma_by_strike = build_table(GAMMA_BY_STRIKE)
gamma_by_expiration = build_table(GAMMA_BY_EXPIRATION)
market_regime_history = build_table(MARKET_REGIME_HISTORY)
treasury_yields = build_table(TREASURY_YIELDS)
composite_signals = build_table(COMPOSITE_SIGNALS)
signal_scans = build_table(SIGNAL_SCANS)
alerts = build_table(ALERTS)
alert_outbox = build_table(ALERT_OUTBOX)
alert_channels = build_table(ALERT_CHANNELS)
