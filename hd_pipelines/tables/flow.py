"""Definition of `options_flow_history`."""

from hd_pipelines.tables.model import FROM_ZERO, POSITIVE, Bounds, Check, Column, Index, Partitioning, Span, Table, Type
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT, alike, same_day
from hd_pipelines.tables.vocabulary import Aggressiveness, FlowSentiment, OptionType, TradeType

OPTIONS_FLOW_HISTORY = Table(
    name="options_flow_history",
    about="Notable option prints. Empty until option trades are ingested.",
    grain="One row per print. Partitioned by month of `timestamp`, kept 90 days.",
    written_by="nothing yet.",
    key=("id", "timestamp"),
    columns=(
        Column("id", Type.UUID, "Key, a pure function of the print."),
        Column("symbol", Type.KEY_TEXT, "Plain symbol of the underlying."),
        Column("contract_ticker", Type.KEY_TEXT, "OCC ticker with the prefix `O:`.", source="vendor"),
        Column(
            "timestamp",
            Type.INSTANT,
            "When the print was made. The partition key.",
            "UTC instant, microseconds",
            source="vendor",
        ),
        Column("session", Type.DATE, "Exchange session; the UTC date of `timestamp`."),
        Column(
            "price",
            Type.PRICE,
            "Price of the print.",
            "USD of one share",
            source="vendor",
            bounds=FROM_ZERO,
            check="prices",
        ),
        Column("size", Type.COUNT, "Contracts.", "contracts", source="vendor", bounds=POSITIVE),
        Column(
            "premium",
            Type.PRICE,
            "Price times size times deliverable.",
            "USD",
            null="deliverable unknown",
            bounds=FROM_ZERO,
            check="prices",
        ),
        Column("trade_type", Type.TEXT, "`SWEEP`, `BLOCK`, `SPLIT`, `LARGE` or `REGULAR`.", enum=TradeType),
        Column(
            "sentiment",
            Type.TEXT,
            "`BULLISH`, `BEARISH` or `NEUTRAL`.",
            null="no quote to compare with",
            enum=FlowSentiment,
        ),
        Column(
            "aggressiveness",
            Type.TEXT,
            "`PASSIVE`, `NORMAL` or `AGGRESSIVE`.",
            null="no quote to compare with",
            enum=Aggressiveness,
        ),
        Column(
            "strike", Type.PRICE, "Strike price.", "USD, index points for an index", source="ticker", bounds=POSITIVE
        ),
        Column("expiration", Type.DATE, "Expiration date.", "date", source="ticker"),
        Column("option_type", Type.TEXT, "`call` or `put`.", enum=OptionType, source="ticker"),
        Column(
            "underlying_price",
            Type.PRICE,
            "Price of the underlying at the print.",
            "as `strike`",
            null="unknown",
            bounds=POSITIVE,
            check="strike",
        ),
        Column("dte", Type.INTEGER, "Calendar days from session to expiration.", "days"),
        Column("is_sweep", Type.BOOLEAN, "Part of one order that went to several exchanges.", default="false"),
        Column("is_block", Type.BOOLEAN, "One large negotiated print.", default="false"),
        Column("is_above_ask", Type.BOOLEAN, "Above the ask at that time.", default="false"),
        Column("is_below_bid", Type.BOOLEAN, "Below the bid at that time.", default="false"),
        Column("is_unusual_volume", Type.BOOLEAN, "Whether the volume is unusual for the contract.", default="false"),
        *alike(
            Column("size_percentile", Type.NUMBER, "Size against the last 20 days of the underlying."),
            Column("premium_percentile", Type.NUMBER, "Premium against the last 20 days of the underlying."),
            unit="0 to 100",
            null="too little history",
            bounds=Bounds(0, 100),
            check="percentiles",
        ),
        *alike(
            Column("exchange", Type.TEXT, "Exchange of the print."),
            Column("conditions", Type.TEXT_LIST, "Conditions of the print, as the vendor numbers them.", null="none"),
            null="unknown",
            source="vendor",
        ),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        Check("dte", "dte = expiration - session"),
        Check("names", "symbol <> '' AND contract_ticker <> ''"),
        same_day("timestamp", "session"),
    ),
    indexes=(Index("options_flow_history_symbol_idx", ("symbol", "timestamp")),),
    partitioning=Partitioning(by="timestamp", session="session", span=Span.MONTH),
)
