"""Definitions of the watchlist and its queue of history still to be derived."""

from hd_pipelines.tables.model import POSITIVE, Bounds, Check, Column, Reference, Table, Type, Unique
from hd_pipelines.tables.shared import UPDATED_AT

QUEUE_STATUSES = ("pending", "processing", "completed", "failed")

WATCHLIST = Table(
    name="watchlist",
    about="Symbols whose bars are kept. A trigger puts a symbol that joins or returns into the ingestion queue.",
    grain="One row per symbol, active or not.",
    written_by="`hd watchlist`, `hd backfill --symbols`; the first run writes `HD_WATCHLIST`.",
    key=("symbol",),
    columns=(
        Column("symbol", Type.KEY_TEXT, "Symbol in common use."),
        Column(
            "ticker",
            Type.TEXT,
            "What the vendor's files call it; an index has the prefix `I:`.",
            source="`market.symbols.to_ticker`",
        ),
        Column("added_at", Type.INSTANT, "When it joined first.", source="server clock", default="now()"),
        UPDATED_AT,
        Column(
            "active",
            Type.BOOLEAN,
            "Whether its bars are kept up to date. Bars of an inactive symbol are kept.",
            default="true",
        ),
        Column("note", Type.TEXT, "Free text.", null="none given"),
    ),
    checks=(Check("names", "symbol <> '' AND ticker <> ''"),),
    unique=(Unique("watchlist_ticker_key", ("ticker",)),),
)

HISTORICAL_INGESTION_QUEUE = Table(
    name="historical_ingestion_queue",
    about="Symbols whose history is still to be derived from the lake.",
    grain="One row per symbol.",
    written_by="Trigger of `watchlist`; `loading.derived.backfill_queue` claims and completes. A claim older than "
    "30 minutes is given out again.",
    key=("queue_id",),
    columns=(
        Column("queue_id", Type.COUNT, "Order of claiming.", source="identity", is_identity=True),
        Column(
            "symbol",
            Type.KEY_TEXT,
            "Symbol whose history is to be derived.",
            source="`watchlist.symbol`",
            references=Reference("watchlist.symbol", cascades=True),
        ),
        Column(
            "status",
            Type.TEXT,
            "`pending`, `processing`, `completed` or `failed`.",
            enum=QUEUE_STATUSES,
            default="'pending'",
        ),
        Column(
            "retry_count",
            Type.INTEGER,
            "Failures so far; the fourth is final.",
            "count, 0 to 3",
            bounds=Bounds(0, 3),
            check="retries",
            default="0",
        ),
        Column(
            "days_to_backfill",
            Type.INTEGER,
            "Sessions of history to derive.",
            "sessions",
            bounds=POSITIVE,
            check="days",
            default="90",
        ),
        Column("created_at", Type.INSTANT, "When it joined the queue first.", source="server clock", default="now()"),
        UPDATED_AT,
        Column("started_at", Type.INSTANT, "When it was claimed.", null="not claimed yet"),
        Column("finished_at", Type.INSTANT, "When it was completed, or failed last.", null="not finished yet"),
        Column("last_error", Type.TEXT, "Type and text of the last failure.", null="none since it joined"),
    ),
    unique=(Unique("historical_ingestion_queue_symbol_key", ("symbol",)),),
)
