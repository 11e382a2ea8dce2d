"""The warehouse's tables as SQLAlchemy Core metadata: bars, manifests, findings, watchlist.

Belongs here: columns, keys and checks. Tables about options and the market are in `option_tables`, `analytics_tables`
and `regime_tables`, those of signals and alerts in `signal_tables` and `alert_tables`; whoever imports this module has
them all in `metadata`. Triggers, row-level security and functions are SQL in `migrations`; a test holds that metadata
and migrated schema say the same. Leaf partitions are made by `partitions` and appear nowhere here.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from hd_pipelines.tables.vocabulary import Severity, Timeframe
from hd_pipelines.warehouse.schema import (  # noqa: F401  (fill `metadata`)
    alert_tables,
    analytics_tables,
    option_tables,
    regime_tables,
    signal_tables,
)
from hd_pipelines.warehouse.schema.columns import byte_ordered_text, metadata, moment, none_negative, now, one_of

__all__ = [
    "BARS_TABLE",
    "BAR_COLUMNS",
    "BAR_KEY",
    "QUEUE_STATUSES",
    "TIMEFRAMES",
    "bars_manifest",
    "data_findings",
    "derivation_manifest",
    "historical_bars",
    "historical_ingestion_queue",
    "load_manifest",
    "metadata",
    "watchlist",
]

TIMEFRAMES = tuple(timeframe.value for timeframe in Timeframe)
"""Every timeframe that `historical_bars` holds, shortest first; the database refuses others."""
QUEUE_STATUSES = ("pending", "processing", "completed", "failed")
BAR_COLUMNS = (
    "symbol",
    "timeframe",
    "timestamp",
    "session",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "vwap",
    "trades",
)
"""What a published frame of bars carries, in the table's order; `created_at` is the server's."""
BAR_KEY = ("symbol", "timeframe", "timestamp", "session")
BARS_TABLE = "historical_bars"

historical_bars = Table(
    BARS_TABLE,
    metadata,
    byte_ordered_text("symbol"),
    byte_ordered_text("timeframe"),
    moment("timestamp", nullable=False),
    Column("session", Date, nullable=False),
    Column("open", Numeric, nullable=False),
    Column("high", Numeric, nullable=False),
    Column("low", Numeric, nullable=False),
    Column("close", Numeric, nullable=False),
    Column("volume", Numeric),
    Column("vwap", Numeric),
    Column("trades", BigInteger),
    now("created_at"),
    # Readers ask for one symbol and timeframe over a stretch of time. Monthly leaves bound the scan when they ask by
    # session instead; with session before timestamp, a question by time alone would read all history of the symbol.
    PrimaryKeyConstraint(*BAR_KEY, name="historical_bars_pkey"),
    CheckConstraint("symbol <> ''", name="historical_bars_symbol"),
    CheckConstraint(one_of("timeframe", TIMEFRAMES), name="historical_bars_timeframe"),
    # NaN sorts above everything in PostgreSQL: "high below infinity" refuses it for all four prices.
    CheckConstraint(
        "low > 0 AND low <= open AND low <= close AND high >= open AND high >= close AND high < 'Infinity'::numeric",
        name="historical_bars_prices",
    ),
    CheckConstraint("volume >= 0 AND volume < 'Infinity'::numeric", name="historical_bars_volume"),
    # Exact: whoever computes a VWAP rounds it into its bar, since floats may leave it by one unit in the last place.
    CheckConstraint("vwap >= low AND vwap <= high", name="historical_bars_vwap"),
    CheckConstraint("trades >= 0", name="historical_bars_trades"),
    # Midnight to 23:00 New York lie within one day at UTC-4, summer and winter; the zone by name costs a third of a
    # load. A week begins at most six days before its last session.
    CheckConstraint(
        "session - (\"timestamp\" AT TIME ZONE interval '-04:00')::date"
        " BETWEEN 0 AND CASE timeframe WHEN 'week' THEN 6 ELSE 0 END",
        name="historical_bars_session",
    ),
    postgresql_partition_by="RANGE (session)",
)

bars_manifest = Table(
    "bars_manifest",
    metadata,
    byte_ordered_text("symbol"),
    Column("session", Date, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("run_id", Text),
    now("loaded_at"),
    PrimaryKeyConstraint("symbol", "session", name="bars_manifest_pkey"),
    CheckConstraint("rows >= 0", name="bars_manifest_rows"),
)
Index("bars_manifest_session_idx", bars_manifest.c.session)

derivation_manifest = Table(
    "derivation_manifest",
    metadata,
    byte_ordered_text("table_name"),
    byte_ordered_text("symbol"),
    Column("session", Date, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("run_id", Text),
    now("loaded_at"),
    PrimaryKeyConstraint("table_name", "symbol", "session", name="derivation_manifest_pkey"),
    CheckConstraint("table_name <> '' AND symbol <> ''", name="derivation_manifest_names"),
    CheckConstraint(none_negative("rows"), name="derivation_manifest_rows"),
)

load_manifest = Table(
    "load_manifest",
    metadata,
    Column("load_id", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("session", Date, nullable=False),
    Column("etag", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("rows_set_aside", BigInteger, nullable=False, server_default=text("0")),
    Column("object_key", Text, nullable=False),
    moment("landed_at", nullable=False),
    now("ingested_at"),
    Column(
        "superseded_by",
        Text,
        ForeignKey(
            "load_manifest.load_id", name="load_manifest_superseded_by_fkey", deferrable=True, initially="DEFERRED"
        ),
    ),
    PrimaryKeyConstraint("load_id", name="load_manifest_pkey"),
    CheckConstraint("load_id ~ '^[0-9a-f]{32}$'", name="load_manifest_load_id"),
    CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="load_manifest_sha256"),
    CheckConstraint("size >= 0 AND rows >= 0 AND rows_set_aside >= 0", name="load_manifest_counts"),
    CheckConstraint("superseded_by <> load_id", name="load_manifest_not_its_own_successor"),
)
Index(
    "load_manifest_current_idx",
    load_manifest.c.dataset,
    load_manifest.c.session,
    unique=True,
    postgresql_where=load_manifest.c.superseded_by.is_(None),
)

data_findings = Table(
    "data_findings",
    metadata,
    Column("finding_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("session", Date),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("cure", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("first_row", BigInteger),
    now("first_seen_at"),
    now("last_seen_at"),
    moment("resolved_at"),
    Column("run_id", Text),
    PrimaryKeyConstraint("finding_id", name="data_findings_pkey"),
    CheckConstraint(one_of("severity", Severity), name="data_findings_severity"),
    CheckConstraint("rows >= 0", name="data_findings_rows"),
)
Index(
    "data_findings_open_idx",
    data_findings.c.dataset,
    data_findings.c.session,
    postgresql_where=data_findings.c.resolved_at.is_(None),
)

watchlist = Table(
    "watchlist",
    metadata,
    byte_ordered_text("symbol"),
    Column("ticker", Text, nullable=False),
    now("added_at"),
    now("updated_at"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("note", Text),
    PrimaryKeyConstraint("symbol", name="watchlist_pkey"),
    UniqueConstraint("ticker", name="watchlist_ticker_key"),
    CheckConstraint("symbol <> '' AND ticker <> ''", name="watchlist_names"),
)

historical_ingestion_queue = Table(
    "historical_ingestion_queue",
    metadata,
    Column("queue_id", BigInteger, Identity(always=True), nullable=False),
    Column(
        "symbol",
        Text(collation="C"),
        ForeignKey("watchlist.symbol", name="historical_ingestion_queue_symbol_fkey", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    Column("retry_count", Integer, nullable=False, server_default=text("0")),
    Column("days_to_backfill", Integer, nullable=False, server_default=text("90")),
    now("created_at"),
    now("updated_at"),
    moment("started_at"),
    moment("finished_at"),
    Column("last_error", Text),
    PrimaryKeyConstraint("queue_id", name="historical_ingestion_queue_pkey"),
    UniqueConstraint("symbol", name="historical_ingestion_queue_symbol_key"),
    CheckConstraint(one_of("status", QUEUE_STATUSES), name="historical_ingestion_queue_status"),
    CheckConstraint("retry_count BETWEEN 0 AND 3", name="historical_ingestion_queue_retries"),
    CheckConstraint("days_to_backfill > 0", name="historical_ingestion_queue_days"),
)
