"""Definitions of the manifests: which file versions the lake holds, and what published rows were derived from."""

from hd_pipelines.tables.model import FROM_ZERO, Check, Column, Index, Reference, Table, Type
from hd_pipelines.tables.shared import alike

LOAD_MANIFEST = Table(
    name="load_manifest",
    about="Every version of a vendor file that was ingested into the lake.",
    grain="One row per dataset, session and version. Exactly one per dataset and session has no "
    "successor: the current one.",
    written_by="`warehouse.records.files.record_load`, after the Parquet file is in place.",
    key=("load_id",),
    columns=(
        Column("load_id", Type.TEXT, "Key, a pure function of dataset, session and content.", "32 hex digits"),
        Column(
            "dataset",
            Type.TEXT,
            "`stock_minute_aggs` and its five siblings.",
            source="`providers.massive.flat_files.layout`",
        ),
        Column("session", Type.DATE, "Exchange session.", source="name of the vendor object"),
        Column(
            "etag",
            Type.TEXT,
            "ETag of the object, without quotes. It identifies the version but is no checksum: multipart uploads differ.",
            source="S3 HEAD",
        ),
        Column(
            "size",
            Type.COUNT,
            "Compressed size of the object.",
            "bytes",
            source="S3 HEAD",
            bounds=FROM_ZERO,
            check="counts",
        ),
        Column(
            "sha256",
            Type.TEXT,
            "Checksum of the compressed bytes.",
            "64 hex digits",
            source="computed while downloading",
        ),
        *alike(
            Column("rows", Type.COUNT, "Rows in the lake's file."),
            Column("rows_set_aside", Type.COUNT, "Rows that broke a rule and were left out.", default="0"),
            unit="count",
            source="ingestion",
            bounds=FROM_ZERO,
            check="counts",
        ),
        Column("object_key", Type.TEXT, "Key in the vendor's bucket.", source="S3 LIST"),
        Column(
            "landed_at", Type.INSTANT, "When the object was complete on this disk.", source="time of the landed file"
        ),
        Column("ingested_at", Type.INSTANT, "When it was recorded.", source="server clock", default="now()"),
        Column(
            "superseded_by",
            Type.TEXT,
            "`load_id` of the version that replaced this one.",
            "32 hex digits",
            null="this version is current",
            references=Reference("load_manifest.load_id", is_deferred=True),
        ),
    ),
    checks=(
        Check("load_id", "load_id ~ '^[0-9a-f]{32}$'"),
        Check("sha256", "sha256 ~ '^[0-9a-f]{64}$'"),
        Check("not_its_own_successor", "superseded_by <> load_id"),
    ),
    indexes=(
        Index("load_manifest_current_idx", ("dataset", "session"), where="superseded_by IS NULL", is_unique=True),
    ),
)

BARS_MANIFEST = Table(
    name="bars_manifest",
    about="Input that each published symbol and session was derived from, so that a second run can tell that "
    "nothing has changed.",
    grain="One row per symbol and session.",
    written_by="`warehouse.publish.bars.publish_bars`, in the transaction that publishes the bars.",
    key=("symbol", "session"),
    columns=(
        Column("symbol", Type.KEY_TEXT, "Watchlist symbol.", source="`watchlist.symbol`"),
        Column("session", Type.DATE, "Exchange session."),
        Column(
            "fingerprint",
            Type.TEXT,
            "SHA-256 prefix over the derivation's version and the SHA-256 of every source file.",
            "32 hex digits",
            source="`loading.derived.bars`",
        ),
        Column(
            "rows",
            Type.INTEGER,
            "Bars of this symbol and session, all timeframes; 0 if the files hold none.",
            "count",
            bounds=FROM_ZERO,
        ),
        Column(
            "run_id",
            Type.TEXT,
            "Dagster run that published the rows.",
            null="published from the command line",
            source="Dagster",
        ),
        Column("loaded_at", Type.INSTANT, "When the rows were published.", source="server clock", default="now()"),
    ),
    indexes=(Index("bars_manifest_session_idx", ("session",)),),
)

DERIVATION_MANIFEST = Table(
    name="derivation_manifest",
    about="Input that the derived rows of a symbol and session were computed from, so that a second run can "
    "tell that nothing has changed.",
    grain="One row per table, symbol and session; `*` stands for the market where a table has no symbol.",
    written_by="`warehouse.records.derivations.record_derivations`, in the transaction that publishes the rows.",
    key=("table_name", "symbol", "session"),
    columns=(
        Column("table_name", Type.KEY_TEXT, "Table that holds the rows."),
        Column("symbol", Type.KEY_TEXT, "Symbol of the rows, `*` for the market."),
        Column("session", Type.DATE, "Exchange session of the rows."),
        Column(
            "fingerprint", Type.TEXT, "Over the inputs and the version of the code that derived them.", source="loader"
        ),
        Column("rows", Type.COUNT, "Rows that the table holds for the pair.", "count", bounds=FROM_ZERO),
        Column(
            "run_id",
            Type.TEXT,
            "Dagster run that published the rows.",
            null="published from the command line",
            source="Dagster",
        ),
        Column("loaded_at", Type.INSTANT, "When the rows were published.", source="server clock", default="now()"),
    ),
    checks=(Check("names", "table_name <> '' AND symbol <> ''"),),
)
